"""Matmuls of which an operand is computed: right against the reference, with the same bits under other schedules and
whatever padding holds, and with the planner's count of bytes.

Random ones are drawn by ``matmuls.matmuls``; these are chosen.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.matmuls import check_bytes
from tests.programs.prove import build, prove_all
from tests.programs.second_prologues import SECONDS
from tests.programs.written import also, program

NORM = "Y = (rmsnorm(X, 1e-5) * g) @ W"
FIRSTS = {
    "norm, ragged everywhere": also(
        program(
            NORM, {"X": [190, 470], "g": [1, 470], "W": [470, 330]}, [190, 330],
            {"algorithm": "mcast_2d", "block": [64, 96], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"linked": False, "subblock": [32, 32]}, {"algorithm": "reuse"},
        {"algorithm": "reuse", "policy": "strided", "order": "serpentine"},
        {"algorithm": "reuse", "policy": "rectangular", "order": "z_order"},
    ),
    "norm of one row of tiles": also(
        program(
            NORM, {"X": [20, 256], "g": [1, 256], "W": [256, 512]}, [20, 512],
            {"algorithm": "mcast_1d_in0", "block": [32, 32], "k_block": 32},
        ),
        {"noc": 0, "depth": 1}, {"noc": 1}, {"algorithm": "reuse"},
    ),
    "norm of float32": also(
        program(
            "Y = layernorm(X, 1e-5) @ W", {"X": [100, 250], "W": [250, 40]}, [100, 40],
            {"algorithm": "mcast_1d_in1", "block": [32, 64], "k_block": 96}, dtypes={"X": "float32", "Y": "float32"},
        ),
        {"depth": 1}, {"algorithm": "reuse"},
    ),
    "norm in a narrow DST": also(
        program(
            NORM, {"X": [70, 200], "g": [1, 200], "W": [200, 150]}, [70, 150],
            {"algorithm": "reuse", "block": [64, 64], "k_block": 64}, math={"fp32_accumulate": False},
        ),
        {"subblock": [32, 32], "noc": 1},
    ),
    "MLP": also(
        program(
            "H = rmsnorm(X, 1e-5) * g\nY = silu(H @ W) * (H @ V)",
            {"X": [70, 300], "g": [1, 300], "W": [300, 260], "V": [300, 260]}, [70, 260],
            {"algorithm": "mcast_2d", "block": [64, 96], "k_block": 64}, dtypes={"W": "bfloat4_b", "V": "bfloat4_b"},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse", "order": "column_major"},
    ),
    "two operands": also(
        program(
            "Y = relu(tanh(X) @ W) + exp(X - max(X, axis=-1)) @ V", {"X": [70, 100], "W": [100, 96], "V": [100, 96]},
            [70, 96], {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64},
        ),
        {"algorithm": "reuse"},
    ),
    "computed and not": also(
        program(
            "Y = relu(X @ W) + exp(X) @ V", {"X": [70, 100], "W": [100, 96], "V": [100, 96]}, [70, 96],
            {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64},
        ),
        {"algorithm": "reuse"}, {"noc": 0},
    ),
    "softmax in batches": also(
        program(
            "Y = softmax(S * s, axis=-1) @ V + r", {"S": [2, 3, 40, 90], "s": [1, 1], "V": [3, 90, 64], "r": [1, 64]},
            [2, 3, 40, 64], {"algorithm": "reuse", "block": [32, 64], "k_block": 32},
        ),
        {"order": "z_order"}, {"policy": "strided"},
    ),
    "gate in turn": also(
        program(
            "Y = (silu(G) * U) @ W", {"G": [32, 512], "U": [32, 512], "W": [512, 512]}, [32, 512],
            {"algorithm": "mcast_1d_in0", "block": [32, 32], "k_block": 32},
        ),
        {"noc": 1}, {"noc": 0, "depth": 1}, {"linked": False}, {"algorithm": "reuse"},
    ),
    "ragged in turn": also(
        program(
            "Y = gelu(exp(X * c) @ W + r)", {"X": [120, 500], "c": [120, 1], "W": [500, 250], "r": [1, 250]},
            [120, 250],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 128},
        ),
        {"noc": 1}, {"noc": 0, "depth": 1}, {"algorithm": "reuse"},
    ),
    "blocks that are short at the edge, in turn": also(
        program(
            "Y = sigmoid(X) @ W", {"X": [224, 250], "W": [250, 224]}, [224, 224],
            {"algorithm": "mcast_2d", "block": [64, 64], "k_block": 64},
        ),
        {"depth": 1}, {"algorithm": "reuse"},
    ),
    "norm in turn": also(
        program(
            NORM, {"X": [32, 512], "g": [1, 512], "W": [512, 500]}, [32, 500],
            {"algorithm": "mcast_1d_in0", "block": [32, 32], "k_block": 32},
        ),
        {"noc": 0, "depth": 1}, {"noc": 1}, {"linked": False}, {"algorithm": "reuse"},
    ),
    "ragged softmax in turn": also(
        program(
            "Y = softmax(S + b, axis=-1) @ V * s", {"S": [20, 500], "b": [1, 500], "V": [500, 256], "s": [1, 1]},
            [20, 256], {"algorithm": "mcast_1d_in0", "block": [32, 32], "k_block": 64},
            dtypes={"S": "float32", "V": "bfloat8_b"},
        ),
        {"noc": 1, "depth": 2}, {"algorithm": "reuse"},
    ),
    "in turn on Blackhole": also(
        program(
            "Y = cast(tanh(X) * g, bfloat16) @ W.T", {"X": [64, 256], "g": [1, 256], "W": [256, 256]}, [64, 256],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64}, arch="blackhole", dtypes={"W": "bfloat8_b"},
        ),
        {"noc": 0}, {"algorithm": "reuse"},
    ),
    "cast to block floats": also(
        program(
            "Y = cast(rmsnorm(X, 1e-5), bfloat8_b) @ W", {"X": [64, 200], "W": [200, 150]}, [64, 150],
            {"algorithm": "reuse", "block": [32, 64], "k_block": 32},
        ),
        {"noc": 1, "depth": 1},
    ),
    "one row": also(
        program(NORM, {"X": [1, 200], "g": [1, 200], "W": [200, 150]}, [1, 150], {"algorithm": "mcast_1d_in0"}),
        {"depth": 1},
    ),
    "less than a tile of K": also(
        program("Y = exp(X) @ W", {"X": [70, 20], "W": [20, 150]}, [70, 150], {"algorithm": "mcast_2d"}),
        {"algorithm": "mcast_2d", "depth": 1},
    ),
    "residual": also(
        program(
            "Y = silu(X * s) @ W * s + X", {"X": [64, 128], "s": [1, 1], "W": [128, 128]}, [64, 128],
            {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64},
        ),
        {"algorithm": "reuse"},
    ),
}  # fmt: skip
assert not FIRSTS.keys() & SECONDS.keys()
CASES = FIRSTS | SECONDS


@pytest.fixture(scope="module")
def failures() -> dict[str, Exception | None]:
    """Why each of them is wrong; their kernels are compiled together."""
    return dict(zip(CASES, prove_all(CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_prologue(name: str, failures: dict[str, Exception | None]) -> None:
    failure = failures[name]
    if failure is not None:
        raise failure
    check_bytes(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_who_computes_it(name: str, tmp_path: Path) -> None:
    """In turn where that is the case's name; else each core its whole rows."""
    kernel, _ = build(CASES[name][0], tmp_path / "k")
    assert kernel.blocking is not None
    assert kernel.blocking.prologue
    assert kernel.blocking.rotates == ("in turn" in name)
