"""``verify_ir`` on kernels of sweeps: valid ones pass, corruptions are rejected with the right code, on every base."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.passes.sweep_corruptions import SWEEP_CORRUPTIONS
from tests.support import lowered
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

ROUNDS = 2  # seeds of each corruption on each base


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


@cache
def _lowered(name: str, folder: Path) -> LoweredKernel:
    return lowered(folder, BASES[name], target={"arch": "wormhole_b0", "grid": [4, 4]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.mark.parametrize("name", SWEEP_CORRUPTIONS)
def test_corruption_is_rejected(name: str, folder: Path) -> None:
    function, codes = SWEEP_CORRUPTIONS[name]
    arch = load_arch("wormhole_b0")
    tried = 0
    for base in BASES:
        kernel = _lowered(base, folder)
        for seed in range(ROUNDS):
            corrupt = function(kernel, random.Random(f"{name} {seed}"))
            if corrupt is None or corrupt == kernel:
                continue
            with pytest.raises(Rejected) as rejected:
                verify_ir.apply(corrupt, arch)
            assert rejected.value.diagnostics[0].code in codes, f"{base}: {rejected.value}"
            tried += 1
    assert tried, "no base has anything for this corruption"


def test_the_bases_are_valid(folder: Path) -> None:
    for base in BASES:
        verify_ir.apply(_lowered(base, folder), load_arch("wormhole_b0"))
