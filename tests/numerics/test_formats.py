"""Formats: NumPy codecs against ml_dtypes and against the emulator's packer and unpacker."""

import ml_dtypes
import numpy as np
import pytest
from numerics_library import Numerics

from tt_build.emulator.formats import from_device, poison_mask, round_to, to_device

FLOATS = ["bfloat16", "float32", "bfloat8_b", "bfloat4_b"]
INTEGERS = ["int32", "uint32", "uint16"]


def test_every_bfloat16_value_goes_through_unpacker_and_packer(num: Numerics) -> None:
    every = np.arange(65536, dtype=np.uint16)
    for start in range(0, 65536, 1024):
        part = every[start : start + 1024]
        tile, poison = num.unpack("bfloat16", part.tobytes())
        data, _ = num.pack("bfloat16", tile)
        want = np.where((part & 0x7FFF) > 0x7F80, 0x7F80, np.where(part == 0x8000, 0, part))
        np.testing.assert_array_equal(np.frombuffer(data, np.uint16), want)
        assert not poison.any()


def test_packer_rounds_to_nearest_even(num: Numerics, rng: np.random.Generator) -> None:
    raw = rng.integers(0, 2**32, 64 * 1024, dtype=np.uint32)
    raw[:4096] = raw[:4096] & 0xFFFF0000 | 0x8000  # ties
    values = raw.view(np.float32)
    values = values[np.isfinite(values)]
    values = np.resize(values, (60, 32, 32))
    for tile in values:
        data, _ = num.pack("bfloat16", tile)
        want = to_device(np.where(tile.astype(ml_dtypes.bfloat16) == 0, 0, tile), "bfloat16", padded_shape=(32, 32))
        assert data == want


@pytest.mark.parametrize("dtype", ["bfloat8_b", "bfloat4_b"])
def test_block_formats_agree(num: Numerics, rng: np.random.Generator, dtype: str) -> None:
    for spread in (0.0, 1.0, 8.0, 16.0):
        tile = (rng.standard_normal((32, 32)) * np.exp2(rng.normal(0, spread, (32, 32)))).astype(np.float32)
        data, _ = num.pack(dtype, tile)
        assert data == to_device(tile, dtype, padded_shape=(32, 32))
        unpacked, _ = num.unpack(dtype, data)
        np.testing.assert_array_equal(unpacked, from_device(data, dtype, shape=(32, 32), padded_shape=(32, 32)))
        np.testing.assert_array_equal(unpacked, round_to(tile, dtype))
        np.testing.assert_array_equal(round_to(unpacked, dtype), unpacked)  # rounding twice changes nothing
        largest = np.abs(tile).reshape(32, 2, 16).max(-1, keepdims=True)
        step = np.exp2(np.floor(np.log2(largest)) - (6 if dtype == "bfloat8_b" else 2))
        assert (np.abs(unpacked - tile).reshape(32, 2, 16) <= step).all()


