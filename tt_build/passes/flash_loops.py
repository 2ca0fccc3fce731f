"""The loop nest of attention, which reader, compute and writer share, so that their counts cannot differ.

``query_block`` is the unit's block of queries, ``step`` counts its steps along the keys; ``rows`` and ``columns`` are
the tiles of queries and of keys that are there, fewer at the ends of a ragged sequence. Where cores have parts of the
keys ``first_key`` is the first tile of a core's part, and ``keys_here`` are as many as it has.
"""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import Index, ceil_div, dim, minimum, num, var
from tt_build.ir.lowered import Let, Loop, Stmt
from tt_build.ir.stages import AttentionPlan, Flash, PaddedKernel
from tt_build.passes import loops
from tt_build.passes.sweep_loops import part


def flash_of(kernel: PaddedKernel) -> Flash:
    """How the attention is blocked."""
    assert kernel.flash is not None
    return kernel.flash


def attention_of(kernel: PaddedKernel) -> AttentionPlan:
    """What the attention consists of."""
    assert kernel.attention is not None
    return kernel.attention


def unit(kernel: PaddedKernel) -> list[Stmt]:
    """The place of the unit, how many rows of queries it has, and its part of the keys."""
    flash, found = flash_of(kernel), [*loops.definitions(kernel), *_query_block(kernel)]
    total = kernel.buffer(kernel.outputs[0].name).tiles[0]
    if total % flash.rows:
        whole = dim("unit_rows", flash.rows)
        found.append(Let(name="rows", value=minimum(whole, dim("query_tiles", total) - var("query_block") * whole)))
    parts, sequence = kernel.parts, attention_of(kernel).sequence
    if parts is not None:
        whole = dim("keys_of_part", parts.tiles)
        found.append(Let(name="first_key", value=part(parts) * whole))
        if sequence % parts.tiles:
            left = dim("key_tiles", sequence) - var("first_key")
            found.append(Let(name="keys_here", value=minimum(whole, left)))
    return found


def _query_block(kernel: PaddedKernel) -> list[Stmt]:
    """Which block of queries the unit is (``ir.flash_blocks``)."""
    flash, blocks = flash_of(kernel), kernel.grid.y
    place, found = var("by"), list[Stmt]()
    if flash.causal and blocks > 1 and kernel.grid.z > flash.turn:  # long units and short ones take turns on a core
        odd, last = var("bz") // dim("matrices_a_turn", flash.turn) % 2, dim("query_blocks", blocks) - 1
        place = odd * (last - var("by")) + (1 - odd) * var("by")
    if flash.causal and flash.shared:
        across, together = dim("blocks_apart", blocks // flash.apart), dim("blocks_alike", flash.apart)
        found.append(Let(name="block_place", value=place))
        place = var("block_place") % across * together + var("block_place") // across
    return [*found, Let(name="query_block", value=place)]


def steps(kernel: PaddedKernel, inside: Sequence[Stmt]) -> Loop:
    """``inside`` for each step along the keys that the unit meets."""
    flash, sequence, parts = flash_of(kernel), attention_of(kernel).sequence, kernel.parts
    count = dim("steps", -(-(parts.tiles if parts is not None else sequence) // flash.keys))
    keys, length = dim("keys_per_step", flash.keys), dim("key_tiles", sequence)
    if parts is not None and sequence % parts.tiles:
        length = var("keys_here")
        count = ceil_div(length, keys)
    if flash.causal:
        last = var("query_block") * dim("unit_rows", flash.rows) + (flash.rows - 1)
        count = minimum(count, last // keys + 1)
    body: list[Stmt] = []
    if sequence % flash.keys:
        body.append(Let(name="columns", value=minimum(keys, length - var("step") * keys)))
    return Loop(var="step", count=count, body=(*body, *inside))


def over(kernel: PaddedKernel, name: str, inside: Sequence[Stmt]) -> list[Stmt]:
    """``inside`` for each ``tile_row`` of queries, each ``tile_column`` of keys, or each ``value_column``."""
    size, count = _extents(kernel)[name]
    if size == 1:
        return [Let(name=name, value=num(0)), *inside]
    return [Loop(var=name, count=count, body=tuple(inside))]


def _extents(kernel: PaddedKernel) -> dict[str, tuple[int, Index]]:
    flash, plan = flash_of(kernel), attention_of(kernel)
    total = kernel.buffer(kernel.outputs[0].name).tiles[0]
    rows = var("rows") if total % flash.rows else dim("unit_rows", flash.rows)
    return {
        "tile_row": (flash.rows, rows),
        "tile_column": (flash.keys, columns(kernel)),
        "value_column": (plan.width, dim("value_tiles", plan.width)),
        "k": (plan.inner, dim("inner_tiles", plan.inner)),
        "kk": (flash.keys, columns(kernel)),
    }


def columns(kernel: PaddedKernel) -> Index:
    """Tiles of keys of the present step."""
    flash, plan = flash_of(kernel), attention_of(kernel)
    return var("columns") if plan.sequence % flash.keys else dim("keys_per_step", flash.keys)


def place(row: str, column: str, extent: tuple[int, int], width: str) -> Index:
    """Index of a tile among ``extent`` tiles; one row or column is the same for all."""
    rows, wide = extent
    across = var(column) if wide > 1 else num(0)
    return (var(row) * dim(width, wide) if wide > 1 else var(row)) + across if rows > 1 else across
