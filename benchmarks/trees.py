"""Trees of N small kernels for the build benchmarks: the product's own graph, ten passes and six files a kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCONSTRUCT = """import tt_build.scons
env = Environment(tools=["tenstorrent"], toolpath=tt_build.scons.toolpath())
env.TTKernels("kernels.yaml")
"""


def write_tree(folder: Path, kernels: int) -> None:
    """An SConstruct and a kernels.yaml with adds of one tile a core."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SConstruct").write_text(SCONSTRUCT)
    text = ["version: 1\nkernels:\n"]
    for number in range(kernels):
        text.append(
            f"  k{number}:\n    description: kernel {number}\n    sizes: {{M: {32 + 32 * (number % 3)}, N: 64}}\n"
            "    inputs: {X: {shape: [M, N]}, Y: {shape: [M, N]}}\n    outputs: {Z: {shape: [M, N]}}\n"
            f"    compute: Z = X + Y * {number + 1}\n"
        )
    (folder / "kernels.yaml").write_text("".join(text))


def scons(folder: Path, *arguments: str) -> float:
    """Seconds of one SCons process."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "SCons", "-s", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"scons {' '.join(arguments)} failed\n{done.stdout}{done.stderr}")
    return seconds
