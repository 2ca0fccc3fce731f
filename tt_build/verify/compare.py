"""A result against its reference: the ``outputs`` part of verify.json.

An element is right when it is within the reference's bound, or within the wider bound where a branch may have gone the
other way; of the latter at most one per cent may be needed. What is finite in the reference must be finite in the
result; an infinity must be the same infinity; where the reference has a NaN any value that is not finite will do (the
packer of the device has no NaN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tt_build.emulator.formats import round_to
from tt_build.verify.reference import Ref
from tt_build.verify.values import ulp

Array = NDArray[Any]

DISCONTINUOUS_SHARE = 0.01
# Where the bound is no longer small beside the spread of the values, this correlation is asked for too.
LOOSE = 0.25
LOOSE_PCC = 0.9
# A spec may loosen the derived tolerance up to this factor.
CEILING = 10.0
_MANTISSA = {"bfloat16": 7, "float32": 23, "bfloat8_b": 6, "bfloat4_b": 2}


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """``verify:`` of a kernel: ``atol + rtol * |expected|`` in place of the derived bound, and the least PCC."""

    pcc: float | None = None
    rtol: float | None = None
    atol: float | None = None


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """The tolerance that was applied: ``kind`` bound or spec; the largest one of any element, absolute and relative.

    ``ceiling`` is the factor over the derived bound up to which a spec may loosen; ``capped`` counts where it would.
    """

    kind: str
    max_abs: float
    max_rel: float
    ceiling: float = CEILING
    capped: int = 0
    pcc: float | None = None


class FirstBad(msgspec.Struct, frozen=True, kw_only=True):
    """The first element that is wrong, in row-major order. Numbers that JSON does not have are strings."""

    index: tuple[int, ...]
    tile: tuple[int, ...]
    core: tuple[int, int] | None
    expected: float | str
    got: float | str
    allowed: float | str


class OutputResult(msgspec.Struct, frozen=True, kw_only=True):
    """One output of verify.json; ``bad`` counts the wrong elements, ``reason`` says why it failed, else empty."""

    pcc: float
    max_abs_error: float | str
    max_ulp_error: float | str
    tolerance: Used
    discontinuous: int
    bad: int
    first_bad: FirstBad | None
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


def compare(
    got: Array,
    ref: Ref,
    *,
    tolerance: Tolerance | None = None,
    core_of: Callable[[tuple[int, ...]], tuple[int, int] | None] | None = None,
) -> OutputResult:
    """``got`` against ``ref``; ``core_of`` maps a tile (leading indices, tile row, tile column) to its core, if known.

    ValueError when the shapes differ: that is the caller's mistake, not the kernel's.
    """
    if got.shape != ref.value.shape:
        raise ValueError(f"the result has shape {got.shape}, the reference {ref.value.shape}")
    want, have = ref.value.astype(np.float64), got.astype(np.float64)
    finite, arrived = np.isfinite(want), np.isfinite(have)
    tight, wide, used = _allowed(want, ref, tolerance or Tolerance())
    with np.errstate(invalid="ignore"):
        error = np.abs(have - want)
    error = np.where(finite & arrived, error, np.where(finite, np.inf, _special(have, want)))
    # A bound that is not finite says that the reference itself knows nothing there: no element may hide behind it.
    known = np.isfinite(wide) | ~finite
    right = (error <= wide) & known
    branched = right & (error > tight)
    bad = int(np.count_nonzero(~right))
    shown = _varies(have) or not _varies(round_to(want, ref.dtype).astype(np.float64))
    pcc = _pcc(have, want, shown and bool(right.all()))
    result = OutputResult(
        pcc=pcc,
        max_abs_error=_plain(float(error.max(initial=0.0))),
        max_ulp_error=_plain(float((error / _spacing(want, ref.dtype)).max(initial=0.0))),
        tolerance=used,
        discontinuous=int(np.count_nonzero(branched)),
        bad=bad,
        first_bad=_first(have, want, wide, ~right, core_of) if bad else None,
    )
    return msgspec.structs.replace(result, reason=_reason(result, bool(known.all()), got.size))


def correlation(got: Array, want: Array) -> float:
    """Pearson's correlation, as ``pcc`` of an output; of a constant 1 where the two are equal."""
    have, wanted = got.astype(np.float64), want.astype(np.float64)
    return _pcc(have, wanted, np.array_equal(have, wanted))


