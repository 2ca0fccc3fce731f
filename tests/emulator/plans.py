"""Plans for hand-written kernels, built from short descriptions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tt_build.ir.plan import (
    AccessorRef,
    ArgRef,
    Buffer,
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
from tt_build.targets import DTYPES

Core = tuple[int, int]


def tensor(
    role: str,
    shape: Sequence[int],
    dtype: str = "bfloat16",
    layout: str | PlanSharding = "dram_interleaved",
    fmt: str = "tile",
) -> Buffer:
    """A buffer of that shape, padded to tiles (or rows of it, when row-major)."""
    matrix = tuple(shape) if len(shape) > 1 else (1, *shape)
    tiles = (-(-matrix[-2] // 32), -(-matrix[-1] // 32))
    padded = (*matrix[:-2], tiles[0] * 32, tiles[1] * 32) if fmt == "tile" else matrix
    page = DTYPES[dtype].tile_bytes if fmt == "tile" else matrix[-1] * DTYPES[dtype].element_bytes
    return Buffer(
        role=role,
        shape=tuple(shape),
        dtype=dtype,
        layout=layout,
        tiles=tiles,
        batch=math.prod(matrix[:-2]),
        format=fmt,
        needs_padding=padded != matrix,
        padded_shape=padded,
        page_size=page,
    )


def ranges(cores: Iterable[Core]) -> tuple[Range, ...]:
    """One range for each core."""
    return tuple(Range(start=c, end=c) for c in cores)


def cb(id_: int, pages: int, cores: Iterable[Core], dtype: str = "bfloat16", **more: Any) -> CircularBuffer:
    """A circular buffer of that many tiles."""
    kind = DTYPES[dtype]
    page = more.pop("page_size", kind.tile_bytes)
    return CircularBuffer(
        id=id_,
        name=f"cb_{id_}",
        data_format=kind.data_format,
        page_size=page,
        num_pages=pages,
        core_ranges=ranges(cores),
        **more,
    )


def kernel(
    role: str,
    source: str,
    args: Mapping[Core, Sequence[Any]],
    ct: Sequence[Any] = (),
    *,
    common: Sequence[Any] = (),
    **config: Any,
) -> PlanKernel:
    """A kernel; ``args`` maps cores to runtime arguments, strings there are tensors' addresses, in ``ct`` accessors."""
    defines = config.pop("defines", {})
    named = config.pop("named", {})
    kind = config.pop("type", role)
    return PlanKernel(
        role=role,
        source=source,
        config=KernelConfig(type=kind, **config),
        core_ranges=ranges(args),
        defines=defines,
        named_compile_time_args=named,
        compile_time_args=tuple(AccessorRef(accessor_of=a) if isinstance(a, str) else a for a in ct),
        runtime_args=tuple(CoreArgs(core=c, args=tuple(_ref(a) for a in values)) for c, values in args.items()),
        common_runtime_args=tuple(_ref(a) for a in common),
    )


def _ref(arg: Any) -> Any:
    return ArgRef(address_of=arg) if isinstance(arg, str) else arg


def plan(
    name: str,
    buffers: dict[str, Buffer],
    cbs: Sequence[CircularBuffer],
    kernels: Sequence[PlanKernel],
    *,
    arch: str = "wormhole_b0",
    semaphores: Sequence[Semaphore] = (),
    scalars: dict[str, str] | None = None,
) -> Plan:
    """A whole plan; the iteration space is not described."""
    cores = tuple(dict.fromkeys(c for k in kernels for r in k.core_ranges for c in r.cores()))
    return Plan(
        version=1,
        target="tenstorrent",
        arch=arch,
        kernel=name,
        grid=GridShape(x=1, y=1, z=1, total_tiles=1),
        schedule=PlanSchedule(policy="contiguous", order="row_major"),
        cores=Cores(grid=(8, 8), num_cores=len(cores), core_ranges=ranges(cores)),
        buffers=buffers,
        circular_buffers=tuple(cbs),
        semaphores=tuple(semaphores),
        kernels=tuple(kernels),
        scalars=scalars or {},
    )


def grid(columns: int, rows: int) -> list[Core]:
    """Cores of a rectangle at the origin, row by row."""
    return [(x, y) for y in range(rows) for x in range(columns)]


def split(total: int, cores: Sequence[Core]) -> dict[Core, tuple[int, int]]:
    """(first, count) of each core, contiguous; cores without work are left out."""
    base, rest = divmod(total, len(cores))
    out, at = {}, 0
    for i, core in enumerate(cores):
        count = base + (i < rest)
        if count:
            out[core] = (at, count)
        at += count
    return out


def matmul_streaming(
    m: int, k: int, n: int, cores: Sequence[Core], dtype: str = "bfloat16", arch: str = "wormhole_b0", **config: Any
) -> Plan:
    """A (m, k) @ B (k, n), a tile at a time, with the kernels of examples/handwritten/matmul_streaming."""
    mt, kt, nt = (-(-d // 32) for d in (m, k, n))
    work = split(mt * nt, cores)
    used = list(work)
    return plan(
        "matmul_streaming",
        {
            "A": tensor("input", (m, k), dtype),
            "B": tensor("input", (k, n), dtype),
            "C": tensor("output", (m, n), dtype),
        },
        [cb(i, 2, used, dtype) for i in (0, 1, 16)],
        [
            kernel(
                "reader", "reader.cpp", {c: ["A", "B", kt, nt, s, w] for c, (s, w) in work.items()}, [0, 1, "A", "B"]
            ),
            kernel("compute", "compute.cpp", {c: [w, kt] for c, (_, w) in work.items()}, [0, 1, 16], **config),
            kernel("writer", "writer.cpp", {c: ["C", s, w] for c, (s, w) in work.items()}, [16, "C"]),
        ],
        arch=arch,
    )
