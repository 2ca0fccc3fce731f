"""Page indices: which tile of a tensor belongs to the unit (bx, by, bz)."""

from __future__ import annotations

import math

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.stages import TILE, Tensor
from tt_build.passes.views import batch_place


def page_of(tensor: Tensor, ident: str, output: Tensor, row: Index, column: Index) -> Index:
    """Page of the tile at (row, column), in the matrix of the tensor that belongs to bz.

    Leading dimensions broadcast as NumPy's do; a dimension of size 1 stays put. ``ident`` begins the names of the
    tensor's height and width in tiles. A tensor tiled like the output has the tile id itself as its page.
    """
    height, width = tiles_of(tensor)
    alike = (height, width) == tiles_of(output) and math.prod(tensor.batch) == math.prod(output.batch)
    if alike and (row, column) == (var("by"), var("bx")):
        return var("tile_id")
    return page_in_unit(tensor, ident, output.batch, row, column)


def page_in_unit(tensor: Tensor, ident: str, batch: tuple[int, ...], row: Index, column: Index) -> Index:
    """Page of the tile at (row, column), in the matrix of the tensor that belongs to bz; ``batch`` is that of bz."""
    height, width = tiles_of(tensor)
    row, column = num(0) if height == 1 else row, num(0) if width == 1 else column
    return (_matrix(tensor.batch, batch) * dim(f"{ident}_height", height) + row) * dim(f"{ident}_width", width) + column


def page_at(tensor: Tensor, ident: str, output: Tensor, place: tuple[Index, Index, Index, Index]) -> Index:
    """Page of the tile at a place of the tensor itself: two leading axes, row and column in tiles."""
    outer, inner, row, column = place
    height, width = tiles_of(tensor)
    extents = _padded(tensor.batch)
    unit = batch_place(output.batch)
    of_unit = (outer, inner) == (unit.get(-4, num(0)), unit.get(-3, num(0))) and extents == _padded(output.batch)
    alike = of_unit and (height, width) == tiles_of(output)
    if alike and (row, column) == (var("by"), var("bx")):
        return var("tile_id")
    matrix = num(0) if extents == (1, 1) else var("bz") if of_unit else outer * extents[1] + inner
    return (matrix * dim(f"{ident}_height", height) + row) * dim(f"{ident}_width", width) + column


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
