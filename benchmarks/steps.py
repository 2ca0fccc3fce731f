"""What SCons adds to a step of a cold build, and what a second core gives ``scons verify``.

.venv/bin/python benchmarks/steps.py [--kernels 1000] [--verified 24] [--rounds 3]

The first compares ``scons -j1`` with the same steps called one after the other, from bytes to bytes, in a process of
its own: what is left is SCons, the records, and the files. The second is ``scons verify`` from nothing but the
emulator's engine, with -j1 and -j2 in interleaved rounds, of kernels that were never compiled before.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from trees import Seconds, median, scons, timed, write_tree

DIRECT = """
from pathlib import Path
from tt_build.passes.pipeline import encode_declaration, kind_of
from tt_build.scons.actions import functions
from tt_build.spec.loader import load_file
for declaration in load_file(Path("kernels.yaml")).declarations:
    data = encode_declaration(declaration)
    for step in functions(kind_of(declaration), {}):
        data = step(data)[0]
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", type=int, default=1000)
    parser.add_argument("--verified", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {parsed.rounds} rounds")
    with tempfile.TemporaryDirectory() as temporary:
        overhead(Path(temporary) / "cold", parsed.kernels, parsed.rounds)
        speed_up(Path(temporary) / "verified", parsed.verified, parsed.rounds)


def overhead(tree: Path, kernels: int, rounds: int) -> None:
    """Cold builds against the steps alone."""
    write_tree(tree, kernels)
    direct: list[Seconds] = []
    cold: list[Seconds] = []
    for number in range(rounds):
        direct.append(timed([sys.executable, "-c", DIRECT], tree))
        cold.append(scons(tree, "-j1", f"out=build{number}"))
    steps, built = median(direct), median(cold)
    count = kernels * 11
    print(f"{kernels} kernels, {count} steps, -j1")
    for label, row in (("steps called directly", steps), ("cold build", built)):
        print(f"  {label:<24}{row.wall:8.2f} s  {row.cpu:8.2f} s of processor")
    wall, cpu = ((b - d) / count * 1000 for b, d in zip(built, steps, strict=True))
    print(f"  {'difference a step':<24}{wall:8.2f} ms {cpu:8.2f} ms of processor")


def speed_up(folder: Path, kernels: int, rounds: int) -> None:
    """``verify`` with one job and with two."""
    write_tree(folder / "engine", 1)
    scons(folder / "engine", "verify")
    first = time.time_ns() // 1_000_000 % 1_000_000_000  # factors that no build on this machine has had
    found: dict[str, list[Seconds]] = {"-j1": [], "-j2": []}
    for number in range(rounds):
        for jobs, rows in found.items():
            tree = folder / f"{number}{jobs}"
            write_tree(tree, kernels, first)
            first += kernels
            rows.append(scons(tree, jobs, "verify"))
    print(f"scons verify of {kernels} kernels")
    for jobs, rows in found.items():
        row = median(rows)
        print(f"  {jobs:<24}{row.wall:8.2f} s  {row.cpu:8.2f} s of processor")
    print(f"  -j2 is {median(found['-j1']).wall / median(found['-j2']).wall:.2f} x as fast")


if __name__ == "__main__":
    main()
