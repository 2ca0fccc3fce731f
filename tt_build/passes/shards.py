"""Shards: how a sharded layout cuts a tensor, and the rules that it must keep (semantics.md, ``Tensors``)."""

from __future__ import annotations

from tt_build.ir.stages import TILE, DefaultedKernel, Tensor
from tt_build.passes.common import refuse
from tt_build.spec.model import Sharding


def shard_shape(kernel: DefaultedKernel, tensor: Tensor, layout: Sharding) -> tuple[int, int]:
    """(rows, columns) of a shard in elements: declared, or the smallest whole tiles that cover the tensor.

    Rejects a shard that is no multiple of a tile (TTB207), and shards that do not cover the tensor or lie beyond it
    (TTB208): with n shards along a dimension, n of them must reach its end and n - 1 must not.
    """
    place = ("inputs" if tensor.role == "input" else "outputs", tensor.name, "layout")
    across, down = shard_counts(layout)
    rows, columns = _collapsed(tensor)
    if layout.shard is None:
        return _whole_tiles(rows, down), _whole_tiles(columns, across)
    height, width = layout.shard
    if height % TILE or width % TILE or not height or not width:
        refuse(
            kernel,
            "TTB207",
            f"shard [{height}, {width}] of tensor '{tensor.name}' is no multiple of a tile, [{TILE}, {TILE}]",
            path=(*place, "shard"),
            help=f"write shard: [{_whole_tiles(height, 1)}, {_whole_tiles(width, 1)}], or leave it out",
        )
    for what, count, extent, total in (("rows", down, height, rows), ("columns", across, width, columns)):
        padded = _whole_tiles(total, 1)
        if count * extent < padded or (count - 1) * extent >= padded:
            refuse(
                kernel,
                "TTB208",
                f"{count} shards of {extent} {what} make {count * extent}; tensor '{tensor.name}' has {total} {what}",
                path=(*place, "shard"),
                help=f"a shard of {_whole_tiles(total, count)} {what} on {count} cores covers it; or leave shard out",
            )
    return height, width


def shard_counts(layout: Sharding) -> tuple[int, int]:
    """Shards along columns and rows: (across, down)."""
    columns, rows = layout.grid or (1, 1)
    if layout.sharding == "height":
        return 1, columns * rows
    if layout.sharding == "width":
        return columns * rows, 1
    return columns, rows


def _collapsed(tensor: Tensor) -> tuple[int, int]:
    """Rows and columns with the leading dimensions stacked on the rows, each matrix padded to whole tiles."""
    rows, columns = tensor.matrix
    matrices = 1
    for extent in tensor.batch:
        matrices *= extent
    return (_whole_tiles(rows, 1) * matrices if matrices > 1 else rows), columns


def _whole_tiles(extent: int, parts: int) -> int:
    """The smallest multiple of a tile of which ``parts`` cover ``extent``."""
    tiles = -(-extent // TILE)
    return -(-tiles // parts) * TILE
