"""Elaboration: values, shapes, dtypes; NumPy is the judge of shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tt_build.lang.elaborate import Elaborated, elaborate
from tt_build.lang.functions import FUNCTIONS
from tt_build.lang.parse import canonical, parse
from tt_build.lang.signatures import SIGNATURES
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.model import DefaultsSpec, KernelSpec, MathSpec, RuntimeScalar, TensorSpec


def kernel(compute: str, out: tuple[int, ...], dtype: str | None = None, **inputs: Any) -> KernelSpec:
    specs = {
        name: TensorSpec(shape=spec[0], dtype=spec[1]) if isinstance(spec[0], tuple) else TensorSpec(shape=spec)
        for name, spec in inputs.items()
    }
    outputs = {"Y": TensorSpec(shape=out, dtype=dtype)}
    scalars: dict[str, float | RuntimeScalar] = {"eps": 1e-5, "alpha": RuntimeScalar(runtime="float32")}
    return KernelSpec(
        name="k", compute=compute, inputs=inputs and specs, outputs=outputs, sizes={"K": 4}, scalars=scalars
    )


def run(compute: str, out: tuple[int, ...], dtype: str | None = None, **inputs: Any) -> Elaborated:
    return elaborate(kernel(compute, out, dtype, **inputs), DefaultsSpec())


def ops(result: Elaborated) -> list[str]:
    return [value.op for value in result.program.values]


def codes(compute: str, out: tuple[int, ...] = (64, 64), dtype: str | None = None, **inputs: Any) -> list[str]:
    try:
        run(compute, out, dtype, **(inputs or {"A": (64, 64), "B": (64, 64)}))
    except Rejected as rejected:
        return [diagnostic.code for diagnostic in rejected.diagnostics]
    return []


def test_equal_values_are_one_and_unused_ones_none() -> None:
    result = run("u = X * 2\nh = X @ W + b\nY = gelu(h) + (X @ W + b)", (8, 6), X=(8, 4), W=(4, 6), b=(6,))
    assert ops(result) == ["input", "input", "matmul", "input", "add", "gelu", "add"]
    assert result.program.outputs[0].value == 6
    assert [warning.code for warning in result.warnings][-1:] == ["TTB103"]


@pytest.mark.parametrize(
    ("compute", "stated", "warned"),
    [
        ("Y = cast(F, uint16) + I", None, True),
        ("Y = cast(F, uint16)", False, True),
        ("Y = cast(F, uint16)", True, False),
        ("Y = cast(F, uint16)", None, False),  # stored at once: DST is 32 bits wide
        ("Y = cast(relu(cast(H, float32)), uint16) + I", None, False),  # bfloat16 holds it
        ("Y = cast(cast(H, float32) * 3, uint16) + I", None, True),
        ("Y = cast(H * 3, uint16) + I", None, False),  # bfloat16 is what was asked for
        ("Y = cast(maximum(cast(H, float32), 301), uint16) + I", None, True),
        ("Y = cast(maximum(cast(H, float32), 300), uint16) + I", None, False),
        ("Y = cast(cast(I, float32) * 2, uint16) + I", None, True),
        ("Y = cast(cast(F, int32) + cast(I, int32), uint16)", None, False),
        ("Y = cast(R, uint16) + cast(F, uint16)", None, True),
    ],
)
def test_a_float32_that_a_16_bit_dst_rounds_before_a_cast_is_warned_of(
    compute: str, stated: bool | None, warned: bool
) -> None:
    shapes = {"F": ((64, 64), "float32"), "H": ((64, 64), "bfloat16"), "I": ((64, 64), "uint16")}
    declared = kernel(compute, (64, 64), "uint16", **shapes, R=((1, 64), "uint16"))
    result = elaborate(declared, DefaultsSpec(math=MathSpec(fp32_accumulate=stated)))
    assert ("TTB109" in [warning.code for warning in result.warnings]) == warned


def test_transposition_is_the_matmuls() -> None:
    result = run("Kt = B.T\nY = A @ Kt + A.T.T @ B.T", (64, 64), A=(64, 64), B=(64, 64))
    assert ops(result) == ["input", "input", "matmul", "add"]
    assert result.program.values[2].transpose == (False, True)


def test_numbers_fold_and_are_weak() -> None:
    result = run("Y = A * (1 / sqrt(K)) + -(2 ** 3) - eps * 0", (8, 8), A=((8, 8), "float32"))
    consts = [value for value in result.program.values if value.op == "const"]
    assert [value.params for value in consts] == [(0.5,), (-8.0,), (0.0,)]
    assert {value.dtype for value in consts} == {"float32"}


@pytest.mark.parametrize(
    ("text", "op", "params"),
    [
        ("A ** 2", "square", ()),
        ("A ** 3", "power", (3.0,)),
        ("A ** 0.5", "sqrt", ()),
        ("A ** -1", "reciprocal", ()),
        ("-A", "neg", ()),
        ("leaky_relu(A)", "leaky_relu", (0.01,)),
        ("leaky_relu(A, slope=0.2)", "leaky_relu", (0.2,)),
        ("clip(A, 0, K)", "clip", (0.0, 4.0)),
        ("softplus(A, 2)", "softplus", (2.0, 20.0)),
    ],
)
def test_one_operand(text: str, op: str, params: tuple[float, ...]) -> None:
    last = run(f"Y = {text}", (8, 8), A=(8, 8)).program.values[-1]
    assert (last.op, last.params, last.args) == (op, params, (0,))


@pytest.mark.parametrize(
    ("named", "written_out"),
    [
        ("softmax(A, axis=-1)", "e = exp(A - max(A, axis=-1))\nY = e * reciprocal(sum(e, axis=-1))"),
        ("softmax(A, axis=-1)", "Y = exp(A - max(A, axis=-1)) / sum(exp(A - max(A, axis=-1)), axis=-1)"),
        ("log_softmax(A, axis=-2)", "d = A - max(A, axis=-2)\nY = d - log(sum(exp(d), axis=-2))"),
        ("rmsnorm(A, 1e-5)", "Y = A * rsqrt(mean(A * A, axis=-1) + 1e-5)"),
        ("layernorm(A, eps)", "d = A - mean(A, axis=-1)\nY = d * rsqrt(mean(d * d, axis=-1) + eps)"),
    ],
)
def test_composites_are_what_they_stand_for(named: str, written_out: str) -> None:
    short = run(f"Y = {named}", (8, 8), A=(8, 8)).program
    assert set(short.values) == set(run(written_out, (8, 8), A=(8, 8)).program.values)


def test_power_of_one_is_the_value_itself() -> None:
    assert ops(run("Y = A ** 1 + A", (8, 8), A=(8, 8))) == ["input", "add"]


@pytest.mark.parametrize(
    ("text", "shape", "ints"),
    [
        ("permute(A, (1, 0, 2, 3))", (3, 2, 4, 6), (-3, -4, -2, -1)),
        ("slice(A, -1, 2, 5)", (2, 3, 4, 3), (-1, 2, 5)),
        ("slice(A, 0, 0, 1)", (1, 3, 4, 6), (-4, 0, 1)),
        ("concat(A, A, axis=1)", (2, 6, 4, 6), (-3,)),
        ("repeat(A, 3, 1)", (2, 9, 4, 6), (3, -3)),
        ("join_heads(A)", (2, 4, 18), (3,)),
        ("split_heads(join_heads(A), 3)", (2, 3, 4, 6), (3,)),
        ("split_heads(join_heads(join_heads(A)), 9)", (9, 4, 4), (9,)),
        ("slice(join_heads(A), 2, 3, 9)", (2, 4, 6), (-1, 3, 9)),
        ("rotate_half(A)", (2, 3, 4, 6), ()),
        ("causal(A)", (2, 3, 4, 6), ()),
    ],
)
def test_movement(text: str, shape: tuple[int, ...], ints: tuple[int, ...]) -> None:
    last = run(f"Y = {text}", shape, A=(2, 3, 4, 6)).program.values[-1]
    assert (last.shape, last.ints) == (shape, ints)


def test_rank_one_is_a_row() -> None:
    result = run("Y = x + A", (8, 6), A=(8, 6), x=(6,))
    assert result.program.values[0].shape == (1, 6)
    assert run("Y = exp(x)", (6,), x=(6,)).program.values[-1].shape == (1, 6)
    assert codes("Y = x.T", (6,), x=(6,)) == ["TTB021"]


def test_run_time_scalar_takes_part_in_broadcasting() -> None:
    result = run("Y = A * alpha", (8, 6), A=((8, 6), "float32"))
    assert ops(result) == ["input", "scalar", "mul"]


def test_an_assigned_output_can_be_read() -> None:
    spec = KernelSpec(
        name="k",
        compute="C = A + 1\nD = sum(C, axis=-1)",
        inputs={"A": TensorSpec(shape=(8, 6))},
        outputs={"D": TensorSpec(shape=(8, 1)), "C": TensorSpec(shape=(8, 6))},
    )
    program = elaborate(spec, DefaultsSpec()).program
    assert [binding.tensor for binding in program.outputs] == ["D", "C"]
    assert program.values[program.outputs[0].value].args == (program.outputs[1].value,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Y = A + B + nope", ["TTB012"]),
        ("h = nope\nY = h + A", ["TTB012"]),
        ("Y = nope(A) + gone(B)", ["TTB013", "TTB013"]),
        ("Y = A\nY = B", ["TTB020"]),
        ("A = B\nY = A", ["TTB020"]),
        ("K = 2\nY = A", ["TTB020"]),
        ("Z = A", ["TTB019"]),
        ("Y = 3", ["TTB018"]),
        ("Y = A @ 2", ["TTB021"]),
        ("Y = A.H", ["TTB011"]),
        ("Y = (A, B)", ["TTB011"]),
        ("Y = A // 2", ["TTB011"]),
        ("Y = maximum(A)", ["TTB017"]),
        ("Y = exp(A, 2)", ["TTB017"]),
        ("Y = exp(x=A)", ["TTB017"]),
        ("Y = clip(A, 0)", ["TTB017"]),
        ("Y = clip(A, 2, 1)", ["TTB017"]),
        ("Y = clip(A, B, 1)", ["TTB017"]),
        ("Y = clip(A, 0, 1, low=0)", ["TTB017"]),
        ("Y = gelu(2) + A", ["TTB017"]),
        ("Y = sum(A, axis=(-1, -1)) + A", ["TTB033"]),
        ("Y = softmax(A, axis=(-1, -2))", ["TTB033"]),
        ("Y = sum(A, axis=K)", ["TTB033"]),
        ("Y = sum(A, axis=B)", ["TTB017"]),
        ("Y = sum(K, axis=-1) + A", ["TTB017"]),
        ("Y = permute(A, (0, 0))", ["TTB033"]),
        ("Y = permute(A, 1.5)", ["TTB017"]),
        ("Y = split_heads(A, 3)", ["TTB033"]),
        ("Y = split_heads(A, 0)", ["TTB033"]),
        ("Y = split_heads(A, A)", ["TTB017"]),
        ("Y = split_heads(split_heads(split_heads(A, 2), 2), 2)", ["TTB033"]),
        ("Y = join_heads(A)", ["TTB033"]),
        ("Y = slice(A, 3, 0, 1)", ["TTB033"]),
        ("Y = repeat(A, 0, 0)", ["TTB036"]),
        ("Y = concat(A, sum(A, axis=-1), axis=0)", ["TTB015"]),
        ("Y = causal(K)", ["TTB017"]),
        ("Y = cast(A, float99)", ["TTB023"]),
        ("Y = cast(A, 2)", ["TTB023"]),
        ("Y = cast(A, int32)", ["TTB016"]),
        ("Y = A + 1e400", ["TTB036"]),
        ("Y = A + log(0)", ["TTB036"]),
        ("Y = A ** B ** (0 - K) + 9 ** 9 ** 9", ["TTB036"]),
        ("Y = rmsnorm(A, -1)", ["TTB036"]),
        ("Y = softplus(A, 0)", ["TTB036"]),
        ("Y = softplus(A, -2)", ["TTB036"]),
        ("Y = softplus(A, threshold=0)", ["TTB036"]),
        ("Y = softplus(A, 0.5, 1)", []),
        ("Y = relu_max(A, -1)", ["TTB036"]),
        ("Y = relu_max(A, 0)", []),
        ("Y = round(A, 39)", ["TTB036"]),
        ("Y = round(A, -37)", []),
        ("Y = exp + A", ["TTB012"]),
        ("Y = later + A\nlater = B", ["TTB012"]),
        ("Y = Y + A", ["TTB012"]),
        ("Y = where(A > 0, A)", ["TTB017"]),
    ],
)
def test_refused(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


I32 = ((64, 64), "int32")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Y = A + 1", []),
        ("Y = A * A - A", []),
        ("Y = where(A > 0, A, 0)", []),
        ("Y = sum(A, axis=-1) * A", []),
        ("Y = A / 2", ["TTB022"]),
        ("Y = A @ A", ["TTB022"]),
        ("Y = A - mean(A, axis=-1)", ["TTB022"]),
        ("Y = exp(A)", ["TTB022"]),
        ("Y = A + 0.5", ["TTB016"]),
        ("Y = A + U", ["TTB016"]),
        ("Y = A + F", ["TTB016"]),
        ("Y = where(F, A, A)", ["TTB016"]),
        ("Y = A + 3000000000", ["TTB036"]),
        ("Y = cast(F, int32) + A", []),
        ("Y = A * alpha", ["TTB016"]),
    ],
)
def test_integers(text: str, expected: list[str]) -> None:
    assert codes(text, (64, 64), "int32", A=I32, U=((64, 64), "uint32"), F=(64, 64)) == expected


def test_floats_widen() -> None:
    result = run("Y = A + B", (8, 8), A=((8, 8), "bfloat8_b"), B=((8, 8), "float32"))
    assert result.program.values[-1].dtype == "float32"


def test_one_cause_one_message() -> None:
    text = "h = A @ W\ng = h + B\nY = sum(g, axis=-1) + exp(h) @ g"
    assert codes(text, A=(64, 64), W=(32, 8), B=(64, 64)) == ["TTB014"]


def test_broken_declarations_are_not_reported_again() -> None:
    spec = kernel("Y = A + gone * 2 + oops", (8, 8), A=(8, 8))
    with pytest.raises(Rejected) as caught:
        elaborate(spec, DefaultsSpec(), broken=frozenset(("gone",)))
    assert [d.code for d in caught.value.diagnostics] == ["TTB012"]


SHAPES = st.sampled_from([(6,), (1,), (4, 6), (1, 6), (4, 1), (6, 4), (3, 4, 6), (1, 4, 6), (2, 1, 4, 6), (2, 3, 6, 4)])
TEXTS = st.sampled_from(
    [
        "A + B",
        "A * B - A",
        "A @ B",
        "A @ B.T",
        "A.T @ B",
        "where(A > 0, A, B)",
        "maximum(A, B) / 2",
        "sum(A, axis=-1) + B",
        "A - max(B, axis=(-2, -1))",
        "mean(A, axis=-2) * B",
        "repeat(A, 2, -1) + B",
        "concat(A, B, axis=-1)",
        "slice(A, -1, 0, 1) * B",
        "softmax(A, axis=-1) @ B",
    ]
)


def reference(text: str, a: np.ndarray, b: np.ndarray) -> tuple[int, ...] | None:
    """The shape that NumPy gives; None where it refuses, or where the language does (rank 1 in @ and .T)."""
    needs_matrix = "@" in text or ".T" in text
    if needs_matrix and min(a.ndim, b.ndim) < 2:
        return None
    if ("-2" in text) and min(a.ndim, b.ndim) < 2:
        return None
    if "concat" in text and a.ndim != b.ndim:
        return None

    class Swapped(np.ndarray):
        T = property(lambda self: np.swapaxes(self, -1, -2))  # type: ignore[assignment]

    def keep(function: Any) -> Any:
        return lambda x, axis: function(x, axis=axis, keepdims=True)

    names = {
        "A": a.view(Swapped),
        "B": b.view(Swapped),
        "where": np.where,
        "maximum": np.maximum,
        "sum": keep(np.sum),
        "max": keep(np.max),
        "mean": keep(np.mean),
        "repeat": lambda x, n, axis: np.repeat(x, n, axis),
        "concat": lambda x, y, axis: np.concatenate((x, y), axis),
        "slice": lambda x, axis, start, stop: x[..., start:stop],
        "softmax": lambda x, axis: x,
    }
    try:
        return tuple(eval(text, {"__builtins__": {}}, names).shape)  # our own texts, in a test
    except ValueError:
        return None


@given(TEXTS, SHAPES, SHAPES)
@settings(max_examples=300, deadline=None)
def test_shapes_are_numpys(text: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    expected = reference(text, np.ones(a), np.ones(b))
    if expected is not None:
        run(f"Y = {text}", expected, A=a, B=b)
        return
    with pytest.raises(Rejected):
        run(f"Y = {text}", (7, 7, 7), A=a, B=b)


@pytest.mark.parametrize(
    "text",
    [
        "h = X@W   # product\n\n\nY = gelu( (h) ) + ((X)@(W)) * ( 1/2 )",
        "Y = (  (X @ W) - (X @ W)  ) ** 2 + exp(\n  X @ W)",
    ],
)
def test_ids_of_raw_and_canonical_text_agree(text: str) -> None:
    spec = kernel(text, (8, 6), X=(8, 4), W=(4, 6))
    clean = kernel(canonical(parse(text)), (8, 6), X=(8, 4), W=(4, 6))
    raw, tidy = elaborate(spec, DefaultsSpec(), parsed=parse(text)), elaborate(clean, DefaultsSpec())
    assert raw.program == tidy.program
    assert all(span is not None for span in raw.spans)


def test_every_function_elaborates() -> None:
    special = {
        "power": "power(A, 3)",
        "clip": "clip(A, 0, 1)",
        "threshold": "threshold(A, 0, 1)",
        "permute": "permute(A, (0, 1))",
        "split_heads": "join_heads(split_heads(A, 2))",
        "join_heads": "join_heads(split_heads(A, 1))",
        "slice": "slice(A, -1, 0, 8)",
        "concat": "slice(concat(A, A, axis=0), 0, 0, 8)",
        "repeat": "repeat(A, 1, 0)",
        "cast": "cast(A, bfloat16)",
        "left_shift": "left_shift(A, 3)",
        "right_shift": "right_shift(A, 3)",
        "layernorm": "layernorm(A, eps)",
        "rmsnorm": "rmsnorm(A, eps)",
    }
    for name, signature in SIGNATURES.items():
        arguments = ", ".join("A" * signature.operands)
        if signature.kind == "reduction" or name in ("softmax", "log_softmax"):
            arguments += ", axis=-1"
        text = special.get(name, f"{name}({arguments})")
        row = FUNCTIONS.get(name)
        dtype = "int32" if row is not None and row.float_call is None else "bfloat16"
        found = run(f"Y = {text} + A", (8, 8), dtype, A=((8, 8), dtype))
        wanted = {"softmax": "exp", "log_softmax": "log", "layernorm": "rsqrt", "rmsnorm": "rsqrt"}.get(name, name)
        assert wanted in ops(found), name
