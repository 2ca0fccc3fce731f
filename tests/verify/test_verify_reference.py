"""The reference: meanings, shapes, refusals, and bounds that hold and are not idle."""

import math

import numpy as np
import pytest

from tt_build.lang.functions import FUNCTIONS
from tt_build.verify import EvaluationError, Math, Ref, evaluate, make_inputs
from tt_build.verify.meanings import BINARY, COMPARISONS, CONTINUOUS, INTEGER, STEPS

SHAPE = (5, 40)


def run(
    compute: str, dtype: str = "float32", mode: Math | None = None, out: tuple[int, ...] = SHAPE, **arrays: object
) -> Ref:
    inputs = {name: np.asarray(a) for name, a in arrays.items()}
    dtypes = dict.fromkeys([*inputs, "Y"], dtype)
    return evaluate(
        compute, inputs, dtypes=dtypes, outputs={"Y": out}, math=mode, sizes={"N": 40}, scalars={"eps": 0.5}
    )["Y"]


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(SHAPE).astype(np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_every_function_of_the_table_has_a_meaning() -> None:
    known = {*CONTINUOUS, *STEPS, *BINARY, *COMPARISONS, *INTEGER, "where", "frac", "hardshrink", "threshold"}
    assert set(FUNCTIONS) - known == set()


@pytest.mark.parametrize("name", sorted(n for n, r in FUNCTIONS.items() if r.float_call is not None))
def test_meaning_is_the_tables(name: str, rng: np.random.Generator) -> None:
    row = FUNCTIONS[name]
    arrays = {n: np.abs(rng.standard_normal(SHAPE)).astype(np.float32) * 0.9 for n in "xyz"[: row.operands]}
    if name not in ("log", "log2", "log10", "sqrt", "rsqrt", "pow", "power", "xlogy", "asin", "acos", "atanh"):
        arrays["x"] = arrays["x"] * 4 - 2
    if name in ("asin", "acos", "atanh"):
        arrays["x"] = np.minimum(arrays["x"], 0.9)
    if name == "acosh":
        arrays["x"] = np.abs(arrays["x"]) + 1
    if name == "log1p":
        arrays["x"] = np.abs(arrays["x"])
    values = {p.name: 1.5 if p.default is None else p.default for p in row.params}
    call = ", ".join([*arrays, *(f"{k}={v}" for k, v in values.items())])
    got = run(f"Y = {name}({call})", **arrays).value
    space = {n: getattr(np, n) for n in dir(np) if not n.startswith("_")}
    space |= {"erf": np.vectorize(math.erf), "erfc": np.vectorize(math.erfc), "round": lambda v, d: np.round(v, int(d))}
    space |= {n: a.astype(float) for n, a in arrays.items()} | values
    np.testing.assert_allclose(got, eval(row.numpy, space), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("text", "numpy"),
    [
        ("x @ y.T", "x @ y.T"),
        ("x + 1", "x + 1"),
        ("2 - x", "2 - x"),
        ("-x * eps + N", "-x * 0.5 + 40"),
        ("x ** 2", "x * x"),
        ("x < y", "(x < y) * 1.0"),
        ("sum(x, axis=-1) * x", "x.sum(1, keepdims=True) * x"),
        ("mean(x, axis=(-2, -1)) + x", "x.mean() + x"),
        ("max(x, axis=-2) - min(x, axis=-1)", "x.max(0, keepdims=True) - x.min(1, keepdims=True)"),
        ("softmax(x, axis=-1)", "np.exp(x) / np.exp(x).sum(1, keepdims=True)"),
        ("softmax(x, axis=-2)", "np.exp(x) / np.exp(x).sum(0, keepdims=True)"),
        ("log_softmax(x, axis=1)", "x - np.log(np.exp(x).sum(1, keepdims=True))"),
        ("slice(x, 1, N // 4, N // 2) * (7 // 2)", "x[:, 10:20] * 3"),
        ("sum(x + y, axis=0)", "(x + y).sum(0, keepdims=True)"),
        ("layernorm(x, 1e-5)", "(x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)"),
        ("rmsnorm(x, eps=1e-5)", "x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5)"),
        ("where(x > y, x, 0)", "np.where(x > y, x, 0)"),
        ("slice(x, axis=-1, start=8, stop=16)", "x[:, 8:16]"),
        ("concat(x, y, axis=-2)", "np.concatenate([x, y])"),
        ("repeat(x, 3, axis=-2)", "np.repeat(x, 3, 0)"),
        ("permute(x, (1, 0))", "x.T"),
        ("split_heads(x, 4)", "np.stack([x[:, h * 10 : h * 10 + 10] for h in range(4)])"),
        ("join_heads(split_heads(x, 4) * 2)", "x * 2"),
        ("sum(split_heads(x, 4), axis=2)", "x.reshape(5, 4, 10).sum(2).T[..., None]"),
        ("sum(join_heads(split_heads(x, 4)), axis=1)", "x.sum(1, keepdims=True)"),
        ("rotate_half(x)", "np.concatenate([-x[:, 20:], x[:, :20]], 1)"),
        ("causal(x)", "np.where(np.tri(5, 40), x, -np.inf)"),
        ("clip(x, -0.5, 0.25)", "np.clip(x, -0.5, 0.25)"),
        ("maximum(x, 0.5)", "np.maximum(x, 0.5)"),
    ],
)
def test_language(text: str, numpy: str, rng: np.random.Generator) -> None:
    x, y = (rng.standard_normal(SHAPE).astype(np.float32) for _ in range(2))
    want = np.asarray(eval(numpy, {"np": np, "x": x.astype(float), "y": y.astype(float)}))
    got = run(f"h = {text}\nY = h", x=x, y=y, out=want.shape)
    np.testing.assert_allclose(got.value, want, rtol=1e-9, atol=1e-9)
    assert np.isfinite(got.bound).all()
    assert (got.bound[np.isfinite(want)] >= 0).all()


def test_batches_and_vectors(rng: np.random.Generator) -> None:
    a, b, v = rng.standard_normal((2, 3, 8, 16)), rng.standard_normal((3, 16, 4)), rng.standard_normal(4)
    got = run("Y = a @ b + v", a=a, b=b, v=v, out=(2, 3, 8, 4))
    np.testing.assert_allclose(got.value, a @ b + v, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Y = nosuch(x)", "unknown function 'nosuch'"),
        ("Y = x @ x", "inner dimensions"),
        ("Y = z", "unknown name 'z'"),
        ("for i in x: pass", "only assignments"),
        ("Y = x[0]", "not of the compute language"),
        ("Y = __import__('os')", "unknown function"),
        ("Y = x.T.real", "not of the compute language"),
        ("h = x", "never assigned"),
        ("Y = sum(x, axis=-1)", "is declared"),
        ("Y = sum(x)", "needs axis"),
        ("Y = sum(x, axis=2)", "axis 2.0 of a tensor of rank 2"),
        ("Y = slice(x, -3, 0, 1)", "of a tensor of rank 2"),
        ("Y = rotate_half(slice(x, -1, 0, 3))", "even last dimension"),
        ("Y = split_heads(x, 7)", r"of \[1, 1, 5, 40\]"),
        ("Y = x // 2", "not of the compute language"),
        ("Y = exp(x, x)", "operands"),
        ("Y = (", "line 1"),
        ("Y = slice(x, -1, 0, 99)", "outside"),
    ],
)
def test_refusals(text: str, message: str, x: np.ndarray) -> None:
    with pytest.raises(EvaluationError, match=message):
        run(text, x=x)


