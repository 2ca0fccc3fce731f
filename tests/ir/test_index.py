"""Integer expressions: folding keeps the value, printing keeps the meaning."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tt_build.ir.index import Index, ceil_div, dim, evaluate, fold, minimum, num, to_cpp, var

leaves = st.one_of(
    st.integers(0, 9).map(num),
    st.sampled_from(("x", "y")).map(var),
    st.sampled_from((("one", 1), ("four", 4))).map(lambda pair: dim(*pair)),
)
NAMES = {"x": 5, "y": 3}


def _combine(children: st.SearchStrategy[Index]) -> st.SearchStrategy[Index]:
    return st.tuples(st.sampled_from("+*"), children, children).map(lambda t: fold(t[0], t[1], t[2]))


expressions = st.recursive(leaves, _combine, max_leaves=12)


@given(expressions, expressions)
def test_operators_mean_what_they_mean(a: Index, b: Index) -> None:
    x, y = evaluate(a, NAMES), evaluate(b, NAMES)
    assert evaluate(a + b, NAMES) == x + y
    assert evaluate(a * b, NAMES) == x * y
    assert evaluate(minimum(a, b), NAMES) == min(x, y)
    if y:
        assert evaluate(a // b, NAMES) == x // y
        assert evaluate(a % b, NAMES) == x % y
        assert evaluate(ceil_div(a, b), NAMES) == -(-x // y)


@given(expressions, expressions, st.integers(1, 7))
def test_printed_text_has_the_same_value(a: Index, b: Index, c: int) -> None:
    expr = (a + b) * c // (b + 1) + a % (c + (b - b))
    text = re.sub(r"std::min<uint32_t>", "min", to_cpp(expr)).replace("/", "//")
    value = eval(text, {"min": min, "one": 1, "four": 4, **NAMES})
    assert value == evaluate(expr, NAMES)


def test_neutral_elements_vanish() -> None:
    assert to_cpp(var("x") * 1 + 0) == "x"
    assert to_cpp(var("x") * dim("width", 1)) == "x"
    assert to_cpp((var("x") + 1) * dim("width", 8) + var("y")) == "(x + 1) * width + y"
