"""Cases of ``test_prologues``: matmuls whose second operand is computed, whose first is transposed, or of which one is
computed from what is moved.
"""

from __future__ import annotations

from tests.programs.written import also, program

SECONDS = {
    "scaled weights": also(
        program(
            "Y = X @ (W * s)", {"X": [190, 470], "W": [470, 330], "s": [1, 330]}, [190, 330],
            {"algorithm": "mcast_2d", "block": [64, 96], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"linked": False, "subblock": [32, 32]}, {"algorithm": "reuse"},
        {"algorithm": "reuse", "policy": "strided", "order": "serpentine"},
        {"algorithm": "reuse", "policy": "rectangular", "order": "z_order"},
    ),
    "scaled rows of weights": also(
        program(
            "Y = X @ exp(W * c - 1) + r", {"X": [40, 300], "W": [300, 260], "c": [300, 1], "r": [1, 260]}, [40, 260],
            {"algorithm": "mcast_1d_in0", "block": [64, 32], "k_block": 64}, grid=[3, 3],
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
    "columns shared": also(
        program(
            "Y = gelu(X @ (W + V))", {"X": [500, 100], "W": [100, 90], "V": [100, 90]}, [500, 90],
            {"algorithm": "mcast_1d_in1", "block": [32, 96], "k_block": 64},
        ),
        {"depth": 1}, {"algorithm": "reuse", "order": "column_major"},
    ),
    "norm of columns": also(
        program(
            "Y = X @ softmax(W, axis=-2)", {"X": [70, 200], "W": [200, 150]}, [70, 150],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"algorithm": "reuse"},
    ),
    "norm of rows, transposed": also(
        program(
            "Y = X @ (rmsnorm(W, 1e-5) * g).T", {"X": [70, 200], "W": [150, 200], "g": [1, 200]}, [70, 150],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"}, {"subblock": [32, 32]},
    ),
    "cosines": also(
        program(
            "N = rmsnorm(X, 1e-5)\nM = rmsnorm(Z, 1e-5)\nY = N @ M.T", {"X": [160, 64], "Z": [230, 64]}, [160, 230],
            {"algorithm": "mcast_2d", "block": [64, 64], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"noc": 1}, {"algorithm": "reuse"},
    ),
    "Gram matrix": also(
        program(
            "H = tanh(X)\nY = H @ H.T", {"X": [100, 90]}, [100, 100],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 32},
        ),
        {"algorithm": "reuse"},
    ),
    "both, the first in turn": also(
        program(
            "Y = silu(X) @ (W * s)", {"X": [64, 256], "W": [256, 256], "s": [1, 256]}, [64, 256],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"noc": 1}, {"algorithm": "reuse"},
    ),
    "a number of both": also(
        program(
            "Y = (X * c) @ (W * c)", {"X": [70, 130], "W": [130, 90], "c": [1, 1]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"algorithm": "reuse"},
    ),
    "gated": also(
        program(
            "Y = silu(X @ (W * s)) * (X @ (V * t))",
            {"X": [70, 300], "W": [300, 260], "V": [300, 260], "s": [1, 260], "t": [1, 260]}, [70, 260],
            {"algorithm": "mcast_2d", "block": [32, 96], "k_block": 64}, dtypes={"W": "bfloat8_b", "V": "bfloat4_b"},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse", "order": "column_major"},
    ),
    "one computed, one not": also(
        program(
            "Y = relu(X @ W) + X @ exp(V)", {"X": [70, 100], "W": [100, 96], "V": [100, 96]}, [70, 96],
            {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64},
        ),
        {"algorithm": "reuse"}, {"noc": 0},
    ),
    "second cast to block floats": also(
        program(
            "Y = X @ cast(W * s, bfloat8_b)", {"X": [64, 200], "W": [200, 160], "s": [1, 160]}, [64, 160],
            {"algorithm": "reuse", "block": [32, 96], "k_block": 32},
        ),
        {"noc": 1, "depth": 1},
    ),
    "narrow DST": also(
        program(
            "Y = X @ (W - mean(W, axis=-2))", {"X": [70, 200], "W": [200, 150]}, [70, 150],
            {"algorithm": "reuse", "block": [64, 64], "k_block": 64}, math={"fp32_accumulate": False},
        ),
        {"subblock": [32, 32], "noc": 1},
    ),
    "float32": also(
        program(
            "Y = X @ log(W * W + 1)", {"X": [40, 100], "W": [100, 70]}, [40, 70],
            {"algorithm": "mcast_1d_in0", "block": [64, 32]}, dtypes={"W": "float32", "Y": "float32"}, grid=[3, 1],
        ),
        {"depth": 1}, {"algorithm": "reuse"},
    ),
    "batches": also(
        program(
            "Y = X @ (W * s)", {"X": [2, 3, 40, 90], "W": [3, 90, 64], "s": [1, 1]}, [2, 3, 40, 64],
            {"algorithm": "reuse", "block": [32, 32], "k_block": 32},
        ),
        {"order": "z_order"}, {"policy": "strided"},
    ),
    "infinite padding": also(
        program(
            "Y = X @ (1 / W)", {"X": [40, 50], "W": [50, 70]}, [40, 70],
            {"algorithm": "mcast_1d_in0", "block": [64, 32]}, grid=[3, 1],
        ),
        {"algorithm": "reuse"},
    ),
    "shards of the first": also(
        program(
            "Y = X @ (W * s)", {"X": [128, 96], "W": [96, 64], "s": [1, 64]}, [128, 64], {"algorithm": "reuse"},
        ),
    ),
    "transposed": also(
        program(
            "Y = X.T @ W", {"X": [200, 170], "W": [200, 150]}, [170, 150],
            {"algorithm": "mcast_2d", "block": [64, 64], "k_block": 64},
        ),
        {"noc": 0, "depth": 1}, {"noc": 1}, {"algorithm": "reuse"}, {"linked": False},
    ),
    "transposed, in turn": also(
        program(
            "Y = X.T @ W", {"X": [256, 64], "W": [256, 256]}, [64, 256],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
    "gradient": also(
        program(
            "Y = silu(X).T @ D", {"X": [200, 100], "D": [200, 90]}, [100, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 32}, dtypes={"X": "float32", "Y": "float32"},
        ),
        {"algorithm": "reuse"},
    ),
    "transposed block floats": also(
        program(
            "Y = X.T @ W.T", {"X": [100, 70], "W": [90, 100]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 32}, dtypes={"X": "bfloat8_b", "W": "bfloat4_b"},
            math={"fp32_accumulate": False},
        ),
        {"algorithm": "reuse"},
    ),
    "norm of columns, transposed": also(
        program(
            "Y = softmax(X, axis=-2).T @ W", {"X": [100, 70], "W": [100, 90]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 32},
        ),
        {"algorithm": "reuse"},
    ),
    "halves of one tensor": also(
        program(
            "Y = (silu(slice(H, -1, 0, 128)) * slice(H, -1, 128, 256)) @ W", {"H": [70, 256], "W": [128, 90]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 32},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
    "halves of one tensor, in turn": also(
        program(
            "Y = (silu(slice(H, -1, 0, 256)) * slice(H, -1, 256, 512)) @ W", {"H": [32, 512], "W": [256, 256]},
            [32, 256], {"algorithm": "mcast_1d_in0", "block": [32, 32], "k_block": 32}, grid=[4, 2],
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
    "ends inside a tile": also(
        program(
            "Y = exp(slice(H, -1, 64, 150)) @ W", {"H": [70, 256], "W": [86, 90]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"algorithm": "reuse"},
    ),
    "heads joined behind a norm": also(
        program(
            "Y = (join_heads(O) * rsqrt(mean(square(join_heads(O)), axis=-1) + 1e-5)) @ W + r",
            {"O": [2, 3, 40, 32], "W": [96, 70], "r": [1, 70]}, [2, 40, 70],
            {"algorithm": "reuse", "block": [64, 96], "k_block": 32},
        ),
        {"subblock": [32, 32]},
    ),
    "one part of a row": also(
        program(
            "Y = (X * slice(g, -1, 32, 52)) @ W", {"X": [70, 20], "g": [1, 96], "W": [20, 90]}, [70, 90],
            {"algorithm": "mcast_2d", "block": [32, 64]},
        ),
        {"algorithm": "reuse"},
    ),
    "a row of each head": also(
        program(
            "Y = (X * slice(g, -1, 64, 128)) @ W", {"X": [3, 70, 64], "g": [3, 1, 128], "W": [64, 90]}, [3, 70, 90],
            {"algorithm": "reuse", "block": [32, 64]},
        ),
        {"policy": "strided"},
    ),
    "matrices transposed": also(
        program(
            "Y = permute(X, (0, 2, 1)) @ W", {"X": [3, 100, 70], "W": [3, 100, 90]}, [3, 70, 90],
            {"algorithm": "reuse", "block": [32, 64], "k_block": 32},
        ),
        {"policy": "strided"},
    ),
    "part of a tensor, transposed": also(
        program(
            "P = slice(A, -1, 64, 117).T\nY = gelu(sigmoid(P @ softmax(W, axis=-2)) * (P @ softmax(V, axis=-2)) + r)",
            {"A": [96, 148], "W": [96, 286], "V": [96, 286], "r": [1, 286]}, [53, 286],
            {"algorithm": "reuse", "block": [32, 32], "k_block": 64}, dtypes={"A": "bfloat8_b", "W": "float32"},
        ),
        {"order": "serpentine"}, {"algorithm": "mcast_1d_in1", "block": [32, 288]},
    ),
    "weights of 16 bits, in a wide DST": also(
        program(
            "Y = X @ (cast(cast(Q, int32) - 7, bfloat16) * s)", {"X": [70, 100], "Q": [100, 90], "s": [1, 90]},
            [70, 90], {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64}, dtypes={"Q": "uint16"},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
    "integers of 16 bits": also(
        program(
            "Y = cast(Q, bfloat16) @ W", {"Q": [64, 256], "W": [256, 64]}, [64, 64],
            {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64}, dtypes={"Q": "uint16"},
        ),
        {"algorithm": "reuse"},
    ),
    "part of the second": also(
        program(
            "Y = X @ (slice(V, -1, 32, 122) * slice(s, -1, 0, 90))", {"X": [70, 100], "V": [100, 200], "s": [1, 100]},
            [70, 90], {"algorithm": "mcast_2d", "block": [32, 64], "k_block": 64},
        ),
        {"noc": 1, "depth": 1}, {"algorithm": "reuse"},
    ),
}  # fmt: skip