def test_block_code_by_hand() -> None:
    tile = np.zeros((32, 32), np.float32)
    tile[0, :4] = [1.0, -1.5, 0.0078125, 1.9999]  # 2^-7 is half a step: up; the last saturates
    data = to_device(tile, "bfloat8_b", padded_shape=(32, 32))
    assert data[0] == 127
    assert list(data[64:68]) == [64, 0x80 | 96, 1, 127]


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
@pytest.mark.parametrize("shape", [(5,), (32, 32), (33, 70), (1, 1), (2, 3, 40, 17)])
def test_there_and_back(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    matrix = shape if len(shape) > 1 else (1, *shape)
    padded = (*matrix[:-2], -(-matrix[-2] // 32) * 32, -(-matrix[-1] // 32) * 32)
    array = rng.standard_normal(shape) * 100 if dtype in FLOATS else rng.integers(0, 60000, shape)
    rounded = round_to(array, dtype)
    one, two = (to_device(rounded, dtype, padded_shape=padded, fill=fill) for fill in (1, 2))
    shadow = poison_mask(shape, padded, dtype)
    assert len(shadow) == len(one)
    for data in (one, two):
        np.testing.assert_array_equal(from_device(data, dtype, shape=shape, padded_shape=padded), rounded)
    differs = np.frombuffer(one, np.uint8) != np.frombuffer(two, np.uint8)
    assert not (differs & (np.frombuffer(shadow, np.uint8) == 0)).any()
    if padded != matrix and dtype not in ("uint16",):
        assert differs.any()


def test_row_major_is_plain_numpy(rng: np.random.Generator) -> None:
    array = rng.standard_normal((3, 7)).astype(np.float32)
    assert to_device(array, "float32", padded_shape=(3, 7), fmt="row_major") == array.tobytes()
    back = from_device(array.tobytes(), "float32", shape=(3, 7), padded_shape=(3, 7), fmt="row_major")
    np.testing.assert_array_equal(back, array)
    with pytest.raises(ValueError, match="row-major"):
        to_device(array, "bfloat8_b", padded_shape=(3, 7), fmt="row_major")


def test_face_order() -> None:
    index = np.arange(1024).reshape(32, 32)
    data = np.frombuffer(to_device(index, "int32", padded_shape=(32, 32)), np.int32)
    for r, c in [(0, 0), (0, 16), (15, 31), (16, 0), (17, 20), (31, 31)]:
        assert data[((r // 16) * 2 + c // 16) * 256 + (r % 16) * 16 + c % 16] == index[r, c]


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_poison_follows_the_padding(num: Numerics, dtype: str, rng: np.random.Generator) -> None:
    array = rng.integers(1, 100, (20, 21))
    data = to_device(array, dtype, padded_shape=(32, 32), fill=3)
    tile, poison = num.unpack(dtype, data, poison_mask((20, 21), (32, 32), dtype))
    want = np.ones((32, 32), bool)
    want[:20, :21] = False
    np.testing.assert_array_equal(poison != 0, want)
    np.testing.assert_array_equal(tile[:20, :21], round_to(array, dtype))


def test_packing_poison(num: Numerics) -> None:
    poison = np.zeros((32, 32), np.uint8)
    poison[3, 5] = 1
    tile = np.ones((32, 32), np.float32)
    for dtype, count in (("bfloat16", 2), ("float32", 4), ("bfloat8_b", 17), ("bfloat4_b", 9)):
        data, shadow = num.pack(dtype, tile, poison)
        assert np.count_nonzero(np.frombuffer(shadow, np.uint8)) == count
        _, back = num.unpack(dtype, data, shadow)
        want = poison != 0
        if dtype.endswith("_b"):
            want = want.copy()
            want[3, :16] = True  # the exponent of the whole block may be the poison's
        np.testing.assert_array_equal(back != 0, want)


def test_packer_options(num: Numerics, rng: np.random.Generator) -> None:
    tile = rng.standard_normal((32, 32)).astype(np.float32)
    shape = {"shape": (32, 32), "padded_shape": (32, 32)}
    relu, _ = num.pack("float32", tile, relu=1)
    np.testing.assert_array_equal(from_device(relu, "float32", **shape), np.maximum(tile, 0))
    capped, _ = num.pack("float32", tile, relu=3, threshold=0.5)
    np.testing.assert_array_equal(from_device(capped, "float32", **shape), np.clip(tile, 0, 0.5))
    for mask, kept in (
        (1, (slice(None), slice(0, 1))),
        (2, (slice(0, 1), slice(None))),
        (3, (slice(0, 1), slice(0, 1))),
    ):
        want = np.zeros((32, 32), np.float32)
        want[kept] = tile[kept]
        got, shadow = num.pack("float32", tile, np.ones((32, 32), np.uint8), mask=mask)
        np.testing.assert_array_equal(from_device(got, "float32", **shape), want)
        assert np.count_nonzero(np.frombuffer(shadow, np.uint8)) == 4 * want[kept].size
    old = to_device(tile, "bfloat16", padded_shape=(32, 32))
    summed, _ = num.pack("bfloat16", tile, old=old)
    exact = tile + tile.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(from_device(summed, "bfloat16", **shape), round_to(exact, "bfloat16"))


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        to_device(np.zeros((40, 40)), "float32", padded_shape=(32, 64))
    with pytest.raises(ValueError, match="multiple of a tile"):
        to_device(np.zeros((40, 40)), "float32", padded_shape=(40, 64))
