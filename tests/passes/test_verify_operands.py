"""``verify_ir`` on blocked matmuls of moved operands: corruptions of blocks are rejected there, and those that only a
view has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.block_corruptions import BLOCK_CORRUPTIONS
from tests.passes.operand_corruptions import OPERAND_CORRUPTIONS
from tests.passes.rejected import check_rejected
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.targets import load_arch


def _kernel(compute: str, out: list[int], matmul: dict[str, Any], **inputs: list[int]) -> dict[str, Any]:
    return {
        "inputs": {name: {"shape": shape} for name, shape in inputs.items()},
        "outputs": {"Y": {"shape": out}},
        "compute": compute,
        "schedule": {"matmul": matmul},
    }


BASES = {
    "heads": _kernel(
        "Y = join_heads(A) @ B + r", [200, 300], {"algorithm": "mcast_2d", "k_block": 96}, A=[5, 200, 64], B=[320, 300],
        r=[1, 300],
    ),
    "columns of heads": _kernel(
        "Y = slice(join_heads(A), -1, 96, 300) @ slice(B, -2, 32, 236)", [200, 300],
        {"algorithm": "mcast_1d_in1", "k_block": 64}, A=[5, 200, 64], B=[256, 300],
    ),
    "ends in a tile": _kernel(
        "Y = slice(A, -1, 64, 140) @ B", [200, 300], {"algorithm": "mcast_2d", "k_block": 64, "noc": 1}, A=[200, 230],
        B=[76, 300],
    ),
    "turned": _kernel(
        "Y = A @ join_heads(permute(B, (0, 2, 1)))", [200, 320], {"algorithm": "mcast_2d", "k_block": 64}, A=[200, 160],
        B=[5, 64, 160],
    ),
    "turned back": _kernel(
        "Y = A @ slice(B.T, -1, 64, 224).T", [200, 256], {"algorithm": "reuse", "block": [96, 64]}, A=[200, 160],
        B=[256, 256],
    ),
    "shared heads": _kernel(
        "Y = split_heads(A, 4) @ repeat(B, 2, 0).T", [4, 96, 160], {"algorithm": "reuse", "k_block": 64}, A=[96, 384],
        B=[2, 160, 96],
    ),
    "two products": _kernel(
        "Y = (slice(A, -1, 0, 96) @ B) * (slice(C, -1, 96, 192) @ G)", [200, 300],
        {"algorithm": "mcast_2d", "k_block": 64}, A=[200, 192], C=[200, 192], B=[96, 300], G=[96, 300],
    ),
    "parts": _kernel(
        "Y = join_heads(A) @ B", [64, 200], {"algorithm": "mcast_1d_in0", "k_split": 4, "k_block": 96}, A=[23, 64, 64],
        B=[1472, 200],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERAND_CORRUPTIONS)
def test_corruption_of_a_moved_operand_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, OPERAND_CORRUPTIONS, BASES, lowered_base)


@pytest.mark.parametrize("name", ["page_beside", "first_page_again", "transposed_or_not", "padding_not_zeroed"])
def test_corruption_of_blocks_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, BLOCK_CORRUPTIONS, BASES, lowered_base)


def test_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
