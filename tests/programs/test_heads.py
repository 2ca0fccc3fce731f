"""Heads of a projection on the emulator: columns as matrices, and matrices as columns, with what stands around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs.generator import Kernel
from tests.programs.prove import build, prove


def _kernel(
    compute: str,
    out: list[int],
    *,
    dtype: str = "bfloat16",
    schedule: dict[str, Any] | None = None,
    **inputs: list[int],
) -> Kernel:
    kernel: dict[str, Any] = {
        "inputs": {name: {"shape": shape, "dtype": dtype} for name, shape in inputs.items()},
        "outputs": {"Y": {"shape": out, "dtype": dtype}},
        "compute": compute,
    }
    if schedule:
        kernel["schedule"] = schedule
    return {"target": {"arch": "wormhole_b0", "grid": [4, 4]}, "kernel": kernel}


ROPE = "q = split_heads(slice(X, -1, 0, 256), 4)\nY = q * c + rotate_half(q) * s"
ATTENTION = """q = split_heads(slice(X, -1, 0, 256), 4)
k = split_heads(slice(X, -1, 256, 384), 2)
v = split_heads(slice(X, -1, 384, 512), 2)
Y = softmax(causal(q @ repeat(k, 2, 1).T * 0.125), axis=-1) @ repeat(v, 2, 1)"""

CASES = {
    "split": _kernel("Y = split_heads(X, 4)", [4, 70, 64], X=[70, 256]),
    "split_in_a_batch": _kernel(
        "Y = split_heads(X * r + c, 3)", [2, 3, 40, 64], X=[2, 40, 192], r=[1, 192], c=[2, 40, 1]
    ),
    "split_of_one": _kernel("Y = split_heads(X, 1) + 1", [1, 64, 50], X=[64, 50]),
    "split_of_turned": _kernel("Y = split_heads(X.T, 2)", [2, 64, 64], X=[128, 64]),
    "joined": _kernel("Y = join_heads(X)", [70, 256], X=[4, 70, 64]),
    "joined_in_a_batch": _kernel("Y = join_heads(X * Z) + 1", [2, 70, 192], X=[2, 3, 70, 64], Z=[2, 3, 70, 64]),
    "joined_of_one": _kernel("Y = join_heads(X)", [64, 50], X=[1, 64, 50]),
    "integers": _kernel("Y = split_heads(X, 2) + 1", [2, 64, 64], dtype="int32", X=[64, 128]),
    "softmax": _kernel("Y = softmax(split_heads(X, 4), axis=-1)", [4, 40, 64], X=[40, 256]),
    "rope": _kernel(ROPE, [4, 96, 64], X=[96, 512], c=[96, 64], s=[96, 64]),
    "matmul": _kernel("Y = split_heads(X, 4) @ W", [4, 64, 32], X=[64, 256], W=[4, 64, 32]),
    "joined_before_a_matmul": _kernel("Y = join_heads(X) @ W", [64, 96], X=[4, 64, 64], W=[256, 96]),
    "attention": _kernel(ATTENTION, [1, 4, 96, 64], X=[1, 96, 512]),
}


@pytest.mark.parametrize("name", CASES)
def test_heads(name: str) -> None:
    program = CASES[name]
    schedule = {"policy": "contiguous", "cores": [3, 1]}
    other = {**program, "kernel": {**program["kernel"], "schedule": schedule}}
    prove(program, [] if name == "attention" else [other])


@pytest.mark.parametrize("name", ["split", "joined", "rope"])
def test_every_page_is_read_once(name: str, tmp_path: Path) -> None:
    kernel, _ = build(CASES[name], tmp_path / "k")
    rows, columns = kernel.buffer("X").tiles
    used = columns // 2 if name == "rope" else columns
    assert kernel.pages_read["X"] == kernel.buffer("X").batch * rows * used
