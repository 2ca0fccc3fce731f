"""Estimates of lowered kernels: what they must be from their statements, and how they react to a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, elementwise, verified
from tt_build.ir.stages import VerifiedKernel
from tt_build.model.constants import load_constants, vector_cycles
from tt_build.model.kernel import KernelEstimate, estimate
from tt_build.passes.pipeline import compile_kernel
from tt_build.spec.loader import load_file

WORMHOLE = load_constants("wormhole_b0")


def compiled(folder: Path, kernel: dict[str, Any], grid: tuple[int, int] = (8, 8)) -> VerifiedKernel:
    return verified(folder, kernel, target={"arch": "wormhole_b0", "grid": list(grid)})


def of(folder: Path, kernel: dict[str, Any], grid: tuple[int, int] = (8, 8)) -> KernelEstimate:
    return estimate(compiled(folder, kernel, grid))


@pytest.fixture(scope="module")
def library() -> dict[str, KernelEstimate]:
    """A few kernels of the library at their real shapes."""
    names = {"residual_add", "llama_swiglu", "softmax_scores", "sum_w", "to_shards", "untilize"}
    found = [d for d in load_file(ROOT / "kernels.yaml").declarations if d.kernel.name in names]
    return {d.kernel.name: estimate(compile_kernel(d)[0]) for d in found}


def test_what_bounds_the_library(library: dict[str, KernelEstimate]) -> None:
    """Copies, sums and sums of rows wait for DRAM, accurate silu and exp for the vector engine, rows for the mover."""
    assert library["residual_add"].bound == "dram"
    assert library["sum_w"].bound == "dram"
    assert library["llama_swiglu"].bound == "vector"
    assert library["softmax_scores"].bound == "vector"
    assert library["to_shards"].bound == "dram"
    assert library["untilize"].bound == "writer"


def test_a_kernel_bound_by_dram_takes_what_its_bytes_take(library: dict[str, KernelEstimate]) -> None:
    found = library["residual_add"]
    read, written = found.traffic.dram_read, found.traffic.dram_written
    assert found.busy["dram"] == round((read + written) / WORMHOLE.dram_placed_rate)
    assert found.busy["dram"] <= found.cycles <= 1.1 * found.busy["dram"]
    assert 0.9 < found.utilization <= 1


def test_the_vector_engine_s_time_is_the_table_s(library: dict[str, KernelEstimate]) -> None:
    tiles = 2048 * 14336 // 1024 // 64
    expected = tiles * (vector_cycles("wormhole_b0", "silu") + WORMHOLE.sfpu_simple)
    assert library["llama_swiglu"].busy["vector"] == pytest.approx(expected)


def test_engine_packer_and_writer_count_what_the_kernel_does(tmp_path: Path) -> None:
    """6 x 4 output tiles on two cores, K of 3 tiles: 12 units of three tile matmuls and a pack on each core."""
    kernel = {
        "inputs": {"A": {"shape": [192, 96]}, "B": {"shape": [96, 128]}},
        "outputs": {"C": {"shape": [192, 128]}},
        "compute": "C = A @ B",
        "math": {"fidelity": "HiFi2", "fp32_accumulate": False},
        "schedule": {"matmul": {"algorithm": "streaming"}},
    }
    found = of(tmp_path, kernel, (2, 1))
    matmul = 2 * WORMHOLE.phase_cycles + WORMHOLE.matmul_overhead
    overhead = 12 * WORMHOLE.section_cycles + 2 * WORMHOLE.init_cycles
    assert found.busy["math"] == pytest.approx(12 * 3 * matmul + overhead, rel=0.05)
    assert found.busy["pack"] == round(12 * 2048 / WORMHOLE.pack_rate)
    assert found.busy["unpack"] == pytest.approx(12 * 3 * 4096 / WORMHOLE.unpack_joint_rate, abs=1)
    assert found.matrix_cycles == 24 * 3 * 32 // 2


def test_more_work_takes_longer_and_more_cores_do_not(tmp_path: Path) -> None:
    cycles = [of(tmp_path, elementwise("C = A + B", [rows, 256])).cycles for rows in (64, 512, 4096)]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[2]
    kernel = elementwise("C = gelu(A)", [1024, 1024])
    assert (
        of(tmp_path, kernel, (8, 8)).cycles < of(tmp_path, kernel, (2, 2)).cycles < of(tmp_path, kernel, (1, 1)).cycles
    )


def test_small_kernels_are_bound_by_launch(tmp_path: Path) -> None:
    found = of(tmp_path, elementwise("C = A * 2", [32, 32]))
    assert found.bound == "fixed"
    assert found.cycles > WORMHOLE.launch_cycles


def test_shards_in_place_move_nothing(tmp_path: Path) -> None:
    layout = {"memory": "l1", "sharding": "block", "grid": [2, 2]}
    kernel = {
        "inputs": {"A": {"shape": [128, 128], "layout": layout}},
        "outputs": {"C": {"shape": [128, 128], "layout": layout}},
        "compute": "C = A * 2",
    }
    found = of(tmp_path, kernel)
    assert found.busy["dram"] == found.busy["noc"] == 0
    assert found.traffic.ratio == 1


def test_cores_with_more_units_are_slower(tmp_path: Path) -> None:
    found = of(tmp_path, elementwise("C = gelu(A)", [32, 32 * 5]), (2, 1))
    assert found.core_cycles[0, 0] > found.core_cycles[1, 0]
    assert found.slowest == (0, 0)


def test_the_same_kernel_gives_the_same_estimate(tmp_path: Path) -> None:
    kernel = compiled(tmp_path, elementwise("C = A + row", [320, 320]))
    assert estimate(kernel) == estimate(kernel)
    assert estimate(kernel, traced=True).timeline


def test_a_core_with_longer_units_of_a_causal_attention_is_slower(tmp_path: Path) -> None:
    shapes = {name: {"shape": [1, 256, 64]} for name in "QKV"}
    compute = "O = softmax(causal(Q @ K.T), axis=-1) @ V"
    kernel = {"inputs": shapes, "outputs": {"O": {"shape": [1, 256, 64]}}, "compute": compute}
    found = of(tmp_path, {**kernel, "schedule": {"policy": "strided"}}, (4, 2))
    cycles = list(found.core_cycles.values())
    assert cycles == sorted(cycles)
    assert cycles[-1] > 2 * cycles[0]
    assert found.slowest == (3, 1)
    assert found.cycles >= cycles[-1]
