"""The loop nest of a sweep, which reader, compute and writer share, so that their block counts cannot differ.

``tile_row`` and ``tile_column`` are the tile's place in what the core has of the unit. The inner loop runs in blocks of
``sweep_block`` tiles; a last block with fewer tiles is moved as a whole all the same. Where a reduction is in parts, a
core with one part has fewer tiles in the last (``core_tiles``), and a core with all parts walks them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from tt_build.ir.index import Index, ceil_div, dim, minimum, num, var
from tt_build.ir.lowered import Block, Let, Loop, Stmt
from tt_build.ir.stages import UNIT, Axes, Axis, PaddedKernel, Parts, Stream, Sweep
from tt_build.passes.memory_space_lower import swept_block

_TILE_ROW = var("tile_row")
_TILE_COLUMN = var("tile_column")


class Span(msgspec.Struct, frozen=True):
    """A loop: ``name`` runs from ``base`` on over ``count`` tiles, at most ``most``."""

    name: str
    most: int
    count: Index
    base: Index

    @property
    def is_single(self) -> bool:
        """Whether there is always exactly one."""
        return self.count == num(1)


def block_of(kernel: PaddedKernel, sweep: Sweep) -> int:
    """Tiles of a block of what the sweep streams."""
    return swept_block(sweep, kernel.sweep_block, kernel.parts)


def block_pages(kernel: PaddedKernel, sweep: Sweep) -> Index:
    """The same, as the loops write it."""
    size = block_of(kernel, sweep)
    if size == 1:
        return num(1)
    return dim("tiles_per_block" if size == kernel.sweep_block else f"tiles_per_block_{size}", size)


def block_slot(kernel: PaddedKernel, sweep: Sweep) -> Index:
    """Place of the present tile in its block."""
    return num(0) if block_of(kernel, sweep) == 1 else var("i")


def lines(kernel: PaddedKernel, sweep: Sweep, inside: Sequence[Stmt]) -> list[Stmt]:
    """``inside`` for each line of the sweep: the outer loop."""
    return _counted(_outer(kernel, sweep), inside)


def every_tile(
    kernel: PaddedKernel, extent: tuple[int, int], inside: Sequence[Stmt], *, axes: Axes = UNIT
) -> list[Stmt]:
    """``inside`` for each tile that the core has of the unit, row by row; ``axes`` as in ``Sweep``."""
    rows, columns = (_span(kernel, at, size, axes) for at, size in enumerate(extent))
    return _counted(rows, _counted(columns, inside))


def line(kernel: PaddedKernel, sweep: Sweep, before: list[Stmt], inner: list[Stmt], after: list[Stmt]) -> list[Stmt]:
    """The tiles of one line: ``before``, then ``inner`` for each tile of the block, then ``after``."""
    return line_around(kernel, sweep, inner, lambda tiles: [*before, *tiles, *after])


def line_around(
    kernel: PaddedKernel, sweep: Sweep, inner: list[Stmt], around: Callable[[list[Stmt]], list[Stmt]]
) -> list[Stmt]:
    """The tiles of one line, block by block: ``around`` has the statements of a block's tiles, ``inner`` for each."""
    span, size = _inner(kernel, sweep), block_of(kernel, sweep)
    if size == 1:
        return _counted(span, around(inner))
    pages = block_pages(kernel, sweep)
    if size == span.most:
        place = Let(name=span.name, value=span.base + var("i"))
        return around([Loop(var="i", count=span.count, body=(place, *inner))])
    exact = span.most % size == 0 and (span.count == num(span.most) or sweep.before)
    left = pages if exact else minimum(pages, span.count - var("block") * pages)
    place = Let(name=span.name, value=span.base + (var("block") * pages + var("i")))
    tiles = Loop(var="i", count=var("tiles"), body=(place, *inner))
    body = (Let(name="tiles", value=left), *around([tiles]))
    return [Loop(var="block", count=ceil_div(span.count, pages), body=body)]


def each_part(kernel: PaddedKernel, sweep: Sweep, inside: Sequence[Stmt]) -> list[Stmt]:
    """``inside`` for each part of a reduction that the core does alone."""
    if sweep.parts == 1:
        return list(inside)
    parts = kernel.parts
    assert parts is not None
    tiles = dim("part_tiles", parts.tiles)
    left = minimum(tiles, dim("total_tiles", parts.total) - var("part") * tiles) if _is_ragged(parts) else tiles
    count = Let(name="tiles_of_part", value=left)
    return [Loop(var="part", count=dim("parts", parts.count), body=(count, *inside))]


def core_tiles(kernel: PaddedKernel) -> list[Stmt]:
    """How many tiles of the present unit the core has, where units or cores differ."""
    parts = kernel.parts
    if kernel.blocking is not None:
        return block_edges(kernel)
    if parts is None or not parts.spread or not _is_ragged(parts):
        return []
    tiles = dim("part_tiles", parts.tiles)
    return [Let(name="core_tiles", value=minimum(tiles, dim("total_tiles", parts.total) - part(parts) * tiles))]


def part(parts: Parts) -> Index:
    """The number of the core's part of a spread unit."""
    return var("by" if parts.axis == "rows" else "bx")


def block(number: int, sweep: Sweep, body: Sequence[Stmt]) -> Block:
    """The statements of a sweep, under its own names."""
    return Block(text=f"sweep {number + 1}: {sweep.what}", sweep=number, body=tuple(body))


