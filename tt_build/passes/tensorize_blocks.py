"""Bodies of reader and writer of a blocked matmul.

Step by step along K the operands come into L1, read by each core, or by one of those that need the same tiles and
multicast to the others. The reader has NoC 0, the writer NoC 1; the first operand may come by the writer.
"""

from __future__ import annotations

from tt_build.ir.index import Index, dim, minimum, num, var
from tt_build.ir.lowered import Barrier, Let, Loop, Stmt, When, WritePage, ZeroPadding
from tt_build.ir.stages import Operand, OutputStream, PaddedKernel, Stream
from tt_build.passes import loops
from tt_build.passes.blocks import awaited, filled, pointer_of, popped
from tt_build.passes.channels import SHARED_ALONG
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.sweep_loops import block, block_edges, block_span, every_tile, place_in
from tt_build.passes.tensorize_reader import mask_tile
from tt_build.passes.tensorize_shared import once_a_core, parcel
from tt_build.passes.tensorize_sweeps import streamed, written
from tt_build.targets import DTYPES


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Masks and numbers that all units share, then for each unit its operands; last what the sweep streams."""
    body: list[Stmt] = [stmt for mask in kernel.masks for stmt in mask_tile(mask)]
    body += once_a_core(kernel)
    inner = _operands(kernel, noc=0)
    for number, sweep in enumerate(kernel.sweeps):
        streams = [s for s in kernel.streams if s.per == "sweep"]
        if streams:
            inner.append(block(number, sweep, streamed(kernel, sweep, streams)))
    if inner:
        body.append(loops.unit_loop(kernel, [], [*_unit(kernel), *inner], []))
    return tuple(body)


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """For each unit the operands that come over NoC 1, then its outputs."""
    inner = [*_unit(kernel), *_operands(kernel, noc=1)]
    for result in kernel.results:
        if result.sweep < 0:
            inner += _whole_block(kernel, result)
    for number, sweep in enumerate(kernel.sweeps):
        inner.append(block(number, sweep, written(kernel, sweep, list(kernel.results))))
    return (loops.unit_loop(kernel, [], inner, []), Barrier(what="write"))


def k_steps(kernel: PaddedKernel, inside: list[Stmt]) -> Stmt:
    """``inside`` for each step along K; ``k_extent`` tiles of it are there."""
    assert kernel.blocking is not None
    size, total = kernel.blocking.k_block, kernel.contractions[0].k_tiles
    steps = -(-total // size)
    whole = dim("k_tiles_per_step", size)
    extent = minimum(whole, dim("k_tiles", total) - var("k_step") * whole) if total % size else whole
    return Loop(var="k_step", count=dim("k_steps", steps), body=(Let(name="k_extent", value=extent), *inside))


def _unit(kernel: PaddedKernel) -> list[Stmt]:
    return [*loops.definitions(kernel), *block_edges(kernel)]


def noc_of_operand(kernel: PaddedKernel, operand: Operand) -> int:
    """The NoC that brings an operand, and what is broadcast like it."""
    assert kernel.blocking is not None
    return kernel.blocking.noc if operand == "in0" else 0


def _operands(kernel: PaddedKernel, noc: int) -> list[Stmt]:
    """Steps along K of the operands of that NoC, then the rows and columns that the unit holds."""
    steps: list[Stmt] = []
    held: list[Stmt] = []
    for stream in kernel.streams:
        if not stream.operand or noc_of_operand(kernel, stream.operand) != noc:
            continue
        if stream.per == "k":
            steps += _shared(kernel, stream, _step(kernel, stream))
        else:
            reads = every_tile(kernel, stream.extent, read_tile(stream, place_in(kernel, stream.extent)))
            held += _shared(kernel, stream, [*reads, Barrier(what="read")])
    return [*([k_steps(kernel, steps)] if steps else []), *held]


def _shared(kernel: PaddedKernel, stream: Stream, landed: list[Stmt]) -> list[Stmt]:
    assert kernel.blocking is not None
    assert stream.operand
    if stream.operand in kernel.blocking.shares:
        return parcel(kernel, SHARED_ALONG[stream.operand], [stream.cb], landed)
    return filled([stream.cb], num(kernel.cb(stream.cb).block), landed)


def _step(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """The tiles of one step: those that are there, at their places in the whole block."""
    assert kernel.blocking is not None
    width = dim("k_tiles_per_step", kernel.blocking.k_block)
    k = Let(name="k", value=var("k_step") * width + var("kk"))
    if stream.operand == "in0":
        span = block_span(kernel, "rows")
        place = _at(span.is_single, "tile_row", width) + var("kk")
        inner: Stmt = Loop(var="kk", count=var("k_extent"), body=(k, *read_tile(stream, place)))
        outer: list[Stmt] = [inner] if span.is_single else [Loop(var="tile_row", count=span.count, body=(inner,))]
    else:
        span = block_span(kernel, "columns")
        columns = dim("unit_columns", kernel.unit_tiles[1]) if not span.is_single else num(1)
        place = var("kk") * columns + (num(0) if span.is_single else var("tile_column"))
        reads = tuple(read_tile(stream, place))
        row = reads if span.is_single else (Loop(var="tile_column", count=span.count, body=reads),)
        outer = [Loop(var="kk", count=var("k_extent"), body=(k, *row))]
    return [*outer, Barrier(what="read"), *_zero(kernel, stream)]


def _at(single: bool, name: str, width: Index) -> Index:
    return num(0) if single else var(name) * width


def _zero(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """Zero the padding of the last K tile, row by row of the block."""
    assert kernel.blocking is not None
    size, total = kernel.blocking.k_block, kernel.contractions[0].k_tiles
    found: list[Stmt] = []
    for fill in kernel.zero_fills:
        if fill.cb != stream.cb:
            continue
        last_step, last = divmod(total - 1, size)
        span = block_span(kernel, "rows")
        zero = ZeroPadding(
            pointer=pointer_of(stream.cb),
            slot=_at(span.is_single, "tile_row", dim("k_tiles_per_step", size)) + last,
            cb=stream.cb,
            axis=fill.axis,
            first=fill.first,
            element_bytes=DTYPES[kernel.tensor(stream.tensor).dtype].element_bytes,
        )
        rows: Stmt = zero if span.is_single else Loop(var="tile_row", count=span.count, body=(zero,))
        found.append(When(a=var("k_step"), b=num(last_step), body=(rows,)) if total > size else rows)
    return found


def _whole_block(kernel: PaddedKernel, result: OutputStream) -> list[Stmt]:
    """The block that compute gathered, tile by tile."""
    pages = num(kernel.cb(result.cb).block)
    write = WritePage(
        tensor=result.tensor,
        page=result.page,
        pointer=pointer_of(result.cb),
        slot=place_in(kernel, kernel.unit_tiles),
        cb=result.cb,
    )
    writes = every_tile(kernel, kernel.unit_tiles, [write])
    return [*awaited([result.cb], pages), *writes, Barrier(what="flushed"), *popped([result.cb], pages)]
