"""SFPU functions: NumPy meaning, stated bound, determinism; the op table and the C++ table say the same."""

import re

import ml_dtypes
import numpy as np
import pytest
from numerics_library import Numerics

from tt_build.lang.functions import FUNCTIONS, SfpuCall, encode_param

from table_meaning import meaning  # isort: skip

FLOAT_ROWS = sorted(name for name, row in FUNCTIONS.items() if row.float_call is not None)
VALUES = {
    "exponent": 3.0,
    "low": -0.5,
    "high": 0.75,
    "limit": 0.25,
    "value": -2.0,
    "decimals": 1.0,
    "slope": 0.01,
    "bits": 3.0,
}
POSITIVE = {"log", "log2", "log10", "sqrt", "rsqrt", "pow", "xlogy"}
UNIT = {"asin", "acos", "atanh"}


def sdk_name(call: SfpuCall) -> str:
    """The emulator's name of a call: exp_tile<false>({d0}) is exp."""
    return re.sub(r"_tile", "", re.match(r"\w+", call.call).group(0), count=1)  # type: ignore[union-attr]


def arguments(call: SfpuCall, values: dict[str, float], dst: int = 0) -> tuple[int, ...]:
    """What the SDK call gets after the DST indices, DataFormat template first."""
    text = re.sub(r"[{}]", "", call.call)
    formats = {"Int32": 8, "UInt32": 24, "UInt16": 9, "dst": dst}
    found = [formats[f] for f in re.findall(r"DataFormat::(\w+)", text)]
    literal = [int(x, 16) for x in re.findall(r", 0x([0-9a-f]+)u", text)]
    encoded = [int(encode_param(p, values).rstrip("u"), 0) for p in call.params]
    return (*found, *literal, *encoded)


def operands(name: str, rng: np.random.Generator, count: int) -> list[np.ndarray]:
    spread = rng.choice([0.1, 1.0, 4.0], (count, 32, 32))
    tiles = (rng.standard_normal((count, 32, 32)) * spread).astype(ml_dtypes.bfloat16).astype(np.float32)
    if name in POSITIVE:
        tiles = np.abs(tiles) + np.float32(2**-7)
    if name in UNIT:
        tiles = tiles / np.float32(32)
    if name == "acosh":
        tiles = np.abs(tiles) + 1
    if name == "log1p":
        tiles = np.abs(tiles)
    return list(tiles)


def ulp_bf16(y: np.ndarray) -> np.ndarray:
    return np.exp2(np.maximum(np.floor(np.log2(np.maximum(np.abs(y), 2.0**-126))), -126) - 7)


def parameters(name: str) -> dict[str, float]:
    row = FUNCTIONS[name]
    return {p.name: VALUES.get(p.name, 1.0) if p.default is None else p.default for p in row.params} | {"value": -2.0}


@pytest.mark.parametrize("name", FLOAT_ROWS)
def test_function_is_its_meaning_within_its_bound(num: Numerics, rng: np.random.Generator, name: str) -> None:
    row = FUNCTIONS[name]
    call = row.float_call
    assert call is not None
    values = parameters(name)
    tiles = operands(name, rng, row.operands)
    exact = meaning(row.numpy, tiles, values)
    for fp32 in (True, False):
        got = num.sfpu(sdk_name(call), *tiles, params=arguments(call, values, 0 if fp32 else 5), fp32=fp32, seed=3)
        bound = row.bound
        if fp32:
            allowed = np.maximum(bound.rel, 6e-8) * np.abs(exact) + bound.abs
        else:
            exponent = np.abs(tiles[1]) if name == "pow" else abs(values.get("exponent", 0.0))
            allowed = np.maximum(bound.bf16_ulp, 0.5) * ulp_bf16(exact) + bound.exponent_rel * exponent * np.abs(exact)
            allowed = allowed + bound.abs
        finite = np.isfinite(exact)
        error = np.abs(got - exact)[finite]
        worst = np.argmax(error - allowed[finite])
        # Parameters are rounded to fp32 on their way.
        assert (error <= 1.0001 * allowed[finite] + 1e-37).all(), (exact[finite][worst], got[finite][worst])
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_call_is_emulated_within_the_tables_bound(num: Numerics, name: str) -> None:
    row = FUNCTIONS[name]
    for call in row.calls():
        fast = call is row.approx_call
        stated = row.bound_for(approximate=fast)
        have = num.bound(sdk_name(call), approx=fast)
        assert have is not None, f"{call.call} is not emulated"
        wanted = (stated.bf16_ulp, stated.rel, stated.abs, stated.exponent_rel)
        assert all(h <= w * 1.0001 for h, w in zip(have, wanted, strict=True)), (call.call, have, wanted)
        if call is row.float_call and name not in ("add", "sub", "mul"):  # there the number form is the coarser one
            np.testing.assert_allclose(have, wanted, rtol=1e-6)
    for call in (row.float_call,):
        if call is not None and row.approx_bound is not None:
            stated = row.approx_bound
            have = num.bound(sdk_name(row.approx_call or call), approx=True)
            np.testing.assert_allclose(have, (stated.bf16_ulp, stated.rel, stated.abs, stated.exponent_rel), rtol=1e-6)