def place_in(
    kernel: PaddedKernel,
    extent: tuple[int, int],
    *,
    row: Index = _TILE_ROW,
    column: Index = _TILE_COLUMN,
    shift: int = 0,
    axes: Axes = UNIT,
) -> Index:
    """Index of the tile (row, column) among ``extent`` tiles; one row or column is the same for all.

    ``shift``: of the tile so many columns further, behind the last the first. ``axes`` as in ``Sweep``.
    """
    rows, columns = extent
    if columns == 1:
        return row if rows > 1 else num(0)
    width = _extent(kernel, axes[1], columns)
    column = (column + shift) % width if shift else column
    return (row * width if rows > 1 else num(0)) + column


def is_kept_matrix(kernel: PaddedKernel, stream: Stream) -> bool:
    """Whether all rows of an operand lie on the core, of which a unit that is a row of tiles reads its own."""
    return stream.per == "core" and stream.extent[0] > max(sweep.extent[0] for sweep in kernel.sweeps)


def block_span(kernel: PaddedKernel, axis: Literal["rows", "columns"], name: str = "") -> Span:
    """The tiles of the output along one axis that a unit of a blocked matmul has; fewer at a ragged edge.

    ``name`` is the loop's, where that walks them along another axis.
    """
    at = 0 if axis == "rows" else 1
    size, total = kernel.unit_tiles[at], kernel.buffer(kernel.outputs[0].name).tiles[at]
    ragged = total % size != 0
    count = var(axis) if ragged else _extent(kernel, axis, size)
    return Span(name or _NAMES[at], size, count, num(0))


def block_edges(kernel: PaddedKernel) -> list[Stmt]:
    """How many rows and columns of tiles the present unit of a blocked matmul has, where not all have as many."""
    found: list[Stmt] = []
    ways: tuple[tuple[Axis, str], ...] = ("rows", "by"), ("columns", "bx")
    for at, (axis, block) in enumerate(ways):
        size, total = kernel.unit_tiles[at], kernel.buffer(kernel.outputs[0].name).tiles[at]
        if total % size:
            whole = _extent(kernel, axis, size)
            found.append(Let(name=axis, value=minimum(whole, dim(f"output_{axis}", total) - var(block) * whole)))
    return found


_NAMES = ("tile_row", "tile_column")


def _span(kernel: PaddedKernel, at: int, size: int, axes: Axes) -> Span:
    """The loop over the tiles of one axis."""
    parts, name, axis = kernel.parts, _NAMES[at], axes[at]
    whole = _extent(kernel, axis, size)
    if axis == "k":
        return Span(name, size, whole, num(0))
    if kernel.blocking is not None and size > 1:
        return block_span(kernel, axis, name)
    if parts is None or parts.axis != axis or not parts.spread or size != min(parts.tiles, parts.total):
        return Span(name, size, whole, num(0))
    # a value of one row or column is the same for all parts, and so is a part of one tile
    return Span(name, size, var("core_tiles") if _is_ragged(parts) and size > 1 else whole, num(0))


def _extent(kernel: PaddedKernel, axis: Axis, size: int) -> Index:
    """So many tiles along an axis, by name; operands of a reduction may be longer or shorter than the output."""
    if size == 1:
        return num(1)
    if axis == "k":
        turns = kernel.blocking is not None and kernel.blocking.rotates and size == kernel.blocking.k_block
        return dim("k_tiles_per_step" if turns else "k_tiles", size)
    largest = max((sweep.extent[0 if axis == "rows" else 1] for sweep in kernel.sweeps), default=size)
    if kernel.blocking is not None:
        largest = kernel.unit_tiles[0 if axis == "rows" else 1]
    return dim(f"unit_{axis}" if size == largest else f"unit_{axis}_{size}", size)


def _spans(kernel: PaddedKernel, sweep: Sweep) -> tuple[Span, Span]:
    """Rows and columns of a sweep."""
    rows, columns = (_span(kernel, at, size, sweep.axes) for at, size in enumerate(sweep.extent))
    if sweep.parts == 1:
        return rows, columns
    assert kernel.parts is not None
    name = "tile_row" if kernel.parts.axis == "rows" else "tile_column"
    count = var("tiles_of_part")
    span = Span(name, kernel.parts.tiles, count, var("part") * dim("part_tiles", kernel.parts.tiles))
    return (span, columns) if kernel.parts.axis == "rows" else (rows, span)


def _outer(kernel: PaddedKernel, sweep: Sweep) -> Span:
    return _spans(kernel, sweep)[1 if sweep.by_columns else 0]


def _inner(kernel: PaddedKernel, sweep: Sweep) -> Span:
    return _spans(kernel, sweep)[0 if sweep.by_columns else 1]


def _is_ragged(parts: Parts) -> bool:
    return parts.total % parts.tiles != 0


def _counted(span: Span, inside: Sequence[Stmt]) -> list[Stmt]:
    if span.is_single:
        return [Let(name=span.name, value=span.base), *inside]
    if span.base == num(0):
        return [Loop(var=span.name, count=span.count, body=tuple(inside))]
    counter = span.name.replace("tile_", "")
    place = Let(name=span.name, value=span.base + var(f"{counter}_of_part"))
    return [Loop(var=f"{counter}_of_part", count=span.count, body=(place, *inside))]
