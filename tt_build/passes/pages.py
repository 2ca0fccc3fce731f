"""Page indices: which tile of a tensor belongs to the unit (bx, by, bz)."""

from __future__ import annotations

import math
from typing import Any

from tt_build.ir.index import Index, dim, minimum, names_in, num, var
from tt_build.ir.stages import TILE, Rows, Tensor
from tt_build.passes.views import batch_place
from tt_build.targets import DTYPES, Arch


def page_of(tensor: Tensor, ident: str, output: Tensor, row: Index, column: Index) -> Index:
    """Page of the tile at (row, column), in the matrix of the tensor that belongs to bz.

    Leading dimensions broadcast as NumPy's do; a dimension of size 1 stays put. ``ident`` begins the names of the
    tensor's height and width in tiles. A tensor tiled like the output has the tile id itself as its page.
    """
    if tensor.format == "row_major":
        return first_row(tensor, ident, output, unit_place(tensor, output, row, column))
    height, width = tiles_of(tensor)
    alike = (height, width) == tiles_of(output) and math.prod(tensor.batch) == math.prod(output.batch)
    if alike and (row, column) == (var("by"), var("bx")):
        return var("tile_id")
    return page_in_unit(tensor, ident, output.batch, row, column)


def page_in_unit(tensor: Tensor, ident: str, batch: tuple[int, ...], row: Index, column: Index) -> Index:
    """Page of the tile at (row, column), in the matrix of a tiled tensor that belongs to bz, which has ``batch``."""
    height, width = tiles_of(tensor)
    row, column = num(0) if height == 1 else row, num(0) if width == 1 else column
    return (_matrix(tensor.batch, batch) * dim(f"{ident}_height", height) + row) * dim(f"{ident}_width", width) + column


def page_at(tensor: Tensor, ident: str, output: Tensor, place: tuple[Index, Index, Index, Index]) -> Index:
    """Page of the tile at a place of the tensor itself: two leading axes, row and column in tiles."""
    if tensor.format == "row_major":
        return first_row(tensor, ident, output, place)
    _, _, row, column = place
    height, width = tiles_of(tensor)
    matrix = _matrix_at(tensor, output, place)
    of_unit = _padded(tensor.batch) == _padded(output.batch) and (matrix == var("bz") or math.prod(tensor.batch) == 1)
    if of_unit and (height, width) == tiles_of(output) and (row, column) == (var("by"), var("bx")):
        return var("tile_id")
    return (matrix * dim(f"{ident}_height", height) + row) * dim(f"{ident}_width", width) + column


def rows_of(tensor: Tensor, row: Index, column: Index) -> Rows | None:
    """The rows of a row-major tensor that are its tile at that row and column; None for a tiled one."""
    if tensor.format != "row_major":
        return None
    rows, columns = tensor.matrix
    return Rows(
        count=_left(rows, row),
        column=column * TILE,
        columns=_left(columns, column),
        element_bytes=DTYPES[tensor.dtype].element_bytes,
    )


def goes_through_scratch(tensor: Tensor, arch: Arch) -> bool:
    """Whether rows of an input cannot be read straight into the faces of a tile.

    Source and destination must be congruent modulo the alignment of memory, and a face's rows of 16 elements are not.
    """
    by_rows = tensor.format == "row_major" and tensor.layout == "dram_interleaved"
    return by_rows and 16 * DTYPES[tensor.dtype].element_bytes % arch.alignment.dram_page != 0


def _left(extent: int, tile: Index) -> Index:
    """Elements of that tile along an axis."""
    return num(TILE) if extent % TILE == 0 else minimum(num(TILE), num(extent) - tile * TILE)


def names_read(page: Index, rows: Rows | None) -> frozenset[str]:
    """The names that a tile's place depends on."""
    found = names_in(page)
    return found if rows is None else found | names_in(rows.count) | names_in(rows.column) | names_in(rows.columns)


def rows_fields(rows: Rows | None) -> dict[str, Any]:
    """The fields of ``ReadPage`` and ``WritePage`` that say which part of a row-major tensor is moved."""
    if rows is None:
        return {}
    return {
        "rows": rows.count,
        "column": rows.column,
        "columns": rows.columns,
        "element_bytes": rows.element_bytes,
    }


def first_row(tensor: Tensor, ident: str, output: Tensor, place: tuple[Index, Index, Index, Index]) -> Index:
    """Page of the first row of a row-major tensor's tile at a place of the tensor."""
    return _matrix_at(tensor, output, place) * dim(f"{ident}_rows", tensor.matrix[0]) + place[2] * TILE


def unit_place(tensor: Tensor, output: Tensor, row: Index, column: Index) -> tuple[Index, Index, Index, Index]:
    """The place of the tile at (row, column) in the tensor's matrix that belongs to bz; axes of extent 1 stay put."""
    unit = batch_place(output.batch)
    extents = _padded(tensor.batch)
    outer, inner = (num(0) if extent == 1 else unit[axis] for extent, axis in zip(extents, (-4, -3), strict=True))
    rows, columns = tensor.matrix
    return outer, inner, num(0) if rows == 1 else row, num(0) if columns == 1 else column


def _matrix_at(tensor: Tensor, output: Tensor, place: tuple[Index, Index, Index, Index]) -> Index:
    """Number of the matrix at the place's leading indices."""
    extents, unit = _padded(tensor.batch), batch_place(output.batch)
    if extents == (1, 1):
        return num(0)
    of_unit = place[:2] == (unit.get(-4, num(0)), unit.get(-3, num(0))) and extents == _padded(output.batch)
    return var("bz") if of_unit else place[0] * extents[1] + place[1]


def _padded(batch: tuple[int, ...]) -> tuple[int, int]:
    outer, inner = ((1,) * (2 - len(batch)) + batch)[-2:]
    return outer, inner


def tiles_of(tensor: Tensor) -> tuple[int, int]:
    """Height and width of one matrix in tiles."""
    rows, columns = tensor.matrix
    return -(-rows // TILE), -(-columns // TILE)


def _matrix(own: tuple[int, ...], output: tuple[int, ...]) -> Index:
    if math.prod(own) == 1:
        return num(0)
    own = (1,) * (len(output) - len(own)) + own
    if own == output:
        return var("bz")
    index: Index = num(0)
    stride_output, stride_own = 1, 1
    for extent_output, extent in zip(reversed(output), reversed(own), strict=True):
        if extent > 1:
            outer = var("bz") // stride_output
            is_first = stride_output * extent_output == math.prod(output)
            index = index + (outer if is_first else outer % extent_output) * stride_own
        stride_output *= extent_output
        stride_own *= extent
    return index
