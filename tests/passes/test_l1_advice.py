"""A kernel that does not fit L1 is refused with a table of what is there, and with a change that makes it build."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import rejection, verified

Kernel = dict[str, Any]


def _kernel(compute: str, shape: list[int], **inputs: list[int]) -> Kernel:
    return {
        "inputs": {name: {"shape": own} for name, own in inputs.items()},
        "outputs": {"Y": {"shape": shape}},
        "compute": compute,
    }


def _with_extent(kernel: Kernel, old: int, new: int) -> Kernel:
    changed = copy.deepcopy(kernel)
    for tensor in (*changed["inputs"].values(), *changed["outputs"].values()):
        tensor["shape"] = [new if extent == old else extent for extent in tensor["shape"]]
    return changed


ROWS = 400_000
BOTH = "Y = X / sum(X, axis=-1) + max(X, axis=-2)"
CASES = {
    "rows": (_kernel(BOTH, [ROWS, 64], X=[ROWS, 64]), "rows"),
    "columns": (_kernel(BOTH, [64, ROWS], X=[64, ROWS]), "columns"),
    "in each matrix": (_kernel(BOTH, [2, ROWS, 40], X=[2, ROWS, 40]), "rows"),
}


@pytest.mark.parametrize("name", CASES)
def test_fewer_rows_or_columns(name: str, tmp_path: Path) -> None:
    kernel, axis = CASES[name]
    text = rejection(tmp_path, kernel)
    assert "error[TTB301]" in text
    found = re.search(rf"help: use at most (\d+) {axis}", text)
    assert found is not None, text
    most = int(found[1])
    fits = verified(tmp_path, _with_extent(kernel, ROWS, most))
    assert fits.l1_bytes <= 1_393_312
    assert "error[TTB301]" in rejection(tmp_path, _with_extent(kernel, ROWS, most + 32))


def test_the_table_has_every_circular_buffer(tmp_path: Path) -> None:
    text = rejection(tmp_path, CASES["rows"][0])
    rows = re.findall(r"^   help:   (\w+) +(\d+) x +(\d+) = +(\d+) B$", text, re.MULTILINE)
    assert {name for name, *_ in rows} >= {"cb_x", "cb_sum", "cb_max", "cb_y"}
    assert all(int(pages) * int(size) == int(total) for _, pages, size, total in rows)
    need = re.search(r"circular buffers need (\d+) B", text)
    assert need is not None
    assert sum(int(total) for *_, total in rows) == int(need[1])


@pytest.mark.parametrize(
    ("where", "named"),
    [(["X"], "'X'"), (["X", "R"], "'X'"), (["X", "Y", "R"], "'X' and 'Y'")],
)
def test_tensors_that_move_to_dram(where: list[str], named: str, tmp_path: Path) -> None:
    kernel = _kernel("Y = X + R", [6656, 6656], X=[6656, 6656], R=[1, 6656])
    tensors = {**kernel["inputs"], **kernel["outputs"]}
    for name in where:
        tensors[name]["layout"] = "l1_interleaved"
    text = rejection(tmp_path, kernel)
    assert f"help: keep {named} in DRAM: layout: dram_interleaved" in text, text
    assert re.search(r"help:   X +tensor in L1 = +1384448 B", text), text
    for name in re.findall(r"'(\w)'", named):
        tensors[name]["layout"] = "dram_interleaved"
    verified(tmp_path, kernel)


K = 32768
PROLOGUES = {
    "elementwise": _kernel("Y = silu(X) @ W", [32, 64], X=[32, K], W=[K, 64]),
    "reduced": _kernel("Y = rmsnorm(X, 1e-5) * g @ W", [64, 96], X=[64, K], g=[1, K], W=[K, 96]),
    "transposed": _kernel("Y = silu(X) @ W.T", [32, 64], X=[32, K], W=[64, K]),
    "ragged": _kernel("Y = silu(X) @ W", [32, 64], X=[32, K - 3], W=[K - 3, 64]),
    "of a second operand": _kernel("Y = X @ exp(W)", [64, 32], X=[64, K], W=[K, 32]),
    "of a transposed second operand": _kernel("Y = X @ rmsnorm(W, 1e-5).T", [64, 96], X=[64, K], W=[96, K]),
    "of a transposed first operand": _kernel("Y = exp(X).T @ W", [64, 32], X=[K, 64], W=[K, 32]),
    "two products": _kernel("Y = silu(X) @ W + X @ V", [32, 64], X=[32, K], W=[K, 64], V=[K, 64]),
}


@pytest.mark.parametrize("name", PROLOGUES)
def test_fewer_columns_or_rows_of_an_operand_that_is_computed(name: str, tmp_path: Path) -> None:
    kernel = PROLOGUES[name]
    found = re.search(r"give it at most (\d+) (columns|rows)", rejection(tmp_path, kernel))
    assert found is not None
    inner = max(kernel["inputs"]["X"]["shape"])
    verified(tmp_path, _with_extent(kernel, inner, int(found[1])))
    assert "error[TTB301]" in rejection(tmp_path, _with_extent(kernel, inner, int(found[1]) + 32))


def test_columns_that_the_output_has_too_are_not_advised(tmp_path: Path) -> None:
    beside = _kernel("Y = rmsnorm(X, 1e-5) @ W + X", [64, K], X=[64, K], W=[K, K])
    text = rejection(tmp_path, beside)
    assert "error[TTB301]" in text
    assert "at most" not in text
