"""Where the tile of the present loops lies in the output of a blocked matmul, or among queries and keys."""

from __future__ import annotations

from typing import Literal

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.stages import MappedKernel
from tt_build.passes.pages import tiles_of

LOWEST = 0xFF7F0000
"""The largest logit before there is one: finite, and a bfloat16, so that its difference to any logit is a number."""


def unit_row(kernel: MappedKernel, extent: int) -> Index:
    """The row of the present tile in the output; ``extent`` rows of tiles in all."""
    return _in_unit("by", "tile_row", "unit_rows", kernel.unit_tiles[0], extent)


def unit_column(kernel: MappedKernel, extent: int) -> Index:
    """The column of the present tile in the output; ``extent`` columns of tiles in all."""
    return _in_unit("bx", "tile_column", "unit_columns", kernel.unit_tiles[1], extent)


def along_unit(kernel: MappedKernel, axis: Literal["rows", "columns"], place: str) -> Index:
    """The row, or column, of the output in which the unit's tile number ``place`` lies."""
    at = 0 if axis == "rows" else 1
    extent = tiles_of(kernel.outputs[0])[at]
    return _in_unit("bx" if at else "by", place, f"unit_{axis}", kernel.unit_tiles[at], extent)


def operand_column(kernel: MappedKernel, *, own: bool) -> Index:
    """The column of the present tile in a computed first operand, of all of it or of the core's ``own`` step."""
    blocking = kernel.blocking
    if blocking is None or not own:
        return var("tile_column")
    return var("bx") * dim("k_tiles_per_step", blocking.k_block) + var("tile_column")


def _in_unit(block: str, place: str, name: str, tiles: int, extent: int) -> Index:
    if tiles >= extent:
        return num(0) if tiles == 1 else var(place)
    return var(block) if tiles == 1 else var(block) * dim(name, tiles) + var(place)


def query_row(kernel: MappedKernel) -> Index:
    """The row of tiles of the present query in its matrix."""
    flash = kernel.flash
    assert flash is not None
    if flash.rows >= tiles_of(kernel.outputs[0])[0]:
        return var("tile_row")
    return var("query_block") * dim("unit_rows", flash.rows) + var("tile_row")


def key_row(kernel: MappedKernel, place: str) -> Index:
    """The row of tiles of the present key in its matrix."""
    assert kernel.flash is not None
    first = var("first_key") if kernel.parts is not None else num(0)
    return first + var("step") * dim("keys_per_step", kernel.flash.keys) + var(place)