def test_integers_wrap_and_do_not_mix(rng: np.random.Generator) -> None:
    a, b = (rng.integers(-(2**31), 2**31, SHAPE) for _ in range(2))
    got = run("Y = where(a > b, a * b, a - 7)", "int32", a=a, b=b)
    want = np.where(a > b, (a * b).astype(np.int32), (a - 7).astype(np.int32))
    np.testing.assert_array_equal(got.value, want)
    assert not got.wide.any()
    with pytest.raises(EvaluationError, match="no form for int32"):
        run("Y = a / b", "int32", a=a, b=b)
    with pytest.raises(EvaluationError, match="no int32"):
        run("Y = a + 0.5", "int32", a=a, b=b)
    dtypes = {"a": "int32", "x": "float32", "Y": "float32"}
    with pytest.raises(EvaluationError, match="do not mix"):
        evaluate("Y = a + x", {"a": a, "x": a.astype(np.float32)}, dtypes=dtypes, outputs={"Y": SHAPE})


def test_casts(x: np.ndarray) -> None:
    got = run("Y = cast(x, bfloat16)", x=x)
    rounded = (x.view(np.uint32) + 0x7FFF + ((x.view(np.uint32) >> 16) & 1) & 0xFFFF0000).view(np.float32)
    np.testing.assert_array_equal(got.value, rounded)
    ints = evaluate("Y = cast(x * 10, int32)", {"x": x}, dtypes={"x": "float32", "Y": "int32"}, outputs={"Y": SHAPE})[
        "Y"
    ]
    np.testing.assert_array_equal(ints.value, np.rint(x.astype(float) * 10))
    assert set(np.unique(ints.wide)) <= {0.0, 1.0}