def test_perturbation_depends_on_value_and_seed_only(num: Numerics, rng: np.random.Generator) -> None:
    x = operands("exp", rng, 1)[0]
    order = rng.permutation(1024)
    shuffled = x.reshape(-1)[order].reshape(32, 32)
    one = num.sfpu("exp", x, seed=1)
    np.testing.assert_array_equal(num.sfpu("exp", shuffled, seed=1).reshape(-1), one.reshape(-1)[order])
    assert (num.sfpu("exp", x, seed=2) != one).mean() > 0.5
    assert len({num.sfpu("exp", np.full((32, 32), 0.3, np.float32), seed=s)[0, 0] for s in range(40)}) > 4
    np.testing.assert_array_equal(num.sfpu("relu", x, seed=1), num.sfpu("relu", x, seed=2))


def test_every_bfloat16_exp(num: Numerics) -> None:
    every = (np.arange(65536, dtype=np.uint32) << 16).view(np.float32).reshape(64, 32, 32)
    with np.errstate(all="ignore"):
        exact = np.exp(np.where(np.abs(every) < 2.0**-126, 0, every).astype(float))
    for x, want in zip(every, exact, strict=True):
        got = num.sfpu("exp", x, fp32=False, seed=5)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        finite = (want < 3.3e38) & (want > 2.0**-125)
        assert (np.abs(got[finite] - want[finite]) <= 1.01 * ulp_bf16(want[finite])).all()
        assert (got[want > 3.5e38] == np.inf).all()
        assert (got[want < 2.0**-127] == 0).all()


@pytest.mark.parametrize("name", [n for n in FLOAT_ROWS if FUNCTIONS[n].operands == 1])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_every_bfloat16_value(num: Numerics, name: str) -> None:
    row, values = FUNCTIONS[name], parameters(name)
    call = row.float_call
    assert call is not None
    every = (np.arange(65536, dtype=np.uint32) << 16).view(np.float32).reshape(64, 32, 32)
    for x in every:
        exact = meaning(row.numpy, [np.where(np.abs(x) < 2.0**-126, np.copysign(0, x), x)], values)
        got = num.sfpu(sdk_name(call), x, params=arguments(call, values, 5), fp32=False, seed=11)
        exponent = abs(values.get("exponent", 0.0))
        allowed = np.maximum(row.bound.bf16_ulp, 0.5) * ulp_bf16(exact) + row.bound.abs
        allowed = allowed + row.bound.exponent_rel * exponent * np.abs(exact)
        finite = np.isfinite(exact) & (np.abs(exact) < 3.3e38)
        assert (np.abs(got - exact)[finite] <= 1.0001 * allowed[finite] + 2.0**-126).all()


