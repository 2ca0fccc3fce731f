"""Cold builds: the GEMM alone and all of kernels.yaml, from nothing, with the wall time and memory of the process.

.venv/bin/python benchmarks/cold_build.py
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5


def measure(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds and peak MB of one SCons process, its children included."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "SCons", "-s", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"scons {' '.join(arguments)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Print medians."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "tree"
        folder.mkdir()
        for name in ("SConstruct", "kernels.yaml"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "library", folder / "library")
        for label, arguments in (("gemm from nothing", ("kernel-gemm",)), ("kernels.yaml from nothing", ())):
            rounds = []
            for _ in range(ROUNDS):
                shutil.rmtree(folder / "build", ignore_errors=True)
                rounds.append(measure(folder, *arguments))
            seconds = statistics.median(r[0] for r in rounds)
            memory = max(r[1] for r in rounds)
            print(f"{label:<28} {seconds:6.2f} s {memory:6.0f} MB")
        rounds = [measure(folder) for _ in range(ROUNDS)]
        seconds = statistics.median(r[0] for r in rounds)
        print(f"{'null build':<28} {seconds:6.2f} s {max(r[1] for r in rounds):6.0f} MB")


if __name__ == "__main__":
    main()
