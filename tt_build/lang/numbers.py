"""Arithmetic on numbers: constants are folded here, bounded, never through ``eval``."""

from __future__ import annotations

import math
from collections.abc import Callable

_UNARY: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "exp2": lambda x: 2.0**x,
    "log": math.log,
    "log2": math.log2,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x * x,
    "abs": abs,
    "neg": lambda x: -x,
    "floor": math.floor,
    "ceil": math.ceil,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "maximum": max,
    "minimum": min,
}
FOLDED = frozenset(_UNARY) | {"maximum", "minimum"}


class NotANumber(Exception):
    """The result is no finite number, or is beyond what a kernel can hold; the message says which."""


def fold(op: str, *args: int | float) -> int | float:
    """The number ``op(*args)``; ``NotANumber`` when it is undefined, infinite or an integer beyond 64 bits."""
    try:
        if op == "**":
            result = _power(*args)
        elif len(args) == 1:
            result = _UNARY[op](args[0])
        else:
            result = _BINARY[op](*args)
    except ZeroDivisionError:
        raise NotANumber("division by zero") from None
    except (ValueError, OverflowError):
        raise NotANumber(f"'{op}' of {' and '.join(f'{arg:g}' for arg in args)} is not a number") from None
    if isinstance(result, int) and abs(result) >= 1 << 63:
        raise NotANumber("the number is beyond 64 bits")
    if not math.isfinite(result):
        raise NotANumber("the number is not finite")
    return result


def _power(base: int | float, exponent: int | float) -> int | float:
    if isinstance(base, int) and isinstance(exponent, int) and 0 <= exponent <= 64 and abs(base) < 1 << 31:
        return int(base**exponent)
    return math.pow(base, exponent)
