"""Values that hold the minus infinity of ``causal``, where a block-float format rounds them.

The sixteen elements of a block share the exponent of the largest: an infinity leaves nothing of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

from tt_build.lang.program import Program, Value
from tt_build.targets.dtypes import DTYPES

# What is infinite where one operand is, and what moves elements. Others make a finite number of it, or of any.
_MOVES = ("transpose", "permute", "slice", "concat", "repeat", "rotate_half")
_PASS_ON = frozenset(
    ("add", "sub", "mul", "neg", "abs", "square", "cast", "where", "minimum", "sum", "mean", "min", *_MOVES)
)


def _infinite(values: tuple[Value, ...]) -> set[int]:
    found: set[int] = set()
    for number, value in enumerate(values):
        if value.op == "causal" or (value.op in _PASS_ON and found.intersection(value.args)):
            found.add(number)
    return found


def block_floats_of(program: Program, outputs: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The outputs and casts (name ``""``) in a block-float format whose value, by id, may hold an infinity.

    ``outputs``: the dtype of each.
    """
    infinite = _infinite(program.values)
    for binding in program.outputs:
        if binding.value in infinite and DTYPES[outputs[binding.tensor]].is_block:
            yield binding.tensor, binding.value
    for number in sorted(infinite):
        if program.values[number].op == "cast" and DTYPES[program.values[number].dtype].is_block:
            yield "", number
