"""What the reference allows a matmul and a float32 input to lose: what the engine loses, and no defect beyond it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from numerics_library import Numerics

from tt_build.emulator.formats import round_to
from tt_build.verify import Math, Ref, compare, evaluate
from tt_build.verify.accumulation import lost_on_the_way

FIDELITIES = ["LoFi", "HiFi2", "HiFi3", "HiFi4"]
MODES = [Math(fidelity=fidelity, fp32_accumulate=fp32) for fidelity in FIDELITIES for fp32 in (True, False)]
FACE, TILE = 16, 32


def device(num: Numerics, a: np.ndarray, b: np.ndarray, mode: Math) -> np.ndarray:
    """The engine's product of (32, K) and (K, 32)."""
    dst = np.zeros((32, 32), np.float32)
    for k in range(0, a.shape[1], TILE):
        left, right = num.to_src(a[:, k : k + TILE]), num.to_src(b[k : k + TILE])
        level = FIDELITIES.index(mode.fidelity)
        dst, _ = num.matmul(left, right, dst, fidelity=level, fp32=mode.fp32_accumulate)
    return dst


def reference(a: np.ndarray, b: np.ndarray, mode: Math) -> Ref:
    dtypes = {"a": "bfloat16", "b": "bfloat16", "Y": "float32"}
    return evaluate("Y = a @ b", {"a": a, "b": b}, dtypes=dtypes, outputs={"Y": (32, 32)}, math=mode)["Y"]


