"""Decoding from many threads at once, each structure for the first time."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT

# Structures within structures, with annotations that take a while to evaluate, made anew for each round.
PROGRAM = """
import sys, threading
import msgspec
from tt_build.decoding import decode
sys.setswitchinterval(1e-6)
SOURCE = "from __future__ import annotations\\nimport msgspec\\n" + "".join(
    f"class S{n}(msgspec.Struct):\\n" + "".join(
        f"    f{k}: tuple[dict[str, list[int | str]] | None, ...] = ()\\n" for k in range(4)
    ) + (f"    s: S{n - 1} | None = None\\n" if n else "")
    for n in range(12)
)
for _ in range(int(sys.argv[1])):
    names = {"__name__": "made"}
    module = type(sys)("made")
    sys.modules["made"] = module
    exec(SOURCE, module.__dict__)
    barrier = threading.Barrier(8)
    def go():
        barrier.wait()
        decode(b'{"s": {"s": {"f1": []}}}', module.S11)
    threads = [threading.Thread(target=go) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_threads_that_decode_a_structure_for_the_first_time_do_not_crash() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "40"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
