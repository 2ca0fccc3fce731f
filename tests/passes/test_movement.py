"""Movement: pushed down to the inputs without a change of meaning, read as views, refused where it cuts tiles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import rejection, verified
from tt_build.ir.lowered import ReadPage, When, walk
from tt_build.ir.stages import VerifiedKernel
from tt_build.lang.elaborate import elaborate
from tt_build.lang.program import Program, Value
from tt_build.passes.movement import MOVES, is_moved_leaf, sunk
from tt_build.spec.model import DefaultsSpec, KernelSpec, TensorSpec

ELEMENTWISE: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "exp": np.exp, "neg": np.negative, "tanh": np.tanh,
    "where": lambda c, a, b: np.where(c != 0, a, b), "gt": lambda a, b: (a > b).astype(float),
}  # fmt: skip


def evaluate(program: Program, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The first output, by NumPy: also the two kinds of values that only sunk programs have."""
    found: list[np.ndarray] = []
    for value in program.values:
        found.append(_value(value, [found[arg] for arg in value.args], inputs))
        assert found[-1].shape == value.shape or value.op == "const", value
    return found[program.outputs[0].value]


def _value(value: Value, args: list[np.ndarray], inputs: dict[str, np.ndarray]) -> np.ndarray:
    if value.op in ELEMENTWISE:
        return np.asarray(ELEMENTWISE[value.op](*args))
    ints = value.ints
    match value.op:
        case "input":
            return inputs[value.name].reshape(value.shape)
        case "const":
            return np.full((1, 1), value.params[0])
        case "matmul":
            a, b = (np.swapaxes(x, -1, -2) if turn else x for x, turn in zip(args, value.transpose, strict=True))
            return np.asarray(a @ b)
        case "sum" | "max":
            return np.asarray({"sum": np.sum, "max": np.max}[value.op](args[0], axis=value.axes, keepdims=True))
        case "transpose":
            return np.swapaxes(args[0], -1, -2)
        case "permute":
            padded = args[0].reshape((1,) * (len(ints) - args[0].ndim) + args[0].shape)
            return np.transpose(padded, [axis + len(ints) for axis in ints])
        case "slice":
            return np.take(args[0], range(ints[1], ints[2]), axis=ints[0])
        case "concat":
            return np.concatenate(args, axis=ints[0])
        case "repeat":
            return np.repeat(args[0], ints[0], axis=ints[1])
        case "roll":
            return np.roll(args[0], -ints[1], axis=ints[0])
        case "split_heads":
            *outer, rows, columns = args[0].shape
            return np.swapaxes(args[0].reshape(*outer, rows, ints[0], columns // ints[0]), -2, -3)
        case "join_heads":
            *outer, heads, rows, columns = args[0].shape
            return np.swapaxes(args[0], -2, -3).reshape(*outer, rows, heads * columns)
        case "rotate_half":
            half = value.shape[-1] // 2
            return np.concatenate([-args[0][..., half:], args[0][..., :half]], axis=-1)
        case "causal":
            return np.where(np.tri(*value.shape[-2:], dtype=bool), args[0], -np.inf)
        case "pattern" if value.name == "lower":
            return np.tri(*value.shape)
        case "pattern":
            return np.broadcast_to(np.where(np.arange(value.shape[-1]) < ints[0], -1.0, 1.0), value.shape)
    raise AssertionError(value.op)


INPUTS = {
    "X": (2, 3, 4, 6), "Y": (2, 3, 4, 6), "M": (4, 6), "r": (1, 6), "c": (4, 1), "A": (3, 4, 5), "B": (3, 5, 6),
    "h": (3, 1, 1),
}  # fmt: skip

# Compute text -> shape of the result, and whether all movement goes down to the inputs.
PROGRAMS: dict[str, tuple[tuple[int, ...], bool]] = {
    "slice(X * 2 + r, -1, 1, 4)": ((2, 3, 4, 3), True),
    "slice(X + c, -1, 1, 4)": ((2, 3, 4, 3), True),
    "slice(exp(X) * h, 1, 1, 3)": ((2, 2, 4, 6), True),
    "permute(X * h + r, (2, 0, 3, 1))": ((4, 2, 6, 3), True),
    "permute(M - c, (1, 0))": ((6, 4), True),
    "(M + r).T": ((6, 4), True),
    "(M.T + c.T).T": ((4, 6), True),
    "split_heads(M * r + c, 3)": ((3, 4, 2), True),
    "split_heads(A * slice(A, 1, 0, 1) + 1, 5)": ((3, 5, 4, 1), True),
    "join_heads(X * Y + 1)": ((2, 4, 18), True),
    "join_heads(X + h)": ((2, 4, 18), False),
    "join_heads(X * r)": ((2, 4, 18), False),
    "join_heads(split_heads(M, 2) * split_heads(M, 2))": ((4, 6), True),
    "rotate_half(split_heads(M * 2, 3))": ((3, 4, 2), True),
    "split_heads(A @ B, 2)": ((3, 2, 4, 3), False),
    "join_heads(A @ B)": ((4, 18), False),
    "rotate_half(X * 2 + Y)": ((2, 3, 4, 6), True),
    "rotate_half(rotate_half(M))": ((4, 6), True),
    "slice(rotate_half(X), -1, 2, 5)": ((2, 3, 4, 3), True),
    "rotate_half(causal(M) * r)": ((4, 6), True),
    "causal(M * r).T": ((6, 4), True),
    "slice(causal(X), -2, 1, 3)": ((2, 3, 2, 6), True),
    "concat(X * 2, Y * 2, 0)": ((4, 3, 4, 6), True),
    "concat(exp(X + r), exp(Y + r), 1)": ((2, 6, 4, 6), True),
    "concat(X, Y, -1) + concat(Y, X, -1)": ((2, 3, 4, 12), True),
    "concat(X * r, Y * r, -2)": ((2, 3, 8, 6), True),
    "concat(causal(X), causal(Y), 0)": ((4, 3, 4, 6), True),
    "repeat(X + h, 2, 1)": ((2, 6, 4, 6), True),
    "repeat(h * 2, 3, -1)": ((3, 1, 3), True),
    "repeat(slice(r, -1, 0, 4), 3, 0)": ((3, 4), True),
    "slice(A @ B, -1, 1, 3)": ((3, 4, 2), True),
    "slice(A @ B, -2, 1, 3)": ((3, 2, 6), True),
    "slice(A @ B, 0, 1, 3)": ((2, 4, 6), True),
    "(A @ B).T": ((3, 6, 4), True),
    "(B.T @ A.T).T": ((3, 4, 6), True),
    "permute(A @ B, (0, 2, 1)) + 1": ((3, 6, 4), True),
    "repeat(A @ B, 2, 0)": ((6, 4, 6), True),
    "slice(sum(X, -1), 1, 0, 2)": ((2, 2, 4, 1), True),
    "permute(sum(X * 2, -1), (1, 0, 3, 2))": ((3, 2, 1, 4), True),
    "slice(sum(X, (-2, -1)) + X, -2, 1, 2)": ((2, 3, 1, 6), True),
    "concat(X * 2, Y, 0)": ((4, 3, 4, 6), False),
    "concat(X * r, Y * 2, -1)": ((2, 3, 4, 12), False),
    "concat(X * r, Y * r, -1)": ((2, 3, 4, 12), True),
    "repeat(sum(M, -1), 3, -1)": ((4, 3), False),
}


def _elaborated(text: str) -> Program:
    names = set(re.findall(r"\b\w\b", text))
    inputs = {name: TensorSpec(shape=shape) for name, shape in INPUTS.items() if name in names}
    outputs = {"Z": TensorSpec(shape=PROGRAMS[text][0])}
    kernel = KernelSpec(name="k", inputs=inputs, outputs=outputs, compute=f"Z = {text}")
    return elaborate(kernel, DefaultsSpec(dtype="float32")).program


@pytest.mark.parametrize("text", PROGRAMS)
def test_pushing_movement_down_changes_no_value(text: str) -> None:
    program = _elaborated(text)
    rng = np.random.default_rng(3)
    inputs = {name: rng.normal(size=shape) for name, shape in INPUTS.items()}
    found = sunk(program)
    np.testing.assert_allclose(evaluate(found.program, inputs), evaluate(program, inputs), rtol=1e-12)
    assert len(found.origin) == len(found.program.values)
    assert max(found.origin) < len(program.values)
    stuck = [v for i, v in enumerate(found.program.values) if v.op in MOVES and not is_moved_leaf(found.program, i)]
    assert (not stuck) == PROGRAMS[text][1]


def test_a_program_without_movement_stays_as_it_is() -> None:
    program = _elaborated_of("exp(M) * exp(M) + r", (4, 6))
    assert sunk(program).program is program


def _elaborated_of(text: str, shape: tuple[int, ...]) -> Program:
    inputs = {"M": TensorSpec(shape=(4, 6)), "r": TensorSpec(shape=(1, 6))}
    kernel = KernelSpec(name="k", inputs=inputs, outputs={"Z": TensorSpec(shape=shape)}, compute=f"Z = {text}")
    return elaborate(kernel, DefaultsSpec()).program


def _kernel(compute: str, out: list[int], **inputs: list[int]) -> dict[str, Any]:
    tensors = {name: {"shape": shape} for name, shape in inputs.items()}
    return {"inputs": tensors, "outputs": {"C": {"shape": out}}, "compute": compute}


def _reads(kernel: VerifiedKernel) -> list[ReadPage]:
    reader = next(b.body for b in kernel.bodies if b.role == "reader")
    return [s for s in walk(reader) if isinstance(s, ReadPage)]


def test_a_slice_reads_only_its_own_pages(tmp_path: Path) -> None:
    kernel = verified(tmp_path, _kernel("C = slice(X, -1, 64, 128)", [64, 64], X=[64, 256]))
    assert kernel.pages_read == {"X": 4}


def test_the_same_view_twice_is_one_stream(tmp_path: Path) -> None:
    text = "C = slice(X, -1, 32, 64) * exp(slice(X, -1, 32, 64))"
    assert len(_reads(verified(tmp_path, _kernel(text, [64, 32], X=[64, 64])))) == 1


def test_the_reader_chooses_the_tensor_of_a_concat(tmp_path: Path) -> None:
    kernel = verified(tmp_path, _kernel("C = concat(X, Y, -1)", [64, 96], X=[64, 32], Y=[64, 64]))
    reader = next(b.body for b in kernel.bodies if b.role == "reader")
    assert [s.tensor for s in _reads(kernel)] == ["X", "Y"]
    assert sum(isinstance(s, When) for s in walk(reader)) == 2
    assert kernel.pages_read == {"X": 2, "Y": 4}


_ROPE = {"X": [2, 64, 128], "c": [64, 128], "s": [64, 128]}


def test_rope_reads_each_tile_once(tmp_path: Path) -> None:
    """A unit is a row of tiles, which stays on the core; what all matrices share is read by one core."""
    kernel = verified(tmp_path, _kernel("C = X * c + rotate_half(X) * s", [2, 64, 128], **_ROPE))
    assert (kernel.algorithm, kernel.unit_tiles) == ("rows", (1, 4))
    assert kernel.pages_read == {"X": 16, "c": 8, "s": 8}
    assert {stream.tensor: (stream.per, stream.extent) for stream in kernel.streams} == {
        "X": ("unit", (1, 4)), "c": ("core", (2, 4)), "s": ("core", (2, 4))
    }  # fmt: skip


def test_matrices_that_do_not_fit_are_read_with_each_unit(tmp_path: Path) -> None:
    inputs = {"X": [2, 20_000, 128], "c": [20_000, 128]}
    kernel = verified(tmp_path, _kernel("C = X * c + rotate_half(X)", [2, 20_000, 128], **inputs))
    assert kernel.residency is not None
    assert kernel.residency.choice == "held, handed on"
    assert kernel.residency.reason.startswith("'matrices kept, held, handed on' needs ")
    assert kernel.pages_read == {"X": 5000, "c": 5000}


def test_a_row_that_does_not_fit_is_read_twice(tmp_path: Path) -> None:
    kernel = verified(tmp_path, _kernel("C = X + rotate_half(X)", [32, 32_768], X=[32, 32_768]))
    assert kernel.residency is not None
    assert kernel.residency.choice == "streamed, shared operands held"
    assert kernel.pages_read == {"X": 2048}


def test_a_declared_grid_of_tiles_stays_one(tmp_path: Path) -> None:
    declared = {**_kernel("C = X * c + rotate_half(X) * s", [2, 64, 128], **_ROPE), "grid": [4, 2, 2]}
    kernel = verified(tmp_path, declared)
    assert (kernel.algorithm, kernel.unit_tiles) == ("elementwise", (1, 1))
    assert kernel.pages_read == {"X": 32, "c": 16, "s": 16}


def test_a_mask_is_made_once_a_core_and_read_from_nowhere(tmp_path: Path) -> None:
    kernel = verified(tmp_path, _kernel("C = causal(X) + causal(Y)", [96, 96], X=[96, 96], Y=[96, 96]))
    assert [(p.name, p.tiles) for p in kernel.patterns] == [("lower", 3)]
    assert kernel.pages_read == {"X": 9, "Y": 9}


REFUSED = {
    "slice(X, -1, 16, 80)": ("TTB213", [50, 64]),
    "concat(X, X, -2)": ("TTB213", [100, 128]),
    "permute(Z, (1, 0, 2))": ("TTB213", [64, 2, 64]),
    "repeat(X, 2, -1)": ("TTB213", [50, 256]),
    "split_heads(X, 8)": ("TTB213", [8, 50, 16]),
    "join_heads(split_heads(X, 8))": ("TTB213", [50, 128]),
    "split_heads(W @ W, 2)": ("TTB201", [2, 64, 32]),
    "rotate_half(slice(X, -1, 0, 32))": ("TTB213", [50, 32]),
    "concat(exp(W), W, 0)": ("TTB201", [128, 64]),
    "W @ rotate_half(W)": ("TTB201", [64, 64]),
    "W @ repeat(V, 64, -2)": ("TTB201", [64, 64]),
    "concat(causal(W), causal(W), -2)": ("TTB201", [128, 64]),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cuts_through_tiles_is_refused(text: str, tmp_path: Path) -> None:
    code, out = REFUSED[text]
    offered = {"X": [50, 128], "Z": [2, 64, 64], "W": [64, 64], "V": [1, 64]}
    used = {name: shape for name, shape in offered.items() if name in text}
    shown = rejection(tmp_path, _kernel(f"C = {text}", out, **used))
    assert f"error[{code}]" in shown
    assert "help: " in shown
