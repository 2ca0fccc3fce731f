"""Bodies of reader and writer of a blocked matmul.

Step by step along K the operands come into L1, read by each core, or by one of those that need the same tiles and
multicast to the others. The reader has NoC 0, the writer NoC 1; the first operand may come by the writer.
"""

from __future__ import annotations

from tt_build.ir.index import Index, ceil_div, dim, minimum, num, var
from tt_build.ir.lowered import (
    Barrier,
    Let,
    Loop,
    RotateShared,
    Stmt,
    Wait,
    When,
    WritePage,
    ZeroPadding,
)
from tt_build.ir.stages import FIRST, Axes, Operand, OutputStream, PaddedKernel, Stream, Sweep
from tt_build.passes import loops
from tt_build.passes.blocks import awaited, filled, pointer_of, popped
from tt_build.passes.channels import SHARED_ALONG, semaphores
from tt_build.passes.links import link_of
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.sweep_loops import (
    block,
    block_edges,
    block_pages,
    block_slot,
    block_span,
    every_tile,
    line_around,
    lines,
    part,
    place_in,
)
from tt_build.passes.tensorize_reader import announced, mask_tile
from tt_build.passes.tensorize_shared import held_tiles, on_first_part, once_a_core, parcel, parts_to_first
from tt_build.passes.tensorize_sweeps import streamed, written
from tt_build.targets import DTYPES


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Shards are there: they are only announced. Then masks and numbers that all units share, and for each unit its
    operands and what the sweep streams.
    """
    body: list[Stmt] = announced(kernel)
    body += [stmt for mask in kernel.masks for stmt in mask_tile(mask)]
    body += once_a_core(kernel)
    inner = [*_prologue(kernel, noc=0), *_operands(kernel, noc=0)]
    for number, sweep in enumerate(kernel.sweeps):
        streams = [s for s in kernel.streams if s.per == "sweep" and s.sweep == number]
        if streams and not sweep.before:
            inner += on_first_part(kernel, [block(number, sweep, streamed(kernel, sweep, streams))])
    if inner:
        body.append(loops.unit_loop(kernel, [], [*_unit(kernel), *inner], []))
    return tuple(_around_sent(kernel, 0, body))


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """For each unit the operands that come over NoC 1, then its outputs."""
    inner = [*_unit(kernel), *_prologue(kernel, noc=1), *_operands(kernel, noc=1), *_parts(kernel)]
    for result in kernel.results:
        if result.sweep < 0 and not result.bound:
            inner += on_first_part(kernel, _whole_block(kernel, result))
    moved, bound = ([r for r in kernel.results if r.bound == local] for local in (False, True))
    for number, sweep in enumerate(kernel.sweeps):
        if moved and not sweep.before:
            inner += on_first_part(kernel, [block(number, sweep, written(kernel, sweep, moved))])
    body: list[Stmt] = [loops.unit_loop(kernel, [], inner, [])] if len(inner) > len(_unit(kernel)) else []
    if moved:
        body.append(Barrier(what="write"))
    for result in bound:
        pages = num(kernel.cb(result.cb).block)
        body += [Wait(cb=result.cb, pages=pages), *popped([result.cb], pages)]
    return tuple(_around_sent(kernel, 1, body))


def k_steps(kernel: PaddedKernel, inside: list[Stmt]) -> list[Stmt]:
    """``inside`` for each step along K, or the core's part of it; ``k_extent`` tiles of it are there."""
    assert kernel.blocking is not None
    size, total, parts = kernel.blocking.k_block, kernel.contractions[0].k_tiles, kernel.parts
    whole, before = dim("k_tiles_per_step", size), list[Stmt]()
    length, tiles = dim("k_tiles", total), total
    if parts is not None:
        length, tiles = dim("k_tiles_of_part", parts.tiles), parts.tiles
        if total % tiles:  # the last part is shorter
            here = minimum(length, dim("k_tiles", total) - part(parts) * length)
            before, length, tiles = [Let(name="k_tiles_here", value=here)], var("k_tiles_here"), 0
    count = dim("k_steps", -(-tiles // size)) if tiles else ceil_div(length, whole)
    extent = whole if tiles and not tiles % size else minimum(whole, length - var("k_step") * whole)
    return [*before, Loop(var="k_step", count=count, body=(Let(name="k_extent", value=extent), *inside))]


def _unit(kernel: PaddedKernel) -> list[Stmt]:
    return [*loops.definitions(kernel), *block_edges(kernel)]


def noc_of_operand(kernel: PaddedKernel, operand: Operand) -> int:
    """The NoC that brings an operand, and what is broadcast like it."""
    assert kernel.blocking is not None
    return kernel.blocking.noc if operand == "in0" else 0


def _prologue(kernel: PaddedKernel, noc: int) -> list[Stmt]:
    """What operands are computed from, over their NoC: of each what the unit holds, then what each sweep streams."""
    found: list[Stmt] = []
    for operand in _operands_of(noc, kernel):
        for stream in kernel.streams:
            if stream.is_before_product and stream.per == "unit" and _operand_before(stream.axes) == operand:
                found += _shared(kernel, stream, [*held_tiles(kernel, stream), Barrier(what="read")])
        for number, sweep in enumerate(kernel.sweeps):
            streams = [s for s in kernel.streams if s.per == "sweep" and s.sweep == number]
            if streams and sweep.before and _operand_before(sweep.axes) == operand:
                found.append(block(number, sweep, _streamed_before(kernel, sweep, streams)))
    return found


def _operands_of(noc: int, kernel: PaddedKernel) -> list[Operand]:
    """The operands that come over a NoC."""
    both: tuple[Operand, ...] = ("in0", "in1")
    return [operand for operand in both if noc_of_operand(kernel, operand) == noc]


def _operand_before(axes: Axes) -> Operand:
    """The operand that what has these axes is for."""
    return "in0" if axes == FIRST else "in1"


def _turns(kernel: PaddedKernel, noc: int) -> dict[str, str]:
    """By circular buffer of a step of a computed operand that of the core's own, where that NoC sends them in turn."""
    return {plan.a: plan.own for plan in kernel.contractions if plan.own and noc == noc_of_operand(kernel, "in0")}


def _streamed_before(kernel: PaddedKernel, sweep: Sweep, streams: list[Stream]) -> list[Stmt]:
    """Blocks of all that a sweep in front of the product streams, which cores share like the operand."""
    assert kernel.blocking is not None
    cbs, pages, shared = [s.cb for s in streams], block_pages(kernel, sweep), kernel.blocking.is_shared(streams[0])
    reads = [stmt for stream in streams for stmt in read_tile(stream, block_slot(kernel, sweep))]

    def around(tiles: list[Stmt]) -> list[Stmt]:
        landed = [*tiles, Barrier(what="read")]
        channel = SHARED_ALONG[_operand_before(sweep.axes)]
        return parcel(kernel, channel, cbs, landed) if shared else filled(cbs, pages, landed)

    return lines(kernel, sweep, line_around(kernel, sweep, reads, around))


def _operands(kernel: PaddedKernel, noc: int) -> list[Stmt]:
    """Steps along K of the operands of that NoC, then the rows and columns that the unit holds."""
    own = _turns(kernel, noc)
    steps = [s for cb, mine in own.items() for s in _in_turn(kernel, cb, mine)]
    held: list[Stmt] = []
    for stream in kernel.streams:
        if not stream.operand or stream.is_before_product or noc_of_operand(kernel, stream.operand) != noc:
            continue
        if stream.per == "k":
            steps += _shared(kernel, stream, _step(kernel, stream))
        else:
            held += _shared(kernel, stream, [*held_tiles(kernel, stream), Barrier(what="read")])
    before = [s for cb in own.values() for s in awaited([cb], num(kernel.cb(cb).block))]
    after = [s for cb in own.values() for s in popped([cb], num(kernel.cb(cb).block))]
    return [*before, *(k_steps(kernel, steps) if steps else []), *after, *on_first_part(kernel, held)]


def _shared(kernel: PaddedKernel, stream: Stream, landed: list[Stmt]) -> list[Stmt]:
    assert kernel.blocking is not None
    if stream.shard_cb:
        return _in_turn(kernel, stream.cb, stream.shard_cb)
    if stream.operand and kernel.blocking.is_shared(stream):
        return parcel(kernel, SHARED_ALONG[stream.operand], [stream.cb], landed)
    return filled([stream.cb], num(kernel.cb(stream.cb).block), landed)


def _in_turn(kernel: PaddedKernel, cb: str, own: str) -> list[Stmt]:
    """A step of the first operand from the core of the row that holds it in ``own``."""
    ready, sent = semaphores(kernel, "row")
    rotate = RotateShared(
        channel="row",
        source=pointer_of(own),
        target=pointer_of(cb),
        cb=cb,
        pages=kernel.cb(cb).block,
        turn=var("k_step"),
        place=var("bx"),
        cores=kernel.grid.x,
        ready=ready,
        sent=sent,
        link=link_of(kernel.arch) if "row" in kernel.linked else "",
    )
    return filled([cb], num(kernel.cb(cb).block), [rotate])


def _around_sent(kernel: PaddedKernel, noc: int, body: list[Stmt]) -> list[Stmt]:
    """Shards that the kernel on that NoC sends: taken before, announced when they have been sent."""
    sent = [s.shard_cb for s in kernel.streams if s.shard_cb and noc == noc_of_operand(kernel, "in0")]
    return filled(sent, num(kernel.cb(sent[0]).block), body) if sent else body


def _step(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """The tiles of one step: those that are there, at their places in the whole block."""
    assert kernel.blocking is not None
    width = dim("k_tiles_per_step", kernel.blocking.k_block)
    first = var("k_step") * width
    if kernel.parts is not None:
        first = part(kernel.parts) * dim("k_tiles_of_part", kernel.parts.tiles) + first
    k = Let(name="k", value=first + var("kk"))
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
        in_part = (total - 1) % kernel.parts.tiles if kernel.parts is not None else total - 1
        last_step, last = divmod(in_part, size)
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
        if total > size:
            rows = When(a=var("k_step"), b=num(last_step), body=(rows,))
        if kernel.parts is not None:
            rows = When(a=part(kernel.parts), b=num(kernel.parts.count - 1), body=(rows,))
        found.append(rows)
    return found


def _parts(kernel: PaddedKernel) -> list[Stmt]:
    """The core's part of the block goes to the first core of the unit."""
    if kernel.parts is None:
        return []
    (plan,) = kernel.contractions
    return parts_to_first(kernel, plan.part_cb, plan.parts_cb)


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
