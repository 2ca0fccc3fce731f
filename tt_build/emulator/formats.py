"""Tensors as the device holds them: tiles in face order, block-float formats, adversarial padding.

``to_device`` and ``from_device`` convert whole tensors; leading dimensions are batches of matrices. A tile of 32 x 32
is four faces of 16 x 16 (0: rows 0-15, columns 0-15; 1: columns 16-31; 2: rows 16-31; 3), each row-major. A block-float
tile holds 64 shared exponents (one per face row of 16 elements), then the codes: sign and 7 (bfloat8_b) or 3
(bfloat4_b) bits of magnitude, two bfloat4_b codes a byte, the first in the low nibble. Rounding is that of the SDK's
host code: aligned to the largest exponent by truncation, then half up and saturated; bfloat16 rounds to nearest even.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tt_build.targets.dtypes import DTYPES, DType

Array = NDArray[Any]

POISON_LOW_NIBBLE = 0x40
POISON_HIGH_NIBBLE = 0x80

_NATIVE: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "int32": np.int32,
    "uint32": np.uint32,
    "uint16": np.uint16,
}
_MAGNITUDE_BITS = {"bfloat8_b": 7, "bfloat4_b": 3}
_HOSTILE = np.array([np.nan, np.inf, -np.inf, 3.0e38, -3.0e38, 1.0e-30, -7.0], np.float32)


def to_device(array: Array, dtype: str, *, padded_shape: Sequence[int], fmt: str = "tile", fill: int = 0) -> bytes:
    """The bytes of ``array`` on the device, padded to ``padded_shape`` with a pattern that ``fill`` seeds.

    Floats are padded with NaN, infinities and huge and small numbers. A block-float block that holds both values and
    padding is padded with finite numbers no larger than its values, so that its exponent stays. ``fmt`` is ``tile``, or
    ``row_major`` (rows one after the other, no page alignment; not for block-float). ValueError where shapes disagree.
    """
    return device_bytes(array, dtype, padded_shape=padded_shape, fmt=fmt, fill=fill).tobytes()


def device_bytes(
    array: Array, dtype: str, *, padded_shape: Sequence[int], fmt: str = "tile", fill: int = 0
) -> NDArray[np.uint8]:
    """``to_device`` as an array, which saves a copy."""
    kind = DTYPES[dtype]
    values, valid = _padded(np.asarray(array), kind, tuple(padded_shape), fill)
    if kind.is_block:
        if fmt == "row_major":
            raise ValueError(f"{dtype} has no row-major form")
        return np.frombuffer(_encode_blocks(_tamed(_tilize(values), _tilize(valid)), dtype), np.uint8)
    native = np.ascontiguousarray(_native(values, kind)).view(f"u{kind.element_bytes}")
    return np.ascontiguousarray(native if fmt == "row_major" else _tilize(native)).reshape(-1).view(np.uint8)


def from_device(
    data: bytes | NDArray[np.uint8], dtype: str, *, shape: Sequence[int], padded_shape: Sequence[int], fmt: str = "tile"
) -> Array:
    """The tensor in those bytes without its padding: float32 for floats, else the dtype's own integers."""
    kind, padded = DTYPES[dtype], _as_matrix(tuple(padded_shape))
    flat = _decode_blocks(data, dtype) if kind.is_block else np.frombuffer(data, f"u{kind.element_bytes}")
    whole = flat.reshape(padded) if fmt == "row_major" else _untilize(flat, padded)
    wanted = _as_matrix(tuple(shape))
    cut = np.ascontiguousarray(whole[tuple(slice(0, n) for n in _aligned(wanted, len(padded)))]).reshape(tuple(shape))
    if kind.name == "bfloat16":
        return (cut.astype(np.uint32) << 16).view(np.float32)
    return cut if kind.is_block else cut.view(_NATIVE[dtype])


