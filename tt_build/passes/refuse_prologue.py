"""Refusals of an operand that is computed, where its matmul cannot be blocked; used by ``infer_schedule``.

The advice is tried before it is given: with the columns or rows that it names there is a plan.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import SECOND, TILE, DefaultedKernel, Tensor
from tt_build.lang.program import Program, Value
from tt_build.passes.block_steps import least_bytes
from tt_build.passes.common import refuse, where
from tt_build.passes.l1_advice import largest
from tt_build.passes.matmul_schedule import choice_of, matmul_problem, streams_because
from tt_build.passes.movement import MOVES
from tt_build.passes.prologues import SIDES, axes_of, behind_products, computed_operands, needs_blocks
from tt_build.spec.diagnostics import Rejected, Related
from tt_build.targets import Arch

_APART = "compute the operand in a kernel of its own"


def refuse_prologue(kernel: DefaultedKernel, arch: Arch, program: Program, origin: tuple[int, ...]) -> None:
    """Refuse an operand that would have to be computed where the matmul cannot be blocked (TTB201, TTB301).

    ``program`` is the kernel's, sunk, ``origin`` its values in the kernel's own.
    """
    operands = needs_blocks(program)
    if not operands or choice_of(kernel, arch, any_plan=True) is not None:
        return
    operand = origin[operands[0]]
    streams = streams_because(kernel, arch)
    if streams is not None:
        reason, paths, value = streams
        related = tuple(Related(where(kernel, *path), "asked for here") for path in paths)
        if value >= 0:
            related += (Related(where(kernel, value=origin[value]), "this is in the way"),)
        refuse(
            kernel,
            "TTB201",
            f"an operand of a matmul that is computed needs blocks, but {reason}",
            value=operand,
            help=f"leave that out, or {_APART}" if paths else _APART,
            related=related,
        )
    _refuse_for_room(kernel, arch, program, operand)


def _refuse_for_room(kernel: DefaultedKernel, arch: Arch, program: Program, place: int) -> None:
    operands = needs_blocks(program)
    axis, inner = _inner(program, operands[0])
    lines = "columns" if axis == -1 else "rows"
    second = operands[0] not in computed_operands(program, 0)
    problem = matmul_problem(kernel, arch)
    least = least_bytes(problem)
    message = f"no blocks of this matmul fit L1 beside its operand, which is computed: {problem.budget} B are left"
    halved = kernel.math.fp32_accumulate and not any(program.values[index].op == "cast" for index in operands)
    if least > problem.budget:
        halved = halved and least - len(operands) * problem.k * TILE * TILE * 2 <= problem.budget
        message = (
            f"a {_lines(program)} of tiles of what the matmul's operand is computed from, and of the operand, needs "
            f"{least} B of L1; {problem.budget} B are left"
        )
    cast = "x @ cast(w, bfloat16)" if second else "cast(x, bfloat16) @ w"
    advice = [_APART, f"cast it to bfloat16, as in {cast}, which halves it"] if halved else [_APART]
    most = _most(kernel, arch, program, inner)
    advice += [f"give it at most {most} {lines}, though what just fits leaves small blocks"] if most else []
    refuse(kernel, "TTB301", message, value=place, help=", or ".join(advice))


def _lines(program: Program) -> str:
    """What a core holds of computed operands at least: of each a line of tiles, with all of K."""
    sides = (side for side in SIDES if computed_operands(program, side))
    return " and a ".join(dict.fromkeys("column" if axes_of(program, side) == SECOND else "row" for side in sides))


def _inner(program: Program, operand: int) -> tuple[int, int]:
    """The axis of an operand that its matmul reduces, and the size of that."""
    axis = next(k for value in program.values for arg, k in _operands(value) if arg == operand)
    return axis, program.values[operand].shape[axis]


def _operands(value: Value) -> tuple[tuple[int, int], ...]:
    """The operands of a matmul, each with the axis that is reduced; of other values none."""
    if value.op != "matmul":
        return ()
    first, second = value.transpose
    return (value.args[0], -2 if first else -1), (value.args[1], -1 if second else -2)


def _most(kernel: DefaultedKernel, arch: Arch, program: Program, inner: int) -> int:
    """The inner dimension, in whole tiles, with which there is a plan; 0 where that cannot be said."""
    axes = _inner_axes(program, inner)
    if not axes:
        return 0

    def fits(tiles: int) -> bool:
        try:
            return choice_of(_narrowed(kernel, program, axes, tiles * TILE), arch, any_plan=True) is not None
        except Rejected:
            return False

    return TILE * largest(-(-inner // TILE), fits)


def _inner_axes(program: Program, inner: int) -> dict[int, int]:
    """Of each value that has the matmuls' inner dimension the axis; empty where a value behind them has it, too, and
    where it is moved.
    """
    values, axes, seen = program.values, dict[int, int](), set[tuple[int, int]]()
    todo = [operand for value in values for operand in _operands(value)]
    while todo:
        index, axis = todo.pop()
        value = values[index]
        if (index, axis) in seen:
            continue
        seen.add((index, axis))
        if value.op == "pattern" or (value.op in MOVES and value.op != "transpose"):
            return {}
        if value.shape[axis] == inner and axes.setdefault(index, axis) != axis:
            return {}
        todo += [(arg, -3 - axis if value.op == "transpose" else axis) for arg in value.args]
    behind = [values[index] for index in behind_products(program)]
    read_behind = {arg for value in behind if value.op != "matmul" for arg in value.args}
    return {} if axes.keys() & (read_behind | {binding.value for binding in program.outputs}) else axes


def _narrowed(kernel: DefaultedKernel, program: Program, axes: dict[int, int], columns: int) -> DefaultedKernel:
    """The kernel with that inner dimension."""
    replace = msgspec.structs.replace

    def cut(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
        at = len(shape) + axis
        return (*shape[:at], columns, *shape[at + 1 :])

    values = [
        replace(value, shape=cut(value.shape, axes[index])) if index in axes else value
        for index, value in enumerate(program.values)
    ]
    named = {program.values[index].name: axis for index, axis in axes.items() if program.values[index].op == "input"}

    def narrower(tensor: Tensor) -> Tensor:
        return replace(tensor, shape=cut(tensor.shape, named[tensor.name])) if tensor.name in named else tensor

    return replace(
        kernel,
        program=replace(program, values=tuple(values)),
        tensors=tuple(map(narrower, kernel.tensors)),
        full_size=None,
        locked=None,
    )
