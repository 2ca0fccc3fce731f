"""Long reductions in parts, used by ``infer_schedule``: where few units would leave most cores idle.

How many parts there are follows from shapes alone, so that the order of the sum is the same on every grid of cores.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

from tt_build.ir.stages import Parts, ScheduledKernel
from tt_build.ir.work import block_of, tile_ids
from tt_build.lang.program import Program

MOST_PARTS = 64  # of all units together: what a core adds up in the end stays small beside what it reduces
FEWEST_TILES = 8  # a part: less is done faster than sent


def parts_of(
    program: Program,
    reductions: tuple[str, ...],
    shapes: Collection[tuple[int, ...]],
    unit: tuple[int, int],
    units: int,
) -> Parts | None:
    """The parts of a unit of (rows, columns) tiles, None where it is not worth it or cannot be done.

    Only a reduction that leaves one tile is combined: a matrix that is also reduced along one axis is not parted.
    ``shapes`` are those of all that is computed: along the axis of the parts they have one extent, or 1. What has 1 is
    not reduced once more, since there would be nothing to part.
    """
    axes = {value.axes for value in program.values if value.op in reductions}
    if len(axes) != 1:
        return None
    (only,) = axes
    axis: Literal["rows", "columns"] = (
        "rows" if -1 not in only or (len(only) == 2 and unit[0] >= unit[1]) else "columns"
    )
    along = -2 if axis == "rows" else -1
    operands = [program.values[value.args[0]].shape for value in program.values if value.op in reductions]
    if len({shape[along] for shape in shapes} - {1}) > 1 or any(shape[along] == 1 for shape in operands):
        return None
    length, tiles = unit[0 if axis == "rows" else 1], unit[0] * unit[1]
    wished = 1 << max(0, math.isqrt(tiles * 3 // 2)).bit_length() - 1 if tiles else 0
    count = min(wished, MOST_PARTS // units, tiles // FEWEST_TILES, length)
    if count < 2:
        return None
    size = -(-length // count)
    return Parts(axis=axis, count=-(-length // size), tiles=size, total=length, spread=False)


def peers_of(kernel: ScheduledKernel) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
    """For each core the cores with the parts of its unit, in the order of the parts."""
    assert kernel.parts is not None
    grid, units = kernel.grid, dict[tuple[int, int, int], dict[int, tuple[int, int]]]()
    places = {item.core: block_of(tile_ids(item, kernel.order, grid)[0], grid) for item in kernel.work}
    along = 1 if kernel.parts.axis == "rows" else 0
    for core, place in places.items():
        units.setdefault(_without(place, along), {})[place[along]] = core
    return {
        core: tuple(units[_without(place, along)][n] for n in range(kernel.parts.count))
        for core, place in places.items()
    }


def _without(place: tuple[int, int, int], axis: int) -> tuple[int, int, int]:
    return (-1, *place[1:]) if axis == 0 else (place[0], -1, place[2])
