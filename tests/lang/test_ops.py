"""Ops of a repository's own in the language: what a call stands for, what it is compared with, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tt_build.codegen.render import render_source
from tt_build.lang.program import Program
from tt_build.passes.pipeline import compile_kernel
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.model import Declaration
from tt_build.verify.reference import Ref, evaluate
from tt_build.verify.values import Math

HEADER = """#pragma once
ALWI void own_init() {}
ALWI void own(uint32_t dst) {}
ALWI void mixed(uint32_t a, uint32_t b, uint32_t out, uint32_t scratch, uint32_t weight) {}
"""
OPS = """version: 1
ops:
  gated: {operands: [x, gate], define: x * sigmoid(gate)}
  scaled: {operands: [x], parameters: {by: required, plus: 0.5}, define: x * by + plus}
  normed: {operands: [x], define: "x * rsqrt(mean(x * x, axis=-1) + 1e-5)"}
  both: {operands: [x], define: "scaled(gated(x, x), 2)"}
  cubed: {operands: [x], sfpu: {header: own.h, init: own_init, call: own}, reference: x * x * x, ulp: 2}
  jumps: {operands: [x], sfpu: {header: own.h, init: own_init, call: own}, reference: "where(x > 1, x, 0)", ulp: 2}
  mixed:
    operands: [a, b]
    parameters: {weight: 0.25}
    dtypes: [bfloat16, int32]
    sfpu: {header: own.h, init: own_init, call: mixed, words: [weight], scratch: 1}
    reference: a * weight + b
    ulp: {bfloat16: 2, float32: 4}