def poison_mask(shape: Sequence[int], padded_shape: Sequence[int], dtype: str, fmt: str = "tile") -> bytes:
    """One shadow byte per byte of ``to_device``: nonzero where only padding decides it.

    In bfloat4_b a byte holds two elements: ``POISON_LOW_NIBBLE`` or ``POISON_HIGH_NIBBLE`` where one is padding.
    """
    kind, padded = DTYPES[dtype], _as_matrix(tuple(padded_shape))
    valid = np.zeros(padded, bool)
    valid[tuple(slice(0, n) for n in _aligned(_as_matrix(tuple(shape)), len(padded)))] = True
    if fmt == "row_major":
        return np.repeat(~valid.reshape(-1), kind.element_bytes).astype(np.uint8).tobytes()
    tiles = ~_tilize(valid)
    if not kind.is_block:
        return np.repeat(tiles.reshape(-1), kind.element_bytes).astype(np.uint8).tobytes()
    blocks = tiles.reshape(-1, 64, 16)
    exponents = blocks.all(-1).astype(np.uint8)
    codes = blocks.reshape(-1, 1024).astype(np.uint8)
    if dtype == "bfloat4_b":
        low, high = codes[:, 0::2], codes[:, 1::2]
        codes = np.where(low & high, 1, low * POISON_LOW_NIBBLE | high * POISON_HIGH_NIBBLE).astype(np.uint8)
    return np.concatenate([exponents, codes], axis=1).tobytes()


