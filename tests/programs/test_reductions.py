"""Kernels with reductions, each proven on the emulator, and bit-equal on one core and under another schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.programs.schedules import Kernel
from tests.programs.together import Outcomes, judge, outcomes

SPEC = yaml.safe_load((Path(__file__).parent / "reductions.yaml").read_text())
OTHERS = (
    {"grid": [1, 1], "schedule": {}},
    {"grid": [5, 3], "schedule": {"policy": "strided", "order": "serpentine"}},
    {"grid": [8, 4], "schedule": {"policy": "rectangular", "order": "column_major"}},
)


def _case(kernel: Kernel) -> tuple[Kernel, list[Kernel]]:
    arch = SPEC["target"]["arch"]
    variants = [
        {"target": {"arch": arch, "grid": other["grid"]}, "kernel": {**kernel, "schedule": other["schedule"]}}
        for other in OTHERS
    ]
    return {"target": SPEC["target"], "kernel": kernel}, variants


@pytest.fixture(scope="module")
def proven(request: pytest.FixtureRequest) -> Outcomes:
    return outcomes(request, {name: _case(kernel) for name, kernel in SPEC["kernels"].items()})


@pytest.mark.parametrize("name", SPEC["kernels"])
def test_reduction(name: str, proven: Outcomes) -> None:
    judge(proven[name])
