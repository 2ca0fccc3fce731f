"""Every dtype through generated kernels on the emulator: engines, fills, casts, block-float padding, mixed inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.prove import build
from tests.programs.schedules import Kernel
from tests.programs.together import Outcomes, judge, outcomes
from tests.support import rejection
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan

INTEGERS = ("int32", "uint32", "uint16")
FLOATS = ("bfloat16", "float32", "bfloat8_b", "bfloat4_b")


def kernel(compute: str, out: str, shape: tuple[int, int] = (40, 75), **dtypes: Any) -> dict[str, Any]:
    """Inputs as named in ``dtypes`` (``row_`` and ``col_`` in front for broadcast ones), output C."""
    rows, columns = shape
    shapes = {"row": (1, columns), "col": (rows, 1), "one": (1, 1)}
    inputs = {n: {"shape": list(shapes.get(n[:3], shape)), "dtype": d} for n, d in dtypes.items()}
    outputs = {"C": {"shape": list(shape), "dtype": out}}
    return {"inputs": inputs, "outputs": outputs, "compute": compute}


def _block_floats() -> Iterator[Kernel]:
    """Padding in the last block of 16 must not reach the exponent that it shares with the tensor's elements."""
    for dtype in ("bfloat8_b", "bfloat4_b"):
        for columns in (32, 48, 75, 10):
            yield kernel("C = A + B", dtype, (40, columns), A=dtype, B="bfloat16")
            yield kernel("C = exp(A)", dtype, (33, columns), A="bfloat16")
    several = kernel("t = A * B\nC = t\nD = t + 1\nE = sin(t)", "bfloat8_b", A="bfloat8_b", B="bfloat4_b")
    several["outputs"] |= {"D": {"shape": [40, 75]}, "E": {"shape": [40, 75], "dtype": "bfloat4_b"}}
    yield several
    shard = kernel("C = A * B", "bfloat8_b", (100, 75), A="bfloat8_b", B="bfloat16")
    for tensor in (shard["inputs"]["A"], shard["outputs"]["C"]):  # ragged, in place
        tensor["layout"] = {"memory": "l1", "sharding": "block", "grid": [2, 2]}
    yield shard


def _matmuls() -> Iterator[Kernel]:
    for weights in ("bfloat8_b", "bfloat4_b"):
        for fp32 in (True, False):
            yield {
                "inputs": {
                    "X": {"shape": [50, 72]},
                    "W": {"shape": [72, 40], "dtype": weights},
                    "b": {"shape": [1, 40], "dtype": "float32"},
                },
                "outputs": {"C": {"shape": [50, 40], "dtype": "bfloat8_b"}},
                "compute": "C = gelu(X @ W + b)",
                "math": {"fp32_accumulate": fp32},
            }
    yield {
        "inputs": {"X": {"shape": [64, 50], "dtype": "bfloat8_b"}, "W": {"shape": [40, 64], "dtype": "bfloat8_b"}},
        "outputs": {"C": {"shape": [50, 40]}},
        "compute": "C = X.T @ W.T",
    }


ON_INTEGERS = (
    "C = A + B * 3",
    "C = 7 - A",
    "C = A - 7 + (5 + B)",
    "C = (A > B) + (A <= 40) * (50 >= B)",
    "C = bitwise_xor(A, bitwise_and(B, 12)) + bitwise_or(A, B)",
    "C = logical_not(A - A) + (A == B) + (A != 3)",
    "C = A + row - col * one",
)
ON_32_BITS = (
    "C = where(A > B, A, 5)",
    "C = maximum(A, B) - minimum(A, 9)",
    "C = abs(A) + relu(B)",
    "C = clip(A, 3, 40)",
    "C = bitwise_not(A)",
    "C = -A",
    "t = A * B\nC = t * t + (t - A) * (t - B) - (A + B) * (t + 1) + (t + 2) * (t + 3)",
)


def _integers() -> Iterator[Kernel]:
    for dtype in INTEGERS:
        for compute in ON_INTEGERS:
            broadcast = {name: dtype for name in ("row", "col", "one") if name in compute}
            yield kernel(compute, dtype, A=dtype, B=dtype, **broadcast)
        for compute in ON_32_BITS if dtype != "uint16" else ():
            yield kernel(compute, dtype, A=dtype, B=dtype)


def _casts() -> Iterator[Kernel]:
    """Stored at once, and from a computed value."""
    for old in (*FLOATS, *INTEGERS):
        for new in (*FLOATS, *INTEGERS):
            yield kernel(f"C = cast(A, {new})", new, A=old)
            if old in FLOATS:
                yield kernel(f"C = cast(A * 37.3, {new})", new, A=old)


MIXED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("C = cast(A, bfloat16) * B", "float32", {"A": "float32", "B": "float32"}),
    ("C = cast(A, bfloat8_b) * B", "bfloat16", {"A": "float32", "B": "float32"}),
    ("C = cast(exp(A), bfloat4_b) + 1", "float32", {"A": "bfloat16"}),
    ("C = cast(A, bfloat8_b)", "bfloat16", {"A": "float32"}),
    ("C = cast(A, float32) / 3 + B", "float32", {"A": "int32", "B": "bfloat16"}),
    ("C = cast(U, int32) + A", "int32", {"A": "int32", "U": "uint16"}),
    ("C = cast(A * 100, int32) + cast(U, int32)", "uint16", {"A": "float32", "U": "uint32"}),
    ("C = cast(cast(U, int32) - 50, float32) * B", "float32", {"U": "uint16", "B": "bfloat16"}),
    ("C = cast(U + V, bfloat16) * B", "bfloat16", {"U": "uint16", "V": "uint16", "B": "bfloat16"}),
    ("C = A + B * D + E", "bfloat16", dict(zip("ABDE", FLOATS, strict=True))),
    ("C = A - row * col", "bfloat4_b", {"A": "bfloat4_b", "row": "bfloat8_b", "col": "float32"}),
)