@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint16"])
@pytest.mark.parametrize("name", sorted(n for n, r in FUNCTIONS.items() if r.int_calls or r.int_scalar_calls))
def test_integers(num: Numerics, rng: np.random.Generator, name: str, dtype: str) -> None:
    row = FUNCTIONS[name]
    high = {"int32": 2**31, "uint32": 2**32, "uint16": 2**16}[dtype]
    low = -(2**31) if dtype == "int32" else 0
    tiles = [rng.integers(low, high, (32, 32)) for _ in range(row.operands)]
    tiles[0][:, :9] = rng.integers(0, 4, (32, 9))  # equal values, zeros
    if row.operands > 1:
        tiles[1][:, :9] = rng.integers(0, 4, (32, 9))
    values = {"low": -5.0, "high": 3.0, "value": 3.0, "bits": 3.0}
    wrap = {"int32": np.int32, "uint32": np.uint32, "uint16": np.uint16}[dtype]
    tables = [(row.int_calls, tiles)]
    if row.operands == 2:
        number = np.full((32, 32), 3)
        tables += [(row.int_scalar_calls, [tiles[0], number]), (row.int_rscalar_calls, [number, tiles[0]])]
    checked = False
    for index, (table, inputs) in enumerate(tables):
        if dtype not in table:
            continue
        call = table[dtype]
        given = [t.astype(wrap).astype(np.int64).astype(np.uint32) for t in (inputs if index == 0 else [tiles[0]])]
        got = num.sfpu(sdk_name(call), *given, params=arguments(call, values))
        with np.errstate(over="ignore"):
            want = np.asarray(meaning(row.numpy, [t.astype(wrap).astype(np.int64) for t in inputs], values))
        np.testing.assert_array_equal(got.astype(wrap), want.astype(np.int64).astype(wrap))
        checked = True
    assert checked or dtype not in row.int_calls


def test_numbers_as_operands(num: Numerics, rng: np.random.Generator) -> None:
    x = operands("sqrt", rng, 1)[0]
    for row in FUNCTIONS.values():
        for call, number_first in ((row.scalar_call, False), (row.rscalar_call, True)):
            if call is None:
                continue
            got = num.sfpu(sdk_name(call), x, params=arguments(call, {"value": 1.5}))
            number = np.full_like(x, 1.5)
            tiles = [number, np.abs(x)] if number_first else [x, number]
            exact = meaning(row.numpy, tiles, {})
            np.testing.assert_allclose(got, exact, rtol=2e-6, atol=1e-6, err_msg=call.call)


def test_select_and_mask_look_at_the_chosen_side_only(num: Numerics) -> None:
    condition = np.zeros((32, 32), np.float32)
    condition[0] = 1
    yes, no = np.full((32, 32), 2, np.float32), np.full((32, 32), 3, np.float32)
    got = num.sfpu("where", condition, yes, no, params=(0,))
    assert (got[0] == 2).all()
    assert (got[1:] == 3).all()
    poison = np.ones((32, 32), np.uint8)
    got = num.sfpu("mask", np.full((32, 32), np.nan, np.float32), condition, poison=poison)
    assert np.isnan(got[0]).all()
    assert (got[1:] == 0).all()
    assert poison[0].all()
    assert not poison[1:].any()


def test_select_on_minus_zero_is_the_seeds_choice(num: Numerics) -> None:
    condition, one, two = (np.full((32, 32), v, np.float32) for v in (-0.0, 1.0, 2.0))
    seen = {float(num.sfpu("where", condition, one, two, params=(0,), seed=s)[0, 0]) for s in range(20)}
    assert seen == {1.0, 2.0}


def test_typecast(num: Numerics, rng: np.random.Generator) -> None:
    x = (rng.standard_normal((32, 32)) * 1000).astype(np.float32)
    ints = num.sfpu("typecast", x, params=(0, 8)).view(np.int32)
    np.testing.assert_array_equal(ints, np.trunc(x))
    back = num.sfpu("typecast", ints, params=(8, 0)).view(np.float32)
    np.testing.assert_array_equal(back, np.trunc(x))
    short = num.sfpu("typecast", x, params=(0, 5)).view(np.uint32)
    bits = x.view(np.uint32)
    np.testing.assert_array_equal(short, (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000)
    small = num.sfpu("typecast", x, params=(5, 9)).view(np.int32)
    np.testing.assert_array_equal(small, np.clip(np.rint(x), 0, 65535))
