"""Prologues: operands of a matmul that are computed, elementwise or with what is reduced along K, or transposed.

Used wherever a program is parted into what stands before its products and what stands behind them. Programs are sunk,
and no first operand is transposed by its matmul (``sunk(program, unturned=True)``).
"""

from __future__ import annotations

from tt_build.ir.stages import FIRST, SECOND, SECOND_TURNED, TILE, Axes
from tt_build.lang.program import Program, Value
from tt_build.passes.dst_sections import evaluated
from tt_build.passes.kinds import REDUCTIONS
from tt_build.passes.movement import MOVES, is_moved_leaf, turns_tiles
from tt_build.passes.tile_dtypes import masked_columns
from tt_build.targets import DTYPES

Obstacle = tuple[int, str, str]
"""A value that stands in the way, what is wrong with it, and what to do."""

_APART = "compute the operand in a kernel of its own, or pass it as an input"
SIDES = (0, 1)
"""First and second operand of a matmul."""


def is_turned_leaf(program: Program, index: int) -> bool:
    """Whether the value is an input whose tiles are transposed, among other movement or not."""
    value = program.values[index]
    if value.op not in MOVES or value.op == "concat":
        return False
    return turns_tiles(value) != is_turned_leaf(program, value.args[0])


def is_brought(program: Program, index: int, side: int) -> bool:
    """Whether an operand on that side comes as it is; else it is computed, or transposed, in front of the product."""
    return is_moved_leaf(program, index) and (side == 1 or not is_turned_leaf(program, index))


def computed_operands(program: Program, side: int | None = None) -> tuple[int, ...]:
    """The operands on that side, or on both, that are computed, each once; transposed first operands are, too."""
    args = ((at, arg) for value in _matmuls(program) for at, arg in enumerate(value.args) if side in (None, at))
    return tuple(dict.fromkeys(arg for at, arg in args if not is_brought(program, arg, at)))


def leaves_before(program: Program, side: int) -> frozenset[int]:
    """What the computed operands on that side are computed from: inputs, moved or not, and patterns."""
    values, found, todo = program.values, set[int](), list(computed_operands(program, side))
    while todo:
        index = todo.pop()
        if is_moved_leaf(program, index):
            found.add(index)
        elif values[index].op != "matmul":
            todo += values[index].args
    return frozenset(found)


def needs_blocks(program: Program) -> tuple[int, ...]:
    """Those of them that more is done to than to transpose them: no kernel of single tiles does that."""
    return tuple(index for index in computed_operands(program) if not is_moved_leaf(program, index))


def axes_of(program: Program, side: int) -> Axes:
    """What rows and columns of that side's computed operands are, as they are computed."""
    if side == 0:
        return FIRST
    computed = computed_operands(program, 1)
    turned = any(value.transpose[1] for value in _matmuls(program) if value.args[1] in computed)
    return SECOND_TURNED if turned else SECOND


def before_products(program: Program, side: int | None = None) -> frozenset[int]:
    """Values that computed operands need, on that side or on both, these included."""
    return frozenset(evaluated(program, list(computed_operands(program, side)), set()))


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
    seconds = computed_operands(program, 1)
    turned = {value.args[1]: value.transpose[1] for value in _matmuls(program) if value.args[1] in seconds}
    if len({*turned.values()}) > 1:
        index = next(iter(seconds))
        what = f"'{values[index].op}' on second operands of which one is transposed cannot be lowered yet"
        return index, what, _APART
    found = (_obstacle_before(program, side) for side in SIDES)
    return next((one for one in found if one is not None), None)


def _obstacle_before(program: Program, side: int) -> Obstacle | None:
    values, operands, axes = program.values, computed_operands(program, side), axes_of(program, side)
    before = before_products(program, side)
    beneath = {arg for i in before if values[i].op in MOVES for arg in values[i].args}  # of another shape
    along, across, k = ("columns", "rows", -2) if axes == SECOND else ("rows", "columns", -1)
    extents = {1, *(values[operand].shape[k] for operand in operands)}
    for index in sorted(before):
        value = values[index]
        if value.op == "matmul":
            return index, "a matmul of another one's product cannot be lowered in one kernel yet", _APART
        if value.op in REDUCTIONS and value.axes != (k,):
            what = f"'{value.op}' over axes {list(value.axes)} on an operand of a matmul cannot be lowered yet"
            return index, what, f"{_APART}: a core has whole {along} of it, and not all of them"
        if value.shape[k] not in extents and index not in beneath:
            what, size = value.name or value.op, value.shape[k]
            message = f"'{what}' of {size} {across} on an operand of {max(extents)} cannot be lowered yet"
            return index, message, _APART
        if value.op == "cast" and DTYPES[value.dtype].is_block:
            if not DTYPES[values[value.args[0]].dtype].is_float:
                what = f"a cast of integers to {value.dtype} on an operand of a matmul cannot be lowered yet"
                return index, what, "cast to bfloat16 first"
            if axes == SECOND and masked_columns(value.shape[-1], value.dtype):
                what = f"a cast to {value.dtype} of {value.shape[-1]} columns of a second operand cannot be lowered yet"
                return index, what, f"cast to bfloat16, or make the columns a multiple of {TILE}"
    return None


def _matmuls(program: Program) -> list[Value]:
    return [value for value in program.values if value.op == "matmul"]
