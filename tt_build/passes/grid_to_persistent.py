"""Pass ``grid_to_persistent``: ShardedKernel -> PersistentKernel.

Needs   an iteration space, an order and a policy.
Gives   the persistent loop: ``unit`` counts the core's units, and each unit's position, tile id and block indices are
        integer expressions of it, the same text in reader, compute and writer.
"""

from __future__ import annotations

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.stages import PersistentKernel, PersistentLoop, ShardedKernel
from tt_build.ir.work import Grid
from tt_build.passes.common import extend


def apply(kernel: ShardedKernel) -> PersistentKernel:
    """Turn the grid into a loop over positions."""
    names = [("position", var("start_tile") + var("unit"))]
    names += _block_indices(kernel.order, kernel.grid)
    return extend(
        PersistentKernel,
        kernel,
        loop=PersistentLoop(args=("start_tile", "num_tiles"), names=tuple(names)),
    )


def _block_indices(order: str, grid: Grid) -> list[tuple[str, Index]]:
    """Definitions of bx, by, bz and tile_id from ``position`` (and from each other, in this order)."""
    gx, gy = dim("grid_x", grid.x), dim("grid_y", grid.y)
    position = var("position")
    plane = position % (gx * gy) if grid.z > 1 else position
    bz = position // (gx * gy) if grid.z > 1 else num(0)
    if order == "row_major":
        by = (position // gx) % gy if grid.z > 1 else position // gx
        return [("tile_id", position), ("bx", position % gx), ("by", by if grid.y > 1 else num(0)), ("bz", bz)]
    if order == "column_major":
        names = [("bx", plane // gy), ("by", plane % gy)]
    else:  # serpentine: odd rows run backwards
        column, odd = position % gx, var("by") % 2
        by = plane // gx if grid.y > 1 else num(0)
        names = [("by", by), ("bx", odd * (gx - 1 - column) + (1 - odd) * column)]
    return [*names, ("bz", bz), ("tile_id", (var("bz") * gy + var("by")) * gx + var("bx"))]
