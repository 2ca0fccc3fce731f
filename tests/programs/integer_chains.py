"""Random elementwise kernels on integers: chains with broadcasts, comparisons, bits, casts and movement.

Everything is exact modulo two to the width, so that any difference is a mistake.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from tests.programs.moved import INTEGERS, matrices_broadcast, moved
from tests.programs.shapes import broadcast, elementwise_shape

Draw = Any
Kernel = dict[str, Any]

_UNARY = ("({} + 5)", "({} * 3)", "(7 - {})", "bitwise_and({}, 12)", "bitwise_or({}, 3)", "logical_not({})")
_UNARY_32 = ("relu({})", "abs({})", "clip({}, 3, 40)", "bitwise_not({})", "maximum({}, 9)", "minimum({}, 9)")
_BINARY = ("({} + {})", "({} - {})", "({} * {})", "bitwise_xor({}, {})", "({} > {})", "({} <= {})", "({} == {})")
_BINARY_32 = ("maximum({}, {})", "minimum({}, {})")


def beside(dtype: str) -> tuple[str, ...]:
    """The dtypes that a kernel may have beside that one: a 16-bit DST holds no 32-bit integer."""
    return ("uint16",) if dtype == "uint16" else ("int32", "uint32")


def needs_a_dst_of_its_own(kernel: Kernel) -> bool:
    """Whether the compiler chooses the width of DST: integers have one each."""
    return any(t["dtype"] in INTEGERS for t in (*kernel["inputs"].values(), *kernel["outputs"].values()))


@st.composite
def kernels(draw: Draw) -> Kernel:
    """A kernel over one dtype of integers, with an output of another dtype now and then."""
    dtype = draw(st.sampled_from(INTEGERS))
    shape = elementwise_shape(draw)
    inputs: Kernel = {"X": _tensor(draw, shape, dtype)}
    leaves = ["X"]
    for name in ("Y", "r")[: draw(st.integers(0, 2))]:
        inputs[name] = _tensor(draw, broadcast(draw, shape), dtype)
        leaves.append(name)
    if len(shape) > 1 and draw(st.integers(0, 2)) == 0:
        for name in ("V", "W")[: draw(st.integers(1, 2))]:
            part = matrices_broadcast(draw, shape)
            leaves.append(moved(draw, name, part, inputs, dtype=dtype, operand=False))
    lines = []
    if draw(st.booleans()):
        lines.append(f"t = {draw(_expression(leaves, dtype))}")
        leaves.append("t")
    outputs = {"C": _tensor(draw, shape, dtype)}
    lines.append(f"C = {draw(_expression(leaves, dtype))} + X")
    if draw(st.integers(0, 3)) == 0:
        others = ["float32", "bfloat16", "uint16"] + (["int32", "uint32"] if dtype != "uint16" else [])
        outputs["D"] = {"shape": shape, "dtype": draw(st.sampled_from(others))}
        lines.append(f"D = cast(bitwise_and(X, 63), {outputs['D']['dtype']})")
    text = " ".join(lines)
    used = {name: tensor for name, tensor in inputs.items() if re.search(rf"\b{name}\b", text)}
    return {"inputs": used, "outputs": outputs, "compute": "\n".join(lines)}


def _tensor(draw: Draw, shape: list[int], dtype: str) -> Kernel:
    tensor = {"shape": shape, "dtype": dtype}
    return {**tensor, "format": "row_major"} if draw(st.integers(0, 5)) == 0 else tensor


def _expression(leaves: list[str], dtype: str) -> st.SearchStrategy[str]:
    wide = dtype != "uint16"
    unary, binary = (_UNARY + _UNARY_32, _BINARY + _BINARY_32) if wide else (_UNARY, _BINARY)

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        kinds = [
            st.tuples(st.sampled_from(unary), inner).map(lambda t: t[0].format(t[1])),
            st.tuples(st.sampled_from(binary), inner, inner).map(lambda t: t[0].format(t[1], t[2])),
        ]
        if wide:
            kinds.append(st.tuples(inner, inner, inner).map(lambda t: f"where({t[0]} > 20, {t[1]}, {t[2]})"))
        return st.one_of(kinds)

    return st.recursive(st.sampled_from(leaves), grow, max_leaves=6)
