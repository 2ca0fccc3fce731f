"""Matmul and reductions of the reference, with their errors.

A matmul's losses in DST are derived in ``tt_build.verify.accumulation``, those of a sum in a bfloat16 DST in
``tt_build.verify.tile_sums``. With an fp32 DST, which rounds to nearest, a sum of n rounded steps is off by at most
n half-spacings of its partial sums, and by chance by ``4 sqrt(n)`` of them (seven standard deviations; Higham and Mary,
2019).
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from tt_build.verify import accumulation
from tt_build.verify.elementwise import fidelity_loss, joined
from tt_build.verify.tile_sums import lost_in_bf16
from tt_build.verify.values import (
    INTEGERS,
    TINY,
    Array,
    EvaluationError,
    Math,
    Value,
    magnitude,
    per_branch,
    reach,
    read_by_fpu,
    ulp,
    wrap,
)


def matmul(a: Value, b: Value, math: Math) -> Value:
    """``a @ b`` over the last two axes, leading axes broadcast."""
    dtype = joined(a, b)
    if dtype in INTEGERS:
        raise EvaluationError(f"'@' has no form for {dtype}")
    length = a.data.shape[-1]
    if length != b.data.shape[-2]:
        raise EvaluationError(f"'@' needs equal inner dimensions, not {length} and {b.data.shape[-2]}")
    data = accumulation.product(a.data, b.data)
    size_a, size_b = magnitude(a.data), magnitude(b.data)
    ea, eb = read_by_fpu(a, math), read_by_fpu(b, math)
    err = np.zeros((2, *data.shape))
    if ea.any():
        err = err + per_branch(ea, lambda e: e @ size_b)
    if eb.any():
        err = err + per_branch(eb, lambda e: size_a @ e)
    if ea.any() and eb.any():
        err = err + ea @ eb
    loss = fidelity_loss(b, a, math)
    if loss:
        err = err + _truncation(loss, data, size_a @ size_b, size_a**2 @ size_b**2)
    err = err + per_branch(err, lambda e: accumulation.lost_in_dst(a.data, b.data, e, math))
    return Value(data, err, dtype)


def reduce(name: str, x: Value, axes: tuple[int, ...], math: Math) -> Value:
    """``sum``, ``mean``, ``max`` or ``min`` over negative axes, dimensions kept."""
    if x.dtype in INTEGERS:
        return _reduce_integers(name, x, axes)
    if name in ("max", "min"):
        return _extreme(name, x, axes, math)
    data, errors = x.data.sum(axis=axes, keepdims=True), read_by_fpu(x, math).sum(axis=axes, keepdims=True)
    count = x.data.size // data.size
    errors = errors + (_rounding(x.data, axes, count) if math.fp32_accumulate else lost_in_bf16(x.data, axes))
    if name == "mean":
        data, errors = data / count, errors / count
        if count & (count - 1):
            errors = errors + 2.0**-9 * magnitude(data)  # 1 / count may be rounded to bfloat16
            errors = errors + (0.0 if math.fp32_accumulate else ulp(reach(data, errors), 7))
    return Value(data, errors, x.dtype)


def _truncation(loss: float, data: Array, total: Array, squares: Array) -> Array:
    """What truncated operands take from a sum of products.

    Each product loses a share between 0 and ``loss``: in common at most that share of the sum, and beside that products
    of either sign lose it independently (6 standard deviations of at most loss / 2). Never more than ``loss * total``.
    """
    return np.minimum(loss * total, loss * (magnitude(data) + 3.0 * np.sqrt(squares)))


def _rounding(data: Array, axes: tuple[int, ...], count: int) -> Array:
    """Error of adding up ``count`` elements in fp32: on twice the largest partial sum, since an algorithm may take any
    contiguous part of the sum first.
    """
    largest = magnitude(data)
    for axis in axes:
        largest = np.abs(np.cumsum(np.where(np.isfinite(data), data, 0.0), axis=axis)).max(axis=axis, keepdims=True)
        data = data.sum(axis=axis, keepdims=True)
    return np.asarray(
        min(count + 1, 4.0 * sqrt(count + 1)) * 2.0**-24 * 2.0 * np.maximum(largest, magnitude(data)) + TINY
    )


def _extreme(name: str, x: Value, axes: tuple[int, ...], math: Math) -> Value:
    pick = np.max if name == "max" else np.min
    data = pick(x.data, axis=axes, keepdims=True)
    errors = read_by_fpu(x, math)
    if not errors.any():
        return Value(data, None, x.dtype, bits=x.bits)
    middle = _bounded(data)
    moved = []
    for e in errors:
        gaps = (np.abs(_bounded(pick(x.data + s * e, axis=axes, keepdims=True)) - middle) for s in (-1.0, 1.0))
        unknown = ~np.isfinite(e).all(axis=axes, keepdims=True)
        moved.append(np.where(unknown, np.inf, np.maximum(*gaps)))
    return Value(data, np.stack(moved), x.dtype)


def _bounded(data: Array) -> Array:
    """Infinities as huge finite numbers, so that differences have a meaning."""
    return np.clip(data, -1.0e300, 1.0e300)


def _reduce_integers(name: str, x: Value, axes: tuple[int, ...]) -> Value:
    if name == "mean":
        raise EvaluationError(f"'mean' has no form for {x.dtype}")
    assert x.dtype is not None
    if name == "sum":
        data, errors = x.data.sum(axis=axes, keepdims=True), x.errors.sum(axis=axes, keepdims=True)
    else:
        pick = np.max if name == "max" else np.min
        data, errors = pick(x.data, axis=axes, keepdims=True), x.errors.max(axis=axes, keepdims=True)
    return Value(wrap(data, x.dtype), errors, x.dtype)
