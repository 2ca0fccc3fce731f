"""Cores of an attention that meet the same keys and values in step, used by ``flash_schedule``: one reads for all.

Heads of queries that share a head of keys do, and under ``causal`` blocks of queries that take as many steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tt_build.ir.stages import Flash, ScheduledKernel
from tt_build.ir.work import Grid, assign
from tt_build.passes.channels import groups
from tt_build.spec.model import CoreRegion

_MOST_TARGETS = 4
"""Rectangles of a group: each costs its sender the whole parcel once more."""


def share(kernel: ScheduledKernel, heads: int) -> ScheduledKernel | None:
    """The kernel with the largest groups of cores that are all alike; None where there are none.

    ``kernel`` shares nothing; ``heads`` matrices one after the other have the same keys and values.
    """
    assert kernel.flash is not None
    if not kernel.flash.causal and heads == 1:
        return None
    best: tuple[int, int, int] | None = None
    found: ScheduledKernel | None = None
    for region in _regions(kernel.region, kernel.grid.units):
        for flash in _blocked(kernel.flash, kernel.grid, region, heads):
            work = assign(kernel.policy, kernel.grid, region, kernel.core_grid)
            candidate = msgspec.structs.replace(kernel, region=region, work=work, flash=flash)
            members, targets = _alike(candidate)
            rank = (len(work), members, -targets)
            if members > 1 and targets <= _MOST_TARGETS and (best is None or rank > best):
                best, found = rank, candidate
    return found


def _regions(region: CoreRegion, units: int) -> Iterator[CoreRegion]:
    """Parts of the region whose cores all have as many units, and nearly as many cores as have work anyway."""
    busy = min(region.size[0] * region.size[1], units)
    for columns in range(1, region.size[0] + 1):
        for rows in range(1, region.size[1] + 1):
            count = columns * rows
            if 10 * count >= 9 * busy and units % count == 0:
                yield CoreRegion(at=region.at, size=(columns, rows))


def _blocked(flash: Flash, grid: Grid, region: CoreRegion, heads: int) -> Iterator[Flash]:
    """The attention with blocks that take as many steps apart, or not."""
    turn = max(1, region.size[0] * region.size[1] // grid.y) if flash.causal else 1
    alike = flash.keys // flash.rows if flash.causal else 1
    for apart in range(1, max(alike, 1) + 1):
        if grid.y % apart == 0 and (apart == 1 or alike % apart == 0):
            yield msgspec.structs.replace(flash, shared=True, turn=turn, apart=apart, heads=heads)


def _alike(kernel: ScheduledKernel) -> tuple[int, int]:
    """Cores of each group, and rectangles of its receivers; (0, 0) where groups differ."""
    found = {(1 + len(g.receivers), len(g.rectangles)) for g in groups(kernel, "column").values()}
    return found.pop() if len(found) == 1 else (0, 0)
