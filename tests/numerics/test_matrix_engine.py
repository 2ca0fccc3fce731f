"""Matrix engine: fidelity phases, DST rounding, broadcasts, reductions, NaN and poison rules, against NumPy."""

import ml_dtypes
import numpy as np
import pytest
from numerics_library import Numerics

LOFI, HIFI2, HIFI3, HIFI4 = range(4)


def keep(x: np.ndarray, bits: int) -> np.ndarray:
    """x with that many bits of mantissa, truncated."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFFFF << (23 - bits) & 0xFFFFFFFF)).view(np.float32)


def bf16(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def phases(a: np.ndarray, b: np.ndarray, fidelity: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(SrcA part, SrcB part) of each phase."""
    low_a, low_b = keep(a, 9) - keep(a, 4), keep(b, 10) - keep(b, 6)
    order = [(keep(a, 4), keep(b, 6)), (low_a, keep(b, 6)), (keep(a, 4), low_b), (low_a, low_b)]
    return order[: fidelity + 1]


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    a, b = (rng.standard_normal((32, 32)).astype(np.float32) for _ in range(2))
    return bf16(a), bf16(b)


def test_to_src_truncates_and_flushes(num: Numerics, rng: np.random.Generator) -> None:
    x = rng.integers(0, 2**32, (32, 32), dtype=np.uint32).view(np.float32)
    x[0, :3] = [1e-40, -1e-40, 1.2e-38]
    want = np.where((x.view(np.uint32) & 0x7F800000) == 0, np.copysign(np.float32(0), x), keep(x, 10))
    np.testing.assert_array_equal(num.to_src(x).view(np.uint32), want.astype(np.float32).view(np.uint32))


def test_round_dst(num: Numerics, rng: np.random.Generator) -> None:
    x = rng.standard_normal((32, 32)).astype(np.float32)
    np.testing.assert_array_equal(num.round_dst(x, fp32=True), x)
    np.testing.assert_array_equal(num.round_dst(x, fp32=False), bf16(x))


@pytest.mark.parametrize("turn", [False, True])
def test_bfloat16_matmul_in_the_documented_order(
    num: Numerics, pair: tuple[np.ndarray, np.ndarray], turn: bool
) -> None:
    a, b = pair
    start = np.full((32, 32), 0.375, np.float32)
    got, _ = num.matmul(a, np.ascontiguousarray(b.T) if turn else b, start, turn=turn)
    want = start.copy()
    for k in range(32):
        want = want + a[:, k : k + 1] * b[k]
    np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(got, start + a.astype(float) @ b, atol=1e-5)


@pytest.mark.parametrize("fidelity", [LOFI, HIFI2, HIFI3, HIFI4])
@pytest.mark.parametrize("fp32", [True, False])
def test_matmul_fidelity(num: Numerics, rng: np.random.Generator, fidelity: int, fp32: bool) -> None:
    a, b = (rng.standard_normal((32, 32)).astype(np.float32) for _ in range(2))
    got, _ = num.matmul(a, b, np.zeros((32, 32), np.float32), fidelity=fidelity, fp32=fp32)
    parts = phases(b, a, fidelity)  # SrcA = in1, SrcB = in0
    if fp32:
        exact = sum(pb.astype(float) @ pa.astype(float) for pa, pb in parts)
        np.testing.assert_allclose(got, exact, atol=4e-6)
        return
    want = np.zeros((32, 32), np.float32)
    for pa, pb in parts:
        for half in (0, 16):
            part = np.zeros((32, 32), np.float32)
            for k in range(half, half + 16):
                part = part + pb[:, k : k + 1] * pa[k]
            want = bf16(want + part)
    np.testing.assert_array_equal(got, want)


def test_fidelity_loses_what_it_says(num: Numerics) -> None:
    one_lsb = np.zeros((32, 32), np.float32)
    one_lsb[0, 0] = 1 + 2**-7
    unit = np.zeros((32, 32), np.float32)
    unit[0, 0] = 1
    zero = np.zeros((32, 32), np.float32)
    assert [float(num.matmul(one_lsb, unit, zero, fidelity=f)[0][0, 0]) for f in range(4)] == [
        1,
        1,
        1 + 2**-7,
        1 + 2**-7,
    ]
    assert [float(num.matmul(unit, one_lsb, zero, fidelity=f)[0][0, 0]) for f in range(4)] == [1, 1 + 2**-7] + [
        1 + 2**-7
    ] * 2


