"""Pass ``grid_to_persistent``: ShardedKernel -> PersistentKernel.

Needs   an iteration space, an order and a policy.
Gives   the persistent loop: ``unit`` counts the core's units, and each unit's tile id and block indices are integer
        expressions of it, the same text in reader, compute and writer.
"""

from __future__ import annotations

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.lowered import Let, Stmt, ZOrderPoint
from tt_build.ir.stages import PersistentKernel, PersistentLoop, ShardedKernel, Shards
from tt_build.ir.work import Grid
from tt_build.passes.common import extend


def apply(kernel: ShardedKernel) -> PersistentKernel:
    """Turn the grid into a loop over positions."""
    if kernel.placed_by:
        loop = _shard(kernel)
    elif kernel.policy == "rectangular":
        loop = _rectangle(kernel.order, kernel.grid)
    else:
        loop = _positions(kernel)
    return extend(PersistentKernel, kernel, loop=loop)


def _positions(kernel: ShardedKernel) -> PersistentLoop:
    """Contiguous and strided: ``start_tile`` is the first position."""
    grid, columns = kernel.grid, kernel.region.size[0] * kernel.region.size[1]
    step = dim("stride", columns) if kernel.policy == "strided" else num(1)
    width, height = dim("grid_x", grid.x), dim("grid_y", grid.y)
    position = var("position")
    body: list[Stmt] = [Let(name="position", value=var("start_tile") + var("unit") * step)]
    if kernel.order == "row_major":
        by = (position // width) % height if grid.z > 1 else position // width
        body += _lets(
            ("tile_id", position),
            ("bx", position % width),
            ("by", by if grid.y > 1 else num(0)),
            ("bz", position // (width * height) if grid.z > 1 else num(0)),
        )
    else:
        body += _plane(kernel.order, position, width, height, grid, num(0))
        body += _lets(("bx", var("column")), ("by", var("row")), ("tile_id", _tile_id(grid)))
    return PersistentLoop(args=("start_tile", "num_tiles"), body=tuple(body))


def _rectangle(order: str, grid: Grid) -> PersistentLoop:
    """Rectangular: a core walks its rectangle in that order, plane by plane."""
    width, height = var("rect_width"), var("rect_height")
    body = _plane(order, var("unit"), width, height, grid, num(0))
    body += _lets(
        ("bx", var("rect_x") + var("column")),
        ("by", var("rect_y") + var("row")),
        ("tile_id", _tile_id(grid)),
    )
    args = ("rect_x", "rect_y", "rect_width", "rect_height", "num_tiles")
    return PersistentLoop(args=args, body=tuple(body))


def _shard(kernel: ShardedKernel) -> PersistentLoop:
    """A core walks its shard: a rectangle of the rows of all matrices stacked."""
    grid, shards = kernel.grid, kernel.buffer(kernel.placed_by).shards
    assert shards is not None
    stacked = Grid(x=grid.x, y=grid.y * grid.z)
    plane = _plane(kernel.order, var("unit"), var("rect_width"), var("rect_height"), stacked, num(0))
    body = [stmt for stmt in plane if not (isinstance(stmt, Let) and stmt.name == "bz")]  # bz is that of line
    line = var("line")
    body += _lets(
        ("bx", var("rect_x") + var("column")),
        ("line", var("rect_y") + var("row")),
        ("by", line % dim("grid_y", grid.y) if grid.z > 1 else line),
        ("bz", line // dim("grid_y", grid.y) if grid.z > 1 else num(0)),
        ("tile_id", line * dim("grid_x", grid.x) + var("bx")),
        ("shard_page", _shard_page(kernel, shards)),
    )
    args = ("rect_x", "rect_y", "rect_width", "rect_height", "num_tiles")
    return PersistentLoop(args=args, body=tuple(body))


def _shard_page(kernel: ShardedKernel, shards: Shards) -> Index:
    """The page in the shard, which is stored row by row, also where the last one is narrower."""
    width = shards.tiles[1]
    if kernel.order == "row_major" and all(item.rect is not None and item.rect[2] == width for item in kernel.work):
        return var("unit")
    return var("row") * dim("shard_width", width) + var("column")


def _plane(order: str, position: Index, width: Index, height: Index, grid: Grid, first_plane: Index) -> list[Stmt]:
    """``column``, ``row`` and ``bz`` of a position in planes of that width and height."""
    found: list[Stmt] = []
    place = position
    if grid.z > 1:
        found += _lets(("place", position % (width * height)))
        place = var("place")
    found += _lets(("bz", first_plane + position // (width * height) if grid.z > 1 else num(0)))
    if order == "row_major":
        return [*found, *_lets(("column", place % width), ("row", place // width))]
    if order == "column_major":
        return [*found, *_lets(("column", place // height), ("row", place % height))]
    if order == "serpentine":  # odd rows run backwards
        step, odd = place % width, var("row") % 2
        return [*found, *_lets(("row", place // width), ("column", odd * (width - 1 - step) + (1 - odd) * step))]
    side = 1 << (max(grid.x, grid.y) - 1).bit_length()
    point = ZOrderPoint(name="point", position=place, width=width, height=height, side=side)
    return [*found, point, *_lets(("column", var("point.x")), ("row", var("point.y")))]


def _tile_id(grid: Grid) -> Index:
    return (var("bz") * dim("grid_y", grid.y) + var("by")) * dim("grid_x", grid.x) + var("bx")


def _lets(*pairs: tuple[str, Index]) -> list[Stmt]:
    return [Let(name=name, value=value) for name, value in pairs]