def _allowed(want: Array, ref: Ref, tolerance: Tolerance) -> tuple[Array, Array, Used]:
    """Tight and wide tolerance of each element, and what to report of it."""
    tight, wide, capped = ref.bound, ref.wide, 0
    given = tolerance.rtol is not None or tolerance.atol is not None
    if given:
        asked = (tolerance.atol or 0.0) + (tolerance.rtol or 0.0) * np.where(np.isfinite(want), np.abs(want), 0.0)
        capped = int(np.count_nonzero(asked > CEILING * tight))
        limited = np.minimum(asked, CEILING * tight)
        # Where the branch may go the other way, its gap stays allowed.
        tight, wide = limited, np.where(ref.wide > ref.bound, np.maximum(limited, ref.wide), limited)
    sound = np.isfinite(want) & np.isfinite(tight)
    least = tolerance.pcc
    if least is None and sound.any() and float(np.median(tight[sound])) > LOOSE * float(np.std(want[sound])) > 0.0:
        # Not where the dtype itself cannot show the variation: values that all round to the same.
        ideal = _pcc(round_to(want, ref.dtype).astype(np.float64), want, True)
        least = LOOSE_PCC if ideal > 0.99 else None
    divisible = sound & (np.abs(want) >= 2.0**-126)
    used = Used(
        kind="spec" if given else "bound",
        max_abs=float(tight[sound].max(initial=0.0)),
        max_rel=float((tight[divisible] / np.abs(want[divisible])).max(initial=0.0)),
        capped=capped,
        pcc=least,
    )
    return tight, wide, used


def _special(have: Array, want: Array) -> Array:
    """Error where the reference is not finite: 0 or infinite."""
    same = np.where(np.isnan(want), ~np.isfinite(have), have == want)
    return np.where(same, 0.0, np.inf)


def _spacing(want: Array, dtype: str) -> Array:
    """Distance of neighbouring values of the dtype at the expected value; 1 for integers.

    Beside a zero of the expression a distance says nothing, so it is never taken below 1/256 of the root mean square.
    """
    if dtype not in _MANTISSA:
        return np.ones(want.shape)
    sizes = np.where(np.isfinite(want), np.abs(want), 0.0)
    sizes = np.maximum(sizes, float(np.sqrt(np.mean(np.square(sizes)))) / 256.0) if want.size else sizes
    if not dtype.endswith("_b"):
        return ulp(sizes, _MANTISSA[dtype])
    rows = np.atleast_2d(sizes)
    width = rows.shape[-1]
    padded = np.zeros((*rows.shape[:-1], -(-width // 16) * 16))
    padded[..., :width] = rows
    largest = padded.reshape(*rows.shape[:-1], -1, 16).max(axis=-1)
    return np.asarray(np.repeat(ulp(largest, _MANTISSA[dtype]), 16, axis=-1)[..., :width].reshape(want.shape))


def _pcc(have: Array, want: Array, all_right: bool) -> float:
    """Pearson's correlation over what is finite in the reference; 1 or 0 where one side does not vary.

    A constant has no correlation: it counts as 1 when all is right, as ``all_right`` says. What should be finite and is
    not gives 0.
    """
    finite = np.isfinite(want)
    x, y = want[finite], have[finite]
    if not np.isfinite(y).all():
        return 0.0
    if x.size < 2:
        return float(all_right)
    scale = max(float(np.abs(x).max()), float(np.abs(y).max()))
    if scale == 0.0:
        return 1.0
    dx, dy = (v / scale - np.mean(v / scale) for v in (x, y))
    length = float(np.linalg.norm(dx) * np.linalg.norm(dy))
    # Variation that is only rounding correlates with nothing.
    if np.abs(dx).max() < 1e-12 or length == 0.0:
        return float(all_right)
    return float(np.clip(np.vdot(dx, dy) / length, -1.0, 1.0))


def _varies(data: Array) -> bool:
    finite = data[np.isfinite(data)]
    return finite.size > 1 and bool(finite.min() != finite.max())


def _first(
    have: Array,
    want: Array,
    wide: Array,
    wrong: Array,
    core_of: Callable[[tuple[int, ...]], tuple[int, int] | None] | None,
) -> FirstBad:
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), want.shape))
    matrix = index if len(index) > 1 else (0, *index)
    tile = (*matrix[:-2], matrix[-2] // 32, matrix[-1] // 32)
    return FirstBad(
        index=index,
        tile=tile,
        core=core_of(tile) if core_of is not None else None,
        expected=_plain(float(want[index])),
        got=_plain(float(have[index])),
        allowed=_plain(float(wide[index])),
    )


def _plain(number: float) -> float | str:
    return number if np.isfinite(number) else str(number)


def _reason(result: OutputResult, known: bool, size: int) -> str:
    if not known:
        return "the expression loses all accuracy on these inputs: its error bound is not finite"
    if result.bad:
        return f"{result.bad} of {size} elements are wrong"
    if result.discontinuous > DISCONTINUOUS_SHARE * size:
        return f"{result.discontinuous} of {size} elements took the other branch of a discontinuity"
    least = result.tolerance.pcc
    if least is not None and result.pcc < least:
        return f"PCC {result.pcc:.6f} is below {least}"
    return ""
