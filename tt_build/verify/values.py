"""Values of the reference: float64 numbers and how far the device may be from them.

Every array has four axes [B, H, M, N]. ``err`` has one axis more in front: ``err[0]`` is the error while every branch
goes as in the reference, ``err[1]`` the error when comparisons, roundings to integers and the like may go the other way
within the error of their operands. Integers are int64, wrapped to their dtype; only a cast from floats gives them any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TINY = 2.0**-126  # denormals are flushed
LARGEST = float(np.finfo(np.float32).max)
INTEGERS = ("int32", "uint32", "uint16")
_HALF_FP32 = 2.0**-24
_TF32 = 2.0**-10


class EvaluationError(ValueError):
    """The compute text cannot be evaluated; the message names the cause."""


class Math(msgspec.Struct, frozen=True, kw_only=True):
    """``math`` of a kernel, resolved."""

    fidelity: str = "HiFi4"
    fp32_accumulate: bool = True
    approximate: bool = False

    @property
    def phases(self) -> int:
        """Passes of the matrix engine: 1 (LoFi) to 4 (HiFi4)."""
        return ("LoFi", "HiFi2", "HiFi3", "HiFi4").index(self.fidelity) + 1


class Value:
    """One value: ``data`` (4 axes), ``err`` (2 + 4 axes, or None: exact), ``dtype``, and where it is from.

    ``dtype`` is None for a number, which takes the other side's. ``bits`` of mantissa are enough for the data as they
    lie in L1: 7 for bfloat16, 6 and 2 for the block formats, else 23. The matrix engine reads up to 10 without loss.
    """

    def __init__(self, data: Array, err: Array | None, dtype: str | None, *, bits: int = 23) -> None:
        if dtype is not None and dtype not in INTEGERS:
            data, err = overflowed(data, err, LARGEST)
        self.data = data
        self.err = err if err is None or err.any() else None
        self.dtype = dtype
        self.bits = bits

    @property
    def is_integer(self) -> bool:
        return self.dtype in INTEGERS

    @property
    def errors(self) -> Array:
        """``err``, with zeros where there is none."""
        return np.zeros((2, *self.data.shape)) if self.err is None else self.err

    def moved(self, how: Any) -> Value:
        """The value after ``how``, a function that only moves elements of an array along its last four axes."""
        err = None if self.err is None else np.stack([how(self.err[0]), how(self.err[1])])
        return Value(how(self.data), err, self.dtype, bits=self.bits)


def overflowed(data: Array, err: Array | None, largest: float) -> tuple[Array, Array | None]:
    """What a format up to ``largest`` cannot hold as an infinity; where that is in doubt the error is infinite."""
    size = magnitude(data)
    if err is not None:
        doubt = np.isfinite(data) & (size + err > largest) & (size - err <= largest)
        err = np.where(doubt, np.inf, err) if doubt.any() else err
    beyond = size > largest
    return (np.where(beyond, np.copysign(np.inf, data), data) if beyond.any() else data), err


def between(x: Value, low: float, high: float) -> Value:
    """``x``, which the device too has between ``low`` and ``high``, whatever its operands are off by."""
    if x.err is None:
        return x
    most = np.maximum(x.data - low, high - x.data)
    return Value(x.data, np.where(np.isfinite(x.data), np.minimum(x.err, most), x.err), x.dtype, bits=x.bits)


def magnitude(data: Array) -> Array:
    """|data| with infinities and NaN as 0: errors beside them have no meaning."""
    return np.where(np.isfinite(data), np.abs(data), 0.0)


def reach(data: Array, err: Array) -> Array:
    """How large a value may be that is within ``err`` of ``data``: what its own rounding goes by."""
    return magnitude(data) + np.where(np.isfinite(err), err, 0.0)


def ulp(data: Array, mantissa: int) -> Array:
    """Spacing of floats with that many bits of mantissa (7: bfloat16, 23: float32) at ``data``."""
    _, exponent = np.frexp(np.maximum(magnitude(data), TINY))
    return np.asarray(np.ldexp(1.0, exponent - 1 - mantissa))


def store(data: Array, err: Array, math: Math) -> Array:
    """``err`` after a correctly rounded store into DST."""
    if math.fp32_accumulate:
        return err + _HALF_FP32 * reach(data, err) + TINY
    return np.asarray(err + 0.5 * ulp(reach(data, err), 7) + TINY)


def read_by_fpu(x: Value, math: Math) -> Array:
    """Errors of ``x`` as SrcA or SrcB holds it: tf32, truncated, unless it is shorter or was spilled as bfloat16."""
    if x.bits <= 10 or (not math.fp32_accumulate and x.dtype is not None):
        return x.errors
    return x.errors + _TF32 * magnitude(x.data)


def per_branch(errors: Array, f: Callable[[Array], Array]) -> Array:
    """``f`` of both rows of errors, evaluated once where they are equal, as they are without discontinuities."""
    first = f(errors[0])
    return np.stack([first, first if np.array_equal(errors[0], errors[1]) else f(errors[1])])


def finite_difference(moved: Array, data: Array) -> Array:
    """|moved - data| where that has a meaning: 0 between equal infinities and beside NaN."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(moved - data)
    return np.where(np.isnan(gap), 0.0, gap)


def wrap(data: Array, dtype: str) -> Array:
    """int64 data as the integer dtype holds them."""
    kind = {"int32": np.int32, "uint32": np.uint32, "uint16": np.uint16}[dtype]
    return np.asarray(data).astype(kind).astype(np.int64)
