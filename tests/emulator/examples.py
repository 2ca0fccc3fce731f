"""The hand-written examples: their plans, inputs and NumPy meanings.

``python -m tests.emulator.examples`` writes the plans to examples/handwritten; a test holds the files equal to this.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tests.emulator.plans import cb, grid, kernel, matmul_streaming, plan, split, tensor
from tt_build.ir.plan import ArgRef, Plan, PlanSharding, Range, Semaphore

Arrays = dict[str, NDArray[Any]]
FOLDER = Path(__file__).parents[2] / "examples" / "handwritten"


class Example(NamedTuple):
    """A plan, the outputs that NumPy expects for given inputs, and the largest relative error that bfloat16 leaves."""

    plan: Plan
    expect: Callable[[Arrays], Arrays]
    tolerance: float


def copy() -> Example:
    work = split(64, grid(4, 2))
    args = {c: (s, n) for c, (s, n) in work.items()}
    return Example(
        plan(
            "copy",
            {"A": tensor("input", (250, 250)), "C": tensor("output", (250, 250))},
            [cb(0, 8, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", *v] for c, v in args.items()}, [0, 4, "A"]),
                kernel("writer", "writer.cpp", {c: ["C", *v] for c, v in args.items()}, [0, 4, "C"]),
            ],
        ),
        lambda a: {"C": a["A"]},
        0.0,
    )


def bcast_add() -> Example:
    wt, work = 5, split(3, grid(3, 1))
    return Example(
        plan(
            "bcast_add",
            {"A": tensor("input", (90, 150)), "bias": tensor("input", (1, 150)), "C": tensor("output", (90, 150))},
            [cb(0, 2, work), cb(1, 2, work), cb(16, 2, work)],
            [
                kernel(
                    "reader",
                    "reader.cpp",
                    {c: ["A", "bias", wt, s, n] for c, (s, n) in work.items()},
                    [0, 1, "A", "bias"],
                ),
                kernel("compute", "compute.cpp", {c: [n * wt] for c, (_, n) in work.items()}, [0, 1, 16]),
                kernel("writer", "writer.cpp", {c: ["C", s * wt, n * wt] for c, (s, n) in work.items()}, [16, "C"]),
            ],
        ),
        lambda a: {"C": np.maximum(a["A"] + a["bias"], 0)},
        2**-8,
    )


def reduce_rows() -> Example:
    wt, work = 4, split(4, grid(2, 2))
    return Example(
        plan(
            "reduce_rows",
            {"A": tensor("input", (128, 128)), "C": tensor("output", (128, 1))},
            [cb(0, 2, work), cb(1, 1, work), cb(16, 2, work)],
            [
                kernel(
                    "reader", "reader.cpp", {c: ["A", wt, s, n] for c, (s, n) in work.items()}, [0, 1, 0x3F803F80, "A"]
                ),
                kernel(
                    "compute",
                    "compute.cpp",
                    {c: [n, wt] for c, (_, n) in work.items()},
                    [0, 1, 16],
                    fp32_dest_acc_en=True,
                ),
                kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [16, "C"]),
            ],
        ),
        lambda a: {"C": a["A"].sum(-1, keepdims=True)},
        2**-7,
    )


def transpose() -> Example:
    rows, columns = 3, 2
    work = split(rows * columns, grid(2, 1))
    return Example(
        plan(
            "transpose",
            {"A": tensor("input", (64, 80)), "C": tensor("output", (80, 64))},
            [cb(0, 2, work), cb(16, 2, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", rows, columns, s, n] for c, (s, n) in work.items()}, [0, "A"]),
                kernel("compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, [0, 16]),
                kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [16, "C"]),
            ],
        ),
        lambda a: {"C": a["A"].T},
        0.0,
    )


def tilize() -> Example:
    wt, work = 3, split(4, grid(2, 1))
    return Example(
        plan(
            "tilize",
            {"A": tensor("input", (128, 96), fmt="row_major"), "C": tensor("output", (128, 96))},
            [cb(0, 2 * wt, work), cb(16, 2 * wt, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", s, n] for c, (s, n) in work.items()}, [0, wt, 192, "A"]),
                kernel("compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, [0, 16, wt]),
                kernel("writer", "writer.cpp", {c: ["C", s * wt, n * wt] for c, (s, n) in work.items()}, [16, wt, "C"]),
            ],
        ),
        lambda a: {"C": a["A"]},
        0.0,
    )


def untilize() -> Example:
    wt, work = 3, split(4, grid(2, 1))
    return Example(
        plan(
            "untilize",
            {"A": tensor("input", (128, 96)), "C": tensor("output", (128, 96), fmt="row_major")},
            [cb(0, 2 * wt, work), cb(16, 2 * wt, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", s * wt, n * wt] for c, (s, n) in work.items()}, [0, wt, "A"]),
                kernel("compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, [0, 16, wt]),
                kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [16, wt, 192, "C"]),
            ],
        ),
        lambda a: {"C": a["A"]},
        0.0,
    )


def matmul_blocked() -> Example:
    mt, kt, nt, h, w, k, sub = 8, 6, 8, 4, 4, 2, (2, 2)
    work = {(x, y): (y * h, x * w) for y in range(mt // h) for x in range(nt // w)}
    return Example(
        plan(
            "matmul_blocked",
            {
                "A": tensor("input", (mt * 32, kt * 32)),
                "B": tensor("input", (kt * 32, nt * 32)),
                "C": tensor("output", (mt * 32, nt * 32)),
            },
            [cb(0, 2 * h * k, work), cb(1, 2 * k * w, work), cb(24, h * w, work, "float32"), cb(16, 2, work)],
            [
                kernel(
                    "reader",
                    "reader.cpp",
                    {c: ["A", "B", r, q, kt, nt] for c, (r, q) in work.items()},
                    [0, 1, h, w, k, "A", "B"],
                ),
                kernel(
                    "compute",
                    "compute.cpp",
                    {c: [kt // k] for c in work},
                    [0, 1, 24, 16, h, w, k, *sub],
                    fp32_dest_acc_en=True,
                ),
                kernel("writer", "writer.cpp", {c: ["C", r, q, nt] for c, (r, q) in work.items()}, [16, h, w, "C"]),
            ],
        ),
        lambda a: {"C": a["A"] @ a["B"]},
        2**-7,
    )


def multicast() -> Example:
    count, cores = 6, grid(4, 1)
    sender, receivers = cores[0], cores[1:]
    corners = [ArgRef(noc_x=cores[1]), ArgRef(noc_y=cores[1]), ArgRef(noc_x=cores[-1]), ArgRef(noc_y=cores[-1])]
    to_sender = [ArgRef(noc_x=sender), ArgRef(noc_y=sender)]
    whole = (Range(start=cores[0], end=cores[-1]),)
    return Example(
        plan(
            "multicast",
            {"A": tensor("input", (64, 96)), "C": tensor("output", (4, 64, 96))},
            [cb(0, 2, cores)],
            [
                kernel("sender", "sender.cpp", {sender: ["A", count, *corners, 3]}, [0, 0, 1, "A"], type="reader"),
                kernel(
                    "receiver", "receiver.cpp", {c: [count, *to_sender] for c in receivers}, [0, 0, 1], type="reader"
                ),
                kernel("writer", "writer.cpp", {c: ["C", i * count, count] for i, c in enumerate(cores)}, [0, "C"]),
            ],
            semaphores=[Semaphore(id=i, initial_value=0, core_ranges=whole) for i in (0, 1)],
        ),
        lambda a: {"C": np.broadcast_to(a["A"], (4, 64, 96))},
        0.0,
    )


def sharded_copy() -> Example:
    cores = grid(1, 4)
    shards = PlanSharding(memory="l1", sharding="height", grid=(1, 4), shard=(64, 64), cores=tuple(cores))
    return Example(
        plan(
            "sharded_copy",
            {"A": tensor("input", (250, 64), layout=shards), "C": tensor("output", (250, 64))},
            [cb(0, 4, cores, buffer="A")],
            [
                kernel("reader", "reader.cpp", {c: [4] for c in cores}, [0]),
                kernel("writer", "writer.cpp", {c: ["C", i * 4, 4] for i, c in enumerate(cores)}, [0, "C"]),
            ],
        ),
        lambda a: {"C": a["A"]},
        0.0,
    )


def softmax() -> Example:
    wt, work = 4, split(3, grid(3, 1))
    return Example(
        plan(
            "softmax",
            {"A": tensor("input", (96, 128)), "C": tensor("output", (96, 128))},
            [cb(0, wt, work), cb(1, 1, work), cb(2, 1, work), cb(3, wt, work), cb(4, 1, work), cb(16, 2, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", wt, s, n] for c, (s, n) in work.items()}, [0, 1, "A"]),
                kernel("compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, [wt, 0, 1, 2, 3, 4, 16]),
                kernel("writer", "writer.cpp", {c: ["C", s * wt, n * wt] for c, (s, n) in work.items()}, [16, "C"]),
            ],
        ),
        lambda a: {"C": np.exp(a["A"]) / np.exp(a["A"]).sum(-1, keepdims=True)},
        2**-5,
    )


def gelu_mixed() -> Example:
    work = split(6, grid(2, 1))
    ids = {"cb_a": 0, "cb_b": 1, "cb_c": 16}
    return Example(
        plan(
            "gelu_mixed",
            {
                "A": tensor("input", (64, 96), "bfloat8_b"),
                "B": tensor("input", (64, 96)),
                "C": tensor("output", (64, 96)),
            },
            [cb(0, 2, work, "bfloat8_b"), cb(1, 2, work), cb(16, 2, work)],
            [
                kernel("reader", "reader.cpp", {c: ["A", "B", s, n] for c, (s, n) in work.items()}, [0, 1, "A", "B"]),
                kernel(
                    "compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, named=ids, fp32_dest_acc_en=True
                ),
                kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [16, "C"]),
            ],
        ),
        lambda a: {"C": _gelu(a["A"]) * a["B"]},
        2**-4,
    )


def _gelu(x: NDArray[Any]) -> NDArray[Any]:
    from math import erf, sqrt

    return x * 0.5 * (1 + np.vectorize(erf)(x / sqrt(2)))


def matmul() -> Example:
    return Example(
        matmul_streaming(96, 128, 160, grid(3, 2), fp32_dest_acc_en=True), lambda a: {"C": a["A"] @ a["B"]}, 2**-7
    )


EXAMPLES: dict[str, Callable[[], Example]] = {
    "matmul_streaming": matmul,
    **{
        f.__name__: f
        for f in (
            copy,
            bcast_add,
            reduce_rows,
            transpose,
            tilize,
            untilize,
            matmul_blocked,
            multicast,
            sharded_copy,
            softmax,
            gelu_mixed,
        )
    },
}


def encoded(example: Example) -> bytes:
    """The plan file's bytes."""
    return msgspec.json.format(msgspec.json.encode(example.plan), indent=1) + b"\n"


def inputs(example: Example, seed: int = 0) -> Arrays:
    """Random inputs that bfloat16 holds exactly."""
    rng = np.random.default_rng(seed)
    out: Arrays = {}
    for name, buffer in example.plan.buffers.items():
        if buffer.role == "input":
            out[name] = (rng.integers(-64, 65, buffer.shape) / 32).astype(np.float32)
    return out


if __name__ == "__main__":
    for name, make in EXAMPLES.items():
        (FOLDER / name / "tt.plan.json").write_bytes(encoded(make()))
