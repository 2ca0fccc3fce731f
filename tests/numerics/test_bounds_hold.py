"""The reference's bounds hold for what the emulated device makes of the same expression, however it perturbs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numerics_library import Numerics

from tt_build.emulator.formats import from_device, round_to
from tt_build.lang.functions import FUNCTIONS, encode_param
from tt_build.verify import Math, Ref, compare, evaluate

FIDELITIES = ["LoFi", "HiFi2", "HiFi3", "HiFi4"]
UNARY = {
    "exp": "exp",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "gelu": "gelu",
    "silu": "silu",
    "relu": "relu",
    "abs": "abs",
    "square": "square",
    "sin": "sin",
    "floor": "floor",
    "sign": "sign",
    "softsign": "softsign",
    "erf": "erf",
}
BINARY = {"add": ("+", "add_binary", 0), "sub": ("-", "sub_binary", 1), "mul": ("*", "mul_binary", 2)}


class Device:
    """Runs an expression tree on tiles as a kernel would: DST precision, either engine, perturbed."""

    def __init__(self, num: Numerics, mode: Math, seed: int) -> None:
        self.num = num
        self.mode = mode
        self.seed = seed
        self.fidelity = FIDELITIES.index(mode.fidelity)
        self.fp32 = mode.fp32_accumulate

    def run(self, tree: object, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if isinstance(tree, str):
            return inputs[tree]
        operands = [self.run(t, inputs) for t in tree[2:]]  # type: ignore[index]
        name, on_fpu = tree[0], tree[1]  # type: ignore[index]
        if name in UNARY:
            return self.sfpu(UNARY[name], *operands)
        if name == "where":
            taken = self.sfpu("gt_binary", operands[0], operands[1])
            return self.num.sfpu("where", taken, operands[2], operands[3], params=(0,), fp32=self.fp32)
        _, sfpu, fpu = BINARY[name]
        if on_fpu:
            return self.num.eltwise(fpu, 0, *operands, fidelity=self.fidelity, fp32=self.fp32)[0]
        return self.sfpu(sfpu, *operands)

    def sfpu(self, name: str, *operands: np.ndarray, params: tuple[int, ...] = ()) -> np.ndarray:
        return self.num.sfpu(name, *operands, params=params, fp32=self.fp32, seed=self.seed)


def text(tree: object) -> str:
    if isinstance(tree, str):
        return tree
    name, operands = tree[0], [text(t) for t in tree[2:]]  # type: ignore[index]
    if name == "where":
        return f"where({operands[0]} > {operands[1]}, {operands[2]}, {operands[3]})"
    return f"({f' {BINARY[name][0]} '.join(operands)})" if name in BINARY else f"{name}({operands[0]})"


def trees(children: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.just(False), children),
        st.tuples(st.sampled_from(sorted(BINARY)), st.booleans(), children, children),
        st.tuples(st.just("where"), st.just(False), children, children, children, children),
    )


EXPRESSIONS = st.recursive(st.sampled_from(["x", "y"]), trees, max_leaves=12)


def packed(num: Numerics, tile: np.ndarray, dtype: str) -> np.ndarray:
    data, _ = num.pack(dtype, tile)
    return from_device(data, dtype, shape=(32, 32), padded_shape=(32, 32))


def assert_within(got: np.ndarray, ref: Ref, what: str) -> None:
    unknown = ~np.isfinite(ref.wide) & np.isfinite(ref.value)
    result = compare(np.where(unknown, ref.value, got), Ref(ref.value, np.where(unknown, 0, ref.bound),
                     np.where(unknown, 0, ref.wide), ref.dtype))  # fmt: skip
    assert result.bad == 0, f"{what}: {result}"


def check_random(num: Numerics, tree: object, fidelity: str, fp32: bool, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    inputs = {name: round_to(rng.standard_normal((32, 32)) * 2, "bfloat16") for name in "xy"}
    mode = Math(fidelity=fidelity, fp32_accumulate=fp32)
    dtypes = {"x": "bfloat16", "y": "bfloat16", "Y": dtype}
    compute = f"Y = {text(tree)}"
    ref = evaluate(compute, inputs, dtypes=dtypes, outputs={"Y": (32, 32)}, math=mode)["Y"]
    got = packed(num, Device(num, mode, seed).run(tree, inputs), dtype)
    assert_within(got, ref, f"{compute} under {mode}")


CASES = st.tuples(
    EXPRESSIONS,
    st.sampled_from(FIDELITIES),
    st.booleans(),
    st.integers(0, 99),
    st.sampled_from(["bfloat16", "float32", "bfloat8_b"]),
)
COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(COMMON, max_examples=200, derandomize=True)
@given(CASES)
def test_random_expressions(num: Numerics, case: Any) -> None:
    check_random(num, *case)


@pytest.mark.long
@settings(COMMON, max_examples=20000)
@given(CASES)
def test_many_random_expressions(num: Numerics, case: Any) -> None:
    check_random(num, *case)


def scaler() -> np.ndarray:
    tile = np.zeros((32, 32), np.float32)
    tile[0] = tile[16] = 1
    return tile


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("fp32", [True, False])
@pytest.mark.parametrize("out", ["bfloat16", "float32"])
def test_softmax_and_rmsnorm(num: Numerics, rng: np.random.Generator, fidelity: str, fp32: bool, out: str) -> None:
    mode = Math(fidelity=fidelity, fp32_accumulate=fp32)
    x = round_to(rng.standard_normal((32, 32)) * 2, "bfloat16")
    device, level = Device(num, mode, 5), FIDELITIES.index(fidelity)
    options = {"fidelity": level, "fp32": fp32}

    def spilled(tile: np.ndarray) -> np.ndarray:
        return packed(num, tile, "float32" if fp32 else "bfloat16")

    top = spilled(num.reduce(2, 0, x, scaler(), **options)[0])
    powers = spilled(device.sfpu("exp", num.eltwise(1, 2, x, top, **options)[0]))
    total = spilled(device.sfpu("recip", num.reduce(0, 0, powers, scaler(), **options)[0]))
    got = packed(num, num.eltwise(2, 2, powers, total, **options)[0], out)
    ref = evaluate("Y = softmax(x)", {"x": x}, dtypes={"x": "bfloat16", "Y": out}, outputs={"Y": (32, 32)}, math=mode)[
        "Y"
    ]
    assert_within(got, ref, "softmax")
    assert ref.bound.max() < (0.01 if fidelity == "HiFi4" and fp32 else 0.5)

    squares = spilled(num.eltwise(2, 0, x, x, **options)[0])
    mean = device.sfpu("mul_unary", num.reduce(0, 0, squares, scaler(), **options)[0], params=(0x3D000000,))
    root = spilled(device.sfpu("rsqrt", device.sfpu("add_unary", mean, params=(0x3727C5AC,))))
    got = packed(num, num.eltwise(2, 2, x, root, **options)[0], out)
    compute = "Y = rmsnorm(x, 1e-5)"
    ref = evaluate(compute, {"x": x}, dtypes={"x": "bfloat16", "Y": out}, outputs={"Y": (32, 32)}, math=mode)["Y"]
    assert_within(got, ref, "rmsnorm")


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("fp32", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "bfloat8_b", "bfloat4_b"])
def test_matmul(num: Numerics, rng: np.random.Generator, fidelity: str, fp32: bool, dtype: str) -> None:
    tiles = 16
    a = round_to(rng.standard_normal((32, 32 * tiles)), dtype)
    b = round_to(rng.standard_normal((32 * tiles, 32)), dtype)
    dst = np.zeros((32, 32), np.float32)
    for k in range(tiles):
        part = slice(32 * k, 32 * k + 32)
        left, right = num.to_src(a[:, part]), num.to_src(b[part])
        dst, _ = num.matmul(left, right, dst, fidelity=FIDELITIES.index(fidelity), fp32=fp32)
    dtypes = {"a": dtype, "b": dtype, "Y": "float32"}
    mode = Math(fidelity=fidelity, fp32_accumulate=fp32)
    ref = evaluate("Y = a @ b", {"a": a, "b": b}, dtypes=dtypes, outputs={"Y": (32, 32)}, math=mode)["Y"]
    assert_within(dst, ref, f"{dtype} {fidelity} {fp32}")
    if dtype in ("bfloat16", "float32"):  # the sums of shorter formats are nearly exact
        assert np.abs(dst - ref.value).max() > 0.002 * ref.bound.max()  # the bound is not idle


@pytest.mark.parametrize("fp32", [True, False])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("softplus", (beta, 20.0)) for beta in (0.25, 1.0, 2.0, 3.0, 4.0, 8.0)),
        *(("round", (decimals,)) for decimals in (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)),
        *(("celu", (alpha,)) for alpha in (0.5, 2.0)),
    ],
)
def test_functions_with_parameters(
    num: Numerics, rng: np.random.Generator, name: str, values: tuple[float, ...], fp32: bool
) -> None:
    row = FUNCTIONS[name]
    given = {param.name: value for param, value in zip(row.params, values, strict=True)}
    assert row.float_call is not None
    words = tuple(int(encode_param(slot, given).rstrip("u"), 0) for slot in row.float_call.params)
    x = round_to(rng.standard_normal((32, 32)) * rng.choice([0.5, 4.0, 300.0], (32, 32)), "bfloat16").astype(np.float32)
    ref = evaluate(
        f"Y = {name}(x, {', '.join(map(str, values))})",
        {"x": x},
        dtypes={"x": "bfloat16", "Y": "float32"},
        outputs={"Y": (32, 32)},
        math=Math(fp32_accumulate=fp32),
    )["Y"]
    assert (ref.bound >= 0).all()
    for seed in range(4):
        result = compare(num.sfpu(name, x, params=words, fp32=fp32, seed=seed), ref)
        assert result.bad == 0, result
    close = np.abs(ref.value) > 1
    assert (ref.bound[close] <= (2.0**-6 if not fp32 else 2.0**-19) * np.abs(ref.value[close]) + 0.03).all()
