"""The reader makes the tiles of patterns, once a core."""

from __future__ import annotations

from tt_build.ir.index import num
from tt_build.ir.lowered import PatternTile, Stmt
from tt_build.ir.stages import PatternPlan
from tt_build.passes.blocks import filled, pointer_of

MINUS_ONE, ZERO, ONE = 0xBF80, 0x0000, 0x3F80  # bfloat16

TILES = {"halves": ((MINUS_ONE, MINUS_ONE), (ONE, ONE)), "lower": ((ONE, ONE), (ONE, ZERO), (ZERO, ZERO))}
"""Bits on and below the diagonal, and above it, of each tile of a pattern, in the order of ``views.pattern_tile``."""


def make_pattern(plan: PatternPlan) -> list[Stmt]:
    """Statements that fill the circular buffer of a pattern."""
    pointer = pointer_of(plan.cb)
    fills: list[Stmt] = [
        PatternTile(pointer=pointer, slot=num(slot), cb=plan.cb, below=below, above=above)
        for slot, (below, above) in enumerate(TILES[plan.name])
    ]
    return filled([plan.cb], num(plan.tiles), fills)
