"""Writes ``tt.plan.json`` beside the hand-written kernels in ``data``: ``python tests/sdk/make_plans.py``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tt_build.ir.plan import (
    AccessorRef,
    ArgRef,
    Assignment,
    Buffer,
    CircularBuffer,
    CoreArgs,
    Cores,
    GridShape,
    KernelConfig,
    Plan,
    PlanKernel,
    PlanSchedule,
    Range,
)

DATA = Path(__file__).parent / "data"
TILE = 2048


def buffer(role: str, rows: int, columns: int) -> Buffer:
    return Buffer(
        role=role,
        shape=(rows, columns),
        dtype="bfloat16",
        layout="dram_interleaved",
        tiles=(-(-rows // 32), -(-columns // 32)),
        needs_padding=bool(rows % 32 or columns % 32),
        padded_shape=(-(-rows // 32) * 32, -(-columns // 32) * 32),
        page_size=TILE,
    )


def gemm(arch: str, grid: tuple[int, int]) -> Plan:
    """256 x 256 x 256 in bfloat16: one output tile a core on an 8 x 8 part of the grid."""
    cores = [(i % 8, i // 8) for i in range(64)]
    region = (Range(start=(0, 0), end=(7, 7)),)

    def cb(number: int, name: str) -> CircularBuffer:
        return CircularBuffer(
            id=number, name=name, data_format="Float16_b", page_size=TILE, num_pages=2, core_ranges=region
        )

    words = (2, TILE)
    address = {name: ArgRef(address_of=name) for name in "ABC"}
    return Plan(
        version=1,
        target="tenstorrent",
        arch=arch,
        kernel="gemm",
        grid=GridShape(x=8, y=8, z=1, total_tiles=64),
        schedule=PlanSchedule(policy="contiguous", order="row_major", algorithm="streaming"),
        cores=Cores(
            grid=grid,
            num_cores=grid[0] * grid[1],
            core_ranges=region,
            assignments=tuple(Assignment(core=core, core_id=i, start_tile=i, count=1) for i, core in enumerate(cores)),
        ),
        buffers={"A": buffer("input", 256, 256), "B": buffer("input", 256, 256), "C": buffer("output", 256, 256)},
        circular_buffers=(cb(0, "cb_a"), cb(1, "cb_b"), cb(16, "cb_c")),
        kernels=(
            PlanKernel(
                role="reader",
                source="reader.cpp",
                config=KernelConfig(type="reader"),
                core_ranges=region,
                compile_time_args=(
                    0,
                    1,
                    8,
                    8,
                    AccessorRef(accessor_of="A", words=words),
                    AccessorRef(accessor_of="B", words=words),
                ),
                runtime_args=tuple(
                    CoreArgs(core=core, args=(address["A"], address["B"], i, 1)) for i, core in enumerate(cores)
                ),
            ),
            PlanKernel(
                role="compute",
                source="compute.cpp",
                config=KernelConfig(
                    type="compute", math_fidelity="HiFi4", fp32_dest_acc_en=False, math_approx_mode=False
                ),
                core_ranges=region,
                compile_time_args=(0, 1, 16, 8),
                runtime_args=tuple(CoreArgs(core=core, args=(1,)) for core in cores),
            ),
            PlanKernel(
                role="writer",
                source="writer.cpp",
                config=KernelConfig(type="writer"),
                core_ranges=region,
                compile_time_args=(16, AccessorRef(accessor_of="C", words=words)),
                runtime_args=tuple(CoreArgs(core=core, args=(address["C"], i, 1)) for i, core in enumerate(cores)),
            ),
        ),
        io_order=("A", "B", "C"),
    )


def write(plan: Plan, folder: Path) -> None:
    (folder / "tt.plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")


if __name__ == "__main__":
    write(gemm("wormhole_b0", (8, 8)), DATA / "gemm")
