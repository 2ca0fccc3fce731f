"""Bodies of reader and writer of attention."""

from __future__ import annotations

from tt_build.ir.index import num
from tt_build.ir.lowered import Barrier, Stmt, WritePage, ZeroPadding
from tt_build.ir.stages import PaddedKernel, Stream
from tt_build.passes import loops
from tt_build.passes.blocks import awaited, filled, pointer_of, popped
from tt_build.passes.flash_loops import attention_of, flash_of, over, place, steps, unit
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.tensorize_patterns import make_pattern
from tt_build.passes.tensorize_reader import mask_tile
from tt_build.passes.tensorize_shared import on_first_part, parcel, parts_to_first
from tt_build.targets import DTYPES


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Masks and patterns once a core; for each unit its queries, then keys, values and masks step by step."""
    plan = attention_of(kernel)
    body: list[Stmt] = [stmt for mask in kernel.masks for stmt in mask_tile(mask)]
    body += [stmt for pattern in kernel.patterns for stmt in make_pattern(pattern)]
    streams = {stream.cb: stream for stream in kernel.streams}
    others = [s for s in kernel.streams if s.per == "step" and s.cb not in (plan.keys, plan.values)]
    inside = _shared(kernel, streams[plan.keys], "k", "tile_column")
    for stream in others:
        inside += _shared(kernel, stream, "tile_row", "tile_column")
    inside += _shared(kernel, streams[plan.values], "kk", "tile_column")
    inner = [*unit(kernel), *_queries(kernel, streams[plan.queries]), steps(kernel, inside)]
    return (*body, loops.unit_loop(kernel, [], inner, []))


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """The unit's rows of the output, all tiles of a row together; before that the core's part of the unit."""
    (result,) = kernel.results
    plan = attention_of(kernel)
    sent = parts_to_first(kernel, plan.state, plan.states) if kernel.parts is not None else []
    pages = num(kernel.cb(result.cb).block)
    extent = (flash_of(kernel).rows, attention_of(kernel).width)
    write = WritePage(
        tensor=result.tensor,
        page=result.page,
        pointer=pointer_of(result.cb),
        slot=place("tile_row", "tile_column", extent, "value_tiles"),
        cb=result.cb,
    )
    walk = over(kernel, "tile_row", _values(kernel, [write]))
    body = [*awaited([result.cb], pages), *walk, Barrier(what="flushed"), *popped([result.cb], pages)]
    inner = [*unit(kernel), *sent, *on_first_part(kernel, body)]
    return (loops.unit_loop(kernel, [], inner, []), Barrier(what="write"))


def _values(kernel: PaddedKernel, inside: list[Stmt]) -> list[Stmt]:
    """``inside`` for each column of tiles of values, which pages call ``tile_column``."""
    from tt_build.ir.index import var
    from tt_build.ir.lowered import Let

    return over(kernel, "value_column", [Let(name="tile_column", value=var("value_column")), *inside])


def _queries(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """The unit's queries, with the padding of the reduced dimension zeroed."""
    slot = place("tile_row", "k", stream.extent, "inner_tiles")
    walk = over(kernel, "tile_row", over(kernel, "k", read_tile(stream, slot)))
    zeros: list[Stmt] = []
    for fill in kernel.zero_fills:
        last = (place("tile_row", "", (stream.extent[0], 1), "") if stream.extent[0] > 1 else num(0)) * stream.extent[1]
        zero = ZeroPadding(
            pointer=pointer_of(stream.cb),
            slot=last + (stream.extent[1] - 1),
            cb=stream.cb,
            axis=fill.axis,
            first=fill.first,
            element_bytes=DTYPES[kernel.tensor(stream.tensor).dtype].element_bytes,
        )
        zeros += over(kernel, "tile_row", [zero])
    return filled([stream.cb], num(kernel.cb(stream.cb).block), [*walk, Barrier(what="read"), *zeros])


def _shared(kernel: PaddedKernel, stream: Stream, row: str, column: str) -> list[Stmt]:
    """A step's block of a stream: keys and values from the core that reads for all, where one does."""
    width = {"k": "keys_per_step", "kk": "value_tiles"}.get(row, "keys_per_step")
    read = read_tile(stream, place(row, column, stream.extent, width))
    if row == "kk":
        inner = _values(kernel, read)
    elif stream.extent[1] > 1 or row == "k":
        inner = over(kernel, column, read)
    else:
        inner = read
    walk = over(kernel, row, inner) if stream.extent[0] > 1 or row in ("k", "kk") else inner
    landed = [*walk, Barrier(what="read")]
    if stream.operand and flash_of(kernel).shared:
        return parcel(kernel, "column", [stream.cb], landed)
    return filled([stream.cb], num(kernel.cb(stream.cb).block), landed)
