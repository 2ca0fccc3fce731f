"""``verify_ir`` on kernels of sweeps: valid ones pass, corruptions are rejected with the right code, on every base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.rejected import check_rejected
from tests.passes.sweep_corruptions import SWEEP_CORRUPTIONS
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.targets import load_arch


def _kernel(compute: str, out: list[int], **inputs: list[int]) -> dict[str, Any]:
    return {
        "inputs": {name: {"shape": shape} for name, shape in inputs.items()},
        "outputs": {"Y": {"shape": out}},
        "compute": compute,
        "schedule": {"cores": [2, 2]},
    }


BASES = {
    "softmax": _kernel("Y = softmax(X, axis=-1)", [2, 100, 300], X=[2, 100, 300]),
    "streamed": _kernel("Y = softmax(X, axis=-1)", [64, 30_010], X=[64, 30_010]),
    "norm": _kernel("Y = layernorm(X, 1e-5) * g + b", [200, 164], X=[200, 164], g=[1, 164], b=[1, 164]),
    "columns": _kernel("Y = X - min(X, axis=-2)", [90, 160], X=[90, 160]),
    "matrix": _kernel("Y = X / mean(X, axis=(-2, -1))", [4, 70, 75], X=[4, 70, 75]),
    "rope": _kernel("Y = X * c + rotate_half(X) * s", [2, 90, 128], X=[2, 90, 128], c=[90, 128], s=[1, 128]),
    "rows": {
        "inputs": {
            "X": {"shape": [2, 70, 203], "format": "row_major"},
            "g": {"shape": [1, 203], "format": "row_major"},
        },
        "outputs": {"Y": {"shape": [2, 70, 203], "format": "row_major"}},
        "compute": "Y = softmax(X, axis=-1) * g",
        "schedule": {"cores": [2, 2]},
    },
    "whole tiles": _kernel("Y = max(X, axis=-1)", [128, 1], X=[128, 256]),
}


@pytest.mark.parametrize("name", SWEEP_CORRUPTIONS)
def test_corruption_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, SWEEP_CORRUPTIONS, BASES, lowered_base)


def test_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
