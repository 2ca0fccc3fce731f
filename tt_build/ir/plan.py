"""``tt.plan.json``: the one description that drives kernels' arguments, host program, emulator and launcher.

Any plan of this form runs, also one whose kernels are hand-written. Unknown fields are allowed and ignored, so a newer
plan still loads. ``tt.plan.schema.json`` is generated from these structures. Sizes are bytes; cores are logical (x, y).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

from tt_build.decoding import decode


class PlanStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the plan's structures: unknown fields are ignored, defaults are not written."""

    def __post_init__(self) -> None:
        # msgspec leaves a default out where the value is that very object; a string read from a stage's file is another
        for name, default in _string_defaults(type(self)):
            if getattr(self, name) == default:
                msgspec.structs.force_setattr(self, name, default)


@functools.cache
def _string_defaults(kind: type[PlanStruct]) -> tuple[tuple[str, str], ...]:
    fields = msgspec.structs.fields(kind)
    return tuple((field.name, field.default) for field in fields if isinstance(field.default, str))


class Range(PlanStruct, frozen=True, kw_only=True):
    """A rectangle of cores, both corners inclusive."""

    start: tuple[int, int]
    end: tuple[int, int]

    def cores(self) -> list[tuple[int, int]]:
        """Its cores, row by row."""
        (x0, y0), (x1, y1) = self.start, self.end
        return [(x, y) for y in range(y0, y1 + 1) for x in range(x0, x1 + 1)]


class ArgRef(PlanStruct, frozen=True, kw_only=True):
    """A runtime argument that only the device or the caller knows; exactly one field is set."""

    address_of: str | None = None
    noc_x: tuple[int, int] | None = None
    noc_y: tuple[int, int] | None = None
    scalar: str | None = None
    semaphore: int | None = None


class AccessorRef(PlanStruct, frozen=True, kw_only=True):
    """Compile-time words of a TensorAccessor; ``words`` is their expansion for the plan's own architecture."""

    accessor_of: str
    words: tuple[int, ...] = ()


RuntimeArg = int | ArgRef
CompileArg = int | AccessorRef


class GridShape(PlanStruct, frozen=True, kw_only=True):
    """The iteration space."""

    x: int
    y: int
    z: int
    total_tiles: int


class PlanSchedule(PlanStruct, frozen=True, kw_only=True):
    """Policy and order of the kernel that was emitted."""

    policy: str
    order: str
    algorithm: str = ""


class Assignment(PlanStruct, frozen=True, kw_only=True):
    """Work of one core: positions for contiguous and strided, a rectangle for rectangular."""

    core: tuple[int, int]
    core_id: int
    start_tile: int | None = None
    count: int | None = None
    stride: int | None = None
    rect: tuple[int, int, int, int] | None = None
    planes: tuple[int, int] | None = None


class Cores(PlanStruct, frozen=True, kw_only=True):
    """The target grid and who works."""

    grid: tuple[int, int]
    num_cores: int
    core_ranges: tuple[Range, ...]
    assignments: tuple[Assignment, ...] = ()


class PlanSharding(PlanStruct, frozen=True, kw_only=True):
    """A sharded layout. ``grid`` (x, y); ``shard`` (rows, columns) elements; ``cores`` (or banks) in shard order."""

    memory: str
    sharding: str
    grid: tuple[int, int]
    shard: tuple[int, int]
    order: str = "row_major"
    cores: tuple[tuple[int, int], ...] = ()


class Buffer(PlanStruct, frozen=True, kw_only=True):
    """A tensor in device memory. ``tiles`` is (height, width) of one matrix, ``batch`` the number of matrices."""

    role: str
    shape: tuple[int, ...]
    dtype: str
    layout: str | PlanSharding
    tile_shape: tuple[int, int] = (32, 32)
    tiles: tuple[int, int]
    batch: int = 1
    needs_padding: bool
    padded_shape: tuple[int, ...]
    page_size: int
    format: str = "tile"


class CbFormat(PlanStruct, frozen=True, kw_only=True):
    """One index of a circular buffer's allocation."""

    id: int
    data_format: str
    page_size: int


