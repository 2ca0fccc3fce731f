"""Run-time scalars: common arguments of the compute kernel, from declaration to results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.prove import build, prove
from tests.support import rejection
from tt_build.cli import main
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan

TARGET = {"arch": "wormhole_b0", "grid": [2, 2]}


def program(compute: str, scalars: dict[str, str], dtype: str = "bfloat16", **more: Any) -> dict[str, Any]:
    kernel = {
        "scalars": {name: {"runtime": kind} for name, kind in scalars.items()},
        "inputs": {"A": {"shape": [40, 75], "dtype": dtype}, "B": {"shape": [40, 75], "dtype": dtype}},
        "outputs": {"C": {"shape": [40, 75], "dtype": dtype}},
        "compute": compute,
        **more,
    }
    return {"target": TARGET, "kernel": kernel}


@pytest.mark.parametrize("fp32", [True, False])
@pytest.mark.parametrize(
    "compute",
    [
        "C = alpha * A + B * beta",
        "C = A / alpha - alpha / B",
        "C = where(A > alpha, A - alpha, beta - B)",
        "C = maximum(A, alpha) * exp(alpha) + (alpha * 2 + beta)",
        "C = A + (B - alpha) * (A - beta) / (B * B + alpha * alpha)",
    ],
)
def test_floats(compute: str, fp32: bool) -> None:
    scalars = {name: "float32" for name in ("alpha", "beta") if name in compute}
    prove(program(compute, scalars, math={"fp32_accumulate": fp32}), [])


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_integers(dtype: str) -> None:
    prove(program("C = A * step + B - step + (A > step)", {"step": dtype}, dtype), [])


def test_names_that_differ_in_case_and_a_tensor_of_the_same_name_but_for_case(tmp_path: Path) -> None:
    declared = program("C = A * a + B * b + X", {"a": "float32", "b": "float32", "X": "float32"})
    prove(declared, [])
    _, plan = build(declared, tmp_path / "k")
    text = (plan.parent / "compute.cpp").read_text()
    for name in ("a", "b", "x"):
        assert text.count(f"const uint32_t {name}_scalar = get_common_arg_val<uint32_t>(") == 1
    data = json.loads(plan.read_bytes())
    assert data["scalars"] == {"X": "float32", "a": "float32", "b": "float32"}
    compute = next(k for k in data["kernels"] if k["role"] == "compute")
    assert [entry["scalar"] for entry in compute["common_runtime_args"]] == ["a", "b", "X"]


def test_another_value_needs_no_other_kernel(tmp_path: Path) -> None:
    _, plan = build(program("C = A * alpha + B", {"alpha": "float32"}), tmp_path / "k")
    a, b = np.full((40, 75), 2.0, np.float32), np.ones((40, 75), np.float32)
    for value in (0.5, -3.0):
        result = run(load_plan(plan), plan.parent, {"A": a, "B": b}, scalars={"alpha": value})
        np.testing.assert_array_equal(result.outputs["C"], a * value + b)


def test_the_command_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan = build(program("C = A * alpha + B", {"alpha": "float32"}), tmp_path / "k")
    monkeypatch.chdir(tmp_path)
    for name, value in (("A", 2.0), ("B", 1.0)):
        np.save(f"{name}.npy", np.full((40, 75), value, np.float32))
    arguments = ["run", str(plan), "--input", "A=A.npy", "--input", "B=B.npy", "--output", "C=C.npy"]
    assert main([*arguments, "--scalar", "alpha=0.25"]) == 0
    np.testing.assert_array_equal(np.load("C.npy"), np.full((40, 75), 1.5))
    assert main(arguments) == 2


def test_a_scalar_is_no_matrix(tmp_path: Path) -> None:
    text = rejection(tmp_path, program("C = A @ alpha", {"alpha": "float32"})["kernel"])
    assert "TTB021" in text
