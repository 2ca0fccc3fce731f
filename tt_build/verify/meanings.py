"""What each function of the compute language means, on float64 arrays. Names are those of the language page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])


def _sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _silu(x: Array) -> Array:
    return np.where(x == -np.inf, 0.0, x * _sigmoid(x))


def _gelu(x: Array) -> Array:
    return np.where(x == -np.inf, 0.0, 0.5 * x * _erfc(-x / math.sqrt(2.0)))


def _gelu_tanh(x: Array) -> Array:
    inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
    return np.where(x == -np.inf, 0.0, 0.5 * x * (1.0 + np.tanh(inner)))


def _softplus(x: Array, beta: float, threshold: float) -> Array:
    t = beta * x
    return np.where(t > threshold, x, np.logaddexp(0.0, t) / beta)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def _round(x: Array, decimals: float) -> Array:
    scale = 10.0**decimals
    return np.asarray(np.rint(x * scale) / scale)


# Continuous functions of one operand: f(x, *parameters).
CONTINUOUS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "reciprocal": lambda x: 1.0 / x,
    "cbrt": np.cbrt,
    "square": np.square,
    "power": lambda x, exponent: np.power(x, exponent),
    "abs": np.abs,
    "neg": np.negative,
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x, slope: np.where(x < 0, x * slope, x),
    "relu_max": lambda x, high: np.minimum(np.maximum(x, 0.0), high),
    "relu_min": lambda x, low: np.maximum(x, low),
    "elu": _elu,
    "celu": lambda x, alpha: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0.0) / alpha), x),
    "selu": lambda x, scale, alpha: scale * _elu(x, alpha),
    "sigmoid": _sigmoid,
    "silu": _silu,
    "tanh": np.tanh,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "softplus": _softplus,
    "hardsigmoid": lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "softshrink": lambda x, lam: np.where(x > lam, x - lam, np.where(x < -lam, x + lam, 0.0)),
    "mish": lambda x: x * np.tanh(np.logaddexp(0.0, x)),
    "hardmish": lambda x: x * np.clip(x / 2.0 + 1.0, 0.0, 1.0),
    "tanhshrink": lambda x: x - np.tanh(x),
    "clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "erf": _erf,
    "erfc": _erfc,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
}

# Piecewise constant functions of one operand.
STEPS: dict[str, Callable[..., Any]] = {
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": _round,
    "signbit": lambda x: np.signbit(x).astype(float),
    "isnan": lambda x: np.isnan(x).astype(float),
    "isinf": lambda x: np.isinf(x).astype(float),
    "isfinite": lambda x: np.isfinite(x).astype(float),
    "isposinf": lambda x: np.isposinf(x).astype(float),
    "isneginf": lambda x: np.isneginf(x).astype(float),
    "logical_not": lambda x: (x == 0).astype(float),
    "heaviside": lambda x, value: np.where(x < 0, 0.0, np.where(x > 0, 1.0, value)),
}

# Continuous functions of two operands.
BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "atan2": np.arctan2,
    "xlogy": lambda x, y: np.where(x == 0, 0.0, x * np.log(y)),
    "logaddexp": np.logaddexp,
    "logaddexp2": np.logaddexp2,
}

COMPARISONS: dict[str, Callable[..., Any]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}

# Integers: on int64 arrays, wrapped afterwards.
INTEGER: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "abs": np.abs,
    "neg": np.negative,
    "relu": lambda x: np.maximum(x, 0),
    "square": np.square,
    "sign": np.sign,
    "clip": lambda x, low, high: np.minimum(np.maximum(x, int(low)), int(high)),
    "logical_not": lambda x: (x == 0).astype(np.int64),
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "bitwise_not": np.invert,
    "left_shift": lambda x, bits: np.left_shift(x, int(bits)),
    "right_shift": lambda x, bits: np.right_shift(x, int(bits)),
    "gcd": np.gcd,
}
