"""Kernels with reductions, each proven on the emulator, and bit-equal on one core and under another schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.programs.generator import Kernel
from tests.programs.prove import prove

SPEC = yaml.safe_load((Path(__file__).parent / "reductions.yaml").read_text())
OTHERS = (
    {"grid": [1, 1], "schedule": {}},
    {"grid": [5, 3], "schedule": {"policy": "strided", "order": "serpentine"}},
    {"grid": [8, 4], "schedule": {"policy": "rectangular", "order": "column_major"}},
)


@pytest.mark.parametrize("name", SPEC["kernels"])
def test_reduction(name: str) -> None:
    kernel: Kernel = SPEC["kernels"][name]
    arch = SPEC["target"]["arch"]
    variants = [
        {"target": {"arch": arch, "grid": other["grid"]}, "kernel": {**kernel, "schedule": other["schedule"]}}
        for other in OTHERS
    ]
    prove({"target": SPEC["target"], "kernel": kernel}, variants)
