"""Elementwise functions of the reference, with their errors.

An operand's error is carried through by evaluating the function around it; the function's own error comes from the op
table. Where a function also has a form on the matrix engine (add, sub, mul), that form's losses are allowed for too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tt_build.lang.functions import FUNCTIONS, Bound
from tt_build.verify.meanings import BINARY, COMPARISONS, CONTINUOUS, INTEGER, STEPS
from tt_build.verify.values import (
    INTEGERS,
    TINY,
    Array,
    EvaluationError,
    Math,
    Value,
    finite_difference,
    magnitude,
    per_branch,
    reach,
    read_by_fpu,
    store,
    ulp,
    wrap,
)

_SAMPLES = (-1.0, -0.5, 0.5, 1.0)


def joined(*values: Value) -> str | None:
    """The dtype of a result: integers do not mix; floats become float32 where one side is, else bfloat16."""
    dtypes = {v.dtype for v in values if v.dtype is not None}
    if not dtypes:
        return None
    integers = [d for d in dtypes if d in INTEGERS]
    if integers:
        if len(dtypes) > 1:
            raise EvaluationError(f"{' and '.join(sorted(dtypes))} do not mix; cast one of them")
        return integers[0]
    return "float32" if "float32" in dtypes else "bfloat16"


def own_error(bound: Bound, size: Array, math: Math, exponent: Array | float = 0.0) -> Array:
    """The error that a call itself adds to a result of that magnitude, store into DST included."""
    if math.fp32_accumulate:
        return max(bound.rel, 2.0**-24) * size + bound.abs + TINY
    share = max(bound.bf16_ulp, 0.5) * ulp(size, 7) + bound.exponent_rel * np.abs(exponent) * size
    return np.asarray(share + bound.abs + TINY)


def apply(name: str, operands: list[Value], params: tuple[float, ...], math: Math) -> Value:
    """The function of that name on its operands; EvaluationError where their dtype has no such function."""
    dtype = joined(*operands)
    if dtype in INTEGERS:
        return _integer(name, operands, params, dtype)
    with np.errstate(all="ignore"):
        if name == "where":
            return select(*operands)
        if name in COMPARISONS:
            return _comparison(name, *operands)
        if name == "round" and params[0]:
            return _rounded(operands[0], params[0], math)
        if name in STEPS:
            return _step(name, operands[0], params)
        if name in ("frac", "hardshrink", "threshold"):
            return _branching(name, operands[0], params, math)
        if name in BINARY:
            return _binary(name, operands[0], operands[1], math)
        if name in CONTINUOUS:
            return _continuous(name, operands[0], params, math)
    raise EvaluationError(f"'{name}' has no form for {dtype or 'numbers'}")


def select(condition: Value, yes: Value, no: Value) -> Value:
    """``where``: the chosen side's error; the other side's too where the condition may go either way."""
    taken = condition.data != 0
    data = np.where(taken, yes.data, no.data)
    err = np.where(taken, yes.errors, no.errors)
    open_ = (condition.errors[1] > 0) & (magnitude(condition.data) <= condition.errors[1])
    other = np.where(taken, no.errors[1], yes.errors[1]) + finite_difference(np.where(taken, no.data, yes.data), data)
    wide = np.where(open_, np.maximum(err[1], other), err[1])
    return Value(data, np.stack(np.broadcast_arrays(err[0], wide)), joined(yes, no), bits=max(yes.bits, no.bits))


def deviation(f: Callable[..., Any], data: Array, *operands: tuple[Array, Array]) -> Array:
    """Largest |f - data| over the corners (and half-way points) of the operands' intervals (value, error)."""
    worst = np.zeros_like(data)
    unknown = np.zeros(data.shape, bool)
    for _, e in operands:
        unknown = unknown | ~np.isfinite(e)
    corners = [(s,) for s in _SAMPLES] if len(operands) == 1 else [(s, t) for s in (-1.0, 1.0) for t in (-1.0, 1.0)]
    for corner in corners:
        moved = f(*(v + s * e for s, (v, e) in zip(corner, operands, strict=True)))
        worst = np.maximum(worst, finite_difference(moved, data))
    return np.where(unknown, np.inf, worst)


