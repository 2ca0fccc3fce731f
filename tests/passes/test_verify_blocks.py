"""``verify_ir`` on blocked matmuls: valid ones pass, corruptions are rejected with the right code, on every base."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.passes.block_corruptions import BLOCK_CORRUPTIONS
from tests.support import lowered
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

ROUNDS = 2  # seeds of each corruption on each base


def _kernel(m: int, k: int, n: int, compute: str, matmul: dict[str, Any], **inputs: list[int]) -> dict[str, Any]:
    shapes = {"A": [m, k], "B": [n, k] if "B.T" in compute else [k, n], **inputs}
    return {
        "inputs": {name: {"shape": shape} for name, shape in shapes.items()},
        "outputs": {"Y": {"shape": [m, n]}},
        "compute": compute,
        "schedule": {"matmul": matmul},
    }


BASES = {
    "plane": _kernel(200, 230, 300, "Y = A @ B", {"algorithm": "mcast_2d", "k_block": 64}),
    "behind": _kernel(
        200, 256, 300, "Y = gelu(A @ B + r) * c + f", {"algorithm": "mcast_2d", "k_block": 96, "noc": 1},
        r=[1, 300], c=[200, 1], f=[200, 300],
    ),
    "rounds": _kernel(
        384, 200, 512, "Y = A @ B.T", {"algorithm": "mcast_2d", "block": [96, 64], "order": "serpentine"}
    ),
    "line": _kernel(32, 250, 600, "Y = A @ B", {"algorithm": "mcast_1d_in0", "k_block": 64}),
    "column": _kernel(600, 100, 96, "Y = A @ B * s", {"algorithm": "mcast_1d_in1", "k_block": 32}, s=[1, 1]),
    "gate": _kernel(
        200, 230, 160, "Y = silu(A @ B) * (A @ G)", {"algorithm": "mcast_2d", "k_block": 64}, G=[230, 160]
    ),
    "alone": _kernel(160, 96, 160, "Y = A @ B", {"algorithm": "reuse", "block": [64, 64], "k_block": 32}),
}  # fmt: skip


@cache
def _lowered(name: str, folder: Path) -> LoweredKernel:
    return lowered(folder, BASES[name], target={"arch": "wormhole_b0", "grid": [4, 4]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


@pytest.mark.parametrize("name", BLOCK_CORRUPTIONS)
def test_corruption_is_rejected(name: str, folder: Path) -> None:
    function, codes = BLOCK_CORRUPTIONS[name]
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
