"""Bodies of reader and writer of a kernel of sweeps."""

from __future__ import annotations

import itertools

from tt_build.ir.index import Index, dim, num
from tt_build.ir.lowered import (
    Barrier,
    Exchange,
    Pointer,
    Pop,
    Push,
    Reserve,
    Stmt,
    Wait,
    When,
    WritePage,
)
from tt_build.ir.stages import Fold, OutputStream, PaddedKernel, Stream, Sweep
from tt_build.passes import loops
from tt_build.passes.blocks import awaited, filled, opened, pointer_of, popped
from tt_build.passes.pages import rows_fields
from tt_build.passes.read_tiles import open_scratch, read_tile
from tt_build.passes.sweep_loops import (
    block,
    block_pages,
    block_slot,
    core_tiles,
    each_part,
    every_tile,
    line,
    lines,
    part,
    place_in,
)
from tt_build.passes.tensorize_patterns import make_pattern
from tt_build.passes.tensorize_reader import mask_tile
from tt_build.passes.tensorize_shared import once_a_core, shared_streams


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Masks, patterns and shared operands once a core; then for each unit what it holds, and what its sweeps stream."""
    body: list[Stmt] = open_scratch(kernel)
    body += [stmt for mask in kernel.masks for stmt in mask_tile(mask)]
    body += [stmt for pattern in kernel.patterns for stmt in make_pattern(pattern)]
    body += once_a_core(kernel)
    inner = [*loops.definitions(kernel), *core_tiles(kernel)]
    for stream in kernel.streams:
        if stream.per == "unit":
            inner += _whole(kernel, stream)
    for number, sweep in enumerate(kernel.sweeps):
        streams = [s for s in kernel.streams if s.per == "sweep" and s.sweep == number]
        if streams:
            inner.append(block(number, sweep, streamed(kernel, sweep, streams)))
    if any(stream.per != "core" for stream in kernel.streams):
        body.append(loops.unit_loop(kernel, [], inner, []))
    return tuple(body)


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Tiles of every output, in the order of the sweeps that compute them."""
    inner = [*loops.definitions(kernel), *core_tiles(kernel)]
    semaphores = itertools.count(2 if shared_streams(kernel) else 0)
    for number, sweep in enumerate(kernel.sweeps):
        parted = [fold for fold in sweep.folds if fold.part_cb]
        if parted:
            inner.append(block(number, sweep, [s for f in parted for s in _exchange(kernel, f, next(semaphores))]))
        results = [r for r in kernel.results if r.sweep == number]
        if not results:
            continue
        inner.append(block(number, sweep, written(kernel, sweep, results)))
    return (loops.unit_loop(kernel, [], inner, []), Barrier(what="write"))


def written(kernel: PaddedKernel, sweep: Sweep, results: list[OutputStream]) -> list[Stmt]:
    """The tiles that a sweep computes, block by block to memory."""
    pages, slot = block_pages(kernel, sweep), block_slot(kernel, sweep)
    cbs = [r.cb for r in results]
    writes = [stmt for result in results for stmt in _write(kernel, result, slot)]
    after: list[Stmt] = [Barrier(what="flushed"), *popped(cbs, pages)]
    return lines(kernel, sweep, line(kernel, sweep, awaited(cbs, pages), writes, after))


def _exchange(kernel: PaddedKernel, fold: Fold, semaphore: int) -> list[Stmt]:
    """A core's partial result goes to all cores of the unit, and theirs come."""
    assert kernel.parts is not None
    source, target, count = pointer_of(fold.part_cb), pointer_of(fold.parts_cb), num(kernel.parts.count)
    return [
        Wait(cb=fold.part_cb, pages=num(1)),
        Reserve(cb=fold.parts_cb, pages=count),
        Pointer(name=source, cb=fold.part_cb, side="read"),
        Pointer(name=target, cb=fold.parts_cb, side="write"),
        Exchange(
            source=source,
            target=target,
            cb=fold.parts_cb,
            part=part(kernel.parts),
            parts=dim("parts", kernel.parts.count),
            semaphore=semaphore,
        ),
        Push(cb=fold.parts_cb, pages=count),
        Pop(cb=fold.part_cb, pages=num(1)),
    ]


def _write(kernel: PaddedKernel, result: OutputStream, slot: Index) -> list[Stmt]:
    write = WritePage(
        tensor=result.tensor,
        page=result.page,
        **rows_fields(result.rows),
        pointer=pointer_of(result.cb),
        slot=slot,
        cb=result.cb,
    )
    if not result.first_part_only:
        return [write]
    assert kernel.parts is not None
    return [When(a=part(kernel.parts), b=num(0), body=(write,))]


def _whole(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """All tiles of a stream as one block."""
    pages = num(kernel.cb(stream.cb).block)
    read = read_tile(stream, place_in(kernel, stream.extent))
    return filled([stream.cb], pages, [*every_tile(kernel, stream.extent, read), Barrier(what="read")])


def streamed(kernel: PaddedKernel, sweep: Sweep, streams: list[Stream]) -> list[Stmt]:
    """The tiles that come while a sweep runs, block by block."""
    pages, slot = block_pages(kernel, sweep), block_slot(kernel, sweep)
    before = opened([s.cb for s in streams], pages)
    after: list[Stmt] = [Barrier(what="read"), *(Push(cb=s.cb, pages=pages) for s in streams)]
    reads = [stmt for stream in streams for stmt in read_tile(stream, slot)]
    walk = lines(kernel, sweep, line(kernel, sweep, before, reads, after))
    return each_part(kernel, sweep, walk)