def round_to(array: Array, dtype: str) -> Array:
    """``array`` as the dtype holds it: float32 for floats (blocks of 16 along the last axis), integers wrapped."""
    kind = DTYPES[dtype]
    if not kind.is_float:
        return np.asarray(array).astype(np.int64).astype(_NATIVE[dtype])
    values = np.asarray(array, np.float32)
    if not kind.is_block:
        return np.asarray(values.astype(_NATIVE[dtype]), np.float32)
    matrix = np.atleast_1d(values)
    width = matrix.shape[-1]
    padded = np.zeros((*matrix.shape[:-1], -(-width // 16) * 16), np.float32)
    padded[..., :width] = matrix
    exponents, codes = _block_codes(padded.reshape(-1, 16), _MAGNITUDE_BITS[dtype])
    decoded = _block_values(exponents, codes, _MAGNITUDE_BITS[dtype]).reshape(padded.shape)
    return np.ascontiguousarray(decoded[..., :width]).reshape(values.shape)


def _as_matrix(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if len(shape) == 1 else shape


def _aligned(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape


def _padded(array: Array, kind: DType, padded_shape: tuple[int, ...], fill: int) -> tuple[Array, NDArray[np.bool_]]:
    """The padded tensor (float32 or int64) and where it holds values."""
    padded = _as_matrix(padded_shape)
    shape = _aligned(_as_matrix(array.shape), len(padded))
    if len(shape) != len(padded) or any(n > m for n, m in zip(shape, padded, strict=True)):
        raise ValueError(f"a tensor of shape {array.shape} does not fit the padded shape {padded_shape}")
    values = array.reshape(shape).astype(np.float32 if kind.is_float else np.int64, copy=False)
    if shape == padded:
        return values, np.ones(padded, bool)
    rng = np.random.default_rng([fill, 0x7A])
    whole: Array = rng.integers(-(2**31), 2**31, padded)
    if kind.is_float:
        whole = _HOSTILE[whole % len(_HOSTILE)]
    inside = tuple(slice(0, n) for n in shape)
    valid = np.zeros(padded, bool)
    valid[inside] = True
    whole[inside] = values
    return whole, valid


def _native(values: Array, kind: DType) -> Array:
    return values.astype(_NATIVE[kind.name])


def _tilize(matrix: Array) -> Array:
    """(..., H, W) -> (tiles, 4 faces, 16, 16), tiles row-major within each matrix."""
    *batch, height, width = matrix.shape
    if height % 32 or width % 32:
        raise ValueError(f"padded shape {matrix.shape} is no multiple of a tile")
    count = int(np.prod(batch, dtype=np.int64))
    split = matrix.reshape(count, height // 32, 2, 16, width // 32, 2, 16)
    faces: Array = split.transpose(0, 1, 4, 2, 5, 3, 6).reshape(-1, 4, 16, 16)
    return faces


def _untilize(flat: Array, padded: tuple[int, ...]) -> Array:
    *batch, height, width = padded
    count = int(np.prod(batch, dtype=np.int64))
    split = flat.reshape(count, height // 32, width // 32, 2, 2, 16, 16)
    matrix: Array = split.transpose(0, 1, 3, 5, 2, 4, 6).reshape(padded)
    return matrix


def _tamed(tiles: Array, valid: Array) -> Array:
    """Padding of each block made finite; where the block holds values too, no larger than they are."""
    blocks, known = tiles.reshape(-1, 16), valid.reshape(-1, 16)
    largest = np.where(known, np.abs(blocks), 0.0).max(axis=1, keepdims=True)
    noise = np.nan_to_num(blocks, nan=-1.0e38, posinf=3.0e38, neginf=-2.0e38)
    inside = np.sign(noise) * largest / (1 + np.arange(16, dtype=np.float32) % 3)
    return np.where(known, blocks, np.where(known.any(axis=1, keepdims=True), inside, noise)).astype(np.float32)


def _block_codes(blocks: Array, width: int) -> tuple[Array, Array]:
    """Shared exponents (n,) and codes (n, 16) of float32 blocks (n, 16); NaN becomes the largest magnitude."""
    raw = np.ascontiguousarray(blocks, np.float32).view(np.uint32)
    exponents = (raw >> 23) & 0xFF
    shared = exponents.max(axis=1)
    shift = np.minimum(shared[:, None] - exponents, 31)
    aligned = ((raw & 0x7FFFFF) | 0x800000) >> shift
    drop = 24 - width
    magnitude = np.minimum((aligned + (1 << (drop - 1))) >> drop, (1 << width) - 1)
    magnitude = np.where(exponents == 0, 0, np.where(exponents == 255, (1 << width) - 1, magnitude))
    sign = np.where((magnitude == 0) | np.isnan(blocks), 0, raw >> 31)
    return shared.astype(np.uint8), (sign << width | magnitude).astype(np.uint8)


def _block_values(exponents: Array, codes: Array, width: int) -> Array:
    magnitude = (codes & ((1 << width) - 1)).astype(np.float64)
    values = np.ldexp(magnitude, exponents.astype(np.int64)[:, None] - 127 - (width - 1))
    values = np.where(values < 2.0**-126, 0.0, values)
    with np.errstate(over="ignore"):  # exponent 255 is beyond float32
        return np.where(codes >> width, -values, values).astype(np.float32)


def _encode_blocks(tiles: Array, dtype: str) -> bytes:
    exponents, codes = _block_codes(tiles.reshape(-1, 16), _MAGNITUDE_BITS[dtype])
    codes = codes.reshape(-1, 1024)
    if dtype == "bfloat4_b":
        codes = codes[:, 0::2] | codes[:, 1::2] << 4
    return np.concatenate([exponents.reshape(-1, 64), codes], axis=1).tobytes()


def _decode_blocks(data: bytes | NDArray[np.uint8], dtype: str) -> Array:
    raw = np.frombuffer(data, np.uint8).reshape(-1, DTYPES[dtype].tile_bytes)
    exponents, codes = raw[:, :64], raw[:, 64:]
    if dtype == "bfloat4_b":
        codes = np.stack([codes & 0xF, codes >> 4], axis=-1)
    return _block_values(exponents.reshape(-1), codes.reshape(-1, 16), _MAGNITUDE_BITS[dtype]).reshape(-1)
