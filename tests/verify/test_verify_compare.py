"""The comparison: nothing wrong passes, nothing right fails."""

import json

import msgspec
import numpy as np
import pytest

from tt_build.verify import Ref, Tolerance, compare


def ref(value: np.ndarray, bound: float = 1e-3, wide: float | np.ndarray | None = None, dtype: str = "float32") -> Ref:
    low = np.full(value.shape, bound)
    return Ref(value, low, np.maximum(low, low if wide is None else wide), dtype)


@pytest.fixture
def value() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((40, 70))


def test_what_is_equal_passes(value: np.ndarray) -> None:
    result = compare(value.astype(np.float32), ref(value))
    assert result.ok
    assert result.pcc == pytest.approx(1)
    assert result.discontinuous == 0
    assert result.first_bad is None
    assert result.tolerance.kind == "bound"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 0.5])
def test_one_bad_element_is_found_with_its_tile_and_core(value: np.ndarray, wrong: float) -> None:
    got = value.astype(np.float32)
    got[33, 65] = wrong
    got[34, 1] = wrong
    result = compare(got, ref(value), core_of=lambda tile: (tile[1] + 10, tile[0]))
    assert not result.ok
    assert result.bad == 2
    bad = result.first_bad
    assert bad is not None
    assert (bad.index, bad.tile, bad.core) == ((33, 65), (1, 2), (12, 1))
    assert bad.expected == value[33, 65]
    assert "2 of 2800" in result.reason
    json.loads(msgspec.json.encode(result))
    if not np.isfinite(wrong):
        assert result.pcc == 0.0


def test_special_values_in_the_reference() -> None:
    value = np.array([np.inf, -np.inf, np.nan, 1.0])
    fine = [np.inf, -np.inf, np.inf, 1.0]
    assert compare(np.array(fine), ref(value)).ok
    assert compare(np.array([np.inf, -np.inf, np.nan, 1.0]), ref(value)).ok
    for i, wrong in [(0, -np.inf), (0, np.nan), (0, 3e38), (1, np.inf), (2, 0.0), (3, np.nan)]:
        got = np.array(fine)
        got[i] = wrong
        assert not compare(got, ref(value)).ok, (i, wrong)


def test_an_unknown_bound_hides_nothing(value: np.ndarray) -> None:
    unknown = ref(value)
    unknown.bound[0, 0] = unknown.wide[0, 0] = np.nan
    assert "loses all accuracy" in compare(value, unknown).reason
    unknown.bound[0, 0] = unknown.wide[0, 0] = np.inf
    assert "loses all accuracy" in compare(value, unknown).reason


def test_constants_have_no_correlation() -> None:
    constant = np.full((32, 32), 3.0)
    assert compare(constant, ref(constant)).pcc == 1.0
    assert compare(constant + 1e-4, ref(constant)).ok
    rounded = constant + np.random.default_rng(0).uniform(-1e-4, 1e-4, constant.shape)
    assert compare(rounded, ref(constant)).ok
    assert compare(constant + 1, ref(constant)).pcc == 0.0
    assert compare(np.zeros((4, 4)), ref(np.zeros((4, 4)))).pcc == 1.0
    varying = np.arange(16.0).reshape(4, 4)
    assert compare(np.full((4, 4), 7.5), ref(varying)).pcc == 0.0


def test_one_per_cent_may_take_the_other_branch(value: np.ndarray) -> None:
    got = value.copy()
    got.reshape(-1)[:28] += 1.0
    result = compare(got, ref(value, wide=1.5))
    assert result.ok
    assert result.discontinuous == 28
    got.reshape(-1)[28] += 1.0
    assert "other branch" in compare(got, ref(value, wide=1.5)).reason
    assert compare(value, ref(value, wide=1.5)).discontinuous == 0


def test_a_spec_tightens_and_loosens_up_to_a_ceiling(value: np.ndarray) -> None:
    got = value + 0.5e-3
    assert compare(got, ref(value)).ok
    assert not compare(got, ref(value), tolerance=Tolerance(atol=1e-4)).ok
    far = value + 5e-3
    assert not compare(far, ref(value)).ok
    loose = compare(far, ref(value), tolerance=Tolerance(atol=6e-3))
    assert loose.ok
    assert loose.tolerance.kind == "spec"
    assert loose.tolerance.capped == 0
    capped = compare(value + 0.02, ref(value), tolerance=Tolerance(atol=1.0))
    assert not capped.ok
    assert capped.tolerance.capped == value.size
    assert capped.tolerance.max_abs == pytest.approx(1e-2)


def test_correlation_is_asked_for(value: np.ndarray) -> None:
    noise = np.random.default_rng(2).standard_normal(value.shape)
    assert "PCC" in compare(value + noise, ref(value, 10.0), tolerance=Tolerance(pcc=0.99)).reason
    # A bound as large as the values proves nothing by itself.
    assert "PCC" in compare(noise, ref(value, 10.0)).reason


def test_variation_below_the_dtypes_steps_is_not_asked_for() -> None:
    value = 1.0 + 1e-4 * np.random.default_rng(3).standard_normal((32, 32))
    result = compare(np.ones((32, 32)), ref(value, 2.0**-8, dtype="bfloat16"))
    assert result.ok
    assert result.pcc < 0.5


def test_integers_are_exact() -> None:
    value = np.arange(12).reshape(3, 4)
    exact = Ref(value, np.zeros((3, 4)), np.zeros((3, 4)), "int32")
    assert compare(value.astype(np.int32), exact).ok
    off = value.astype(np.int32)
    off[2, 3] += 1
    result = compare(off, exact)
    assert not result.ok
    assert result.max_ulp_error == 1.0


def test_ulp_of_each_dtype() -> None:
    value = np.array([[1.0, 4.0]])
    for dtype, step in (("bfloat16", 2.0**-7), ("float32", 2.0**-23), ("bfloat8_b", 2.0**-4), ("bfloat4_b", 1.0)):
        result = compare(value + np.array([[step, 0.0]]), ref(value, 10.0, dtype=dtype), tolerance=Tolerance(pcc=-1.0))
        assert result.max_ulp_error == pytest.approx(1.0), dtype


def test_an_ulp_beside_zero_is_measured_at_the_outputs_scale() -> None:
    value = np.array([[1.0, -1.0, 1e-40, 1.0]])
    result = compare(value + np.array([[0.0, 0.0, 2.0**-16, 0.0]]), ref(value, 1e-3, dtype="bfloat16"))
    assert result.ok
    assert 0.5 <= result.max_ulp_error <= 2.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shape"):
        compare(np.zeros((2, 3)), ref(np.zeros((3, 2))))


def test_a_constant_result_is_no_correlation_where_the_reference_varies() -> None:
    """However loose the bound is: zeros beside sums of either sign, every one of them within it."""
    value = np.random.default_rng(1).standard_normal((64, 1)) * 90
    result = compare(np.zeros((64, 1)), ref(value, 400.0))
    assert (result.bad, result.pcc) == (0, 0.0)
    assert "PCC" in result.reason
    close = 1.0 + np.linspace(0, 1e-6, 64).reshape(64, 1)  # what bfloat16 cannot tell apart
    assert compare(np.ones((64, 1)), ref(close, 0.01, dtype="bfloat16")).ok
