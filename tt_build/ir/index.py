"""Integer expressions of generated code: page numbers, loop bounds, offsets.

``Num``, ``Var``, ``Dim`` and ``Bin`` are built with Python's operators, which fold constants, so ``Var("y") * 1 +
0`` is ``Var("y")``. All values are unsigned 32-bit at run time; an expression never needs a negative intermediate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Union

import msgspec

if TYPE_CHECKING:
    import numpy as np

Op = Literal["+", "-", "*", "/", "%", "min"]


class Expr(msgspec.Struct, frozen=True):
    """Base of the four kinds; the operators build simplified expressions."""

    def __add__(self, other: Operand) -> Index:
        return fold("+", _index(self), _index(other))

    def __radd__(self, other: int) -> Index:
        return fold("+", Num(other), _index(self))

    def __sub__(self, other: Operand) -> Index:
        return fold("-", _index(self), _index(other))

    def __rsub__(self, other: int) -> Index:
        return fold("-", Num(other), _index(self))

    def __mul__(self, other: Operand) -> Index:
        return fold("*", _index(self), _index(other))

    def __rmul__(self, other: int) -> Index:
        return fold("*", _index(self), Num(other))

    def __floordiv__(self, other: Operand) -> Index:
        return fold("/", _index(self), _index(other))

    def __mod__(self, other: Operand) -> Index:
        return fold("%", _index(self), _index(other))


class Num(Expr, frozen=True, tag="num"):
    """A constant."""

    value: int


class Var(Expr, frozen=True, tag="var"):
    """A loop variable, a ``Let``, a runtime or a compile-time argument, by name."""

    name: str


class Dim(Expr, frozen=True, tag="dim"):
    """A constant with a name: a shape or a block size, a compile-time argument of the kernel."""

    name: str
    value: int


class Bin(Expr, frozen=True, tag="bin"):
    """An operation; ``/`` rounds down, ``min`` is the smaller of the two."""

    op: Op
    a: Index
    b: Index


Index = Union[Num, Var, Dim, Bin]  # noqa: UP007  (msgspec needs the runtime union)
Operand = Union[Num, Var, Dim, Bin, Expr, int]  # noqa: UP007


def _index(value: Operand) -> Index:
    if isinstance(value, int):
        return Num(value)
    assert isinstance(value, Num | Var | Dim | Bin)
    return value


def minimum(a: Operand, b: Operand) -> Index:
    """The smaller of two."""
    return fold("min", _index(a), _index(b))


def num(value: int) -> Index:
    """A constant."""
    return Num(value)


def var(name: str) -> Index:
    """A name."""
    return Var(name)


def dim(name: str, value: int) -> Index:
    """A named constant."""
    return Dim(name, value)


def _apply(op: Op, a: int, b: int) -> int:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a // b
        case "%":
            return a % b
        case "min":
            return min(a, b)


def fold(op: Op, a: Index, b: Index) -> Index:
    """``a op b``, simplified."""
    if isinstance(a, Num) and isinstance(b, Num):
        return Num(_apply(op, a.value, b.value))
    left = a.value if isinstance(a, Num | Dim) else None
    right = b.value if isinstance(b, Num | Dim) else None
    match op:
        case "+" if left == 0:
            return b
        case "+" | "-" if right == 0:
            return a
        case "*" if left == 0 or right == 0:
            return Num(0)
        case "*" if left == 1:
            return b
        case "*" | "/" if right == 1:
            return a
        case "%" if right == 1:
            return Num(0)
        case "/" | "%" if left == 0:
            return Num(0)
        case "min" if a == b:
            return a
        case "-" if a == b:
            return Num(0)
    return Bin(op, a, b)


def evaluate(expr: Index, names: Mapping[str, int]) -> int:
    """The value under these names; ``KeyError`` for a name that is not there."""
    if isinstance(expr, Num | Dim):
        return expr.value
    if isinstance(expr, Var):
        return names[expr.name]
    return _apply(expr.op, evaluate(expr.a, names), evaluate(expr.b, names))


def evaluate_array(expr: Index, names: Mapping[str, np.ndarray]) -> np.ndarray:
    """The values under arrays of names, with NumPy's broadcasting."""
    import numpy as np  # only proofs need it

    if isinstance(expr, Num | Dim):
        return np.asarray(expr.value)
    if isinstance(expr, Var):
        return names[expr.name]
    a, b = evaluate_array(expr.a, names), evaluate_array(expr.b, names)
    match expr.op:
        case "+":
            return np.asarray(a + b)
        case "-":
            return np.asarray(a - b)
        case "*":
            return np.asarray(a * b)
        case "/":
            return np.asarray(a // b)
        case "%":
            return np.asarray(a % b)
        case "min":
            return np.asarray(np.minimum(a, b))


def names_in(expr: Index) -> frozenset[str]:
    """The names that the expression reads."""
    if isinstance(expr, Var):
        return frozenset((expr.name,))
    if isinstance(expr, Bin):
        return names_in(expr.a) | names_in(expr.b)
    return frozenset()


def dims_in(expr: Index) -> tuple[Dim, ...]:
    """The named constants of the expression, in order of appearance."""
    if isinstance(expr, Dim):
        return (expr,)
    if isinstance(expr, Bin):
        return (*dims_in(expr.a), *dims_in(expr.b))
    return ()


def ceil_div(a: Operand, b: Operand) -> Index:
    """The quotient, rounded up."""
    if isinstance(b, Num | Dim) and b.value == 1:
        return _index(a)
    return (_index(a) + (_index(b) - 1)) // b


_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}


def to_cpp(expr: Index) -> str:
    """The expression as C++ text, with the parentheses that it needs."""
    return _print(expr, 0)


def _print(expr: Index, outer: int) -> str:
    if isinstance(expr, Num):
        return str(expr.value)
    if isinstance(expr, Var | Dim):
        return expr.name
    if expr.op == "min":
        return f"std::min<uint32_t>({_print(expr.a, 0)}, {_print(expr.b, 0)})"
    level = _PRECEDENCE[expr.op]
    # The right operand of - / % needs parentheses at the same level; integer * after / is kept apart as well.
    text = f"{_print(expr.a, level)} {expr.op} {_print(expr.b, level + (expr.op != '+'))}"
    return f"({text})" if level < outer else text