class CircularBuffer(PlanStruct, frozen=True, kw_only=True):
    """A circular buffer of ``num_pages * page_size`` bytes on each core of its ranges.

    ``formats`` lists further ids that share the allocation; ``buffer`` binds it to a sharded tensor's shard.
    """

    id: int
    name: str
    data_format: str
    page_size: int
    num_pages: int
    core_ranges: tuple[Range, ...]
    formats: tuple[CbFormat, ...] = ()
    buffer: str | None = None
    address_offset: int = 0


class Semaphore(PlanStruct, frozen=True, kw_only=True):
    """A semaphore: one 32-bit word in L1 of each core of its ranges."""

    id: int
    initial_value: int
    core_ranges: tuple[Range, ...]


class KernelConfig(PlanStruct, frozen=True, kw_only=True):
    """``type``: reader, writer, data_movement (with ``processor`` and ``noc``) or compute (with the math fields)."""

    type: str
    processor: int | None = None
    noc: int | None = None
    math_fidelity: str | None = None
    fp32_dest_acc_en: bool | None = None
    math_approx_mode: bool | None = None
    dst_full_sync_en: bool | None = None
    unpack_to_dest_fp32: tuple[int, ...] | None = None


class CoreArgs(PlanStruct, frozen=True, kw_only=True):
    """Runtime arguments of one core."""

    core: tuple[int, int]
    args: tuple[RuntimeArg, ...]


class PlanKernel(PlanStruct, frozen=True, kw_only=True):
    """One kernel on its cores. ``source`` is relative to the plan's folder; one source may occur several times."""

    role: str
    source: str
    config: KernelConfig
    core_ranges: tuple[Range, ...]
    compile_time_args: tuple[CompileArg, ...] = ()
    named_compile_time_args: dict[str, int] = {}
    defines: dict[str, str] = {}
    runtime_args: tuple[CoreArgs, ...] = ()
    common_runtime_args: tuple[RuntimeArg, ...] = ()


class PlanEstimate(PlanStruct, frozen=True, kw_only=True):
    """What the cost model says of the kernel. Bytes are exact: those that the emulator counts; cycles are estimated.

    ``bound`` names the resource that decides, ``busy`` the cycles of each where it is busiest, ``utilization`` how much
    of the time the bounding one is busy. ``matrix_utilization`` is the shortest time of the kernel's matmuls on all
    cores of the target over the estimate. ``dram_ratio`` is DRAM bytes over ``compulsory_bytes``, each page once.
    """

    cycles: int
    time_ns: int
    bound: str
    utilization: float
    matrix_utilization: float = 0.0
    busy: dict[str, int]
    dram_read_bytes: int
    dram_write_bytes: int
    compulsory_bytes: int
    dram_ratio: float
    noc_unicast_bytes: int
    noc_multicast_sent_bytes: int
    noc_multicast_delivered_bytes: int
    l1_peak_bytes: int


class Plan(PlanStruct, frozen=True, kw_only=True):
    """A whole ``tt.plan.json``."""

    version: int
    target: str
    arch: str
    kernel: str
    grid: GridShape
    schedule: PlanSchedule
    cores: Cores
    buffers: dict[str, Buffer]
    circular_buffers: tuple[CircularBuffer, ...]
    semaphores: tuple[Semaphore, ...] = ()
    kernels: tuple[PlanKernel, ...]
    io_order: tuple[str, ...] = ()
    scalars: dict[str, str] = {}
    attrs: dict[str, Any] = {}
    estimate: PlanEstimate | None = None

    def order(self) -> tuple[str, ...]:
        """The tensors as the launcher passes them, outputs last."""
        if self.io_order:
            return self.io_order
        names = [n for n, b in self.buffers.items() if b.role != "output"]
        return (*names, *(n for n, b in self.buffers.items() if b.role == "output"))


class PlanError(ValueError):
    """A file is no plan of this form; the message says where and why."""


def load_plan(path: Path) -> Plan:
    """The plan in that file; ``PlanError`` when it cannot be read or has another form."""
    try:
        plan = decode(path.read_bytes(), Plan)
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise PlanError(f"{path} is no plan: {error}") from error
    if plan.version != 1:
        raise PlanError(f"{path} has plan version {plan.version}; this tt-build reads version 1")
    return plan


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan, as ``tt.plan.schema.json`` ships it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tt.plan.json",
        **msgspec.json.schema(Plan),
    }
