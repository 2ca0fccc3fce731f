"""Long reductions in parts, used by ``infer_schedule``: where few units would leave most cores idle.

How many parts there are follows from shapes alone, so that the order of the sum is the same on every grid of cores.
"""

from __future__ import annotations

import math
from typing import Literal

from tt_build.ir.stages import Parts
from tt_build.lang.program import Program

MOST_PARTS = 64  # of all units together: what a core adds up in the end stays small beside what it reduces
FEWEST_TILES = 8  # a part: less is done faster than sent


def parts_of(program: Program, reductions: tuple[str, ...], unit: tuple[int, int], units: int) -> Parts | None:
    """The parts of a unit of (rows, columns) tiles, None where it is not worth it or cannot be done.

    Only a reduction that leaves one tile is combined: a matrix that is also reduced along one axis is not parted.
    """
    axes = {value.axes for value in program.values if value.op in reductions}
    if len(axes) != 1:
        return None
    (only,) = axes
    axis: Literal["rows", "columns"] = (
        "rows" if -1 not in only or (len(only) == 2 and unit[0] >= unit[1]) else "columns"
    )
    length, tiles = unit[0 if axis == "rows" else 1], unit[0] * unit[1]
    wished = 1 << max(0, math.isqrt(tiles * 3 // 2)).bit_length() - 1 if tiles else 0
    count = min(wished, MOST_PARTS // units, tiles // FEWEST_TILES, length)
    if count < 2:
        return None
    size = -(-length // count)
    return Parts(axis=axis, count=-(-length // size), tiles=size, total=length, spread=False)