def normal(rng: np.random.Generator, length: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = rng.standard_normal((32, length)), rng.standard_normal((length, 32))
    return round_to(a, "bfloat16"), round_to(b, "bfloat16")


def waves(rng: np.random.Generator, length: int, period: int, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Products that add up for half of each period and cancel in the other, beside small ones."""
    a, b = normal(rng, length)
    up = np.where(np.arange(length) % period < period // 2, height, -height)
    return np.concatenate([a * 0.01, np.broadcast_to(up, (32, length))[:, : length - length % period]], axis=1), (
        np.concatenate([b * 0.01, np.ones((length - length % period, 32), b.dtype)])
    )


def whole_tiles(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    a, b = pair
    missing = -a.shape[1] % TILE
    return (
        round_to(np.pad(a, ((0, 0), (0, missing))), "bfloat16"),
        round_to(np.pad(b, ((0, missing), (0, 0))), "bfloat16"),
    )


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("period", [4, 16, 32, 96, 192])
def test_sums_that_grow_and_cancel_between_two_looks(
    num: Numerics, rng: np.random.Generator, mode: Math, period: int
) -> None:
    """Inside a face, from one to the next, and within the 96 elements that the reference once stepped by."""
    a, b = whole_tiles(waves(rng, 768, period, 1000.0))
    ref = reference(a, b, mode)
    error = np.abs(device(num, a, b, mode) - ref.value)
    assert (error <= ref.bound).all(), (error / ref.bound).max()


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("value", [1.0, 1.0546875, 1.9921875])
def test_sums_that_no_longer_move(num: Numerics, mode: Math, value: float) -> None:
    """Long sums of one sign: in a bfloat16 DST a face becomes too small to change anything."""
    a = np.full((32, 16384), value, np.float32)
    b = np.ones((16384, 32), np.float32)
    ref = reference(a, b, mode)
    error = np.abs(device(num, a, b, mode) - ref.value)
    assert (error <= ref.bound).all(), (error / ref.bound).max()


@pytest.mark.parametrize("length", [32, 704, 2048])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_bound_is_not_idle(num: Numerics, rng: np.random.Generator, mode: Math, length: int) -> None:
    """The worst of 1,024 random elements takes a good part of it."""
    a, b = normal(rng, length)
    ref = reference(a, b, mode)
    share = (np.abs(device(num, a, b, mode) - ref.value) / ref.bound).max()
    least = 0.15 if not mode.fp32_accumulate or mode.fidelity in ("LoFi", "HiFi2") else 0.004
    assert least < share <= 1, share


def truncating(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A DST that truncates to bfloat16 where it should round."""
    dst = np.zeros((32, 32), np.float32)
    for k in range(0, a.shape[1], FACE):
        dst = dst + (a[:, k : k + FACE] @ b[k : k + FACE]).astype(np.float32)
        dst = (dst.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return dst


@pytest.mark.parametrize(("length", "faces"), [(128, 1), (704, 1), (4096, 8)])
def test_missing_faces_are_caught(num: Numerics, rng: np.random.Generator, length: int, faces: int) -> None:
    """In a bfloat16 DST; of 256 faces it loses more than one of them is worth."""
    mode = Math(fidelity="HiFi4", fp32_accumulate=False)
    a, b = normal(rng, length)
    ref = reference(a, b, mode)
    assert compare(device(num, a, b, mode), ref).ok
    short = a.copy()
    short[:, -faces * FACE :] = 0
    assert not compare(device(num, short, b, mode), ref).ok
    more = np.concatenate([a, a[:, : faces * TILE]], axis=1), np.concatenate([b, b[: faces * TILE]])
    assert not compare(device(num, *more, mode), ref).ok


def test_a_dst_that_truncates_is_caught(num: Numerics, rng: np.random.Generator) -> None:
    """Its losses all have one sign, so that they grow as the number of faces and not as its root."""
    mode = Math(fidelity="HiFi4", fp32_accumulate=False)
    a, b = (np.abs(x) for x in normal(rng, 4096))
    ref = reference(a, b, mode)
    assert compare(device(num, a, b, mode), ref).bad == 0
    assert compare(truncating(a, b), ref).bad > 0


def test_a_lower_fidelity_or_dst_is_caught(num: Numerics, rng: np.random.Generator) -> None:
    a, b = normal(rng, 704)
    declared = Math(fidelity="HiFi4", fp32_accumulate=True)
    ref = reference(a, b, declared)
    for mode in MODES:
        if mode.fidelity in ("LoFi", "HiFi2") or not mode.fp32_accumulate:
            assert not compare(device(num, a, b, mode), ref).ok, mode


def test_float32_on_its_way_to_a_bfloat16_dst(num: Numerics, rng: np.random.Generator) -> None:
    x = (rng.standard_normal((32, 32)) * 2.0 ** rng.integers(-40, 40, (32, 32))).astype(np.float32)
    x[0] = round_to(x[0], "bfloat16")
    read = num.to_src(x)
    held = num.round_dst(read, fp32=False)
    allowed = lost_on_the_way(x.astype(np.float64))
    assert (allowed[0] == 0).all()
    worst = np.maximum(np.abs(read.astype(float) - x), np.abs(held.astype(float) - x))
    np.testing.assert_allclose(allowed, worst, rtol=1e-12, atol=2.0**-126)
    _, exponent = np.frexp(x)
    assert (allowed <= np.ldexp(1.0, exponent - 9) + np.ldexp(1.0, exponent - 11)).all()
    # the defects just beyond: truncated where DST rounds, and the tf32 value rounded up where it is truncated
    cut = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert (np.abs(cut.astype(float) - x) > allowed).mean() > 0.3
    twice = x.astype(ml_dtypes.bfloat16).astype(np.float32) * np.float32(1 + 2**-7)
    assert (np.abs(twice.astype(float) - x) > allowed)[1:].mean() > 0.5


def test_a_defect_of_a_float32_input_is_caught(rng: np.random.Generator) -> None:
    x = rng.standard_normal((32, 32)).astype(np.float32)
    mode = Math(fp32_accumulate=False)
    ref = evaluate("Y = x", {"x": x}, dtypes={"x": "float32", "Y": "float32"}, outputs={"Y": (32, 32)}, math=mode)["Y"]
    tf32 = (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    assert compare(round_to(tf32, "bfloat16"), ref).ok
    cut = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    assert not compare(cut, ref).ok
