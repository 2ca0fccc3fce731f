"""Pass ``shard_to_core_map``: PersistentKernel -> MappedKernel.

Needs   the work of each core.
Gives   the cores with work as a few rectangles: runs of a row, joined with equal runs of the rows below.
"""

from __future__ import annotations

import functools

from tt_build.ir.plan import Range
from tt_build.ir.stages import MappedKernel, PersistentKernel
from tt_build.passes.common import extend


def apply(kernel: PersistentKernel) -> MappedKernel:
    """Cover the cores with work by rectangles."""
    return extend(MappedKernel, kernel, core_ranges=cover(tuple(item.core for item in kernel.work)))


@functools.lru_cache(maxsize=256)
def cover(cores: tuple[tuple[int, int], ...]) -> tuple[Range, ...]:
    """Disjoint rectangles whose union is exactly ``cores``, in row-major order of their first cores."""
    runs: list[tuple[int, int, int]] = []  # y, x0, x1
    for x, y in sorted(cores, key=lambda core: (core[1], core[0])):
        if runs and runs[-1][0] == y and runs[-1][2] == x - 1:
            runs[-1] = (y, runs[-1][1], x)
        else:
            runs.append((y, x, x))
    ranges: list[Range] = []
    for y, x0, x1 in runs:
        above = next((r for r in ranges if (r.start[0], r.end) == (x0, (x1, y - 1))), None)
        if above is None:
            ranges.append(Range(start=(x0, y), end=(x1, y)))
        else:
            ranges[ranges.index(above)] = Range(start=above.start, end=(x1, y))
    return tuple(ranges)
