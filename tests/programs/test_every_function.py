"""Every function of the op table, in every form, through generated kernels on the emulator: several in one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs.prove import build, prove
from tests.programs.together import Outcomes, judge, outcomes
from tt_build.lang.functions import FUNCTIONS, Function
from tt_build.sdk.gate import check, errors

PARAMETERS = {"exponent": 3, "low": -0.5, "high": 0.75, "limit": 0.25, "value": -2, "bits": 3}
WHOLE = {"low": 2, "high": 40}
POSITIVE = {"log", "log2", "log10", "sqrt", "rsqrt", "pow", "power", "xlogy", "log1p", "reciprocal", "div"}
UNIT = {"asin", "acos", "atanh", "tan"}
BATCH = 8
INTEGERS = ("int32", "uint32", "uint16")


def call(function: Function, operands: list[str], numbers: dict[str, float]) -> str:
    """The function's call on those operands, with a number for each parameter that has no default."""
    given = [f"{numbers[p.name]:g}" for p in function.params if p.default is None]
    return f"{function.name}({', '.join([*operands, *given])})"


def float_calls(function: Function) -> Iterator[str]:
    """Calls that need each of the row's columns for floats."""
    first = "A + 3" if function.name == "acosh" else "A"
    operands = [first, "B", "A - B"][: function.operands]
    if function.float_call is not None:
        yield call(function, operands, PARAMETERS)
    if function.scalar_call is not None:
        yield call(function, [first, "1.5"], PARAMETERS)
    if function.rscalar_call is not None:
        yield call(function, ["1.5", first], PARAMETERS)


def integer_calls(function: Function, dtype: str) -> Iterator[str]:
    """Calls that need each of the row's columns for that dtype."""
    numbers = {**PARAMETERS, **WHOLE}
    if dtype in function.int_calls:
        yield call(function, ["A", "B", "A - B"][: function.operands], numbers)
    if dtype in function.int_scalar_calls:
        yield call(function, ["A", "7"], numbers)
    if dtype in function.int_rscalar_calls:
        yield call(function, ["7", "A"], numbers)


def batches(dtype: str) -> list[list[str]]:
    """Calls by kernel: functions that are defined on the same inputs together."""
    found: list[list[str]] = []
    for domain in ({*FUNCTIONS} - POSITIVE - UNIT, POSITIVE, UNIT):
        rows = [FUNCTIONS[name] for name in sorted(domain)]
        calls = [c for row in rows for c in (integer_calls(row, dtype) if dtype in INTEGERS else float_calls(row))]
        found += [calls[start : start + BATCH] for start in range(0, len(calls), BATCH)]
    return found


def program(dtype: str, calls: list[str], **math: bool) -> dict[str, Any]:
    names = [f"O{index}" for index in range(len(calls))]
    tensor = {"shape": [33, 40], "dtype": dtype}
    kernel = {
        "inputs": {name: tensor for name in "AB" if any(name in text for text in calls)},
        "outputs": dict.fromkeys(names, tensor),
        "compute": "\n".join(f"{name} = {text}" for name, text in zip(names, calls, strict=True)),
        "math": math,
    }
    return {"target": {"arch": "wormhole_b0", "grid": [1, 1]}, "kernel": kernel}


CASES = [(dtype, calls) for dtype in ("bfloat16", *INTEGERS) for calls in batches(dtype)]


NAMED = {f"{dtype}-{calls[0]}": (program(dtype, calls), []) for dtype, calls in CASES}


@pytest.fixture(scope="module")
def proven(request: pytest.FixtureRequest) -> Outcomes:
    return outcomes(request, NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_a_batch_of_functions(name: str, proven: Outcomes) -> None:
    judge(proven[name])


@pytest.mark.long
@pytest.mark.parametrize("calls", batches("float32"), ids=lambda calls: str(calls[0]))
@pytest.mark.parametrize("math", [{"fp32_accumulate": False}, {"approximate": True}], ids=str)
def test_a_batch_in_other_modes(calls: list[str], math: dict[str, bool]) -> None:
    prove(program("float32", calls, **math), [])


@pytest.mark.long
@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
@pytest.mark.parametrize(("dtype", "calls"), CASES, ids=[f"{d}-{c[0]}" for d, c in CASES])
def test_a_batch_compiles_against_the_sdk(dtype: str, calls: list[str], arch: str, tmp_path: Path) -> None:
    _, plan = build(program(dtype, calls), tmp_path / "k")
    assert errors(check(plan, sdk="0.81", arch=arch)) == []


def test_every_form_of_the_table_is_called() -> None:
    """What the batches call is the whole table, but for the columns that ``math: {approximate: true}`` takes."""
    counted = sum(len(calls) for dtype in ("bfloat16", *INTEGERS) for calls in batches(dtype))
    tables = [
        table for row in FUNCTIONS.values() for table in (row.int_calls, row.int_scalar_calls, row.int_rscalar_calls)
    ]
    single = [c for row in FUNCTIONS.values() for c in (row.float_call, row.scalar_call, row.rscalar_call) if c]
    assert counted == len(single) + sum(map(len, tables))