def test_bounds_are_of_the_right_size(x: np.ndarray) -> None:
    exact = run("Y = x", x=x)
    assert (exact.bound <= 2.0**-24 * np.abs(x) * 2 + 1e-30).all()
    low = run("Y = exp(x)", "bfloat16", Math(fp32_accumulate=False), x=x)
    relative = low.bound / np.exp(x)
    assert relative.max() < 2.0**-6
    fine = run("Y = exp(x)", "bfloat16", x=x)
    assert (fine.bound < low.bound).all()
    fast = run("Y = exp(x)", "bfloat16", Math(approximate=True), x=x)
    assert (fast.bound > 10 * fine.bound).all()


def test_matmul_bounds_follow_fidelity_and_accumulation(rng: np.random.Generator) -> None:
    inputs = make_inputs({"a": ((32, 256), "bfloat16"), "b": ((256, 32), "bfloat16")})
    largest = {}
    for fidelity in ("LoFi", "HiFi2", "HiFi3", "HiFi4"):
        for fp32 in (True, False):
            dtypes = {"a": "bfloat16", "b": "bfloat16", "Y": "float32"}
            mode = Math(fidelity=fidelity, fp32_accumulate=fp32)
            ref = evaluate("Y = a @ b", inputs, dtypes=dtypes, outputs={"Y": (32, 32)}, math=mode)["Y"]
            largest[fidelity, fp32] = ref.bound.max()
    assert largest["HiFi4", True] < 256 * 2.0**-23 * 100  # n roundings of partial sums below 100
    assert largest["HiFi4", True] < largest["HiFi3", True] < largest["HiFi2", True] < largest["LoFi", True]
    assert largest["HiFi4", True] < largest["HiFi4", False] < 40


def test_a_branch_within_the_error_may_go_either_way() -> None:
    x = np.full(SHAPE, 1.0, np.float32)
    x[0, 0] = 3.0
    ref = run("h = exp(x) / exp(x)\nY = where(h > 1, 5.0, x)", "bfloat16", x=x)
    assert ref.discontinuous.all()
    assert (ref.bound < 0.1).all()
    assert ref.wide[1, 1] >= 4.0
    sure = run("Y = where(x > 2, 5.0, x)", "bfloat16", x=x)
    assert not sure.discontinuous.any()
    floor = run("Y = floor(x * 0.3 + 0.7)", "bfloat16", x=x)
    assert floor.discontinuous[1, 1]
    assert floor.wide[1, 1] >= 1.0


def test_overflow_is_an_infinity(x: np.ndarray) -> None:
    assert np.isposinf(run("Y = exp(x * 0 + 100)", x=x).value).all()
    assert np.isposinf(run("Y = x * 0 + 3.4e38", "bfloat16", x=x).value).all()


def test_an_unbounded_error_is_said(x: np.ndarray) -> None:
    ref = run("Y = 1 / (exp(x) - exp(x))", "bfloat16", x=x)
    assert not np.isfinite(ref.wide).any()
