"""Attention by meaning: ``softmax(f(Q @ K.T)) @ V`` in a program, with whatever stands elementwise in ``f``.

A softmax is ``exp(x - max(x)) * reciprocal(sum(exp(x - max(x))))``, or that divided by the sum, however it was written.
Used by ``infer_schedule`` and ``plan_flash``.
"""

from __future__ import annotations

import msgspec

from tt_build.lang.program import Program
from tt_build.passes.movement import MOVES, is_moved_leaf

REDUCTIONS = ("sum", "mean", "max", "min")


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the sunk program: the three operands, ``scores`` = Q @ K.T, ``logits`` = f(scores), the ``output``."""

    queries: int
    keys: int
    values: int
    scores: int
    logits: int
    output: int


def find(program: Program) -> Attention | None:
    """The attention that the program is; None where it is anything else."""
    if len(program.outputs) != 1:
        return None
    output = program.outputs[0].value
    product = program.values[output]
    if product.op != "matmul" or product.transpose != (False, False):
        return None
    logits = _softmax(program, product.args[0])
    if logits is None or not is_moved_leaf(program, product.args[1]):
        return None
    scores = _only_matmul(program, logits)
    if scores is None:
        return None
    first = program.values[scores]
    operands = first.args
    if first.transpose != (False, True) or not all(is_moved_leaf(program, arg) for arg in operands):
        return None
    return Attention(
        queries=operands[0],
        keys=operands[1],
        values=product.args[1],
        scores=scores,
        logits=logits,
        output=output,
    )


def _softmax(program: Program, index: int) -> int | None:
    """x where the value is softmax(x) along rows of numbers."""
    value = program.values[index]
    if value.op not in ("mul", "div"):
        return None
    for weights, norm in (value.args, value.args[::-1])[: 2 if value.op == "mul" else 1]:
        total = program.values[norm]
        if value.op == "mul":
            if total.op != "reciprocal":
                continue
            total = program.values[total.args[0]]
        if total.op != "sum" or total.axes != (-1,) or not _same(program, total.args[0], weights):
            continue
        found = _shifted(program, weights)
        if found is not None:
            return found
    return None


def _shifted(program: Program, index: int) -> int | None:
    """x where the value is exp(x - max(x))."""
    power = program.values[index]
    if power.op != "exp":
        return None
    difference = program.values[power.args[0]]
    if difference.op != "sub":
        return None
    x, peak = difference.args
    top = program.values[peak]
    return x if top.op == "max" and top.axes == (-1,) and _same(program, top.args[0], x) else None


def _same(program: Program, a: int, b: int) -> bool:
    """Whether two values are the same expression."""
    if a == b:
        return True
    first, second = program.values[a], program.values[b]
    alike = msgspec.structs.replace(first, args=()) == msgspec.structs.replace(second, args=())
    alike = alike and len(first.args) == len(second.args) and first.op != "input"
    return alike and all(_same(program, x, y) for x, y in zip(first.args, second.args, strict=True))


def _only_matmul(program: Program, index: int) -> int | None:
    """The one matmul below an elementwise expression of its shape; None where there is another or a reduction."""
    found: set[int] = set()
    todo, shape = [index], program.values[index].shape
    while todo:
        at = todo.pop()
        value = program.values[at]
        if value.op == "matmul":
            found.add(at)
        elif value.op in REDUCTIONS or (value.op in MOVES and not is_moved_leaf(program, at)):
            return None
        elif not is_moved_leaf(program, at):
            todo += value.args
    if len(found) != 1:
        return None
    (matmul,) = found
    return matmul if program.values[matmul].shape[-2:] == shape[-2:] else None


def is_causal(program: Program, attention: Attention) -> bool:
    """Whether everything above the diagonal is masked: logits = where(lower, ..., -inf), perhaps scaled behind."""
    value = program.values[attention.logits]
    while value.op in ("mul", "div") and _positive(program, value.args[1]):
        value = program.values[value.args[0]]
    if value.op != "where":
        return False
    condition, _, otherwise = (program.values[arg] for arg in value.args)
    masked = otherwise.op == "const" and otherwise.params == (float("-inf"),)
    return condition.op == "pattern" and condition.name == "lower" and masked


def _positive(program: Program, index: int) -> bool:
    value = program.values[index]
    return value.op == "const" and bool(value.params[0] > 0)
