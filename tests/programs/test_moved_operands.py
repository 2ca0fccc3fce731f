"""Blocked matmuls of moved operands on the emulator: views of inputs come step by step along K, as inputs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs.generator import Kernel
from tests.programs.matmuls import check_bytes
from tests.programs.prove import prove
from tests.support import rejection, verified
from tt_build.passes.blockings import ALGORITHMS


def _kernel(
    compute: str,
    out: list[int],
    layouts: dict[str, Any] | None = None,
    dtypes: dict[str, str] | None = None,
    **inputs: list[int],
) -> dict[str, Any]:
    tensors = {
        name: {
            "shape": shape,
            "dtype": (dtypes or {}).get(name, "bfloat16"),
            "layout": (layouts or {}).get(name, "dram_interleaved"),
        }
        for name, shape in {**inputs, "Y": out}.items()
    }
    return {"inputs": {name: tensors[name] for name in inputs}, "outputs": {"Y": tensors["Y"]}, "compute": compute}


def _program(kernel: dict[str, Any], **matmul: Any) -> Kernel:
    schedule = {"schedule": {"matmul": matmul}} if matmul else {}
    return {"target": {"arch": "wormhole_b0", "grid": [4, 4]}, "kernel": {**kernel, **schedule}}


def _l1(kind: str, *grid: int, memory: str = "l1") -> dict[str, Any]:
    return {"memory": memory, "sharding": kind, "grid": list(grid)}


FIRST = {
    "joined": _kernel("Y = join_heads(A) @ B", [160, 256], A=[6, 160, 64], B=[384, 256]),
    "joined, ragged": _kernel("Y = join_heads(A) @ B", [150, 200], A=[3, 150, 96], B=[288, 200]),
    "joined of one": _kernel("Y = join_heads(A) @ B", [160, 256], A=[1, 160, 72], B=[72, 256]),
    "joined heads of a tile": _kernel("Y = join_heads(A) @ B", [160, 256], A=[5, 160, 32], B=[160, 256]),
    "columns": _kernel("Y = slice(A, -1, 32, 160) @ B", [160, 256], A=[160, 224], B=[128, 256]),
    "columns that end in a tile": _kernel("Y = slice(A, -1, 64, 136) @ B", [160, 256], A=[160, 224], B=[72, 256]),
    "rows": _kernel("Y = slice(A, -2, 64, 210) @ B", [146, 256], A=[256, 96], B=[96, 256]),
    "rows and columns": _kernel(
        "Y = slice(slice(A, -2, 32, 180), -1, 32, 90) @ B", [148, 256], A=[256, 160], B=[58, 256]
    ),
    "one of a batch": _kernel("Y = slice(A, 0, 1, 2) @ B", [1, 160, 256], A=[3, 160, 96], B=[96, 256]),
    "turned twice": _kernel("Y = permute(permute(A, (1, 0)), (1, 0)) @ B", [160, 256], A=[160, 96], B=[96, 256]),
    "columns of heads": _kernel(
        "Y = slice(join_heads(A), -1, 96, 296) @ B", [160, 256], A=[6, 160, 64], B=[200, 256]
    ),
    "of shards": _kernel(
        "Y = join_heads(A) @ B", [128, 256], {"A": _l1("height", 4, 4)}, A=[4, 128, 64], B=[256, 256]
    ),
    "to shards": _kernel(
        "Y = join_heads(A) @ B", [128, 256], {"A": _l1("height", 4, 4), "Y": _l1("block", 4, 4)}, A=[4, 128, 64],
        B=[256, 256],
    ),
    "of shards in DRAM": _kernel(
        "Y = slice(A, -1, 64, 192) @ B", [160, 256], {"A": _l1("width", 4, 1, memory="dram")}, A=[160, 256],
        B=[128, 256],
    ),
    "with an epilogue": _kernel(
        "Y = gelu(join_heads(A) @ B + r) * c + f", [160, 256], A=[6, 160, 64], B=[384, 256], r=[1, 256], c=[160, 1],
        f=[160, 256],
    ),
    "of two products": _kernel(
        "Y = silu(join_heads(A) @ B) * (join_heads(A) @ G)", [160, 256], A=[4, 160, 64], B=[256, 256], G=[256, 256]
    ),
    "other columns for each product": _kernel(
        "Y = (slice(A, -1, 0, 96) @ B) + (slice(A, -1, 96, 192) @ B)", [160, 256], A=[160, 192], B=[96, 256]
    ),
    "transposed besides": _kernel("Y = slice(A.T, -1, 0, 96) @ B", [160, 256], A=[128, 160], B=[96, 256]),
    "computed of heads": _kernel("Y = tanh(join_heads(A)) @ B", [160, 256], A=[2, 160, 64], B=[128, 256]),
    "beside a transposed one": _kernel(
        "Y = (C.T @ B) + (join_heads(A) @ G)", [160, 256], A=[2, 160, 64], C=[128, 160], B=[128, 256], G=[128, 256]
    ),
    "beside a computed one": _kernel(
        "Y = (tanh(C) @ B) + (join_heads(A) @ G)", [160, 256], A=[2, 160, 64], C=[160, 128], B=[128, 256], G=[128, 256]
    ),
}  # fmt: skip

SECOND = {
    "joined": _kernel("Y = A @ join_heads(B)", [160, 256], A=[160, 96], B=[4, 96, 64]),
    "joined, transposed": _kernel("Y = A @ join_heads(B).T", [160, 200], A=[160, 256], B=[4, 200, 64]),
    "transposed, joined": _kernel("Y = A @ join_heads(permute(B, (0, 2, 1)))", [160, 256], A=[160, 96], B=[4, 64, 96]),
    "transposed twice": _kernel("Y = A @ slice(B.T, -2, 32, 224).T", [160, 192], A=[160, 96], B=[96, 256]),
    "transposed rows": _kernel("Y = A @ slice(B.T, -2, 32, 110)", [160, 192], A=[160, 78], B=[192, 128]),
    "columns": _kernel("Y = A @ slice(B, -1, 64, 250)", [160, 186], A=[160, 96], B=[96, 256]),
    "rows": _kernel("Y = A @ slice(B, -2, 64, 160)", [160, 256], A=[160, 96], B=[224, 256]),
    "rows that end in a tile": _kernel("Y = A @ slice(B, -2, 64, 150)", [160, 256], A=[160, 86], B=[224, 256]),
    "in block-floats": _kernel(
        "Y = A @ slice(B, -1, 64, 250)", [160, 186], dtypes={"B": "bfloat8_b", "Y": "bfloat8_b"}, A=[160, 96],
        B=[96, 256],
    ),
    "one tile, transposed and not": _kernel("Y = (A @ B) * (A @ B.T)", [64, 32], A=[64, 32], B=[32, 32]),
    "of a transposed first operand": _kernel("Y = A.T @ join_heads(B)", [160, 256], A=[96, 160], B=[4, 96, 64]),
    "beside a computed one": _kernel(
        "Y = (A @ join_heads(B)) * (A @ (G * r))", [160, 256], A=[160, 96], B=[4, 96, 64], G=[96, 256], r=[1, 256]
    ),
    "a bank's columns": _kernel(
        "Y = A @ slice(B, -1, 0, 256)", [160, 256], {"B": _l1("width", 4, 1, memory="dram")}, A=[160, 96], B=[96, 384]
    ),
}  # fmt: skip

BATCHES = {
    "split": _kernel("Y = split_heads(A, 4) @ B", [4, 96, 160], A=[96, 256], B=[4, 64, 160]),
    "split by split": _kernel("Y = split_heads(A, 4) @ split_heads(B, 4).T", [4, 96, 90], A=[96, 256], B=[90, 256]),
    "shared heads": _kernel("Y = A @ repeat(B, 3, 0).T", [6, 96, 160], A=[6, 96, 64], B=[2, 160, 64]),
    "all heads of one": _kernel("Y = A @ repeat(B, 6, 0)", [6, 96, 160], A=[6, 96, 70], B=[1, 70, 160]),
    "shared heads of columns": _kernel(
        "Y = split_heads(slice(A, -1, 0, 256), 4) @ repeat(split_heads(slice(A, -1, 256, 384), 2), 2, 0).T",
        [4, 96, 96], A=[96, 448],
    ),
    "of two axes": _kernel("Y = repeat(A, 2, 1) @ repeat(B, 2, 0)", [2, 4, 64, 96], A=[2, 2, 64, 96], B=[1, 4, 96, 96]),
    "permuted": _kernel("Y = permute(A, (1, 0, 2, 3)) @ B", [3, 2, 64, 96], A=[2, 3, 64, 96], B=[3, 2, 96, 96]),
    "joined": _kernel("Y = join_heads(A) @ B", [2, 64, 96], A=[2, 4, 64, 32], B=[128, 96]),
    "of some": _kernel("Y = slice(A, 0, 1, 4) @ slice(B, 0, 0, 3)", [3, 64, 96], A=[5, 64, 96], B=[4, 96, 96]),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_first_operands(name: str) -> None:
    _prove(FIRST[name])


@pytest.mark.parametrize("name", SECOND)
def test_second_operands(name: str) -> None:
    _prove(SECOND[name])


@pytest.mark.parametrize("name", BATCHES)
def test_operands_of_batches(name: str) -> None:
    _prove(BATCHES[name])


def _prove(kernel: dict[str, Any]) -> None:
    program = _program(kernel)
    prove(program, [])
    check_bytes(program)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "kernel", [FIRST["joined"], FIRST["columns that end in a tile"], SECOND["transposed, joined"], SECOND["rows"]]
)
def test_every_algorithm(kernel: dict[str, Any], algorithm: str) -> None:
    program = _program(kernel, algorithm=algorithm, k_block=64)
    prove(program, [_program(kernel, algorithm=algorithm, k_block=64, depth=1)])
    check_bytes(program)


STREAMING = {
    "the first operand is joined of 2 pieces": _kernel(
        "Y = concat(A, C, -1) @ B", [160, 256], A=[160, 64], C=[160, 96], B=[160, 256]
    ),
    "the second operand is joined of 3 pieces": _kernel(
        "Y = A @ concat(concat(B, C, -2), B, -2)", [160, 256], A=[160, 160], C=[32, 256], B=[64, 256]
    ),
    "a tensor behind it is moved": _kernel(
        "Y = join_heads(A) @ B + slice(r, -1, 0, 256)", [160, 256], A=[2, 160, 64], B=[128, 256], r=[160, 288]
    ),
    "a tensor that it is computed from is joined of 2 pieces": _kernel(
        "Y = tanh(concat(A, C, -1)) @ B", [160, 256], A=[160, 64], C=[160, 96], B=[160, 256]
    ),
}


@pytest.mark.parametrize("reason", STREAMING)
def test_what_streams_says_why(reason: str, tmp_path: Path) -> None:
    """Where a blocked plan is asked for, and, where nobody asks and it can, the kernel streams."""
    kernel = STREAMING[reason]
    asked = {**kernel, "schedule": {"matmul": {"algorithm": "reuse"}}}
    assert reason in rejection(tmp_path, asked)
    if "computed from" not in reason:
        assert verified(tmp_path, kernel).algorithm == "streaming_matmul"


def test_a_piece_of_what_is_joined_is_blocked(tmp_path: Path) -> None:
    kernel = _kernel("Y = slice(concat(A, C, 0), 0, 0, 1) @ B", [1, 96, 96], A=[1, 96, 64], C=[1, 96, 64], B=[64, 96])
    assert verified(tmp_path, kernel).blocking is not None


def test_pages_are_read_once(tmp_path: Path) -> None:
    """On all cores a projection of heads reads each page once, and of a slice what is in it."""
    heads = verified(tmp_path, _kernel("Y = join_heads(A) @ B", [1024, 1024], A=[16, 1024, 64], B=[1024, 1024]))
    assert (heads.pages_read["A"], heads.pages_read["B"]) == (1024, 1024)
    part = verified(tmp_path, _kernel("Y = A @ slice(B, -1, 256, 768)", [512, 512], A=[512, 512], B=[512, 1024]))
    assert (part.pages_read["A"], part.pages_read["B"]) == (256, 256)


def test_what_is_repeated_counts_as_often_as_it_is_read(tmp_path: Path) -> None:
    """Compulsory is each page once; a matrix that four heads share comes for each of them."""
    kernel = verified(tmp_path, _kernel("Y = A @ repeat(B, 4, 0)", [8, 256, 256], A=[8, 256, 64], B=[2, 64, 256]))
    once = kernel.buffer("B").pages
    assert kernel.pages_read["B"] % (4 * once) == 0
    assert kernel.matmul_choice is not None
    size = kernel.buffer("A").page_size
    moved = sum(kernel.pages_read.values()) + sum(kernel.pages_written.values())
    assert kernel.matmul_choice.taken.dram_bytes == size * moved
