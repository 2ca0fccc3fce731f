"""What the report says of one kernel, as data: its ``report.json``. The page and the text only format it."""

from __future__ import annotations

import msgspec

from tt_build.codegen.cost import as_planned
from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.plan import PlanEstimate
from tt_build.ir.stages import Buffer, CircularBuffer, VerifiedKernel
from tt_build.model.constants import has_figures
from tt_build.model.kernel import KernelEstimate, Stall, estimate
from tt_build.model.pipeline import Span
from tt_build.passes.l1_tensors import bytes_in_l1
from tt_build.targets import load_arch

MOST_SPANS = 240
"""Stretches of a timeline's window: its beginning and its end are shown, with the steady state in both."""


class CoreRow(msgspec.Struct, frozen=True, kw_only=True):
    """One core with work. ``noc`` are bytes in and out, without DRAM."""

    x: int
    y: int
    units: int
    cycles: int
    dram_read: int
    dram_written: int
    noc: int


class TensorRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor: bytes in all, in L1 of each core, and what of it is moved between cores and DRAM."""

    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    size: int
    in_l1: int
    read: int
    written: int


class BufferRow(msgspec.Struct, frozen=True, kw_only=True):
    """A circular buffer. ``shard`` names the tensor on whose shard it lies; then it takes no room of its own."""

    id: int
    name: str
    dtype: str
    pages: int
    page_size: int
    block: int
    size: int
    shard: str


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the slowest core's run, in cycles from its start."""

    begin: int
    end: int
    spans: tuple[tuple[str, int, int, str], ...]


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """The same kernel under one schedule; no estimate where the model has no figures."""

    label: str
    chosen: bool
    estimate: PlanEstimate | None


class KernelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one kernel. Kernels written by hand have no estimate, cores or timeline."""

    kernel: str
    file: str
    description: str
    compute: str
    arch: str
    grid: tuple[int, int]
    algorithm: str
    policy: str
    order: str
    units: int
    l1_allocatable: int
    tensors: tuple[TensorRow, ...]
    buffers: tuple[BufferRow, ...]
    estimate: PlanEstimate | None = None
    cores: tuple[CoreRow, ...] = ()
    slowest: tuple[int, int] | None = None
    stalls: tuple[Stall, ...] = ()
    timeline: tuple[Window, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


def gather(
    kernel: VerifiedKernel | VerifiedSources, description: str, alternatives: tuple[Alternative, ...] = ()
) -> KernelReport:
    """The report of a kernel after its last pass."""
    arch = load_arch(kernel.arch)
    expression = isinstance(kernel, VerifiedKernel)
    found = estimate(kernel, traced=True) if isinstance(kernel, VerifiedKernel) and has_figures(kernel.arch) else None
    moved = found.traffic.tensors if found is not None else {}
    report = KernelReport(
        kernel=kernel.name,
        file=kernel.file,
        description=description,
        compute=kernel.compute if isinstance(kernel, VerifiedKernel) else "",
        arch=kernel.arch,
        grid=kernel.core_grid,
        algorithm=kernel.algorithm if isinstance(kernel, VerifiedKernel) else "handwritten",
        policy=kernel.policy,
        order=kernel.order,
        units=kernel.grid.units,
        l1_allocatable=arch.l1_allocatable,
        tensors=tuple(_tensor(b, bytes_in_l1(b, arch), moved.get(b.name, (0, 0))) for b in kernel.buffers),
        buffers=tuple(map(_buffer, kernel.circular_buffers)),
    )
    if found is None or not expression:
        return report
    assert isinstance(kernel, VerifiedKernel)
    return msgspec.structs.replace(
        report,
        estimate=as_planned(kernel, found),
        cores=_cores(kernel, found),
        slowest=found.slowest,
        stalls=tuple(sorted(found.stalls, key=lambda stall: -stall.cycles)),
        timeline=windows(found.timeline),
        alternatives=alternatives,
    )


def windows(spans: tuple[Span, ...]) -> tuple[Window, ...]:
    """The whole run where it has few stretches, else its beginning and its end."""
    ordered = sorted(spans, key=lambda span: (span.start, span.lane))
    end = max((span.end for span in ordered), default=0.0)
    if len(ordered) <= 2 * MOST_SPANS:
        return (_window(ordered, 0.0, end),) if ordered else ()
    first, last = ordered[MOST_SPANS].start, ordered[-MOST_SPANS].start
    return (
        _window([span for span in ordered if span.start < first], 0.0, first),
        _window([span for span in ordered if span.end > last], last, end),
    )


def _window(spans: list[Span], begin: float, end: float) -> Window:
    cut = ((s.lane, round(max(s.start, begin)), round(min(s.end, end)), s.what) for s in spans)
    return Window(begin=round(begin), end=round(end), spans=tuple(row for row in cut if row[2] > row[1]))


def _cores(kernel: VerifiedKernel, found: KernelEstimate) -> tuple[CoreRow, ...]:
    rows = []
    for item in kernel.work:
        moved = found.traffic.cores[item.core]
        into = moved.l1_read + moved.received
        out = moved.l1_written + moved.exchanged + moved.shared + moved.multicast_sent
        rows.append(
            CoreRow(
                x=item.core[0],
                y=item.core[1],
                units=item.count,
                cycles=found.core_cycles[item.core],
                dram_read=moved.dram_read,
                dram_written=moved.dram_written,
                noc=into + out,
            )
        )
    return tuple(rows)


def _tensor(buffer: Buffer, in_l1: int, moved: tuple[int, int]) -> TensorRow:
    layout = buffer.layout
    return TensorRow(
        name=buffer.name,
        role=buffer.role,
        shape=buffer.shape,
        dtype=buffer.dtype,
        layout=layout if isinstance(layout, str) else f"{layout.memory} {layout.sharding} shards",
        size=buffer.pages * buffer.page_size,
        in_l1=in_l1,
        read=moved[0],
        written=moved[1],
    )


def _buffer(cb: CircularBuffer) -> BufferRow:
    return BufferRow(
        id=cb.id,
        name=cb.name,
        dtype=cb.dtype,
        pages=cb.num_pages,
        page_size=cb.page_size,
        block=cb.block,
        size=cb.size,
        shard=cb.buffer,
    )
