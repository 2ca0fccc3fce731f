"""Work: the iteration space, orders and policies (semantics.md, ``Work``), as pure functions on integers.

A unit is a point (bx, by, bz) of a grid; ``tile_id = (bz * gy + by) * gx + bx``. An order maps positions to tile
ids, a policy hands positions to cores.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from tt_build.spec.model import CoreRegion, Struct

POLICIES = ("contiguous", "strided", "rectangular")
ORDERS = ("row_major", "column_major", "serpentine", "z_order")


class Grid(Struct, frozen=True, kw_only=True):
    """The iteration space; ``x`` is the fastest in tile ids."""

    x: int
    y: int
    z: int = 1

    @property
    def units(self) -> int:
        """T, the number of work units."""
        return self.x * self.y * self.z


class CoreWork(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one core does: ``count`` positions from ``start``, ``stride`` apart, or a rectangle of the plane.

    ``core`` is (x, y) absolute, ``core_id`` row-major in the target grid, ``rect`` is [bx, by, w, h], ``planes``
    [bz, n]. A rectangle without planes lies on the rows of all planes stacked: ``by`` is then bz * gy + by.
    """

    core: tuple[int, int]
    core_id: int
    start: int
    count: int
    stride: int | None = None
    rect: tuple[int, int, int, int] | None = None
    planes: tuple[int, int] | None = None


def split(total: int, parts: int, index: int) -> tuple[int, int]:
    """The contiguous formula: (start, count) of part ``index``; an empty part starts at ``total``."""
    base, rem = divmod(total, parts)
    count = base + (1 if index < rem else 0)
    return (index * base + min(index, rem) if count else total), count


def block_of(tile_id: int, grid: Grid) -> tuple[int, int, int]:
    """(bx, by, bz) of a tile id."""
    return tile_id % grid.x, (tile_id // grid.x) % grid.y, tile_id // (grid.x * grid.y)


def order_positions(order: str, grid: Grid) -> Iterator[int]:
    """Tile ids by position: a bijection of 0..T-1, z slowest."""
    for bz in range(grid.z):
        for bx, by in _plane(order, grid.x, grid.y):
            yield (bz * grid.y + by) * grid.x + bx


@functools.lru_cache(maxsize=4)
def _ordered(order: str, grid: Grid) -> Sequence[int]:
    """The same as a sequence; the walks of all cores index it."""
    return range(grid.units) if order == "row_major" else tuple(order_positions(order, grid))


def _plane(order: str, gx: int, gy: int) -> Iterator[tuple[int, int]]:
    if order == "row_major":
        yield from ((x, y) for y in range(gy) for x in range(gx))
    elif order == "column_major":
        yield from ((x, y) for x in range(gx) for y in range(gy))
    elif order == "serpentine":
        yield from ((x if y % 2 == 0 else gx - 1 - x, y) for y in range(gy) for x in range(gx))
    elif order == "z_order":
        side = 1 << (max(gx, gy) - 1).bit_length() if max(gx, gy) > 1 else 1
        for code in range(side * side):
            x, y = _even_bits(code), _even_bits(code >> 1)
            if x < gx and y < gy:
                yield x, y
    else:
        raise ValueError(f"unknown order {order!r}")


def _even_bits(code: int) -> int:
    value = 0
    for bit in range((code.bit_length() + 1) // 2):
        value |= (code >> (2 * bit) & 1) << bit
    return value


def assign(policy: str, grid: Grid, region: CoreRegion, target_grid: tuple[int, int]) -> tuple[CoreWork, ...]:
    """The work of every core of the region that has some, by core rank (row-major inside the region)."""
    columns, rows = region.size
    if policy == "contiguous":
        return _contiguous(grid.units, region, target_grid)
    work: list[CoreWork] = []
    for rank in range(columns * rows):
        cx, cy = rank % columns, rank // columns
        x, y = region.at[0] + cx, region.at[1] + cy
        core_id = y * target_grid[0] + x
        if policy == "strided":
            stride = columns * rows
            count = len(range(rank, grid.units, stride))
            item = CoreWork(core=(x, y), core_id=core_id, start=rank, count=count, stride=stride)
        elif policy == "rectangular":
            bx, w = split(grid.x, columns, cx)
            by, h = split(grid.y, rows, cy)
            item = CoreWork(
                core=(x, y),
                core_id=core_id,
                start=by * grid.x + bx,
                count=w * h * grid.z,
                rect=(bx, by, w, h),
                planes=(0, grid.z),
            )
        else:
            raise ValueError(f"unknown policy {policy!r}")
        if item.count:
            work.append(item)
    return tuple(work)


@functools.lru_cache(maxsize=256)
def _contiguous(units: int, region: CoreRegion, target_grid: tuple[int, int]) -> tuple[CoreWork, ...]:
    """Runs of positions: the formula of ``split``, once for all cores."""
    columns, rows = region.size
    base, rem = divmod(units, columns * rows)
    left, top, across = *region.at, target_grid[0]
    work: list[CoreWork] = []
    start = 0
    for rank in range(columns * rows if base else rem):
        x, y = left + rank % columns, top + rank // columns
        count = base + 1 if rank < rem else base
        work.append(CoreWork(core=(x, y), core_id=y * across + x, start=start, count=count))
        start += count
    return tuple(work)


def tile_ids(item: CoreWork, order: str, grid: Grid) -> list[int]:
    """The tile ids of a core in the order in which it walks them: a rectangle plane by plane, else its positions."""
    if item.rect is None:
        ids = _ordered(order, grid)
        return [ids[item.start + n * (item.stride or 1)] for n in range(item.count)]
    x, y, w, h = item.rect
    plane = list(_plane(order, w, h))
    first, planes = item.planes or (0, 1)
    return [((z * grid.y) + y + v) * grid.x + x + u for z in range(first, first + planes) for u, v in plane]


def tiles_per_core(work: tuple[CoreWork, ...], units: int, target_grid: tuple[int, int]) -> list[list[int]]:
    """``tt_tiles_per_core``: [start, count] for every core of the target grid, ``[T, 0]`` without work."""
    pairs = [[units, 0] for _ in range(target_grid[0] * target_grid[1])]
    for item in work:
        pairs[item.core_id] = [item.start, item.count]
    return pairs