def _continuous(name: str, x: Value, params: tuple[float, ...], math: Math) -> Value:
    meaning = CONTINUOUS[name]

    def f(v: Array) -> Array:
        return np.asarray(meaning(v, *params))

    data = f(x.data)
    err = np.zeros((2, *data.shape))
    if x.err is not None:
        err = per_branch(x.err, lambda e: np.where(_pole(name, x.data, e), np.inf, _carried(name, f, data, x.data, e)))
    row = FUNCTIONS[name]
    bound = row.bound_for(approximate=math.approximate, params=params)
    err = err + own_error(bound, reach(data, err), math, params[0] if name == "power" else 0.0)
    exact = name in ("abs", "neg", "relu") and x.err is None
    bits = x.bits if name in ("abs", "neg", "relu") else 23
    return Value(data, None if exact else err, joined(x), bits=bits)


def _carried(name: str, f: Callable[..., Any], data: Array, x: Array, e: Array) -> Array:
    """The operand's error in the result; waves are not to be sampled."""
    if name in ("sin", "cos"):
        return np.minimum(e, 1.0 + np.abs(data))
    return deviation(f, data, (x, e))


def _pole(name: str, x: Array, e: Array) -> Array:
    """Where the interval around x reaches a point beyond which the function has no bound."""
    if name in ("reciprocal", "rsqrt", "log", "log2", "log10"):
        return np.asarray((e > 0) & (np.abs(x) <= e))
    if name == "log1p":
        return np.asarray((e > 0) & (np.abs(x + 1.0) <= e))
    if name == "tan":
        return np.asarray((e > 0) & (np.abs(np.cos(x)) <= e))
    return np.zeros(x.shape, bool)


def _binary(name: str, x: Value, y: Value, math: Math) -> Value:
    meaning = BINARY[name]
    data = np.asarray(meaning(x.data, y.data))
    wide = joined(x, y) == "float32"
    on_fpu = name in ("add", "sub", "mul") and not wide and x.dtype is not None and y.dtype is not None
    ex, ey = (read_by_fpu(v, math) if on_fpu else v.errors for v in (x, y))
    err = np.zeros((2, *data.shape))
    if ex.any() or ey.any():
        same = np.array_equal(ex[0], ex[1]) and np.array_equal(ey[0], ey[1])
        found = [deviation(meaning, data, (x.data, ex[i]), (y.data, ey[i])) for i in ((0,) if same else (0, 1))]
        err = np.stack([found[0], found[-1]])
    if name == "div":
        err = np.where((ey > 0) & (np.abs(y.data) <= ey), np.inf, err)
    bound = FUNCTIONS[name].bound_for(approximate=math.approximate)
    own = own_error(bound, reach(data, err), math, np.abs(y.data) if name == "pow" else 0.0)
    if on_fpu and name == "mul":
        # The matrix engine broadcasts SrcB, so an operand that is broadcast goes there.
        first, second = (y, x) if x.data.shape[-2:] != data.shape[-2:] else (x, y)
        own = np.maximum(
            own,
            store(data, fidelity_loss(first, second, math) * magnitude(data), math)
            * (1 if math.fp32_accumulate else math.phases),
        )
    if name in ("maximum", "minimum"):
        own = np.zeros_like(own)
    bits = max(x.bits, y.bits) if name in ("maximum", "minimum") else 23
    return Value(data, err + own, joined(x, y), bits=bits)


def fidelity_loss(srca: Value, srcb: Value, math: Math) -> float:
    """Relative loss of a product: what the phases that are left out would have added.

    SrcA has hidden + 4 bits in its first part and 5 in its second, SrcB hidden + 6 and 4.
    """
    bits_a, bits_b = (7 if v.dtype is not None and not math.fp32_accumulate else v.bits for v in (srca, srcb))
    missing_a, missing_b = (_missing(bits, kept) for bits, kept in ((bits_a, 4), (bits_b, 6)))
    beyond = _missing(bits_a, 9)
    return {
        "LoFi": missing_a + missing_b,
        "HiFi2": missing_b + beyond,
        "HiFi3": missing_a * missing_b + beyond,
        "HiFi4": beyond,
    }[math.fidelity]


