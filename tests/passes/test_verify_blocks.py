"""``verify_ir`` on blocked matmuls: valid ones pass, corruptions are rejected with the right code, on every base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.block_corruptions import BLOCK_CORRUPTIONS
from tests.passes.rejected import check_rejected
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.targets import load_arch

Layouts = dict[str, dict[str, Any]]


def _kernel(
    m: int, k: int, n: int, compute: str, matmul: dict[str, Any], layouts: Layouts | None = None, **inputs: list[int]
) -> dict[str, Any]:
    shapes = {"A": [m, k], "B": [n, k] if "B.T" in compute else [k, n], **inputs}
    where = {name: {"layout": layout} for name, layout in (layouts or {}).items()}
    return {
        "inputs": {name: {"shape": shape, **where.get(name, {})} for name, shape in shapes.items()},
        "outputs": {"Y": {"shape": [m, n], **where.get("Y", {})}},
        "compute": compute,
        "schedule": {"matmul": matmul},
    }


def _l1(kind: str, *grid: int) -> dict[str, Any]:
    return {"memory": "l1", "sharding": kind, "grid": list(grid)}


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
    "shards": _kernel(200, 230, 300, "Y = A @ B", {"algorithm": "mcast_2d", "k_block": 64}, {"Y": _l1("block", 4, 4)}),
    "local": _kernel(
        250, 256, 96, "Y = relu(A @ B) + f", {"algorithm": "mcast_1d_in1", "k_block": 96},
        dict.fromkeys("AYf", _l1("height", 4, 2)), f=[250, 96],
    ),
    "turns": _kernel(
        250, 416, 300, "Y = A @ B * c + r", {"algorithm": "mcast_2d"}, dict.fromkeys("AY", _l1("block", 4, 4)),
        r=[1, 300], c=[250, 1],
    ),
    "turns of writers": _kernel(
        32, 512, 300, "Y = A @ B", {"algorithm": "mcast_1d_in0", "noc": 1}, dict.fromkeys("AY", _l1("width", 4, 1))
    ),
    "parts": _kernel(
        64, 1480, 200, "Y = gelu(A @ B + r) * f",
        {"algorithm": "mcast_1d_in0", "k_split": 4, "k_block": 96}, r=[1, 200], f=[64, 200],
    ),
    "short part": _kernel(100, 1000, 64, "Y = A @ B", {"algorithm": "reuse", "k_split": 3, "block": [64, 64]}),
    "crossing": _kernel(200, 230, 300, "Y = A @ B", {"algorithm": "mcast_2d", "k_block": 64, "noc": 0}),
    "rows": _kernel(250, 256, 300, "Y = A @ B", {"algorithm": "reuse", "k_block": 96}, {"A": _l1("height", 4, 2)}),
}  # fmt: skip


@pytest.mark.parametrize("name", BLOCK_CORRUPTIONS)
def test_corruption_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, BLOCK_CORRUPTIONS, BASES, lowered_base)


def test_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
