"""The loop nest of a sweep, which reader, compute and writer share, so that their block counts cannot differ.

``tile_row`` and ``tile_column`` are the tile's place in the unit. The inner loop runs in blocks of ``sweep_block``
tiles; a last block with fewer tiles is moved as a whole all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import Index, ceil_div, dim, minimum, num, var
from tt_build.ir.lowered import Block, Let, Loop, Stmt
from tt_build.ir.stages import PaddedKernel, Sweep
from tt_build.passes.memory_space_lower import line_tiles


def block_of(kernel: PaddedKernel, sweep: Sweep) -> int:
    """Tiles of a block of what the sweep streams."""
    return min(kernel.sweep_block, line_tiles(sweep))


def block_pages(kernel: PaddedKernel, sweep: Sweep) -> Index:
    """The same, as the loops write it."""
    size = block_of(kernel, sweep)
    if size == line_tiles(sweep):
        return _extent(inner_name(sweep), sweep.extent)
    return num(1) if size == 1 else dim("tiles_per_block", size)


def block_slot(kernel: PaddedKernel, sweep: Sweep) -> Index:
    """Place of the present tile in its block."""
    size = block_of(kernel, sweep)
    if size == 1:
        return num(0)
    return var(inner_name(sweep)) if size == line_tiles(sweep) else var("i")


def lines(sweep: Sweep, inside: Sequence[Stmt]) -> list[Stmt]:
    """``inside`` for each line of the sweep: the outer loop."""
    name = "tile_column" if sweep.by_columns else "tile_row"
    return _counted(name, _extent(name, sweep.extent), inside)


def every_tile(extent: tuple[int, int], inside: Sequence[Stmt]) -> list[Stmt]:
    """``inside`` for each tile, row by row."""
    return _counted(
        "tile_row", _extent("tile_row", extent), _counted("tile_column", _extent("tile_column", extent), inside)
    )


def line(kernel: PaddedKernel, sweep: Sweep, before: list[Stmt], inner: list[Stmt], after: list[Stmt]) -> list[Stmt]:
    """The tiles of one line: ``before``, then ``inner`` for each tile of the block, then ``after``."""
    name = inner_name(sweep)
    count = _extent(name, sweep.extent)
    size, total = block_of(kernel, sweep), line_tiles(sweep)
    if size == total:
        return [*before, *_counted(name, count, inner), *after]
    if size == 1:
        return _counted(name, count, [*before, *inner, *after])
    pages = block_pages(kernel, sweep)
    left = minimum(pages, count - var("block") * pages) if total % size else pages
    place = Let(name=name, value=var("block") * pages + var("i"))
    tiles = Loop(var="i", count=var("tiles"), body=(place, *inner))
    body = (Let(name="tiles", value=left), *before, tiles, *after)
    return [Loop(var="block", count=ceil_div(count, pages), body=body)]


def block(number: int, sweep: Sweep, body: Sequence[Stmt]) -> Block:
    """The statements of a sweep, under its own names."""
    return Block(text=f"sweep {number + 1}: {sweep.what}", sweep=number, body=tuple(body))


def place_in(extent: tuple[int, int]) -> Index:
    """Index of the tile (row, column) among ``extent`` tiles; what has one row or column is the same for all."""
    rows, columns = extent
    if columns == 1:
        return var("tile_row") if rows > 1 else num(0)
    return (var("tile_row") * dim("unit_columns", columns) if rows > 1 else num(0)) + var("tile_column")


def inner_name(sweep: Sweep) -> str:
    """What the inner loop counts."""
    return "tile_row" if sweep.by_columns else "tile_column"


def _extent(name: str, extent: tuple[int, int]) -> Index:
    size = extent[0 if name == "tile_row" else 1]
    return num(1) if size == 1 else dim("unit_rows" if name == "tile_row" else "unit_columns", size)


def _counted(name: str, count: Index, inside: Sequence[Stmt]) -> list[Stmt]:
    if count == num(1):
        return [Let(name=name, value=num(0)), *inside]
    return [Loop(var=name, count=count, body=tuple(inside))]
