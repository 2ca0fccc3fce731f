"""Random expressions of the compute language: depth 4 to 8, half with reductions, half ragged, mixed dtypes.

An expression is built for a shape: a full matrix, one row, one column or one number, which broadcast. Functions keep
values near one, so that errors stay small beside them; a reduction of n elements is scaled so that it does, too.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from hypothesis import strategies as st

Draw = Any
Program = dict[str, Any]
Matrix = tuple[int, int]

# Each is defined everywhere and bounded; {} marks an operand of the same shape.
_UNARY = (
    "tanh({})", "sigmoid({})", "relu({})", "abs({})", "-{}", "gelu({})", "silu({})", "sin({})", "exp(tanh({}))",
    "sqrt(abs({}) + 0.25)", "1.5 / (abs({}) + 1)", "clip({}, -1, 2)", "log(abs({}) + 1.5)", "rsqrt(square({}) + 0.5)",
    "({} * 0.5 + 0.25)", "leaky_relu({}, 0.125)",
)  # fmt: skip
_BINARY = ("({} + {})", "({} - {})", "{} * {}", "maximum({}, {})", "minimum({}, {})", "{} / (abs({}) + 1.25)")
_COMPOSITES = ("softmax({}, axis={axis}) * {scale}", "log_softmax({}, axis={axis}) * 0.25")
_NORMS = ("layernorm({}, 0.5)", "rmsnorm({}, 0.5)")
_POLICIES = ("contiguous", "strided", "rectangular")
_ORDERS = ("row_major", "column_major", "serpentine", "z_order")


@st.composite
def expressions(draw: Draw, *, reductions: bool | None = None) -> Program:
    """``{"kernel": ..., "target": ...}``; ``reductions`` settles whether there are any."""
    reduced = draw(st.booleans()) if reductions is None else reductions
    writer = _Writer(draw, reduced=reduced)
    return writer.program()


class _Writer:
    def __init__(self, draw: Draw, *, reduced: bool) -> None:
        self.draw = draw
        self.reduced = reduced
        ragged = draw(st.booleans())
        extent = st.integers(1, 150) if ragged else st.integers(1, 4).map(lambda n: 32 * n)
        self.rows, self.columns = draw(extent), draw(extent)
        self.batch = draw(st.sampled_from([[], [], [], [2], [1, 3], [2, 2]]))
        self.inputs: dict[str, Any] = {}
        self.axes = draw(st.sampled_from([(-1,), (-1,), (-2,), (-1, -2)])) if reduced else ()
        if reduced and draw(st.integers(0, 3)) == 0:  # long enough to be reduced in parts
            long, short = draw(st.integers(500, 2200)), draw(st.integers(1, 40))
            self.rows, self.columns = (short, long) if -1 in self.axes else (long, short)
            self.batch = []

    def program(self) -> Program:
        draw = self.draw
        lines, outputs = [], {}
        for name in ("Y", "Z")[: draw(st.sampled_from([1, 1, 1, 2]))]:
            shape = (self.rows, self.columns)
            if name == "Z" and self.reduced and draw(st.booleans()):
                shape = self.collapsed(shape)[0]
            text = self.expression(shape, draw(st.integers(3, 7)))
            # a leaf of the whole shape settles the shape of the sum
            lines.append(f"{name} = {text} + {self.leaf(shape, whole=True)}")
            outputs[name] = {"shape": [*self.batch, *shape], "dtype": self.dtype()}
        kernel = {
            "inputs": self.inputs,
            "outputs": outputs,
            "compute": "\n".join(lines),
            "math": {"fp32_accumulate": draw(st.sampled_from([True, True, True, False]))},
        }
        grid = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (8, 8)]))
        kernel["schedule"] = {"policy": draw(st.sampled_from(_POLICIES)), "order": draw(st.sampled_from(_ORDERS))}
        arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
        return {"kernel": kernel, "target": {"arch": arch, "grid": list(grid)}}

    def dtype(self) -> str:
        return str(self.draw(st.sampled_from(["bfloat16", "bfloat16", "float32"])))

    def leaf(self, shape: Matrix, *, whole: bool = False) -> str:
        """A tensor that broadcasts to that shape; ``whole``: of that shape itself."""
        fitting = [n for n, t in self.inputs.items() if self.fits(t["shape"], shape, whole=whole)]
        if fitting and (len(self.inputs) >= 4 or self.draw(st.booleans())):
            return str(self.draw(st.sampled_from(fitting)))
        own = list(shape)
        if not whole and self.draw(st.integers(0, 3)) == 0:
            own[self.draw(st.integers(0, 1))] = 1
        batch = self.batch if whole or self.draw(st.integers(0, 3)) else []
        name = "ABCDEFGHIJKLMNOP"[len(self.inputs)]
        self.inputs[name] = {"shape": [*batch, *own], "dtype": self.dtype()}
        return name

    def fits(self, tensor: list[int], shape: Matrix, *, whole: bool) -> bool:
        own, batch = tuple(tensor[-2:]), tensor[:-2]
        if whole:
            return own == tuple(shape) and batch == self.batch
        return all(a in (1, b) for a, b in zip(own, shape, strict=True)) and batch in ([], self.batch)

    def collapsed(self, shape: Matrix) -> tuple[Matrix, str]:
        """The shape after a reduction over some of the kernel's axes, and the axes' text."""
        axes = self.axes if len(self.axes) == 1 else self.draw(st.sampled_from([(-1,), (-2,), (-2, -1)]))
        rows, columns = (1 if -2 in axes else shape[0]), (1 if -1 in axes else shape[1])
        return (rows, columns), str(axes[0]) if len(axes) == 1 else "(-2, -1)"

    def expression(self, shape: Matrix, depth: int) -> str:
        draw = self.draw
        if depth <= 0:
            return self.leaf(shape)
        kinds = ["unary", "unary", "binary", "binary", "where", "leaf"]
        kind = draw(st.sampled_from([*kinds, "reduce", "reduce", "composite"] if self.reduced else kinds))
        if kind == "leaf":
            return self.leaf(shape)
        if kind == "unary":
            return str(draw(st.sampled_from(_UNARY))).format(self.expression(shape, depth - 1))
        if kind == "binary":
            parts = self.expression(shape, depth - 1), self.expression(shape, depth - 1 - draw(st.integers(0, 3)))
            return str(draw(st.sampled_from(_BINARY))).format(*parts)
        if kind == "where":  # comparisons of inputs are exact: no branch is in doubt
            a, b = self.leaf(shape), draw(st.sampled_from(["0.25", self.leaf(shape)]))
            parts = self.expression(shape, depth - 2), self.expression(shape, depth - 2)
            return f"where({a} > {b}, {parts[0]}, {parts[1]})"
        if kind == "composite":
            return self.composite(shape, depth)
        return self.reduction(shape, depth)

    def composite(self, shape: Matrix, depth: int) -> str:
        inner = self.expression(shape, depth - 1)
        axis = self.draw(st.sampled_from(list(self.axes)))
        if axis == -1 and self.draw(st.booleans()):
            return str(self.draw(st.sampled_from(_NORMS))).format(inner)
        scale = shape[axis]
        return str(self.draw(st.sampled_from(_COMPOSITES))).format(inner, axis=axis, scale=scale)

    def reduction(self, shape: Matrix, depth: int) -> str:
        """A reduction of the full matrix whose result broadcasts to ``shape``."""
        small, axis = self.collapsed((self.rows, self.columns))
        if any(a not in (1, b) for a, b in zip(small, shape, strict=True)):
            return self.expression(shape, depth - 1)
        inner = self.expression((self.rows, self.columns), depth - 1)
        op = self.draw(st.sampled_from(["sum", "mean", "max", "min"]))
        text = f"{op}({inner}, axis={axis})"
        count = math.prod((self.rows, self.columns)) // math.prod(small)
        return f"({text} * {1.0 / count:.6g})" if op == "sum" else text


@st.composite
def rescheduled(draw: Draw, program: Program) -> Program:
    """The same meaning on another grid of cores under another schedule."""
    other = copy.deepcopy(program)
    other["target"]["grid"] = list(draw(st.sampled_from([(1, 1), (4, 2), (3, 5), (8, 8)])))
    other["kernel"]["schedule"] = {"policy": draw(st.sampled_from(_POLICIES)), "order": draw(st.sampled_from(_ORDERS))}
    return other
