"""Writes ``tt.plan.json`` beside the hand-written kernels in ``data``: ``python tests/sdk/make_plans.py``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tt_build.ir.plan import (
    AccessorRef,
    ArgRef,
    Assignment,
    Buffer,
    CbFormat,
    CircularBuffer,
    CoreArgs,
    Cores,
    GridShape,
    KernelConfig,
    Plan,
    PlanKernel,
    PlanSchedule,
    PlanSharding,
    Range,
    Semaphore,
)

DATA = Path(__file__).parent / "data"
TILE = 2048
GRIDS = {"wormhole_b0": (8, 8), "blackhole": (13, 10)}


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


def features(arch: str, grid: tuple[int, int]) -> Plan:
    """What gemm has not: a bound CB, shared formats, semaphores, coordinates, scalars, defines, named words."""
    region = (Range(start=(0, 0), end=(1, 1)),)
    senders, receivers = (Range(start=(0, 0), end=(1, 0)),), (Range(start=(0, 1), end=(1, 1)),)
    cores = [(x, y) for y in range(2) for x in range(2)]
    words = {"X": (2, 4096), "bias": (2, 2048), "Z": (0, 4096)}
    sharded = PlanSharding(
        memory="l1", sharding="block", grid=(2, 2), shard=(64, 64), cores=((0, 0), (1, 0), (0, 1), (1, 1))
    )

    def tensor(role: str, rows: int, dtype: str, size: int, layout: str | PlanSharding) -> Buffer:
        plain = buffer(role, rows, 128)
        return msgspec.structs.replace(plain, dtype=dtype, page_size=size, layout=layout)

    def reader(ranges: tuple[Range, ...], *, sender: bool) -> PlanKernel:
        return PlanKernel(
            role="reader",
            source="reader.cpp",
            config=KernelConfig(type="data_movement", processor=1, noc=0),
            core_ranges=ranges,
            compile_time_args=(
                0,
                1,
                AccessorRef(accessor_of="X", words=words["X"]),
                AccessorRef(accessor_of="bias", words=words["bias"]),
            ),
            named_compile_time_args={"Nt": 4, "rows": 2, "columns": 2},
            defines={"IS_SENDER": "1" if sender else "0"},
            runtime_args=tuple(
                CoreArgs(
                    core=(x, y),
                    args=(2 * y, 2 * x, ArgRef(noc_x=(x, 0)), ArgRef(noc_y=(x, 0)), ArgRef(noc_y=(x, 1))),
                )
                for x, y in ranges[0].cores()
            ),
            common_runtime_args=(
                ArgRef(address_of="X"),
                ArgRef(address_of="bias"),
                ArgRef(semaphore=0),
                ArgRef(semaphore=1),
            ),
        )

    def cb(number: int, name: str, data_format: str, size: int, pages: int) -> CircularBuffer:
        return CircularBuffer(
            id=number, name=name, data_format=data_format, page_size=size, num_pages=pages, core_ranges=region
        )

    return Plan(
        version=1,
        target="tenstorrent",
        arch=arch,
        kernel="features",
        grid=GridShape(x=4, y=4, z=1, total_tiles=16),
        schedule=PlanSchedule(policy="rectangular", order="row_major"),
        cores=Cores(
            grid=grid,
            num_cores=grid[0] * grid[1],
            core_ranges=region,
            assignments=tuple(
                Assignment(core=(x, y), core_id=y * grid[0] + x, rect=(2 * x, 2 * y, 2, 2), planes=(0, 1))
                for x, y in cores
            ),
        ),
        buffers={
            "X": tensor("input", 128, "float32", 4096, "dram_interleaved"),
            "bias": msgspec.structs.replace(
                tensor("input", 1, "bfloat16", 2048, "dram_interleaved"), padded_shape=(32, 128)
            ),
            "Y": tensor("output", 128, "bfloat16", 2048, sharded),
            "Z": tensor("output", 128, "float32", 4096, "l1_interleaved"),
        },
        circular_buffers=(
            cb(0, "cb_x", "Float32", 4096, 4),
            cb(1, "cb_bias", "Float16_b", 2048, 2),
            msgspec.structs.replace(cb(16, "cb_y", "Float16_b", 2048, 4), buffer="Y"),
            msgspec.structs.replace(
                cb(17, "cb_z", "Float32", 4096, 2), formats=(CbFormat(id=24, data_format="Float16_b", page_size=2048),)
            ),
        ),
        semaphores=(
            Semaphore(id=0, initial_value=0, core_ranges=region),
            Semaphore(id=1, initial_value=0, core_ranges=region),
        ),
        kernels=(
            reader(senders, sender=True),
            reader(receivers, sender=False),
            PlanKernel(
                role="compute",
                source="compute.cpp",
                config=KernelConfig(
                    type="compute",
                    math_fidelity="HiFi2",
                    fp32_dest_acc_en=True,
                    math_approx_mode=False,
                    unpack_to_dest_fp32=(0,),
                ),
                core_ranges=region,
                compile_time_args=(0, 1, 16, 17, 2),
                defines={"COLUMNS": "2"},
                common_runtime_args=(ArgRef(scalar="alpha"),),
            ),
            PlanKernel(
                role="writer",
                source="writer.cpp",
                config=KernelConfig(type="writer"),
                core_ranges=region,
                compile_time_args=(16, 17, 4, 2, 2, AccessorRef(accessor_of="Z", words=words["Z"])),
                runtime_args=tuple(
                    CoreArgs(core=(x, y), args=(ArgRef(address_of="Z"), 2 * y, 2 * x)) for x, y in cores
                ),
            ),
        ),
        io_order=("X", "bias", "Y", "Z"),
        scalars={"alpha": "float32"},
    )


def write(plan: Plan, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tt.plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")


if __name__ == "__main__":
    write(gemm("wormhole_b0", GRIDS["wormhole_b0"]), DATA / "gemm")
    write(features("wormhole_b0", GRIDS["wormhole_b0"]), DATA / "features")
