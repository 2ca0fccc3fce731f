"""Ops of a repository's own in the reference: a macro is its definition; C++ is compared with its ``reference``.

What operands may be off reaches the result by sampling, as for the op table's functions, where the meaning is made of
functions that bend without a jump, a pole or a wave; else by the bounds of the functions that it is written in, which
are larger. The call's own error is what the op declares.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

import numpy as np

from tt_build.lang.ops import row_of
from tt_build.spec.model import OpSpec
from tt_build.verify.elementwise import deviation, joined, own_error
from tt_build.verify.values import INTEGERS, Array, EvaluationError, Math, Value, per_branch, reach

Meaning = Callable[[list[Value]], Value]
"""Of the operands the value of an op's expression."""

_SMOOTH = frozenset(
    (
        *("abs", "add", "asinh", "atan", "celu", "clip", "cosh", "elu", "erf", "erfc", "exp", "exp2", "expm1", "gelu"),
        *("gelu_tanh", "hardmish", "hardsigmoid", "leaky_relu", "maximum", "minimum", "mish", "mul", "neg", "relu"),
        *("relu_max", "relu_min", "selu", "sigmoid", "silu", "sinh", "softplus", "softsign", "square", "sub", "tanh"),
        "tanhshrink",
    )
)
_OPERATORS = (ast.Add, ast.Sub, ast.Mult)


def apply_own(name: str, ops: Mapping[str, OpSpec], operands: list[Value], meaning: Meaning, math: Math) -> Value:
    """A call with C++ of its own. Raises EvaluationError where its reference is of another kind than its operands."""
    dtype = joined(*operands)
    exact = [Value(v.data, None, v.dtype, bits=v.bits) for v in operands]
    data = meaning(exact).data
    if dtype in INTEGERS:
        return Value(data, None if all(v.err is None for v in operands) else meaning(operands).err, dtype)
    if not np.issubdtype(data.dtype, np.floating):
        raise EvaluationError(f"the reference of '{name}' is no float")
    carried = np.zeros((2, *data.shape))
    if any(v.err is not None for v in operands):
        carried = _carried(ops[name], data, operands, meaning)
    error = own_error(row_of(name, ops).bound, reach(data, carried), math)
    return Value(data, carried + error, dtype)


def _carried(op: OpSpec, data: Array, operands: list[Value], meaning: Meaning) -> Array:
    """What the operands' errors do to the result."""
    if len(operands) > 2 or not is_smooth(ast.parse(op.meaning, mode="eval").body, {*op.operands}):
        return np.broadcast_to(meaning(operands).errors, (2, *data.shape))

    def f(*arrays: Array) -> Array:
        moved = [Value(array, None, v.dtype) for array, v in zip(arrays, operands, strict=True)]
        return meaning(moved).data

    if len(operands) == 1:
        return per_branch(operands[0].errors, lambda e: deviation(f, data, (operands[0].data, e)))
    return np.stack([deviation(f, data, *((v.data, v.errors[branch]) for v in operands)) for branch in (0, 1)])


def is_smooth(tree: ast.expr, operands: set[str]) -> bool:
    """Whether sampling an interval of the operands finds how far the expression goes there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _SMOOTH):
            return False
        if isinstance(node, ast.Compare | ast.Attribute):
            return False
        if isinstance(node, ast.BinOp) and not isinstance(node.op, _OPERATORS):
            names = {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
            if not isinstance(node.op, ast.Div) or names & operands:
                return False
    return True
