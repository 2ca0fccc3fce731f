"""``verify_ir``: valid kernels pass, seeded corruptions of them are rejected with the right code."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.passes.corruptions import CORRUPTIONS
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

ROUNDS = 3  # seeds of each corruption


def _tensors(**shapes: Any) -> dict[str, Any]:
    return {name: shape if isinstance(shape, dict) else {"shape": shape} for name, shape in shapes.items()}


def _l1(kind: str, grid: list[int], shape: list[int], **more: Any) -> dict[str, Any]:
    return {"shape": shape, "layout": {"memory": "l1", "sharding": kind, "grid": grid, **more}}


BASES: dict[str, dict[str, Any]] = {
    "blocks": {
        "inputs": _tensors(A=[200, 160], r=[1, 160]), "outputs": _tensors(C=[200, 160]),
        "compute": "C = gelu(A) * r", "schedule": {"cores": [2, 2]},
    },
    "resident": {
        "inputs": _tensors(A=[2, 96, 128], s=[1, 1]), "outputs": _tensors(C=[2, 96, 128], D=[2, 96, 128]),
        "compute": "C = A + s\nD = A * A", "schedule": {"policy": "strided", "order": "serpentine", "cores": [3, 1]},
    },
    "matmul": {
        "inputs": _tensors(A=[100, 300], B=[300, 130], b=[1, 130]), "outputs": _tensors(C=[100, 130]),
        "compute": "C = relu(A @ B + b)", "schedule": {"policy": "rectangular", "cores": [2, 2]},
    },
    "transposed": {
        "inputs": _tensors(A=[300, 100], B=[130, 300]), "outputs": _tensors(C=[100, 130]),
        "compute": "C = A.T @ B.T", "schedule": {"order": "z_order", "cores": [2, 1]},
    },
    "cut": {
        "inputs": _tensors(A=[64, 96], B=[64, 96]), "outputs": _tensors(C=[64, 96]),
        "compute": "C = ((exp(A) + cos(B)) * (sin(A) + tanh(B))) / ((abs(A) + relu(B)) * (exp2(A) + erf(B)) + 1)",
    },
    "block_float": {
        "inputs": _tensors(A=[70, 100], B={"shape": [70, 100], "dtype": "bfloat4_b"}),
        "outputs": _tensors(C={"shape": [70, 100], "dtype": "bfloat8_b"}),
        "compute": "C = cast(A * B, bfloat8_b) + A", "schedule": {"cores": [2, 2]},
    },
    "scalars": {
        "scalars": {"alpha": {"runtime": "float32"}, "beta": {"runtime": "float32"}},
        "inputs": _tensors(A=[70, 100]), "outputs": _tensors(C=[70, 100]),
        "compute": "C = alpha * exp(A) - beta", "schedule": {"cores": [2, 2]},
    },
    "moved": {
        "inputs": _tensors(X=[2, 64, 128], Y=[2, 64, 32], c=[64, 128]), "outputs": _tensors(C=[2, 64, 160]),
        "compute": "C = concat(X, Y, -1) + concat(c, slice(c, -1, 32, 64), -1)",
        "schedule": {"cores": [2, 1]},
    },
    "masked": {
        "inputs": _tensors(X=[100, 128], s=[1, 128]), "outputs": _tensors(C=[100, 128]),
        "compute": "C = causal(rotate_half(X) * s)", "schedule": {"cores": [2, 1]},
    },
    "moved_matmul": {
        "inputs": _tensors(A=[2, 64, 96], A2=[2, 64, 64], B=[1, 130, 200]), "outputs": _tensors(C=[2, 64, 130]),
        "compute": "C = concat(A, A2, -1) @ repeat(slice(B, -1, 32, 192), 2, 0).T", "schedule": {"cores": [2, 1]},
    },
    "rows": {
        "inputs": _tensors(
            X={"shape": [2, 50, 70], "format": "row_major"},
            V={"shape": [2, 50, 102], "format": "row_major", "dtype": "float32"}, r=[1, 70],
        ),
        "outputs": _tensors(C={"shape": [2, 50, 70], "format": "row_major"}),
        "compute": "C = X * r + slice(V, -1, 32, 102)", "schedule": {"cores": [2, 1]},
    },
    "shard": {
        "inputs": _tensors(A=_l1("block", [3, 2], [100, 280]), B=[100, 280]),
        "outputs": _tensors(C=_l1("block", [3, 2], [100, 280])),
        "compute": "C = A * B",
    },
    "together": {
        "inputs": _tensors(A=[300, 170], B=[300, 170], r=[1, 170]), "outputs": _tensors(C=[300, 170], D=[300, 170]),
        "compute": "D = relu(abs(A) + B)\nC = D * r", "schedule": {"cores": [2, 1]}, "math": {"fp32_accumulate": False},
    },
    "together_in_place": {
        "inputs": _tensors(A=_l1("block", [3, 2], [100, 280]), B=_l1("block", [3, 2], [100, 280])),
        "outputs": _tensors(C=_l1("block", [3, 2], [100, 280])),
        "compute": "C = silu(A) * B",
    },
    "stacked_shard": {
        "inputs": _tensors(A=_l1("width", [3, 1], [2, 50, 96]), B=_l1("height", [2, 2], [2, 64, 50])),
        "outputs": _tensors(C=_l1("height", [1, 4], [2, 50, 50])),
        "compute": "C = A @ B", "sizes": {},
    },
}  # fmt: skip
BASES["stacked_shard"]["inputs"]["B"] = _l1("width", [2, 1], [2, 96, 50])


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_is_rejected(name: str, seed: int, lowered_base: Callable[[str], LoweredKernel]) -> None:
    function, codes = CORRUPTIONS[name]
    rng = random.Random(f"{name} {seed}")
    arch = load_arch("wormhole_b0")
    bases = list(BASES)
    rng.shuffle(bases)
    for base in bases:
        kernel = lowered_base(base)
        corrupt = function(kernel, rng)
        if corrupt is None or corrupt == kernel:
            continue
        with pytest.raises(Rejected) as rejected:
            verify_ir.apply(corrupt, arch)
        assert rejected.value.diagnostics[0].code in codes, f"{base}: {rejected.value}"
        return
    pytest.fail("no base has anything for this corruption")


def test_there_are_a_hundred_and_the_bases_are_valid(lowered_base: Callable[[str], LoweredKernel]) -> None:
    assert len(CORRUPTIONS) * ROUNDS >= 100
    for base in BASES:
        verify_ir.apply(lowered_base(base), load_arch("wormhole_b0"))
