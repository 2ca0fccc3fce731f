"""Shards: how a sharded layout cuts a tensor, and the rules that it must keep (semantics.md, ``Tensors``).

Accessor words of a sharded tensor are those of ttnn 0.81.1 (measured on its mock device): ``[1 | 2 * dram, aligned page
size, rank, cores, tensor shape in pages, shard shape in pages, coordinates, two to a word]``.
"""

from __future__ import annotations

import math

from tt_build.ir.stages import TILE, Kernel, Shards, Tensor
from tt_build.passes.common import refuse
from tt_build.spec.model import Sharding
from tt_build.targets import Arch


def shards_of(kernel: Kernel, tensor: Tensor, arch: Arch) -> Shards:
    """The shards of a tensor with a sharded layout.

    Rejects a shard that is no multiple of a tile (TTB207), shards that do not cover the tensor or lie beyond it
    (TTB208: with n shards along a dimension, n of them must reach its end and n - 1 must not), a grid that the
    architecture does not have (TTB209).
    """
    layout = tensor.layout
    assert isinstance(layout, Sharding)
    _check_shard(kernel, tensor, layout)
    grid = layout.grid or _derived_grid(kernel, tensor, layout)
    _check_grid(kernel, tensor, layout, grid, arch)
    down, across = shard_counts(layout, grid)
    rows, columns = stacked_tiles(tensor)
    height, width = _shard_tiles(layout, (rows, columns), (down, across))
    for what, count, extent, total in (("rows", down, height, rows), ("columns", across, width, columns)):
        if count * extent < total or (count - 1) * extent >= total:
            best = -(-total // -(-total // count))
            refuse(
                kernel,
                "TTB208",
                f"{count} shards of {extent * TILE} {what} make {count * extent * TILE}; tensor '{tensor.name}' has "
                f"{total * TILE} {what} in whole tiles",
                path=(*_place(tensor), "shard" if layout.shard else "grid"),
                help=f"a shard of {-(-total // count) * TILE} {what} on {best} cores covers it"
                + ("; or leave shard out" if layout.shard and best == count else ""),
            )
    return Shards(memory=layout.memory, tiles=(height, width), counts=(down, across), cores=_cores(layout, grid))


def shard_counts(layout: Sharding, grid: tuple[int, int]) -> tuple[int, int]:
    """Shards along rows and columns: (down, across). Block shards in column-major order go down along x, as ttnn's."""
    columns, rows = grid
    if layout.sharding == "height":
        return columns * rows, 1
    if layout.sharding == "width":
        return 1, columns * rows
    return (columns, rows) if layout.order == "column_major" else (rows, columns)


def stacked_tiles(tensor: Tensor) -> tuple[int, int]:
    """Rows and columns in tiles, the leading dimensions stacked on the rows."""
    rows, columns = tensor.matrix
    return -(-rows // TILE) * math.prod(tensor.batch), -(-columns // TILE)


def sharded_words(tensor: Tensor, shards: Shards, aligned: int, arch: Arch) -> tuple[int, ...]:
    """The TensorAccessor words: dimensions that a shard holds whole are merged, leading ones of one page left out."""
    shape, part = stacked_tiles(tensor), shards.tiles
    dims: tuple[tuple[int, ...], tuple[int, ...]] = shape, part
    if shape[1] == part[1]:
        dims = (shape[0] * shape[1],), (part[0] * part[1],)
    elif shape[0] == part[0] == 1:
        dims = shape[1:], part[1:]
    dram = shards.memory == "dram"
    places = [(x << 8) if dram else (arch.virtual(x, y)[0] << 8 | arch.virtual(x, y)[1]) for x, y in shards.cores]
    places += [0] * (len(places) % 2)
    packed = [low | high << 16 for low, high in zip(places[::2], places[1::2], strict=True)]
    return (3 if dram else 1, aligned, len(dims[0]), len(shards.cores), *dims[0], *dims[1], *packed)


def _check_shard(kernel: Kernel, tensor: Tensor, layout: Sharding) -> None:
    if layout.shard is None:
        return
    height, width = layout.shard
    if height % TILE or width % TILE or not height or not width:
        refuse(
            kernel,
            "TTB207",
            f"shard [{height}, {width}] of tensor '{tensor.name}' is no multiple of a tile, [{TILE}, {TILE}]",
            path=(*_place(tensor), "shard"),
            help=f"write shard: [{-(-height // TILE) * TILE}, {-(-width // TILE) * TILE}], or leave it out",
        )


def _derived_grid(kernel: Kernel, tensor: Tensor, layout: Sharding) -> tuple[int, int]:
    """The grid from the shard: as many shards as the tensor needs, in rows as wide as the core grid allows."""
    if layout.shard is None:
        refuse(
            kernel,
            "TTB208",
            f"the layout of tensor '{tensor.name}' says neither on how many cores it lies nor how large a shard is",
            path=_place(tensor),
            help="write grid: [columns, rows]",
        )
    rows, columns = stacked_tiles(tensor)
    down, across = -(-rows * TILE // layout.shard[0]), -(-columns * TILE // layout.shard[1])
    if layout.sharding == "block":
        return (down, across) if layout.order == "column_major" else (across, down)
    count = down if layout.sharding == "height" else across
    if layout.memory == "dram":
        return count, 1
    width = next(w for w in range(min(count, kernel.core_grid[0]), 0, -1) if count % w == 0)
    return width, count // width


def _check_grid(kernel: Kernel, tensor: Tensor, layout: Sharding, grid: tuple[int, int], arch: Arch) -> None:
    limit = (arch.dram_banks, 1) if layout.memory == "dram" else kernel.core_grid
    if grid[0] > limit[0] or grid[1] > limit[1]:
        what = (
            f"{arch.name} has {arch.dram_banks} DRAM banks" if layout.memory == "dram" else "the kernel's core grid is"
        )
        shown = "" if layout.memory == "dram" else f" {list(limit)}"
        refuse(
            kernel,
            "TTB209",
            f"tensor '{tensor.name}' is sharded over a grid of {list(grid)}; {what}{shown}",
            path=(*_place(tensor), "grid"),
            help=f"use a grid of at most {list(limit)}",
        )


def _shard_tiles(layout: Sharding, total: tuple[int, int], counts: tuple[int, int]) -> tuple[int, int]:
    if layout.shard is not None:
        return layout.shard[0] // TILE, layout.shard[1] // TILE
    return -(-total[0] // counts[0]), -(-total[1] // counts[1])


def _cores(layout: Sharding, grid: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    columns, rows = grid
    if layout.order == "column_major" and layout.memory == "l1":
        return tuple((x, y) for x in range(columns) for y in range(rows))
    return tuple((x, y) for y in range(rows) for x in range(columns))


def _place(tensor: Tensor) -> tuple[str, str, str]:
    return "inputs" if tensor.role == "input" else "outputs", tensor.name, "layout"
