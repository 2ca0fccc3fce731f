"""Inputs: seeded, rounded, each from its own stream, kept to where the expression is defined."""

import numpy as np
import pytest

from tt_build.emulator.formats import round_to
from tt_build.verify import compare, make_inputs, prepare

FLOATS = {"A": ((33, 70), "bfloat16"), "B": ((4, 5), "bfloat8_b"), "C": ((7,), "float32")}


@pytest.mark.parametrize("kind", ["normal", "uniform", "ones"])
def test_inputs_are_reproducible_and_rounded(kind: str) -> None:
    one, again = (make_inputs(FLOATS, kind=kind, seed=3) for _ in range(2))
    other = make_inputs(FLOATS, kind=kind, seed=4)
    for name, (shape, dtype) in FLOATS.items():
        assert one[name].shape == shape
        assert one[name].dtype == np.float32
        np.testing.assert_array_equal(one[name], again[name])
        np.testing.assert_array_equal(one[name], round_to(one[name], dtype))
        assert (kind == "ones") == bool(np.array_equal(one[name], other[name]))


def test_a_new_tensor_changes_no_other() -> None:
    more = make_inputs({"Z": ((3, 3), "float32"), **FLOATS}, seed=3)
    np.testing.assert_array_equal(more["A"], make_inputs(FLOATS, seed=3)["A"])


def test_integers_and_unknown_kinds() -> None:
    ints = make_inputs({"i": ((50, 50), "int32"), "u": ((50, 50), "uint16")}, seed=1)
    assert ints["i"].dtype == np.int32
    assert ints["i"].min() < 0 < ints["i"].max()
    assert ints["u"].dtype == np.uint16
    with pytest.raises(ValueError, match="known: normal"):
        make_inputs({}, kind="odd")


@pytest.mark.parametrize(
    ("compute", "restricted"),
    [
        ("Y = x + y", set()),
        ("Y = log(x) + y", {"x"}),
        ("Y = sqrt(y) * x", {"y"}),
        ("Y = x / sqrt(y) + log(x)", {"x", "y"}),
        ("Y = acos(x) + y", {"x"}),
        ("Y = exp(exp(exp(x) * 2)) + y", {"x"}),
        ("Y = causal(x) + y", set()),
        ("Y = x / y", {"y"}),
    ],
)
def test_domains_are_chosen(compute: str, restricted: set[str]) -> None:
    tensors = {"x": ((64, 64), "bfloat16"), "y": ((64, 64), "bfloat16")}
    ready = prepare(compute, tensors, {"Y": ((64, 64), "bfloat16")}, seed=2)
    if compute != "Y = x / y":  # there a zero may or may not be drawn
        assert set(ready.domains) == restricted
    ref = ready.references["Y"]
    assert compare(round_to(ref.value, "bfloat16"), ref).ok