def _missing(bits: int, kept: int) -> float:
    """Largest relative value of the mantissa bits after the first ``kept``, of at most 10."""
    return 2.0**-kept - 2.0 ** -min(bits, 10) if bits > kept else 0.0


def _comparison(name: str, x: Value, y: Value) -> Value:
    data = COMPARISONS[name](x.data, y.data).astype(float)
    gap = x.errors[1] + y.errors[1]
    open_ = (gap > 0) & (finite_difference(x.data, y.data) <= gap)
    err = np.stack([np.zeros(data.shape), np.broadcast_to(open_, data.shape).astype(float)])
    return Value(data, err, joined(x, y), bits=0)


def _step(name: str, x: Value, params: tuple[float, ...]) -> Value:
    meaning = STEPS[name]
    data = np.asarray(meaning(x.data, *params))
    wide = np.zeros(data.shape)
    if x.err is not None:
        for s in (-1.0, 1.0):
            wide = np.maximum(wide, finite_difference(meaning(x.data + s * x.err[1], *params), data))
        wide = np.where(np.isfinite(x.err[1]), wide, np.inf)
    return Value(data, np.stack([np.zeros(data.shape), wide]), joined(x))


def _rounded(x: Value, decimals: float, math: Math) -> Value:
    """``round`` to decimals: products by fp32 powers of ten around a rounding; the first may make or break a tie."""
    err = None if x.err is None else x.err + 2.0**-23 * magnitude(x.data)
    found = _step("round", Value(x.data, err, x.dtype), (decimals,))
    near = x.data.astype(np.float32) * np.float32(10.0**decimals)
    tied = finite_difference(np.rint(near.astype(np.float64)) / 10.0**decimals, found.data)
    tied = np.where(np.isfinite(found.data) & ~np.isfinite(near), np.inf, tied)
    own = own_error(FUNCTIONS["round"].bound, reach(found.data, found.errors), math)
    return Value(found.data, np.stack([own[0], found.errors[1] + tied + own[1]]), joined(x))


def _branching(name: str, x: Value, params: tuple[float, ...], math: Math) -> Value:
    """The functions that jump but are not constant between the jumps, from those that do one of both."""
    if name == "frac":
        whole = _step("trunc", x, ())
        data = x.data - whole.data
        return Value(data, store(data, x.errors + whole.errors, math), joined(x))
    limit = Value(np.full((1, 1, 1, 1), params[0]), None, None)
    if name == "hardshrink":
        size = Value(np.abs(x.data), x.err, x.dtype)
        return select(_comparison("gt", size, limit), x, Value(np.zeros((1, 1, 1, 1)), None, None))
    return select(_comparison("gt", x, limit), x, Value(np.full((1, 1, 1, 1), params[1]), None, None))


def _integer(name: str, operands: list[Value], params: tuple[float, ...], dtype: str) -> Value:
    values = [Value(_whole(v, dtype), v.err, dtype) for v in operands]
    if name == "where":
        chosen = select(*values)
        return Value(chosen.data, chosen.err, dtype)
    if name in COMPARISONS:
        compared = _comparison(name, *values)
        return Value(compared.data.astype(np.int64), compared.err, dtype)
    if name not in INTEGER or len(values) != FUNCTIONS[name].operands:
        raise EvaluationError(f"'{name}' has no form for {dtype}")
    meaning = INTEGER[name]
    data = meaning(*(v.data for v in values), *params)
    if all(v.err is None for v in values):
        return Value(wrap(data, dtype), None, dtype)

    def f(*arrays: Array) -> Array:
        return np.asarray(meaning(*(np.rint(a).astype(np.int64) for a in arrays), *params))

    wide = deviation(f, data.astype(float), *((v.data, v.errors[1]) for v in values))
    return Value(wrap(data, dtype), np.stack([np.zeros(data.shape), wide]), dtype)


def _whole(v: Value, dtype: str) -> Array:
    """An operand as integers of that dtype; EvaluationError for a number that is none."""
    if v.dtype is not None:
        return v.data
    if not np.array_equal(np.rint(v.data), v.data):
        raise EvaluationError(f"{float(v.data.flat[0])} is no {dtype}")
    return wrap(v.data.astype(np.int64), dtype)
