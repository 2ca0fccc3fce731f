"""Arithmetic on sizes in shapes, grids and blocks: ``+ - * //``, ``ceildiv(a, b)``, ``min``, ``max``. Bounded."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tt_build.lang.parse import expression_text
from tt_build.lang.syntax import Binary, Call, Expr, Name, Number, Unary
from tt_build.spec.nearest import did_you_mean

LARGEST = 2**31 - 1


class SizeProblem(msgspec.Struct, frozen=True):
    """Why an expression is no size; characters of its text."""

    message: str
    start: int
    end: int
    help: str = ""
    name: str = ""
    """The unknown size, where there is one."""


class _Stop(Exception):
    def __init__(self, message: str, node: Expr, help_: str = "", end: int | None = None, name: str = "") -> None:
        super().__init__(message)
        self.problem = SizeProblem(message, node.start, node.end if end is None else end, help_, name)


def evaluate(node: Expr, sizes: Mapping[str, int]) -> int | SizeProblem:
    """The integer that the expression is."""
    try:
        return _value(node, sizes)
    except _Stop as stop:
        return stop.problem


def _value(node: Expr, sizes: Mapping[str, int]) -> int:
    if isinstance(node, Number):
        if not isinstance(node.value, int):
            raise _Stop(f"{node.text} is not an integer", node)
        return _bounded(node.value, node)
    if isinstance(node, Name):
        if node.id not in sizes:
            what = "there are no sizes" if not sizes else ""
            help_ = what or did_you_mean(node.id, sizes, what="known sizes")
            raise _Stop(f"unknown size '{node.id}'", node, help_, name=node.id)
        return sizes[node.id]
    if isinstance(node, Unary):
        value = _value(node.operand, sizes)
        return _bounded(-value if node.op == "-" else value, node)
    if isinstance(node, Binary):
        return _bounded(_binary(node, sizes), node)
    if isinstance(node, Call):
        return _bounded(_call(node, sizes), node)
    raise _Stop(f"'{expression_text(node)}' has no meaning in a size", node, "sizes know + - * // ceildiv min max")


def _binary(node: Binary, sizes: Mapping[str, int]) -> int:
    left, right = _value(node.left, sizes), _value(node.right, sizes)
    if node.op == "+":
        return left + right
    if node.op == "-":
        return left - right
    if node.op == "*":
        return left * right
    if node.op == "//":
        if right == 0:
            raise _Stop("division by zero", node)
        return left // right
    help_ = "write // (rounds down) or ceildiv(a, b) (rounds up)" if node.op == "/" else "sizes know + - * //"
    raise _Stop(f"'{node.op}' is not defined on sizes", node, help_)


def _call(node: Call, sizes: Mapping[str, int]) -> int:
    if node.function not in ("ceildiv", "min", "max"):
        help_ = did_you_mean(node.function, ("ceildiv", "min", "max"), what="known functions")
        raise _Stop(f"unknown function '{node.function}' in a size", node, help_, node.name_end)
    if len(node.args) != 2 or node.keywords:
        raise _Stop(f"'{node.function}' needs two sizes", node, f"write {node.function}(a, b)")
    left, right = (_value(arg, sizes) for arg in node.args)
    if node.function == "ceildiv":
        if right == 0:
            raise _Stop("division by zero", node)
        return -(-left // right)
    return min(left, right) if node.function == "min" else max(left, right)


def _bounded(value: int, node: Expr) -> int:
    if abs(value) > LARGEST:
        raise _Stop(f"'{expression_text(node)[:60]}' is beyond {LARGEST}", node)
    return value
