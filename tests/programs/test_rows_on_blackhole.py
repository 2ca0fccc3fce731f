"""Row-major tensors in Blackhole's DRAM, where reads are aligned to 64 B: rows of two-byte elements take a detour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.programs.prove import prove
from tests.support import lowered
from tt_build.ir.lowered import Loop, ReadPage, Stmt, walk
from tt_build.passes import verify_ir
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

Tensor = tuple[list[int], str, str]
ROWS, TILES = "row_major", "tile"


def _kernel(compute: str, out: list[int], **inputs: Tensor) -> dict[str, Any]:
    declared = {n: {"shape": shape, "dtype": dtype, "format": form} for n, (shape, dtype, form) in inputs.items()}
    return {"inputs": declared, "outputs": {"Y": {"shape": out, "format": ROWS}}, "compute": compute}


BFLOAT16 = "bfloat16"
KERNELS = {
    "elementwise": _kernel(
        "Y = X + cast(U, bfloat16) * r",
        [2, 33, 75],
        X=([2, 33, 75], BFLOAT16, ROWS),
        U=([2, 33, 75], "uint16", ROWS),
        r=([1, 75], BFLOAT16, ROWS),
    ),
    "matmul": _kernel("Y = X @ W.T", [50, 70], X=([50, 100], BFLOAT16, ROWS), W=([70, 100], BFLOAT16, ROWS)),
    "softmax": _kernel(
        "Y = softmax(X, axis=-1) * g", [70, 203], X=([70, 203], BFLOAT16, ROWS), g=([1, 203], BFLOAT16, ROWS)
    ),
    "rope": _kernel(
        "Y = X * c + rotate_half(X)", [2, 50, 128], X=([2, 50, 128], BFLOAT16, ROWS), c=([50, 128], BFLOAT16, ROWS)
    ),
    "concat": _kernel(
        "Y = concat(X, Z, -1) + 1", [40, 96], X=([40, 32], BFLOAT16, ROWS), Z=([40, 64], BFLOAT16, TILES)
    ),
}


def _program(kernel: dict[str, Any], grid: list[int]) -> dict[str, Any]:
    return {"target": {"arch": "blackhole", "grid": grid}, "kernel": kernel}


@pytest.mark.parametrize("name", KERNELS)
def test_rows(name: str) -> None:
    kernel = KERNELS[name]
    other = {**kernel, "schedule": {"policy": "strided", "order": "serpentine"}}
    prove(_program(kernel, [2, 2]), [_program(other, [5, 3])])


def _straight(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """Every row read straight into the faces of its tile."""
    return tuple(
        replace(stmt, scratch="")
        if isinstance(stmt, ReadPage)
        else replace(stmt, body=_straight(stmt.body))
        if isinstance(stmt, Loop)
        else stmt
        for stmt in body
    )


def test_rows_that_are_read_straight_into_faces_are_rejected(tmp_path: Path) -> None:
    target = {"arch": "blackhole", "grid": [2, 2]}
    kernel = lowered(tmp_path, _kernel("Y = X + 1", [64, 64], X=([64, 64], "bfloat16", ROWS)), target=target)
    reader, *others = kernel.bodies
    assert any(isinstance(s, ReadPage) and s.scratch for s in walk(reader.body))
    spoilt = replace(kernel, bodies=(replace(reader, body=_straight(reader.body)), *others))
    with pytest.raises(Rejected, match="TTB402"):
        verify_ir.apply(spoilt, load_arch("blackhole"))


def test_a_float32_row_needs_no_scratch(tmp_path: Path) -> None:
    kernel = _kernel("Y = cast(X, bfloat16)", [64, 64], X=([64, 64], "float32", ROWS))
    assert not lowered(tmp_path, kernel, target={"arch": "blackhole"}).scratch