def _transposes() -> Iterator[Kernel]:
    """Outside a matmul."""
    for dtype in ("float32", "int32", "uint16", "bfloat16", "bfloat8_b"):
        yield {
            "inputs": {"A": {"shape": [75, 40], "dtype": dtype}, "B": {"shape": [40, 75], "dtype": dtype}},
            "outputs": {"C": {"shape": [40, 75], "dtype": dtype}},
            "compute": "C = A.T + B",
        }


def _cases() -> Iterator[tuple[str, Kernel]]:
    mixed = (kernel(compute, out, **dtypes) for compute, out, dtypes in MIXED)
    made = {
        "block floats": _block_floats(),
        "matmul": _matmuls(),
        "integers": _integers(),
        "cast": _casts(),
        "mixed": mixed,
        "transpose": _transposes(),
    }
    for label, kernels in made.items():
        for number, declared in enumerate(kernels):
            dtypes = ", ".join(t["dtype"] for t in declared["inputs"].values() if "dtype" in t)
            line = declared["compute"].splitlines()[-1]
            yield f"{label} {number}: {line} ({dtypes})", declared


CASES = {
    name: ({"target": {"arch": "wormhole_b0", "grid": [2, 2]}, "kernel": declared}, []) for name, declared in _cases()
}


@pytest.fixture(scope="module")
def proven(request: pytest.FixtureRequest) -> Outcomes:
    return outcomes(request, CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_kernel(name: str, proven: Outcomes) -> None:
    judge(proven[name])


@pytest.mark.parametrize(
    ("compute", "dtype"),
    [
        ("C = clip(A, 2.5, 7)", "uint32"),
        ("C = clip(A, -1, 7)", "uint32"),
        ("C = clip(A, -1e10, 7)", "int32"),
        ("C = left_shift(A, 1.5)", "int32"),
    ],
)
def test_numbers_that_the_call_cannot_take(compute: str, dtype: str, tmp_path: Path) -> None:
    assert "TTB210" in rejection(tmp_path, kernel(compute, dtype, A=dtype))


@pytest.mark.parametrize(
    ("compute", "out", "dtypes", "math"),
    [
        ("C = A", "uint16", {"A": "uint16"}, {"fp32_accumulate": True}),
        ("C = A + 1", "int32", {"A": "int32"}, {"fp32_accumulate": False}),
        ("C = A + B", "int32", {"A": "int32", "B": "uint16"}, {}),
        ("C = cast(cast(A, uint16), float32)", "float32", {"A": "int32"}, {}),
        ("C = cast(row, int32) + A", "int32", {"A": "int32", "row": "uint16"}, {}),
    ],
)
def test_what_needs_two_widths_of_dst(
    compute: str, out: str, dtypes: dict[str, str], math: dict[str, bool], tmp_path: Path
) -> None:
    text = rejection(tmp_path, {**kernel(compute, out, **dtypes), "math": math})
    assert "TTB205" in text or "TTB016" in text


@pytest.mark.parametrize(
    ("compute", "old", "said"),
    [
        ("C = cast(A, uint16)", r" *typecast_tile<.*\n", "the packer reads the high half"),
        ("C = cast(A, uint16)", r"DataFormat::Int32>(?=\(\w+, 0xffffu\))", "on UInt16 in a 32-bit DST"),
    ],
)
def test_uint16_in_a_32_bit_dst_is_a_fault(compute: str, old: str, said: str, tmp_path: Path) -> None:
    """What the emulator says of a kernel that the compiler would not have written."""
    _, plan = build({"target": {"arch": "wormhole_b0", "grid": [1, 1]}, "kernel": kernel(compute, "uint16", A="int32")},
                    tmp_path / "k")  # fmt: skip
    source = plan.parent / "compute.cpp"
    text, count = re.subn(old, "DataFormat::UInt16>" if "0xffff" in old else "", source.read_text())
    assert count == 1
    source.write_text(text)
    with pytest.raises(EmulationError) as caught:
        run(load_plan(plan), plan.parent, {"A": np.zeros((40, 75), np.int32)})
    assert caught.value.report.code == "EMU313"
    assert said in str(caught.value)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_to_the_matrix_engine_are_a_fault(dtype: str, tmp_path: Path) -> None:
    """What the emulator says of a kernel that the compiler would not have written."""
    program = {
        "target": {"arch": "wormhole_b0", "grid": [1, 1]},
        "kernel": kernel("C = A + B", dtype, A=dtype, B=dtype),
    }
    _, plan = build(program, tmp_path / "k")
    source = plan.parent / "compute.cpp"
    text = source.read_text().replace(
        "tile_regs_acquire();", "tile_regs_acquire();\n add_init(cb_a, cb_b);\n add_tiles(cb_a, cb_b, 0, 0, 0);", 1
    )
    source.write_text(
        text.replace("#include <cstdint>", '#include <cstdint>\n#include "api/compute/eltwise_binary.h"', 1)
    )
    with pytest.raises(EmulationError) as caught:
        run(load_plan(plan), plan.parent, {name: np.zeros((40, 75), np.int64) for name in "AB"})
    assert caught.value.report.code == "EMU314"
