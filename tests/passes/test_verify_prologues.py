"""``verify_ir`` on matmuls of which an operand is computed: corruptions of blocks and of sweeps are rejected there, and
those that only a prologue has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.block_corruptions import BLOCK_CORRUPTIONS
from tests.passes.prologue_corruptions import PROLOGUE_CORRUPTIONS
from tests.passes.rejected import check_rejected
from tests.passes.sweep_corruptions import SWEEP_CORRUPTIONS
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.targets import load_arch


def _kernel(m: int, k: int, n: int, compute: str, matmul: dict[str, Any], **inputs: list[int]) -> dict[str, Any]:
    shapes = {"X": [m, k], "W": [k, n], **inputs}
    shapes = {name: shape for name, shape in shapes.items() if re.search(rf"\b{name}\b", compute)}
    return {
        "inputs": {name: {"shape": shape} for name, shape in shapes.items()},
        "outputs": {"Y": {"shape": [m, n]}},
        "compute": compute,
        "schedule": {"matmul": matmul},
    }


BASES = {
    "norm": _kernel(
        200, 230, 300, "Y = (rmsnorm(X, 1e-5) * g) @ W", {"algorithm": "mcast_2d", "k_block": 64}, g=[1, 230]
    ),
    "streamed": _kernel(
        96, 650, 300, "Y = (silu(G) * X) @ W + r", {"algorithm": "mcast_1d_in0", "k_block": 96, "noc": 1},
        G=[96, 650], r=[1, 300],
    ),
    "gated": _kernel(
        200, 250, 160, "N = X - max(X, axis=-1)\nY = silu(N @ W) * (N @ V)", {"algorithm": "reuse", "block": [64, 96]},
        V=[250, 160],
    ),
    "column": _kernel(
        600, 200, 96, "Y = exp(X * c) @ W * c", {"algorithm": "mcast_1d_in1", "k_block": 32}, c=[600, 1]
    ),
    "two": _kernel(
        96, 128, 96, "Y = relu(tanh(X) @ W) + sigmoid(X) @ V", {"algorithm": "mcast_2d", "k_block": 64}, V=[128, 96]
    ),
    "turns": _kernel(
        128, 506, 250, "Y = (sigmoid(G) * X * g) @ W + r", {"algorithm": "mcast_2d", "k_block": 128, "block": [32, 64]},
        G=[128, 506], g=[1, 506], r=[1, 250],
    ),
    "norm in turns": _kernel(
        32, 506, 256, "Y = (rmsnorm(X, 1e-5) * g) @ W + r", {"algorithm": "mcast_1d_in0", "k_block": 64},
        g=[1, 506], r=[1, 256],
    ),
    "turns of writers": _kernel(
        32, 512, 256, "Y = exp(X * c) @ W", {"algorithm": "mcast_1d_in0", "k_block": 64, "noc": 1}, c=[32, 1]
    ),
    "second": _kernel(
        96, 230, 300, "Y = X @ (softmax(W, axis=-2) * s) + r", {"algorithm": "mcast_2d", "k_block": 64},
        s=[1, 300], r=[1, 300],
    ),
    "second transposed": _kernel(
        200, 230, 250, "Y = (X - c) @ (rmsnorm(T, 1e-5) * g).T",
        {"algorithm": "mcast_2d", "k_block": 64, "block": [64, 64]}, T=[250, 230], g=[1, 230], c=[200, 1],
    ),
    "second of two": _kernel(
        64, 300, 250, "Y = silu(X @ (W * s)) * (X @ (V + d))",
        {"algorithm": "mcast_1d_in0", "k_block": 96, "block": [64, 64]}, V=[300, 250], s=[1, 250], d=[300, 1],
    ),
    "transposed": _kernel(
        200, 230, 250, "Y = T.T @ W", {"algorithm": "mcast_2d", "k_block": 64, "block": [64, 64]}, T=[230, 200]
    ),
    "moved": _kernel(
        200, 128, 250, "Y = (silu(slice(H, -1, 0, 128)) * slice(H, -1, 128, 256) * slice(g, -1, 64, 192)) @ W",
        {"algorithm": "mcast_2d", "k_block": 64, "block": [64, 64]}, H=[200, 256], g=[1, 200],
    ),
}  # fmt: skip
ELSEWHERE = frozenset(
    (
        "padding_not_zeroed",
        "padding_of_another_tile_zeroed",
        "padding_zeroed_from_elsewhere",
        "padding_zeroed_in_another_step",
        "shard_not_awaited",
        "shard_not_announced",
        "shard_copied",
        "result_written_after_all",
        "operand_not_local",
        "on_each_others_shards",
        "another_part_sent",
        "more_parts_expected",
        "parts_sent_to_all",
        "half_a_part_sent",
        "parts_not_sent",
        "a_part_left_out",
        "parts_maximum",
        "sum_starts_anew",
        "part_packed_for_the_sum",
        "every_core_of_a_unit_finishes",
        "other_parts",
        "row_beside",
        "rows_beyond_the_tensor",
        "row_major_read_as_tiles",
        "columns_of_another_tile",
        "not_turned",
        "page_of_the_other_matrix",
        "columns_beyond_the_row",
        "elements_of_another_size",
    )
)
"""Corruptions of what no prologue has: shards, parts of K, moved and row-major tensors, zeroed padding."""

ALL = {**BLOCK_CORRUPTIONS, **SWEEP_CORRUPTIONS, **PROLOGUE_CORRUPTIONS}


@pytest.mark.parametrize("name", [name for name in ALL if name not in ELSEWHERE])
def test_corruption_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, ALL, BASES, lowered_base)


def test_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
