"""Kinds of kernels by what their programs need at once, and the extents of what they compute."""

from __future__ import annotations

from tt_build.ir.stages import DefaultedKernel
from tt_build.lang.program import Program
from tt_build.passes.movement import MOVES, sunk

ELEMENTWISE = "elementwise"
STREAMING_MATMUL = "streaming_matmul"
REDUCTION = "reduction"
ROWS = "rows"
SWEEPS = (REDUCTION, ROWS)
"""Algorithms of units that are swept: what is reduced together, or rows whose tiles meet each other."""
REDUCTIONS = ("sum", "mean", "max", "min")


def extents(kernel: DefaultedKernel) -> tuple[int, int]:
    """Rows and columns of the largest matrix that the program computes with."""
    shapes = computed_shapes(sunk(kernel.program).program)
    return max(shape[-2] for shape in shapes), max(shape[-1] for shape in shapes)


def computed_shapes(program: Program) -> list[tuple[int, ...]]:
    """Shapes of all values that are computed or loaded; what only moves on the way is larger or smaller."""
    read = {b.value for b in program.outputs} | {a for v in program.values if v.op not in MOVES for a in v.args}
    return [program.values[index].shape for index in sorted(read)]
