"""Prologues: first operands of a matmul that are computed, elementwise or with what is reduced along their rows.

Used wherever a program is parted into what stands before its products and what stands behind them. Programs are sunk.
"""

from __future__ import annotations

from tt_build.lang.program import Program
from tt_build.passes.dst_sections import evaluated
from tt_build.passes.kinds import REDUCTIONS
from tt_build.passes.movement import MOVES, is_moved_leaf
from tt_build.targets import DTYPES

Obstacle = tuple[int, str, str]
"""A value that stands in the way, what is wrong with it, and what to do."""

_APART = "compute the operand in a kernel of its own, or pass it as an input"


def computed_operands(program: Program) -> tuple[int, ...]:
    """The first operands that are computed, each once."""
    firsts = (value.args[0] for value in program.values if value.op == "matmul")
    return tuple(dict.fromkeys(arg for arg in firsts if not is_moved_leaf(program, arg)))


def before_products(program: Program) -> frozenset[int]:
    """Values that computed first operands need, these included."""
    return frozenset(evaluated(program, list(computed_operands(program)), set()))


def behind_products(program: Program) -> frozenset[int]:
    """Values that the outputs need, down to the products and the inputs."""
    return frozenset(evaluated(program, [binding.value for binding in program.outputs], set()))


def beside_prologue(program: Program) -> frozenset[int]:
    """All values but those that only computed operands need, and movement, which computes nothing."""
    still = {index for index, value in enumerate(program.values) if value.op not in MOVES}
    return frozenset(still - (before_products(program) - behind_products(program)))


def obstacle(program: Program) -> Obstacle | None:
    """Why a program with matmuls cannot be parted into sweeps before its products, these, and a sweep behind them."""
    values = program.values
    for index in sorted(behind_products(program)):
        if values[index].op in REDUCTIONS:
            what = f"'{values[index].op}' beside a matmul cannot be lowered in one kernel yet"
            return index, what, "declare one kernel for the matmul and one for the reduction"
    for value in values:
        if value.op == "matmul" and not is_moved_leaf(program, value.args[1]):
            what = f"'{values[value.args[1]].op}' on the second operand of a matmul cannot be lowered yet"
            return value.args[1], what, f"{_APART}; a factor of each column belongs behind the product"
        if value.op == "matmul" and value.transpose[0] and not is_moved_leaf(program, value.args[0]):
            what = f"'{values[value.args[0]].op}' on a transposed operand of a matmul cannot be lowered yet"
            return value.args[0], what, _APART
    return _obstacle_before(program)


def _obstacle_before(program: Program) -> Obstacle | None:
    values, operands, before = program.values, computed_operands(program), sorted(before_products(program))
    moved = any(values[index].op in MOVES for index in before)  # refused for that: what is moved has other columns
    for index in before:
        value = values[index]
        columns = {values[operand].shape[-1] for operand in operands}
        if value.op == "matmul":
            return index, "a matmul of another one's product cannot be lowered in one kernel yet", _APART
        if value.op in REDUCTIONS and value.axes != (-1,):
            what = f"'{value.op}' over axes {list(value.axes)} on an operand of a matmul cannot be lowered yet"
            return index, what, f"{_APART}: a core has whole rows of it, and not all of them"
        if value.shape[-1] not in {1, *columns} and not moved:
            what = f"'{value.op}' of {value.shape[-1]} columns on an operand of {max(columns)} cannot be lowered yet"
            return index, what, _APART
        if value.op == "cast" and DTYPES[value.dtype].is_block and not DTYPES[values[value.args[0]].dtype].is_float:
            what = f"a cast of integers to {value.dtype} on an operand of a matmul cannot be lowered yet"
            return index, what, "cast to bfloat16 first"
    return None
