"""What SCons adds to a step of a cold build, and what a second core gives ``scons verify``.

.venv/bin/python benchmarks/steps.py [--kernels 1000] [--verified 24] [--rounds 3] [--folder DIR]

The first compares ``scons -j1`` with the same steps called one after the other, from bytes to bytes, in a process of
its own: what is left is SCons, the records, and the files. What the system takes for the files is in a line of its own:
the same files written one after the other, with no temporary names and no records. It varies most from one file system
and one minute to the next; ``--folder`` names another than that of temporary files. The second is ``scons verify`` from
nothing but the emulator's engine, with -j1 and -j2 in interleaved rounds, of kernels that were never compiled before,
beside two such builds at once, each with -j1 in a tree of its own: no build can do better with two cores than they.
``--verified 0`` leaves it out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
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
    parser.add_argument("--folder", type=Path, help="where trees are made")
    parsed = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {parsed.rounds} rounds")
    with tempfile.TemporaryDirectory(dir=parsed.folder) as temporary:
        overhead(Path(temporary) / "cold", parsed.kernels, parsed.rounds)
        if parsed.verified:
            speed_up(Path(temporary) / "verified", parsed.verified, parsed.rounds)


def overhead(tree: Path, kernels: int, rounds: int) -> None:
    """Cold builds against the steps alone."""
    write_tree(tree, kernels)
    direct: list[Seconds] = []
    cold: list[Seconds] = []
    files: list[Seconds] = []
    for number in range(rounds):
        direct.append(timed([sys.executable, "-c", DIRECT], tree))
        cold.append(scons(tree, "-j1", f"out=build{number}"))
        files.append(written(tree / f"build{number}/tenstorrent", tree / f"files{number}"))
    steps, built, plain = median(direct), median(cold), median(files)
    count = kernels * 11
    print(f"{kernels} kernels, {count} steps, -j1")
    for label, row in (("steps called directly", steps), ("cold build", built), ("its files alone", plain)):
        print(f"  {label:<24}{row.wall:8.2f} s  {row.cpu:8.2f} s of processor")
    for label, extra in (("difference a step", Seconds(0, 0)), ("without the files", plain)):
        wall, cpu = ((b - d - e) / count * 1000 for b, d, e in zip(built, steps, extra, strict=True))
        print(f"  {label:<24}{wall:8.2f} ms {cpu:8.2f} ms of processor")


def written(source: Path, target: Path) -> Seconds:
    """The files of a folder written anew into another."""
    files = {target / path.relative_to(source): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    before, started = os.times(), time.perf_counter()
    for folder in sorted({path.parent for path in files}):
        folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        path.write_bytes(data)
    wall, after = time.perf_counter() - started, os.times()
    return Seconds(wall, after.user + after.system - before.user - before.system)


def speed_up(folder: Path, kernels: int, rounds: int) -> None:
    """``verify`` with one job and with two; and what the machine gives two builds of one job that share nothing."""
    write_tree(folder / "engine", 1)
    scons(folder / "engine", "verify")
    first = time.time_ns() // 1_000_000 % 1_000_000_000  # factors that no build on this machine has had
    found: dict[str, list[Seconds]] = {"-j1": [], "-j2": [], "two of -j1 at once": []}
    for number in range(rounds):
        for label, rows in found.items():
            trees = [folder / f"{number} {label} {one}" for one in range(2 if label.startswith("two") else 1)]
            for tree in trees:
                write_tree(tree, kernels, first)
                first += kernels
            jobs = "-j2" if label == "-j2" else "-j1"
            started = time.perf_counter()
            with ThreadPoolExecutor(len(trees)) as pool:
                done = list(pool.map(lambda tree, jobs=jobs: scons(tree, jobs, "verify"), trees))
            rows.append(Seconds(time.perf_counter() - started, done[0].cpu))
    print(f"scons verify of {kernels} kernels")
    one, two, pair = (median(rows) for rows in found.values())
    for label, row in (("-j1", one), ("-j2", two)):
        print(f"  {label:<24}{row.wall:8.2f} s  {row.cpu:8.2f} s of processor")
    print(f"  two of -j1 at once      {pair.wall:8.2f} s")
    gained, most = one.wall / two.wall, 2 * one.wall / pair.wall
    print(f"  -j2 is {gained:.2f} x as fast; two of -j1 at once do {most:.2f} x the work of one")


if __name__ == "__main__":
    main()
