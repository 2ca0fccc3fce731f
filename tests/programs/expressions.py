"""Random expressions of the compute language: depth 4 to 8, half with reductions, half ragged.

dtypes are mixed, block-float and integer ones too; tensors are moved, some are row-major, scalars come at launch.
An expression is built for a shape: a full matrix, one row, one column or one number, which broadcast. Functions keep
values near one, so that errors stay small beside them; a reduction of n elements is scaled so that it does, too.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any

from hypothesis import strategies as st

from tests.programs.integers import integer_program
from tests.programs.leaves import Draw, Matrix, Tensors

Program = dict[str, Any]

# Each is defined everywhere and bounded; {} marks an operand of the same shape.
_UNARY = (
    "tanh({})", "sigmoid({})", "relu({})", "abs({})", "-{}", "gelu({})", "silu({})", "sin({})", "exp(tanh({}))",
    "sqrt(abs({}) + 0.25)", "1.5 / (abs({}) + 1)", "clip({}, -1, 2)", "log(abs({}) + 1.5)", "rsqrt(square({}) + 0.5)",
    "({} * 0.5 + 0.25)", "leaky_relu({}, 0.125)", "cast({}, bfloat16)", "cast({}, bfloat8_b)",
)  # fmt: skip
_BINARY = ("({} + {})", "({} - {})", "{} * {}", "maximum({}, {})", "minimum({}, {})", "{} / (abs({}) + 1.25)")
_WITH_SCALAR = ("{} * {}", "({} + {})", "maximum({}, {})", "({} - {})")
_COMPOSITES = ("softmax({}, axis={axis}) * {scale}", "log_softmax({}, axis={axis}) * 0.25")
_NORMS = ("layernorm({}, 0.5)", "rmsnorm({}, 0.5)")
_POLICIES = ("contiguous", "strided", "rectangular")
_ORDERS = ("row_major", "column_major", "serpentine", "z_order")


@st.composite
def expressions(draw: Draw, *, reduced: bool, ragged: bool) -> Program:
    """``{"kernel": ..., "target": ...}``, with reductions where ``reduced``, of any extents where ``ragged``."""
    return _Writer(draw, reduced=reduced, ragged=ragged).program()


class _Writer:
    def __init__(self, draw: Draw, *, reduced: bool, ragged: bool) -> None:
        self.draw = draw
        self.reduced = reduced
        extent = st.integers(1, 150) if ragged else st.integers(1, 4).map(lambda n: 32 * n)
        self.rows, self.columns = draw(extent), draw(extent)
        self.batch = draw(st.sampled_from([[], [], [], [2], [1, 3], [2, 2]]))
        self.axes = draw(st.sampled_from([(-1,), (-1,), (-2,), (-1, -2)])) if reduced else ()
        if reduced and draw(st.integers(0, 3)) == 0:  # long enough to be reduced in parts
            long, short = draw(st.integers(500, 2200)), draw(st.integers(1, 40))
            self.rows, self.columns = (short, long) if -1 in self.axes else (long, short)
            self.batch = []
        self.arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
        # sums of hundreds of bfloat16 numbers lose all that the functions behind them need
        self.fp32 = max(self.rows, self.columns) > 150 or draw(st.sampled_from([True, True, True, False]))
        self.tensors = Tensors(
            draw,
            self.batch,
            (self.rows, self.columns),
            is_wide=self.fp32,
            formats=self.arch != "blackhole",
        )

    def program(self) -> Program:
        draw = self.draw
        if draw(st.integers(0, 11)) == 0:
            kernel = integer_program(draw, self.batch, (self.rows, self.columns), self.axes)
        else:
            kernel = {**self.floats(), "math": {"fp32_accumulate": self.fp32}}
        grid = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (8, 8)]))
        kernel["schedule"] = {"policy": draw(st.sampled_from(_POLICIES)), "order": draw(st.sampled_from(_ORDERS))}
        return {"kernel": kernel, "target": {"arch": self.arch, "grid": list(grid)}}

    def floats(self) -> dict[str, Any]:
        """Inputs, outputs and text of a program that computes with floats."""
        draw, tensors = self.draw, self.tensors
        lines, outputs = [], {}
        for name in ("Y", "Z")[: draw(st.sampled_from([1, 1, 1, 2]))]:
            shape = (self.rows, self.columns)
            if name == "Z" and draw(st.booleans()):
                small = self.collapsed(shape)[0]
                lost = {axis for axis in (-2, -1) if small[axis] != shape[axis]}
                shape = small if lost <= _reduced(lines[0]) else shape  # along what nothing reduces outputs are alike
            text = self.expression(shape, draw(st.integers(3, 7)), least=True)
            # a leaf of the whole shape settles the shape of the sum
            lines.append(f"{name} = {text} + {tensors.tensor(shape, whole=True)}")
            outputs[name] = tensors.result(shape)
        scalars = {"scalars": tensors.scalars} if tensors.scalars else {}
        return {**scalars, "inputs": tensors.inputs, "outputs": outputs, "compute": "\n".join(lines)}

    def collapsed(self, shape: Matrix) -> tuple[Matrix, str]:
        """The shape after a reduction over some of the kernel's axes, and the axes' text."""
        axes = self.axes if len(self.axes) == 1 else self.draw(st.sampled_from([(-1,), (-2,), (-2, -1)]))
        rows, columns = (1 if -2 in axes else shape[0]), (1 if -1 in axes else shape[1])
        return (rows, columns), str(axes[0]) if len(axes) == 1 else "(-2, -1)"

    def expression(self, shape: Matrix, depth: int, *, least: bool = False) -> str:
        """A text of at most that depth, of exactly that where it is the ``least``."""
        draw = self.draw
        if depth <= 0:
            return self.tensors.leaf(shape)
        kinds = ["unary", "unary", "binary", "binary", "where", "scalar", *([] if least else ["leaf"])]
        if self.columns % 64 == 0 and shape == (self.rows, self.columns):
            kinds.append("rotated")
        if self.reduced:  # an exponential of what 16 bits leave of a sum has no bound that says anything
            kinds += ["reduce", "reduce", *(["composite"] if self.fp32 else [])]
        kind = draw(st.sampled_from(kinds))
        if kind == "leaf":
            return self.tensors.leaf(shape)
        if kind == "where":  # comparisons of inputs are exact: no branch is in doubt
            a, b = (self.tensors.tensor(shape, exact=True) for _ in range(2))
            b = draw(st.sampled_from(["0.25", b]))
            parts = self.expression(shape, depth - 2, least=least), self.expression(shape, depth - 2)
            return f"where({a} > {b}, {parts[0]}, {parts[1]})"
        if kind == "reduce":
            return self.reduction(shape, depth, least=least)
        inner = self.expression(shape, depth - 1, least=least)
        if kind == "unary":
            return str(draw(st.sampled_from(_UNARY))).format(inner)
        if kind == "binary":
            other = self.expression(shape, depth - 1 - draw(st.integers(0, 3)))
            return str(draw(st.sampled_from(_BINARY))).format(inner, other)
        if kind == "scalar":
            return str(draw(st.sampled_from(_WITH_SCALAR))).format(inner, self.tensors.scalar())
        whole = f"{inner} + {self.tensors.tensor(shape, whole=True)}"  # also where the expression is broadcast
        return f"rotate_half({whole})" if kind == "rotated" else self.composite(whole, shape)

    def composite(self, inner: str, shape: Matrix) -> str:
        axis = self.draw(st.sampled_from(list(self.axes)))
        kind = self.draw(st.integers(0, 4)) if axis == -1 else 4
        if kind < 2:
            return str(self.draw(st.sampled_from(_NORMS))).format(inner)
        if kind == 2:
            return f"softmax(causal({inner}), axis=-1)"
        return str(self.draw(st.sampled_from(_COMPOSITES))).format(inner, axis=axis, scale=shape[axis])

    def reduction(self, shape: Matrix, depth: int, *, least: bool) -> str:
        """A reduction of the full matrix whose result broadcasts to ``shape``."""
        small, axis = self.collapsed((self.rows, self.columns))
        if any(a not in (1, b) for a, b in zip(small, shape, strict=True)):
            return self.expression(shape, depth - 1, least=least)
        inner = self.expression((self.rows, self.columns), depth - 1, least=least)
        op = self.draw(st.sampled_from(["sum", "mean", "max", "min"]))
        text = f"{op}({inner}, axis={axis})"
        count = math.prod((self.rows, self.columns)) // math.prod(small)
        return f"({text} * {1.0 / count:.6g})" if op == "sum" else text


def _reduced(text: str) -> set[int]:
    """The axes over which a text reduces."""
    found = {int(number) for axes in re.findall(r"axis=\(?([-\d, ]+)", text) for number in axes.split(",")}
    return found | ({-1} if "norm(" in text else set())


KINDS = [expressions(reduced=reduced, ragged=ragged) for reduced in (True, False) for ragged in (True, False)]
"""Half with reductions, half ragged."""


@st.composite
def rescheduled(draw: Draw, program: Program) -> Program:
    """The same meaning on another grid of cores under another schedule."""
    other = copy.deepcopy(program)
    other["target"]["grid"] = list(draw(st.sampled_from([(1, 1), (4, 2), (3, 5), (8, 8)])))
    other["kernel"]["schedule"] = {"policy": draw(st.sampled_from(_POLICIES)), "order": draw(st.sampled_from(_ORDERS))}
    return other
