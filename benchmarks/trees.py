"""Trees of N small kernels for the build benchmarks: the product's own graph, ten passes and six files a kernel."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SCONSTRUCT = """import tt_build.scons
env = Environment(tools=["tenstorrent"], toolpath=tt_build.scons.toolpath())
env.TTKernels("kernels.yaml")
"""


def write_tree(folder: Path, kernels: int, first: int = 1) -> None:
    """An SConstruct and a kernels.yaml with adds of one tile a core; their factors count up from ``first``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SConstruct").write_text(SCONSTRUCT)
    text = ["version: 1\nkernels:\n"]
    for number in range(kernels):
        text.append(
            f"  k{number}:\n    description: kernel {number}\n    sizes: {{M: {32 + 32 * (number % 3)}, N: 64}}\n"
            "    inputs: {X: {shape: [M, N]}, Y: {shape: [M, N]}}\n    outputs: {Z: {shape: [M, N]}}\n"
            f"    compute: Z = X + Y * {number + first}\n"
        )
    (folder / "kernels.yaml").write_text("".join(text))


class Seconds(NamedTuple):
    """Of one process and its children: by the clock, and of processor, which other work stretches less."""

    wall: float
    cpu: float


def timed(line: list[str], folder: Path) -> Seconds:
    """A command that must succeed, in a folder."""
    # Python keeps the modules that it compiled, as it does wherever nobody forbids it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        line, cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(line)} failed\n{done.stdout}{done.stderr}")
    return Seconds(wall, after.children_user + after.children_system - before.children_user - before.children_system)


def scons(folder: Path, *arguments: str) -> Seconds:
    """One SCons process."""
    return timed([sys.executable, "-m", "SCons", "-s", *arguments], folder)


def median(rows: list[Seconds]) -> Seconds:
    """Of each figure by itself."""
    return Seconds(statistics.median(row.wall for row in rows), statistics.median(row.cpu for row in rows))
