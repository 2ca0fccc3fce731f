"""Random programs whose tensors are all of one integer dtype."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.programs.leaves import Draw, Matrix

_BINARY = ("({} + {})", "({} - {})", "{} * {}", "maximum({}, {})", "minimum({}, {})", "bitwise_xor({}, {})")
_UNARY = ("({} + 7)", "{} * 3", "clip({}, 3, 4000)", "relu({})", "bitwise_and({}, 255)")
_COMPARED = ("where({} > {}, {}, 5)", "({} <= {}) * {}")


def integer_program(draw: Draw, batch: list[int], shape: Matrix, axes: tuple[int, ...]) -> dict[str, Any]:
    """Inputs, output and text; integers wrap, so that every bit of the result counts.

    ``axes``: the reductions' ones, () where there are none.
    """
    dtype = draw(st.sampled_from(["int32", "int32", "uint32"]))
    inputs = {"A": {"shape": [*batch, *shape], "dtype": dtype}, "B": {"shape": [1, shape[1]], "dtype": dtype}}
    leaves = ["A", "A", "B"]

    def grow(depth: int) -> str:
        kind = draw(st.sampled_from(["unary", "binary", "binary", "compared", *(["reduce"] if axes else [])]))
        if depth <= 0:
            return str(draw(st.sampled_from(leaves)))
        if kind == "unary":
            return str(draw(st.sampled_from(_UNARY))).format(grow(depth - 1))
        if kind == "binary":
            return str(draw(st.sampled_from(_BINARY))).format(grow(depth - 1), grow(depth - 2))
        if kind == "compared":
            return str(draw(st.sampled_from(_COMPARED))).format(grow(depth - 2), grow(depth - 2), grow(depth - 1))
        axis = axes[0] if len(axes) == 1 else axes
        return f"{draw(st.sampled_from(['sum', 'max', 'min']))}({grow(depth - 1)} + A, axis={axis})"

    text = f"{grow(draw(st.integers(3, 6)))} + A"
    used = {name: tensor for name, tensor in inputs.items() if name in text}
    outputs = {"Y": {"shape": [*batch, *shape], "dtype": dtype}}
    return {"inputs": used, "outputs": outputs, "compute": f"Y = {text}"}