"""


def load(folder: Path, compute: str, dtype: str = "bfloat16") -> SpecFile:
    """A kernel of inputs X and, where it is used, G [32, 64] with these ops."""
    (folder / "ops").mkdir(exist_ok=True)
    (folder / "ops" / "ops.yaml").write_text(OPS)
    (folder / "ops" / "own.h").write_text(HEADER)
    tensor = f"{{shape: [32, 64], dtype: {dtype}}}"
    gate = f", G: {tensor}" if "G" in compute else ""
    (folder / "kernels.yaml").write_text(
        f"version: 1\nextensions: ops\nkernels:\n  k:\n    inputs: {{X: {tensor}{gate}}}\n"
        f"    outputs: {{Y: {tensor}}}\n    compute: Y = {compute}\n"
    )
    return load_file(folder / "kernels.yaml")


def declared(folder: Path, compute: str) -> Declaration:
    """The valid declaration."""
    loaded = load(folder, compute)
    assert not loaded.diagnostics
    (declaration,) = loaded.declarations
    assert isinstance(declaration, Declaration)
    return declaration


def program(folder: Path, compute: str) -> Program:
    """Its program, without the ops."""
    found = compile_kernel(declared(folder, compute))[0].program
    return Program(values=found.values, outputs=found.outputs)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("gated(X, G)", "X * sigmoid(G)"),
        ("gated(X + 1, gated(X, G))", "(X + 1) * sigmoid(X * sigmoid(G))"),
        ("scaled(X, 3)", "X * 3 + 0.5"),
        ("scaled(X, by=1 / 4, plus=2)", "X * (1 / 4) + 2"),
        ("normed(X)", "rmsnorm(X, 1e-5)"),
        ("both(X)", "X * sigmoid(X) * 2 + 0.5"),
        ("gated(X, 2)", None),
    ],
)
def test_a_call_stands_for_its_definition(tmp_path: Path, call: str, text: str | None) -> None:
    if text is None:
        assert "of numbers alone" in load(tmp_path, call).diagnostics[0].diagnostic.message
    else:
        assert program(tmp_path, call) == program(tmp_path, text)


def test_only_what_is_used_is_part_of_a_kernel(tmp_path: Path) -> None:
    assert list(declared(tmp_path, "both(X)").kernel.ops) == ["gated", "scaled", "both"]
    assert declared(tmp_path, "X + G").kernel.ops == {}


def test_the_cpp_of_an_op_is_called_with_its_slots_and_words(tmp_path: Path) -> None:
    kernel = compile_kernel(declared(tmp_path, "mixed(X, G, weight=2) + mixed(G, X)"))[0]
    text = render_source(kernel, next(body for body in kernel.bodies if body.role == "compute"))
    assert "own_init();" in text
    assert text.count("ALWI void own_init()") == 1
    assert "mixed(0, 1, 0, 2, 0x40000000);" in text
    assert "0x3e800000);" in text
    assert "#pragma once" not in text


def reference(folder: Path, compute: str, **inputs: np.ndarray) -> Ref:
    """The reference of Y, its inputs float32 and exact."""
    kernel = declared(folder, compute).kernel
    dtypes = dict.fromkeys((*inputs, "Y"), "float32")
    found = evaluate(kernel.compute, inputs, dtypes=dtypes, outputs={"Y": (1, 4)}, math=Math(), ops=kernel.ops)
    return found["Y"]


def test_the_reference_is_the_meaning_and_the_bound_what_is_declared(tmp_path: Path) -> None:
    x = np.array([[-2.0, 0.5, 1.0, 3.0]])
    exact = reference(tmp_path, "cubed(X)", X=x)
    assert np.array_equal(exact.value, x**3)
    assert np.all(exact.bound <= 2 * 2.0**-23 * np.abs(x**3) + 2.0**-24 * np.abs(x**3) + 2.0**-120)
    carried = reference(tmp_path, "cubed(exp(X))", X=x)
    assert np.all(carried.bound > 2.9 * 4.8e-7 * np.exp(3 * x))  # three times the error of exp, as x * x * x has it


def test_a_reference_that_jumps_counts_what_may_go_either_way(tmp_path: Path) -> None:
    near_one = np.array([[0.0, 0.0, 1.0, -1.0]])
    found = reference(tmp_path, "jumps(exp(X))", X=near_one)
    assert found.discontinuous.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("mixed(X)", "TTB017", "'mixed' needs 2 tensors"),
        ("scaled(X)", "TTB017", "'scaled' needs 'by'"),
        ("scaled(X, G)", "TTB017", "'by' must be a number"),
        ("gaited(X, G)", "TTB013", "unknown function 'gaited'"),
        ("cubed", "TTB012", "unknown name 'cubed'"),
    ],
)
def test_misuse_is_said(tmp_path: Path, call: str, code: str, said: str) -> None:
    entry = load(tmp_path, call).diagnostics[0].diagnostic
    assert entry.code == code
    assert said in entry.message
    assert entry.help


def test_a_dtype_that_the_cpp_has_not_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path, "cubed(X)", "int32").diagnostics[0].diagnostic.code == "TTB022"
    assert not load(tmp_path, "mixed(X, G)", "int32").diagnostics


def test_a_broken_op_is_reported_once_and_its_kernels_are_rejected(tmp_path: Path) -> None:
    load(tmp_path, "gated(X, G)")
    ops = tmp_path / "ops" / "ops.yaml"
    ops.write_text(ops.read_text().replace("sigmoid(gate)", "sigmoyd(gate)"))
    loaded = load_file(tmp_path / "kernels.yaml")
    assert [entry.diagnostic.code for entry in loaded.diagnostics] == ["TTB013"]
    assert loaded.diagnostics[0].span.file.endswith("ops.yaml")
    assert loaded.rejected == ("k",)


def test_expansion_is_bounded(tmp_path: Path) -> None:
    load(tmp_path, "X")
    lines = ["version: 1", "ops:", "  a0: {operands: [x], define: abs(x)}"]
    for n in range(1, 5):
        text = f"a{n - 1}(x)"
        for _ in range(4):
            text = f"({text}) * ({text})"
        lines.append(f"  a{n}: {{operands: [x], define: {text}}}")
    (tmp_path / "ops" / "ops.yaml").write_text("\n".join(lines) + "\n")
    (tmp_path / "kernels.yaml").write_text((tmp_path / "kernels.yaml").read_text().replace("Y = X", "Y = a4(X)"))
    found = {
        (entry.diagnostic.code, entry.diagnostic.message) for entry in load_file(tmp_path / "kernels.yaml").diagnostics
    }
    assert found == {("TTB034", "more than 2000 definitions of ops stand for the calls up to here")}
