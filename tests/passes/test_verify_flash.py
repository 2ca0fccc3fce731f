"""``verify_ir`` on attention: valid ones pass, corruptions are rejected with the right code, on every base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.flash_corruptions import FLASH_CORRUPTIONS
from tests.passes.rejected import check_rejected
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.targets import load_arch


def _kernel(
    compute: str, sizes: tuple[int, int, int, int, int, int], *, held: int = 0, **inputs: list[int]
) -> dict[str, Any]:
    batch, heads, queries, keys, inner, width = sizes
    shapes = {
        "Q": [batch, heads, queries, inner],
        "K": [batch, held or heads, keys, inner],
        "V": [batch, held or heads, keys, width],
        **inputs,
    }
    return {
        "inputs": {name: {"shape": shape} for name, shape in shapes.items()},
        "outputs": {"Y": {"shape": [batch, heads, queries, width]}},
        "compute": compute,
    }


BASES = {
    "bare": _kernel("Y = softmax(Q @ K.T, axis=-1) @ V", (1, 2, 128, 256, 64, 96)),
    "ragged": _kernel("Y = softmax(Q @ K.T * 0.125, axis=-1) @ V", (2, 2, 100, 300, 40, 64)),
    "causal": _kernel("Y = softmax(causal(Q @ K.T * 0.125), axis=-1) @ V", (1, 4, 256, 256, 64, 64)),
    "pairs": _kernel("Y = softmax(causal(Q @ K.T), axis=-1) @ V", (1, 1, 512, 512, 32, 32)),
    "causal_heads": _kernel(
        "Y = softmax(causal(Q @ repeat(K, 4, 1).T), axis=-1) @ repeat(V, 4, 1)", (1, 16, 256, 256, 64, 32), held=4
    ),
    "masked": _kernel("Y = softmax(Q @ K.T + M, axis=-1) @ V", (1, 2, 90, 128, 64, 64), M=[1, 1, 90, 128]),
    "parts": _kernel("Y = softmax(Q @ K.T, axis=-1) @ V", (1, 2, 1, 1024, 64, 64)),
    "ragged_parts": _kernel("Y = softmax(Q @ K.T, axis=-1) @ V", (1, 3, 40, 800, 40, 96)),
    "scaled_parts": _kernel("Y = softmax(Q @ K.T * 0.125, axis=-1) @ V", (2, 1, 33, 1090, 64, 32)),
}


@pytest.mark.parametrize("name", FLASH_CORRUPTIONS)
def test_corruption_is_rejected(name: str, lowered_base: Callable[[str], LoweredKernel]) -> None:
    check_rejected(name, FLASH_CORRUPTIONS, BASES, lowered_base)


def test_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
