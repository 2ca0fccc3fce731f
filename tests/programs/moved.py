"""Random movement: a text that has a given shape, and the inputs that it moves."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

Draw = Any

INTEGERS = ("int32", "uint32", "uint16")


def moved(
    draw: Draw,
    name: str,
    shape: list[int],
    inputs: dict[str, Any],
    *,
    dtype: str,
    operand: bool,
    without: tuple[str, ...] = (),
) -> str:
    """A movement of new inputs ``name`` and ``name2``, or no movement, that has that shape; none of ``without``.

    ``operand``: of a matmul, which takes no repeated row or column and no ``rotate_half``.
    """
    rank = len(shape)
    kinds = ["plain", "slice", "concat"] + ["rows"] * (not operand)
    kinds += ["rotate_half"] * (shape[-1] % 64 == 0 and not operand and dtype not in INTEGERS)
    kinds += ["repeat", "permute"] * (rank > 2)
    kinds += ["split_heads"] * (rank > 2 and (shape[-1] % 32 == 0 or shape[-3] == 1))
    kinds += ["join_heads"] * (1 < rank < 4)
    kinds += ["transpose"] * (dtype in ("bfloat16", "bfloat8_b", "bfloat4_b"))
    kind = draw(st.sampled_from([kind for kind in kinds if kind not in without]))
    axis = draw(st.integers(-rank, -1))
    tensor = {"shape": shape, "dtype": dtype}
    inputs[name] = tensor
    if kind == "slice":
        step = 32 if axis >= -2 else 1
        start, beyond = step * draw(st.integers(0, 2)), draw(st.integers(0, 40 if axis >= -2 else 2))
        tensor["shape"] = _with(shape, axis, start + shape[axis] + beyond)
        return f"slice({name}, {axis}, {start}, {start + shape[axis]})"
    if kind == "concat":
        step = 32 if axis >= -2 else 1
        if shape[axis] <= step:
            return name
        length = step * draw(st.integers(1, (shape[axis] - 1) // step))
        tensor["shape"] = _with(shape, axis, length)
        inputs[f"{name}2"] = {"shape": _with(shape, axis, shape[axis] - length), "dtype": dtype}
        return f"concat({name}, {name}2, {axis})"
    if kind == "rows":
        axis = draw(st.sampled_from([-2, -1]))
        tensor["shape"] = _with(shape, axis, 1)
        return f"repeat({name}, {shape[axis]}, {axis})"
    if kind == "repeat":
        axis = draw(st.integers(-rank, -3))
        count = draw(st.sampled_from([n for n in range(1, shape[axis] + 1) if shape[axis] % n == 0]))
        tensor["shape"] = _with(shape, axis, shape[axis] // count)
        return f"repeat({name}, {count}, {axis})"
    if kind == "split_heads":
        tensor["shape"] = [*shape[:-3], shape[-2], shape[-3] * shape[-1]]
        return f"split_heads({name}, {shape[-3]})"
    if kind == "join_heads":
        heads = draw(st.sampled_from([n for n in (1, 2, 3, 4) if n == 1 or shape[-1] % (32 * n) == 0]))
        tensor["shape"] = [*shape[:-2], heads, shape[-2], shape[-1] // heads]
        return f"join_heads({name})"
    if kind == "permute":
        axes = [*draw(st.permutations(range(-rank, -2))), -2, -1]
        tensor["shape"] = [shape[axes.index(old)] for old in range(-rank, 0)]
        return f"permute({name}, ({', '.join(map(str, axes))}))"
    if kind == "transpose":
        tensor["shape"] = [*shape[:-2], shape[-1], shape[-2]]
        return f"{name}.T"
    return f"rotate_half({name})" if kind == "rotate_half" else name


def matrices_broadcast(draw: Draw, shape: list[int]) -> list[int]:
    """The shape with some leading axes of extent 1, one time in three: a matrix that all others meet."""
    if len(shape) < 3 or draw(st.integers(0, 2)):
        return shape
    return [draw(st.sampled_from([1, extent])) for extent in shape[:-2]] + shape[-2:]


def _with(shape: list[int], axis: int, extent: int) -> list[int]:
    found = list(shape)
    found[axis] = extent
    return found


def is_small(inputs: dict[str, Any], most: int = 120) -> bool:
    """Whether each of these inputs has at most ``most`` tiles."""
    shapes = [tensor["shape"] for tensor in inputs.values()]
    return all(math.prod(s[:-2]) * -(-s[-1] // 32) * -(-(s[-2] if len(s) > 1 else 1) // 32) <= most for s in shapes)
