"""Which block of queries a unit of attention is, and how many steps along the keys it takes: on integers.

A unit (by, bz) of the grid is block ``by`` of matrix ``bz``. Where units are long and short (``causal``) every other
``turn`` matrices hand their blocks out in reverse, and ``apart`` blocks that take as many steps lie ``blocks / apart``
units apart.
"""

from __future__ import annotations

from tt_build.ir.stages import Flash
from tt_build.ir.work import CoreWork, Grid, block_of, tile_ids


def query_block(flash: Flash, grid: Grid, by: int, bz: int) -> int:
    """The block of queries of a unit."""
    if not flash.causal:
        return by
    place = grid.y - 1 - by if bz // flash.turn % 2 else by
    across = grid.y // flash.apart
    return place % across * flash.apart + place // across


def steps_of(flash: Flash, grid: Grid, by: int, bz: int) -> int:
    """The steps of a unit: as far as its last query where later keys are masked."""
    if not flash.causal:
        return flash.steps
    last = query_block(flash, grid, by, bz) * flash.rows + flash.rows - 1
    return min(flash.steps, last // flash.keys + 1)


def walk_of(item: CoreWork, flash: Flash, order: str, grid: Grid) -> tuple[tuple[int, int], ...]:
    """For each unit of a core, in order: which keys and values it meets, and in how many steps."""
    blocks = [block_of(tile, grid) for tile in tile_ids(item, order, grid)]
    return tuple((bz // flash.heads, steps_of(flash, grid, by, bz)) for _, by, bz in blocks)
