"""Refusals of a first operand that is computed, where its matmul cannot be blocked; used by ``infer_schedule``.

The advice is tried before it is given: with the columns that it names there is a plan.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import TILE, DefaultedKernel, Tensor
from tt_build.lang.program import Program
from tt_build.passes.blockings import least_bytes
from tt_build.passes.common import refuse, where
from tt_build.passes.l1_advice import largest
from tt_build.passes.matmul_schedule import choice_of, matmul_problem, streams_because
from tt_build.passes.prologues import before_products, behind_products, computed_operands
from tt_build.spec.diagnostics import Rejected, Related
from tt_build.targets import Arch

_APART = "compute the operand in a kernel of its own"


def refuse_prologue(kernel: DefaultedKernel, arch: Arch, program: Program, origin: tuple[int, ...]) -> None:
    """Refuse an operand that would have to be computed where the matmul cannot be blocked (TTB201, TTB301).

    ``program`` is the kernel's, sunk, ``origin`` its values in the kernel's own.
    """
    operands = computed_operands(program)
    if not operands or choice_of(kernel, arch, any_plan=True) is not None:
        return
    operand = origin[operands[0]]
    streams = streams_because(kernel, arch)
    if streams is not None:
        reason, paths = streams
        refuse(
            kernel,
            "TTB201",
            f"'{program.values[operands[0]].op}' on an operand of a matmul needs blocks, but {reason}",
            value=operand,
            help=f"leave that out, or {_APART}" if paths else _APART,
            related=tuple(Related(where(kernel, *path), "asked for here") for path in paths),
        )
    _refuse_for_room(kernel, arch, program, operand)


def _refuse_for_room(kernel: DefaultedKernel, arch: Arch, program: Program, operand: int) -> None:
    operands = computed_operands(program)
    problem = matmul_problem(kernel, arch)
    least = least_bytes(problem)
    message = f"no blocks of this matmul fit L1 beside its operand, which is computed: {problem.budget} B are left"
    halved = kernel.math.fp32_accumulate and not any(program.values[index].op == "cast" for index in operands)
    columns = program.values[operands[0]].shape[-1]
    if least > problem.budget:
        halved = halved and least - -(-columns // TILE) * TILE * TILE * 2 <= problem.budget
        message = (
            f"a row of tiles of what the matmul's operand is computed from, and of the operand, needs {least} B of L1; "
            f"{problem.budget} B are left"
        )
    advice = ["cast it to bfloat16, as in cast(x, bfloat16) @ w, which halves it"] if halved else []
    most = _most_columns(kernel, arch, program)
    advice += [f"give it at most {most} columns", _APART] if most else [_APART]
    refuse(kernel, "TTB301", message, value=operand, help=", or ".join(advice))


def _most_columns(kernel: DefaultedKernel, arch: Arch, program: Program) -> int:
    """The columns of the operand, in whole tiles, with which there is a plan; 0 where that cannot be said."""
    axes = _inner_axes(program)
    if not axes:
        return 0

    def fits(tiles: int) -> bool:
        try:
            return choice_of(_narrowed(kernel, program, axes, tiles * TILE), arch, any_plan=True) is not None
        except Rejected:
            return False

    columns = program.values[computed_operands(program)[0]].shape[-1]
    return TILE * largest(-(-columns // TILE), fits)


def _inner_axes(program: Program) -> dict[int, int]:
    """Of each value that has the matmuls' inner dimension the axis; empty where a value behind them has it, too."""
    values, before = program.values, before_products(program)
    inner = values[computed_operands(program)[0]].shape[-1]
    axes = {index: -1 for index in before if values[index].shape[-1] == inner}
    for value in values:
        if value.op == "matmul":
            first, second = value.args
            along = -1 if value.transpose[1] else -2
            if (
                values[second].op != "input"
                or axes.setdefault(first, -1) != -1
                or axes.setdefault(second, along) != along
            ):
                return {}
    products = {index for index, value in enumerate(values) if value.op == "matmul"}
    behind = behind_products(program) - products
    read_behind = {arg for index in behind for arg in values[index].args}
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
