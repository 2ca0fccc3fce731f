"""What DST loses while a matmul adds up its products, and what a float32 tensor loses on its way into DST.

Facts of the matrix engine (SDK's ``tt_llk``, the simulator ttsim, our ``emulator/runtime/num.cpp``, which the tests
compare with NumPy): a tile of 32 inner elements is two faces of 16. One phase adds the products of a face in fp32 and
adds that to DST, which rounds to nearest even to its own width: 24 bits, or the 8 of bfloat16. The fidelity has one to
four phases a face: all faces of a tile in the first phase, then all of them in the next, which holds the low bits.

With these, for one element of the product, faces f = 1, 2, ...:

- ``F_f`` is the sum of the products of face f, ``T_f`` that of their magnitudes, ``S_f = F_1 + ... + F_f``.
- An algorithm may begin at any face (blocks of the inner dimension, parts on several cores), so DST holds
  ``S_f - S_g``, ``g < f``: in magnitude at most ``p_f``, the distance of ``S_f`` from the smallest or the largest sum
  before it, ``S_0 = 0`` among them. What operands and truncation have changed until then (``err``) comes on top;
  between phases the low bits of a tile, at most ``2^-4 + 2^-6`` of its ``T``, are missing.
- **fp32**: each of the 16 products of a face rounds a sum of at most ``p_f + T_f`` at ``2^-24`` of it, so that all of
  them together lose ``16 * 2^-24 * sum_f (p_f + T_f)``. A sum that is large inside a face and cancels before its end is
  seen by ``T_f`` alone. The engine rounds once a face and phase, which is less.
- **bfloat16**: one rounding a face and phase, each ``h = ulp / 2`` of what DST then holds: never more than the sum of
  all ``h``. By chance roundings of either sign make it ``4 sqrt(sum h^2)``, seven standard deviations (``h / sqrt 3``
  each; Higham and Mary, 2019). That is no chance where a face is too small to move DST at all (``|F_f| < h``): such
  faces are lost in the same direction, and are counted whole. Inside a face the sum is fp32.

Every face is looked at: a look at every n-th would miss a sum that grows and cancels between two of them.
"""

from __future__ import annotations

import numpy as np

from tt_build.emulator.formats import round_to
from tt_build.verify.values import TINY, Array, Math, magnitude, ulp

FACE = 16
_TILE = 32
_LOW_BITS = 2.0**-4 + 2.0**-6
_FP32 = 2.0**-24
_DEVIATIONS = 4.0


def product(a: Array, b: Array) -> Array:
    """``a @ b`` in float64; infinities and NaN meet without a warning."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(a @ b)


def lost_in_dst(a: Array, b: Array, err: Array, math: Math) -> Array:
    """The most that accumulating ``a @ b`` in DST loses; ``err`` [..., M, N] is what its operands have lost before."""
    left, right = magnitude(a), magnitude(b)
    signed = np.where(np.isfinite(a), a, 0.0), np.where(np.isfinite(b), b, 0.0)
    return _lost_in_fp32(*signed, left, right) if math.fp32_accumulate else _lost_in_bf16(*signed, err, math.phases)


def _lost_in_fp32(a: Array, b: Array, left: Array, right: Array) -> Array:
    held = left @ right  # the sum of all T
    sums = _Sums()
    for face in range(0, a.shape[-1], FACE):
        held += sums.add(a[..., face : face + FACE] @ b[..., face : face + FACE, :])
    return np.asarray(FACE * _FP32 * held + TINY)


def _lost_in_bf16(a: Array, b: Array, err: Array, phases: int) -> Array:
    steps, squares, stagnant = (np.zeros(err.shape) for _ in range(3))
    inside = np.zeros(err.shape)
    sums = _Sums()
    for tile in range(0, a.shape[-1], _TILE):
        faces = range(tile, min(tile + _TILE, a.shape[-1]), FACE)
        whole = slice(tile, faces[-1] + FACE)
        sizes = np.abs(a[..., whole]) @ np.abs(b[..., whole, :])
        slack = err + (_LOW_BITS * sizes if phases > 1 else 0.0)
        inside += FACE * _FP32 * sizes
        for face in faces:
            part = a[..., face : face + FACE] @ b[..., face : face + FACE, :]
            held = sums.add(part)
            half = 0.5 * ulp(held + slack, 7)
            # all the later phases of a tile meet it with all of its faces
            count = 1 if face != faces[-1] else 1 + (phases - 1) * len(faces)
            steps += count * half
            squares += count * half**2
            stagnant += np.where(np.abs(part) < half, np.abs(part), 0.0)
            inside += _FP32 * held
    return np.asarray(np.minimum(steps, _DEVIATIONS * np.sqrt(squares) + stagnant) + inside + TINY)


class _Sums:
    """The sum up to each face, and how far it is from those before it."""

    def __init__(self) -> None:
        self._total: Array = np.zeros(())
        self._least: Array = np.zeros(())
        self._most: Array = np.zeros(())

    def add(self, part: Array) -> Array:
        """``p_f`` of the face with that sum."""
        self._total = self._total + part
        far = np.maximum(self._total - self._least, self._most - self._total)
        self._least, self._most = np.minimum(self._least, self._total), np.maximum(self._most, self._total)
        return np.asarray(far)


def lost_on_the_way(data: Array) -> Array:
    """What a float32 tensor [...] loses where DST is bfloat16: exactly, since what is read is known.

    The unpacker truncates to tf32 (10 bits of mantissa; ``_TF32`` of SrcA and SrcB), and DST rounds to nearest even, to
    7 bits: ``round(truncate(x))``. The matrix engine reads the tf32 value itself. The loss is the larger of the two, at
    most ``ulp_7 / 2 + ulp_10``, and 0 for what has no more than 7 bits. There is no path around the truncation:
    unpacking straight into DST needs one of 32 bits.
    """
    single = np.asarray(data, np.float32)
    read = (single.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    held = round_to(read, "bfloat16")
    with np.errstate(invalid="ignore"):
        gaps = [np.abs(v.astype(np.float64) - data) for v in (read, held)]
    lost = np.maximum(*(np.where(np.isfinite(gap), gap, 0.0) for gap in gaps))
    return np.asarray(lost + np.where(lost > 0, TINY, 0.0))
