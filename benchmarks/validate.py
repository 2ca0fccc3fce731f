"""``tt-build validate`` of 1,000 kernels: ``python benchmarks/validate.py [repetitions]``.

Prints the first run (1,000 kernels of different shapes, none of them noted), then the best of several with all kernels
noted, with ``--quick``, and of starting Python alone. Seconds of wall clock, and of CPU (both processes), which a busy
machine stretches less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KERNEL = """\
  k{n}:
    sizes: {{M: {m}, K: 256, N: {w}}}
    inputs: {{X: {{shape: [M, K]}}, W: {{shape: [K, N]}}, b: {{shape: [1, N]}}}}
    outputs: {{Y: {{shape: [M, N]}}}}
    compute: Y = gelu(X @ W + b)
"""


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall clock and CPU seconds of a command that must succeed."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


def main() -> None:
    """Measure and print."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as name:
        spec = Path(name) / "kernels.yaml"
        kernels = (KERNEL.format(n=n, m=32 * (1 + n % 8), w=32 * (1 + n // 8)) for n in range(1000))
        spec.write_text("version: 1\nkernels:\n" + "".join(kernels))
        environment = {**os.environ, "TT_BUILD_CACHE": name}
        validate = [sys.executable, "-m", "tt_build", "validate", str(spec)]
        rows = [("first run", [timed(validate, environment)])]
        for label, command in (
            ("all noted", validate),
            ("--quick", [*validate, "--quick"]),
            ("Python alone", [sys.executable, "-c", "pass"]),
        ):
            rows.append((label, [timed(command, environment) for _ in range(repetitions)]))
    for label, found in rows:
        print(f"{label:14} {min(wall for wall, _ in found):6.2f} s   {min(cpu for _, cpu in found):6.2f} s of CPU")


if __name__ == "__main__":
    main()
