"""Kernels of single tiles under every block, depth and number of tiles in DST: the same bits, and no fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs.prove import build, prove_built
from tt_build.passes import memory_space_lower
from tt_build.passes.barriers import Barriers

L1 = {"memory": "l1", "sharding": "block", "grid": [2, 2]}
PLANS = [
    Barriers(batch=1, depth=1),
    Barriers(batch=3, depth=2, in_dst=2),
    Barriers(batch=4, depth=3, in_dst=4),
    Barriers(batch=5, depth=1, in_dst=2),
]


def program(compute: str, *, fp32: bool = False, **inputs: Any) -> dict[str, Any]:
    """Ragged: 4 x 6 tiles on three cores, whose shares no block divides; ``inputs`` beside A and B."""
    tensors = {"A": {"shape": [120, 170]}, "B": {"shape": [120, 170]}} | inputs
    used = {name: tensor for name, tensor in tensors.items() if name in compute}
    outputs = {line.split()[0]: {"shape": [120, 170]} for line in compute.split("\n")}
    kernel = {
        "inputs": used,
        "outputs": outputs,
        "compute": compute,
        "math": {"fp32_accumulate": fp32},
        "schedule": {"cores": [3, 1]},
    }
    return {"target": {"arch": "wormhole_b0", "grid": [4, 4]}, "kernel": kernel}


def in_place() -> dict[str, Any]:
    found = program("C = silu(A) * B")
    del found["kernel"]["schedule"]
    for tensor in (*found["kernel"]["inputs"].values(), *found["kernel"]["outputs"].values()):
        tensor["layout"] = L1
    return found


PROGRAMS: dict[str, dict[str, Any]] = {
    "engines in turn": program("C = exp(A) + relu(B)"),
    "products from two buffers": program("C = A * B"),
    "two outputs and a row that stays": program("C = abs(A) * row\nD = C + B", row={"shape": [1, 170]}),
    "a column that is broadcast": program("C = maximum(A, col) - B", col={"shape": [120, 1]}),
    "float32 through DST": program("C = tanh(A) * 3 + 1", fp32=True, A={"shape": [120, 170], "dtype": "float32"}),
    "integers": program("C = abs(n)", fp32=True, n={"shape": [120, 170], "dtype": "int32"}),
    "in place": in_place(),
}
PROGRAMS["integers"]["kernel"]["outputs"]["C"]["dtype"] = "int32"


def forced(plan: Barriers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_space_lower, "plan_barriers", lambda *_, **__: plan)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_choice_decides_no_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = [build(PROGRAMS[name], tmp_path / "chosen")]
    for number, plan in enumerate(PLANS):
        forced(plan, monkeypatch)
        built.append(build(PROGRAMS[name], tmp_path / str(number)))
        assert (built[-1][0].batch, built[-1][0].in_dst) == (plan.batch, plan.in_dst)
    prove_built(PROGRAMS[name], built)
