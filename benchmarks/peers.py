"""The same graph in Ninja, GNU make and CMake + Ninja, beside ours: null builds and one-kernel edits.

.venv/bin/python benchmarks/peers.py [--kernels 100 1000 5000]

The graph is the product's: ten stages and one step of six files a kernel. A peer's step is a copy made by ``cp``, so
its figures are those of the engine; ours also reads kernels.yaml, which for a peer somebody must turn into the files
that its first steps read. An edit changes one of those files and lets all eleven steps of that kernel run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from null_build import edit
from trees import Seconds, median, scons, timed, write_tree

from tt_build.codegen.files import OUTPUTS

ROUNDS = 5


def steps(kernel: int) -> list[tuple[str, list[str]]]:
    """(source, outputs) of each step."""
    rows, source = [], f"spec/k{kernel}.json"
    for stage in range(1, 11):
        output = f"out/k{kernel}/ir{stage:02d}.json"
        rows.append((source, [output]))
        source = output
    return [*rows, (source, [f"out/k{kernel}/{file}" for file in OUTPUTS])]


def command(source: str, outputs: list[str]) -> str:
    """Make the outputs of the source."""
    return " && ".join(f"cp {source} {output}" for output in outputs)


def write_ninja(folder: Path, kernels: int) -> list[str]:
    """``build.ninja``; the command that builds."""
    text = ["rule copy\n  command = $do\n"]
    for kernel in range(kernels):
        for source, outputs in steps(kernel):
            text.append(f"build {' '.join(outputs)}: copy {source}\n  do = {command(source, outputs)}\n")
    (folder / "build.ninja").write_text("".join(text))
    return ["ninja", "--quiet"]


def write_make(folder: Path, kernels: int) -> list[str]:
    """A Makefile with grouped targets; the command that builds."""
    text, every = [], []
    for kernel in range(kernels):
        for source, outputs in steps(kernel):
            text.append(f"{' '.join(outputs)} &: {source}\n\t@{command(source, outputs)}\n")
        every += outputs
    (folder / "Makefile").write_text(f".SUFFIXES:\nall: {' '.join(every)}\n" + "".join(text))
    return ["make", "-rR", "--silent", "-j2"]


def write_cmake(folder: Path, kernels: int) -> list[str]:
    """A CMakeLists.txt, configured for Ninja; the command that builds."""
    text, every = ["cmake_minimum_required(VERSION 3.20)\nproject(graph NONE)\n"], []
    for kernel in range(kernels):
        for source, outputs in steps(kernel):
            names = " ".join(f"${{CMAKE_SOURCE_DIR}}/{output}" for output in outputs)
            text.append(
                f'add_custom_command(OUTPUT {names} COMMAND sh -c "{command(source, outputs)}" VERBATIM\n'
                f"  DEPENDS ${{CMAKE_SOURCE_DIR}}/{source} WORKING_DIRECTORY ${{CMAKE_SOURCE_DIR}})\n"
            )
        every.append(names)
    (folder / "CMakeLists.txt").write_text("".join(text) + f"add_custom_target(graph ALL DEPENDS {' '.join(every)})\n")
    subprocess.run(["cmake", "-G", "Ninja", "-S", ".", "-B", "cmake"], cwd=folder, check=True, capture_output=True)
    return ["cmake", "--build", "cmake", "--", "--quiet"]


PEERS = {"Ninja": write_ninja, "GNU make": write_make, "CMake + Ninja": write_cmake}


def measure(base: Path, kernels: int) -> None:
    """Print the medians of interleaved rounds."""
    ours = base / "ours"
    write_tree(ours, kernels)
    scons(ours)
    lines: dict[str, tuple[list[str], Path]] = {}
    for name, write in PEERS.items():
        folder = base / name.replace(" ", "")
        (folder / "spec").mkdir(parents=True)
        for kernel in range(kernels):
            (folder / f"out/k{kernel}").mkdir(parents=True)
            (folder / f"spec/k{kernel}.json").write_text(str(kernel))
        line = write(folder, kernels)
        timed(line, folder)
        lines[name] = line, folder
    rows: dict[str, list[tuple[Seconds, Seconds]]] = {name: [] for name in ("tt-build", *PEERS)}
    for number in range(ROUNDS):
        null = scons(ours)
        edit(ours, kernels // 2, number)
        rows["tt-build"].append((null, scons(ours)))
        for name, (line, folder) in lines.items():
            null = timed(line, folder)
            (folder / f"spec/k{kernels // 2}.json").write_text(f"edit {number}")
            rows[name].append((null, timed(line, folder)))
    load = os.getloadavg()[0]
    print(f"{kernels} kernels, {kernels * 11} steps; medians of {ROUNDS} interleaved rounds, load {load:.1f}")
    for name, pairs in rows.items():
        null, edited = (median([pair[at] for pair in pairs]) for at in (0, 1))
        print(
            f"  {name:<14} null {null.wall:7.3f} s ({null.cpu:6.3f} s of processor)"
            f"   edit {edited.wall:7.3f} s ({edited.cpu:6.3f} s of processor)"
        )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", type=int, nargs="*", default=[100, 1000])
    missing = [tool for tool in ("ninja", "make", "cmake") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"not there: {', '.join(missing)} (Debian: ninja-build make cmake)")
    for kernels in parser.parse_args().kernels:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary), kernels)


if __name__ == "__main__":
    main()
