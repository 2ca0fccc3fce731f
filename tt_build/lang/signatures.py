"""What each function of the compute language takes: operands, numeric parameters, whether integers may be used.

This is the front end's only source for arity and parameters. ``kind`` says how a call is elaborated: ``elementwise``
(broadcast operands), ``reduction`` (``axis``), ``composite`` (one value, expanded by the passes), ``movement``.
"""

from __future__ import annotations

import math

import msgspec


class Param(msgspec.Struct, frozen=True):
    """A parameter after the operands; ``default`` None where it must be given. It is ``least`` to ``most``, and more
    than ``above``.
    """

    name: str
    default: float | None = None
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf

    def wanted(self, value: float) -> str:
        """What it must be instead of ``value``; empty where that is right."""
        if value <= self.above:
            return f"more than {self.above:g}"
        if not self.least <= value <= self.most:
            return f"{self.least:g} to {self.most:g}" if self.most < math.inf else f"{self.least:g} or more"
        return ""


class Signature(msgspec.Struct, frozen=True):
    """One function: tensor operands first, then parameters, by position or by name. ``names`` are the operands' where
    they have any.
    """

    name: str
    operands: int = 1
    params: tuple[Param, ...] = ()
    int_ok: bool = False
    kind: str = "elementwise"
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = ("x",) if self.operands == 1 else ("c", "a", "b") if self.name == "where" else ("a", "b", "c")
        parts = list(self.names or names[: self.operands])
        parts += [p.name if p.default is None else f"{p.name}={p.default:g}" for p in self.params]
        return f"{self.name}({', '.join(parts)})"


SIGNATURES: dict[str, Signature] = {}


def _add(names: str, operands: int = 1, *params: Param, int_ok: bool = False, kind: str = "elementwise") -> None:
    for name in names.split():
        SIGNATURES[name] = Signature(name, operands, params, int_ok, kind)


_add("exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal cbrt square")
_add("sigmoid silu tanh gelu gelu_tanh hardsigmoid softsign mish tanhshrink erf erfc")
_add("sin cos tan asin acos atan sinh cosh asinh acosh atanh")
_add("floor ceil trunc frac signbit sign isnan isinf isfinite isposinf isneginf hardmish")
_add("left_shift right_shift", 1, Param("bits"), int_ok=True)
_add("abs neg relu logical_not bitwise_not", int_ok=True)
_add("round", 1, Param("decimals", 0.0, least=-37.0, most=37.0))
_add("power", 1, Param("exponent"))
_add("leaky_relu", 1, Param("slope", 0.01))
_add("relu_max", 1, Param("high", 6.0, least=0.0))
_add("relu_min", 1, Param("low", 0.0))
_add("elu celu", 1, Param("alpha", 1.0))
_add("selu", 1, Param("scale", 1.0507009873554805), Param("alpha", 1.6732632423543772))
_add("softplus", 1, Param("beta", 1.0, above=0.0), Param("threshold", 20.0, above=0.0))
_add("softshrink hardshrink", 1, Param("lam", 0.5))
_add("threshold", 1, Param("limit"), Param("value"))
_add("heaviside", 1, Param("value", 0.0))
_add("clip", 1, Param("low"), Param("high"), int_ok=True)
_add("add sub mul maximum minimum lt le gt ge eq ne bitwise_and bitwise_or bitwise_xor gcd", 2, int_ok=True)
_add("div pow atan2 xlogy logaddexp logaddexp2", 2)
_add("where", 3, int_ok=True)
_add("sum max min", 1, Param("axis"), int_ok=True, kind="reduction")
_add("mean", 1, Param("axis"), kind="reduction")
_add("softmax log_softmax", 1, Param("axis"), kind="composite")
_add("layernorm rmsnorm", 1, Param("eps"), kind="composite")
_add("permute", 1, Param("axes"), int_ok=True, kind="movement")
_add("slice", 1, Param("axis"), Param("start"), Param("stop"), int_ok=True, kind="movement")
_add("concat", 2, Param("axis"), int_ok=True, kind="movement")
_add("repeat", 1, Param("n"), Param("axis"), int_ok=True, kind="movement")
_add("split_heads", 1, Param("n"), int_ok=True, kind="movement")
_add("join_heads", 1, int_ok=True, kind="movement")
_add("rotate_half causal", 1, kind="movement")
_add("cast", 1, Param("dtype"), int_ok=True, kind="cast")

OPERATORS: dict[str, str] = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "**": "pow",
    "@": "matmul",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
}

COMPARISONS = tuple(op for sign, op in OPERATORS.items() if sign[0] in "<>=!")

FOREIGN = {
    "max": "maximum(a, b)",
    "min": "minimum(a, b)",
    "transpose": "x.T",
    "matmul": "a @ b",
    "dot": "a @ b",
    "clamp": "clip(x, low, high)",
    "swish": "silu(x)",
    "inv": "reciprocal(x)",
    "recip": "reciprocal(x)",
    "negative": "neg(x)",
    "astype": "cast(x, dtype)",
    "typecast": "cast(x, dtype)",
    "concatenate": "concat(a, b, axis)",
    "cat": "concat(a, b, axis)",
    "layer_norm": "layernorm(x, eps)",
    "rms_norm": "rmsnorm(x, eps)",
    "select": "where(c, a, b)",
    "amax": "max(x, axis=-1)",
    "amin": "min(x, axis=-1)",
    "fabs": "abs(x)",
    "subtract": "a - b",
    "multiply": "a * b",
    "divide": "a / b",
}
"""What is called so elsewhere, and what to write."""
