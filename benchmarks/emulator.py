"""The emulator: compilation of kernel sets, a bf16 GEMM on 64 cores, a + b in MB/s, and ``scons verify`` from nothing.

.venv/bin/python benchmarks/emulator.py [compile]     compile: only the compilation of kernel sets

Everything is compiled in a cache of its own. Throughput counts the bytes of the three tensors on the device, over the
time of ``run``: packing, the engine, unpacking. Runs of kernels are the best of several; the rest is done once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.programs.campaign import draw_case
from tests.programs.prove import build
from tt_build.codegen.compile import compile_files
from tt_build.emulator import toolchain
from tt_build.emulator.run import compile_plan, compile_plans, run
from tt_build.ir.plan import Plan, load_plan
from tt_build.spec.loader import load_file

ROOT = Path(__file__).resolve().parent.parent
SPEC = """version: 1
target: {arch: wormhole_b0}
kernels:
  gemm:
    inputs: {A: {shape: [1024, 1024]}, B: {shape: [1024, 1024]}}
    outputs: {C: {shape: [1024, 1024]}}
    compute: C = A @ B
  add:
    inputs: {A: {shape: [4096, 2048]}, B: {shape: [4096, 2048]}}
    outputs: {C: {shape: [4096, 2048]}}
    compute: C = A + B
"""


def timed(action: Callable[[], Any], rounds: int = 1) -> float:
    """Best wall time in seconds."""
    return min(_round(action)[0] for _ in range(rounds))


def cpu_seconds(action: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Best wall time, and best processor time of this process and its children, which a busy machine changes less."""
    found = [_round(action) for _ in range(rounds)]
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def _round(action: Callable[[], Any]) -> tuple[float, float]:
    before, started = os.times(), time.perf_counter()
    action()
    wall, after = time.perf_counter() - started, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def show(label: str, seconds: float, note: str = "") -> None:
    print(f"{label:<44} {seconds:7.2f} s  {note}", flush=True)


def plans(folder: Path) -> dict[str, tuple[Plan, Path]]:
    """The benchmarks' kernels, generated."""
    path = folder / "kernels.yaml"
    path.write_text(SPEC)
    found = {}
    for declaration in load_file(path).declarations:
        place = folder / declaration.kernel.name
        place.mkdir()
        for name, data in compile_files(declaration).items():
            if not name.startswith("ir/"):
                (place / name).write_bytes(data)
        found[declaration.kernel.name] = (load_plan(place / "tt.plan.json"), place)
    return found


def programs(folder: Path, count: int = 12) -> list[tuple[Plan, Path]]:
    """Random programs of the tests, each under three schedules."""
    cases = [draw_case("programs", 1, number) for number in range(count)]
    declared = [program for program, variants in cases for program in (program, *variants)]
    paths = [build(program, folder / str(number))[1] for number, program in enumerate(declared)]
    return [(load_plan(path), path.parent) for path in paths]


def compiled(folder: Path) -> None:
    """Kernel sets one by one and together, from precompiled headers."""
    sets = programs(folder / "programs")
    compile_plans(sets[:3])
    kernels = toolchain.cache_folder() / "kernels"
    for label, action in (
        ("one by one", lambda: [compile_plan(*each) for each in sets]),
        ("together", lambda: compile_plans(sets)),
    ):
        shutil.rmtree(kernels)
        _, cpu = cpu_seconds(action, 1)
        show(f"{len(sets)} kernel sets, {label}", cpu, f"of processor; {1000 * cpu / len(sets):.0f} ms each")


def inputs(plan: Plan) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    buffers = {n: b for n, b in plan.buffers.items() if b.role != "output"}
    return {name: rng.standard_normal(buffer.shape, np.float32) for name, buffer in buffers.items()}


def verify(folder: Path) -> tuple[float, int]:
    """``scons verify -j2`` over kernels.yaml with an empty build folder: seconds and kernels."""
    for name in ("SConstruct", "kernels.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "library", folder / "library", dirs_exist_ok=True)
    command = [sys.executable, "-m", "SCons", "-s", "-j2", "verify"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    seconds = timed(lambda: subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL))
    return seconds, len(load_file(folder / "kernels.yaml").declarations)


def main() -> None:
    """Print a line for each."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        if sys.argv[1:] == ["compile"]:
            compiled(folder)
            return
        found = plans(folder)
        show("engine, once for an installation", timed(toolchain.engine))
        gemm, gemm_at = found["gemm"]
        show("first kernel set, with precompiled headers", timed(lambda: compile_plan(gemm, gemm_at)))
        add, add_at = found["add"]
        source = add_at / "compute.cpp"
        show("another kernel set", timed(lambda: compile_plan(add, add_at)), "bound 2 s")
        show("the same, cached", timed(lambda: compile_plan(add, add_at)))
        source.write_text(source.read_text() + "\n")
        compiled(folder)
        given = inputs(gemm)
        best, cpu = cpu_seconds(lambda: run(gemm, gemm_at, given), 3)
        note = f"{cpu:.2f} s of processor; {gemm.cores.num_cores} cores; bound 5 s"
        show("bf16 GEMM 1024 x 1024 x 1024", best, note)
        given = inputs(add)
        run(add, add_at, given)
        best, cpu = cpu_seconds(lambda: run(add, add_at, given), 5)
        size = sum(2 * int(np.prod(b.padded_shape)) for b in add.buffers.values())
        by_wall, by_cpu = (f"{size / seconds / 1e6:.0f}" for seconds in (best, cpu))
        note = f"{by_wall} MB/s of tensor, {by_cpu} by {cpu:.2f} s of processor; bound 100 MB/s"
        show("a + b, bf16, 4096 x 2048", best, note)
        tree = folder / "tree"
        tree.mkdir()
        seconds, count = verify(tree)
        show("scons verify -j2 from nothing", seconds, f"{seconds / count:.2f} s a kernel of {count}; bound 4 s")


if __name__ == "__main__":
    main()