def test_zero_times_nan_is_zero(num: Numerics, pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (x.copy() for x in pair)
    a[:, 20:] = 0
    dirty = b.copy()
    dirty[20:] = np.array([np.nan, np.inf, -np.inf, np.nan] * 8, np.float32)
    b[20:] = 1
    for fp32 in (True, False):
        zero = np.zeros((32, 32), np.float32)
        np.testing.assert_array_equal(num.matmul(a, dirty, zero, fp32=fp32)[0], num.matmul(a, b, zero, fp32=fp32)[0])
    got, _ = num.matmul(np.abs(pair[0]), dirty, np.zeros((32, 32), np.float32))
    assert not np.isnan(got).any()
    assert np.isinf(got).all()


@pytest.mark.parametrize("turn", [False, True])
def test_matmul_poison(num: Numerics, rng: np.random.Generator, turn: bool) -> None:
    a, b = (np.where(rng.random((32, 32)) < 0.4, 0, rng.standard_normal((32, 32))).astype(np.float32) for _ in range(2))
    pa, pb = ((rng.random((32, 32)) < 0.05).astype(np.uint8) for _ in range(2))
    held, masks = (np.ascontiguousarray(b.T), np.ascontiguousarray(pb.T)) if turn else (b, pb)
    pd = np.zeros((32, 32), np.uint8)
    pd[0, 0] = 1
    _, got = num.matmul(a, held, np.zeros((32, 32), np.float32), turn=turn, pa=pa, pb=masks, pd=pd)
    live_a, live_b = (pa != 0) | (a != 0), (pb != 0) | (b != 0)
    want = (pa @ live_b.astype(int) + live_a.astype(int) @ pb + pd) > 0
    np.testing.assert_array_equal(got != 0, want)


@pytest.mark.parametrize("bcast", range(4))
@pytest.mark.parametrize("fp32", [True, False])
@pytest.mark.parametrize("op", range(3))
def test_eltwise(num: Numerics, rng: np.random.Generator, op: int, bcast: int, fp32: bool) -> None:
    a, b, old = (rng.standard_normal((32, 32)).astype(np.float32) for _ in range(3))
    old = old if fp32 else bf16(old)
    other = np.broadcast_to([b, b[:1], b[:, :1], b[:1, :1]][bcast], (32, 32)).astype(np.float32)
    rounded = (lambda x: x) if fp32 else bf16
    x, y = keep(a, 10), keep(other, 10)
    for acc in (False, True):
        got, _ = num.eltwise(op, bcast, a, b, old, fp32=fp32, acc=acc)
        if op < 2:
            result = x + y if op == 0 else x - y
            want = rounded(old + result if acc else result)
        elif fp32:
            want = old + keep(a, 9) * y
        else:
            want = old
            for pa, pb in phases(x, y, HIFI4):
                want = bf16(want + pa * pb)
        np.testing.assert_array_equal(got, want)


def test_eltwise_poison(num: Numerics) -> None:
    a, b = np.ones((32, 32), np.float32), np.ones((32, 32), np.float32)
    pa = np.zeros((32, 32), np.uint8)
    pa[0] = 1
    b[0, :16] = 0
    added, multiplied = (num.eltwise(op, 0, a, b, pa=pa)[1] for op in (0, 2))
    assert added.sum() == 32
    assert multiplied.sum() == 16  # a clean zero cleans


def scaler(value: float, *, columns: int = 32) -> np.ndarray:
    """Row 0 of every face filled; beyond ``columns`` zero."""
    tile = np.zeros((32, 32), np.float32)
    tile[0, :columns] = tile[16, :columns] = value
    return tile


@pytest.mark.parametrize("fidelity", [LOFI, HIFI4])
@pytest.mark.parametrize("fp32", [True, False])
def test_sums(num: Numerics, pair: tuple[np.ndarray, np.ndarray], fidelity: int, fp32: bool) -> None:
    x = np.abs(pair[0])
    tolerance = {"rtol": 1e-6 if fp32 else 2e-2}
    rows, _ = num.reduce(0, 0, x, scaler(1.0), fidelity=fidelity, fp32=fp32)
    in_b, in_a = (x, x) if fidelity == HIFI4 else (keep(x, 6), keep(x, 4))
    np.testing.assert_allclose(rows[:, 0], in_b.sum(1), **tolerance)
    columns, _ = num.reduce(1, 1, x, scaler(1 / 32), fidelity=fidelity, fp32=fp32)
    np.testing.assert_allclose(columns[0], in_a.mean(0), **tolerance)
    assert not rows[:, 1:].any()
    assert not columns[1:].any()
    both, _ = num.reduce(0, 2, x, scaler(0.5), fidelity=HIFI4, fp32=fp32)
    np.testing.assert_allclose(both[0, 0], x.sum() / 4, rtol=2e-3 if fp32 else 2e-2)
    again, _ = num.reduce(0, 0, x, scaler(1.0), fidelity=fidelity, fp32=fp32, first=False, dst=rows)
    np.testing.assert_allclose(again[:, 0], 2 * in_b.sum(1), **tolerance)


def test_partial_scaler_hides_poison(num: Numerics, pair: tuple[np.ndarray, np.ndarray]) -> None:
    x = pair[0].copy()
    poison = np.zeros((32, 32), np.uint8)
    poison[:, 20:] = 1
    x[:, 20:] = np.nan
    got, left = num.reduce(0, 0, x, scaler(1.0, columns=20), pi=poison)
    np.testing.assert_allclose(got[:, 0], x[:, :20].sum(1), atol=1e-5)
    assert not left.any()
    _, left = num.reduce(0, 0, x, scaler(1.0), pi=poison)
    assert left[:, 0].all()


@pytest.mark.parametrize("dim", range(3))
def test_max(num: Numerics, pair: tuple[np.ndarray, np.ndarray], dim: int) -> None:
    x = -bf16(np.abs(pair[0]) + 1)  # a DST that were 0 and not -inf would win
    place = [(slice(None), 0), (0, slice(None)), (0, 0)][dim]
    want = [x.max(1), x.max(0), x.max()][dim]
    got, _ = num.reduce(2, dim, x, scaler(1.0))
    np.testing.assert_array_equal(got[place], want)
    higher, _ = num.reduce(2, dim, x + np.float32(0.5), scaler(1.0), first=False, dst=got)
    np.testing.assert_array_equal(higher[place], want + np.float32(0.5))
    kept, _ = num.reduce(2, dim, x - np.float32(9), scaler(1.0), first=False, dst=got)
    np.testing.assert_array_equal(kept[place], want)
