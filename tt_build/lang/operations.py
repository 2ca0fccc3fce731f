"""Operators of the compute language on typed values: broadcasting, dtypes, matmul, transposition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tt_build.lang.builder import Builder, Num, Span
from tt_build.lang.numbers import NotANumber, fold
from tt_build.lang.parse import expression_text
from tt_build.lang.program import Value
from tt_build.lang.signatures import OPERATORS, SIGNATURES
from tt_build.lang.syntax import Attribute, Binary, Expr, Name, Number, Unary
from tt_build.spec.diagnostics import Diagnostic, Fix, Related, Where
from tt_build.spec.model import DefaultsSpec, KernelSpec, MathSpec, OpSpec, TensorSpec
from tt_build.spec.nearest import suggested
from tt_build.targets.dtypes import DTYPES

Operand: TypeAlias = "int | Num | None"
"""A value id, a number, or None for what was refused already."""

_FLOATS = ("bfloat4_b", "bfloat8_b", "bfloat16", "float32")
_INT_RANGES = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "uint16": (0, 2**16 - 1)}
_POWERS = {2: "square", 0.5: "sqrt", -1: "reciprocal", -0.5: "rsqrt"}


class Operations:
    """Reports errors and adds values; ``expression`` is given by the class that walks the text."""

    def __init__(self, kernel: KernelSpec, defaults: DefaultsSpec, shape_texts: Mapping[str, tuple[str, ...]]) -> None:
        self.kernel = kernel
        self.default_dtype = defaults.dtype or "bfloat16"
        self.default_math = defaults.math or MathSpec()
        self.shape_texts = shape_texts
        self.builder = Builder()
        self.errors: list[Diagnostic] = []
        self.frames: list[tuple[str, dict[str, Operand]]] = []
        self.op_places: Mapping[str, Where] = {}
        self.path: tuple[str | int, ...] = ("kernels", kernel.name)

    def expression(self, node: Expr) -> Operand:
        raise NotImplementedError

    # Reports

    def at(self, span: Span) -> Where:
        return Where(path=(*self.path, "compute"), span=span)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help_: str = "",
        related: tuple[Related, ...] = (),
        *,
        fix: str | None = None,
    ) -> None:
        word = (fix or suggested(help_)) if not self.frames else None
        span = self.builder.stands_for or span
        for name, _ in self.frames[-1:]:
            if name in self.op_places:
                related = (Related(self.op_places[name], f"in the definition of '{name}'"),)
        repair = Fix(self.at(span), word) if word is not None else None
        self.errors.append(Diagnostic(code, message, self.at(span), help_, related, fix=repair))

    def declared_shape(self, kind: str, name: str, axis: int | None = None) -> Related:
        """The place where a tensor's shape is declared; says what the size on ``axis`` is where it has a name."""
        where = Where(path=(*self.path, kind, name, "shape"))
        texts = self.shape_texts.get(name, ())
        if axis is not None and -len(texts) <= axis < len(texts) and texts[axis] in self.kernel.sizes:
            size = texts[axis]
            see = Where(path=(*self.path, "sizes", size), on_key=True)
            return Related(where, f"declared here; {size} = {self.kernel.sizes[size]} by 'sizes'", see)
        return Related(where, "declared here")

    def declarations(self, nodes: Sequence[tuple[Expr, int | None]]) -> tuple[Related, ...]:
        """Where the operands that are inputs are declared."""
        if self.frames:  # names are an op's operands
            return ()
        return tuple(
            self.declared_shape("inputs", node.id, axis)
            for node, axis in nodes
            if isinstance(node, Name) and node.id in self.kernel.inputs
        )

    # Values

    def input(self, name: str, span: Span) -> int:
        spec = self.kernel.inputs[name]
        shape = spec.shape if len(spec.shape) > 1 else (1, *spec.shape)
        value = Value(op="input", name=name, shape=shape, dtype=self.dtype_of(spec))
        return self.builder.add(value, span, len(spec.shape))

    def dtype_of(self, spec: TensorSpec) -> str:
        return spec.dtype or self.default_dtype

    def is_float(self, dtype: str) -> bool:
        return DTYPES[dtype].is_float

    def shown(self, value: int) -> tuple[int, ...]:
        """The value's shape as NumPy has it."""
        shape = self.builder.values[value].shape
        return shape[1:] if self.builder.ranks[value] == 1 else shape

    def number(self, node: Number) -> Num | None:
        span = (node.start, node.end)
        if abs(node.value) > 3.4e38 or (isinstance(node.value, int) and abs(node.value) >= 1 << 63):
            self.error("TTB036", f"the number {node.text} is too large", span, "the largest is 3.4e38")
            return None
        return Num(node.value, span)

    def fold(self, op: str, span: Span, *numbers: Num) -> Num | None:
        try:
            return Num(fold(op, *(number.value for number in numbers)), span)
        except NotANumber as reason:
            self.error("TTB036", str(reason), span, "sizes and scalars are numbers too: look at their values")
            return None

    def weak(self, number: Num, dtype: str) -> int | None:
        """The number in the dtype of the other side; None (reported) where it cannot be that."""
        if self.is_float(dtype):
            return self.builder.const(number, dtype)
        value = number.value
        if value != int(value):
            help_ = "integers and floats do not mix: write an integer, or cast the tensor"
            self.error("TTB016", f"the number {value:g} meets a tensor of {dtype}", number.span, help_)
            return None
        low, high = _INT_RANGES[dtype]
        if not low <= value <= high:
            self.error("TTB036", f"the number {value} is outside {dtype}", number.span, f"it holds {low} to {high}")
            return None
        return self.builder.const(number, dtype)

    def common(self, ids: Sequence[int], span: Span) -> str | None:
        """The dtype of an operation: the widest float, or the one integer dtype."""
        dtypes = [self.builder.values[id_].dtype for id_ in ids]
        first = dtypes[0]
        for other in dtypes[1:]:
            if other == first:
                continue
            if other in _FLOATS and first in _FLOATS:
                first = max(first, other, key=_FLOATS.index)
                continue
            target = first if first in _FLOATS else other if other in _FLOATS else first
            help_ = f"there is no implicit conversion: cast one side, as in cast(x, {target})"
            self.error("TTB016", f"operands are {first} and {other}", span, help_)
            return None
        return first

    def weak_operands(self, operands: Sequence[Operand], span: Span) -> list[int] | None:
        """Value ids of all operands, numbers typed by the tensors beside them; None where one is broken."""
        tensors = [operand for operand in operands if isinstance(operand, int)]
        if any(operand is None for operand in operands) or not tensors:
            return None
        dtype = self.common(tensors, span)
        if dtype is None:
            return None
        ids = [self.weak(operand, dtype) if isinstance(operand, Num) else operand for operand in operands]
        return [id_ for id_ in ids if id_ is not None] if None not in ids else None

    def elementwise(
        self, op: str, nodes: Sequence[Expr], ids: list[int], span: Span, params: tuple[float, ...] = ()
    ) -> int | None:
        """A broadcast operation on typed operands."""
        values = self.builder.values
        dtype = self.common(ids[1:] if op == "where" else ids, span)
        if dtype is None or not self.allowed(op, dtype, span):
            return None
        shape = values[ids[0]].shape
        for at, id_ in enumerate(ids[1:], 1):
            other = values[id_].shape
            if other == shape:
                continue
            joined = broadcast(shape, other)
            if joined is None:
                self.cannot_broadcast(nodes, ids, at, shape, span)
                return None
            shape = joined
        rank = max([self.builder.ranks[id_] for id_ in ids])
        value = Value(op=op, args=tuple(ids), shape=shape, dtype=dtype, params=params)
        return self.builder.add(value, span, rank)

    def allowed(self, op: str, dtype: str, span: Span) -> bool:
        own = self.kernel.ops.get(op)
        if own is not None:
            return self.allowed_by(own, op, dtype, span)
        if self.is_float(dtype) or (op in SIGNATURES and SIGNATURES[op].int_ok):
            return True
        sign = {"div": "/", "matmul": "@", "pow": "**"}.get(op, op)
        help_ = "cast to a float first, as in cast(x, float32)"
        self.error("TTB022", f"'{sign}' is not defined on integers ({dtype})", span, help_)
        return False

    def allowed_by(self, own: OpSpec, op: str, dtype: str, span: Span) -> bool:
        if dtype in own.dtypes:
            return True
        help_ = f"cast its operands, as in cast(x, {own.dtypes[0]})"
        related = (Related(self.op_places[op], "defined here"),) if op in self.op_places else ()
        self.error("TTB022", f"'{op}' is not defined on {dtype}", span, help_, related)
        return False

    def cannot_broadcast(
        self, nodes: Sequence[Expr], ids: Sequence[int], at: int, shape: tuple[int, ...], span: Span
    ) -> None:
        mine = self.shown(ids[0]) if at == 1 else shape
        other = self.shown(ids[at])
        message = f"shapes {show(mine)} and {show(other)} do not broadcast"
        axis = next(axis for axis in range(-1, -5, -1) if _differ(shape, self.builder.values[ids[at]].shape, axis))
        position = {-1: "last", -2: "second to last", -3: "third to last", -4: "fourth to last"}[axis]
        help_ = f"the {position} dimensions are {mine[axis]} and {other[axis]}; they must be equal, or one of them 1"
        self.error("TTB015", message, span, help_, self.declarations([(nodes[0], axis), (nodes[at], axis)]))

    # Operators

    def unary(self, node: Unary) -> Operand:
        operand = self.expression(node.operand)
        span = (node.start, node.end)
        if operand is None or node.op == "+":
            return operand
        if isinstance(operand, Num):
            return self.fold("neg", span, operand)
        return self.elementwise("neg", [node.operand], [operand], span)

    def binary(self, node: Binary) -> Operand:
        left, right = self.expression(node.left), self.expression(node.right)
        span = (node.start, node.end)
        if left is None or right is None:
            return None
        if isinstance(left, Num) and isinstance(right, Num):
            return self.fold(node.op, span, left, right)
        if node.op == "//":
            self.error("TTB011", "'//' works on numbers only", span, "write floor(a / b)")
            return None
        if node.op == "**" and isinstance(right, Num) and isinstance(left, int):
            return self.power(node.left, left, right, span)
        ids = self.weak_operands((left, right), span)
        if ids is None:
            return None
        if node.op == "/" and self.divides_by_reduction(*ids):
            inverse = self.elementwise("reciprocal", [node.right], [ids[1]], span)
            return (
                None if inverse is None else self.elementwise("mul", (node.left, node.right), [ids[0], inverse], span)
            )
        return self.elementwise(OPERATORS[node.op], (node.left, node.right), ids, span)

    def divides_by_reduction(self, dividend: int, divisor: int) -> bool:
        """Whether a quotient is better a product with one reciprocal for many elements: exp(x) / sum(exp(x), axis=-1).

        In fp32 its error (2.4e-7 + 0.6e-7) is within that of a division (3.6e-7, the op table).
        """
        values = self.builder.values
        if not self.is_float(values[divisor].dtype) or values[dividend].shape[-2:] == values[divisor].shape[-2:]:
            return False
        own, default = self.kernel.math or MathSpec(), self.default_math
        fp32 = default.fp32_accumulate if own.fp32_accumulate is None else own.fp32_accumulate
        approximate = default.approximate if own.approximate is None else own.approximate
        larger = zip(values[dividend].shape[-2:], values[divisor].shape[-2:], strict=True)
        if fp32 is False or approximate or any(a < b for a, b in larger):
            return False
        todo = [divisor]
        while todo:
            value = values[todo.pop()]
            if value.axes:
                return True
            todo += value.args
        return False

    def power(self, node: Expr, base: int, exponent: Num, span: Span) -> Operand:
        if exponent.value == 1:
            return base
        op = _POWERS.get(exponent.value)
        if op is not None:
            return self.elementwise(op, [node], [base], span)
        return self.elementwise("power", [node], [base], span, (float(exponent.value),))

    def attribute(self, node: Attribute) -> Operand:
        span = (node.start, node.end)
        if node.name != "T":
            self.expression(node.operand)
            help_ = "the only attribute is .T, the transpose"
            self.error("TTB011", f"there is no attribute '.{node.name}'", (node.end - len(node.name), node.end), help_)
            return None
        operand = self.expression(node.operand)
        if operand is None or not self.has_matrix(operand, node.operand, span, "'.T'"):
            return None
        assert isinstance(operand, int)
        old = self.builder.values[operand]
        if old.op == "transpose":
            return old.args[0]
        shape = (*old.shape[:-2], old.shape[-1], old.shape[-2])
        value = Value(op="transpose", args=(operand,), shape=shape, dtype=old.dtype)
        return self.builder.add(value, span, self.builder.ranks[operand])

    def has_matrix(self, operand: Operand, node: Expr, span: Span, what: str) -> bool:
        """Whether the operand has rows and columns; reported where not."""
        if isinstance(operand, Num) or (isinstance(operand, int) and self.builder.ranks[operand] == 0):
            self.error(
                "TTB021",
                f"{what} needs a tensor, not a number",
                (node.start, node.end),
                "write *, the product with a number",
            )
            return False
        assert isinstance(operand, int)
        if self.builder.ranks[operand] < 2:
            message = f"{what} needs rank 2 or more; '{expression_text(node)}' has shape {show(self.shown(operand))}"
            help_ = f"declare it with two dimensions, [1, {self.shown(operand)[-1]}] or [{self.shown(operand)[-1]}, 1]"
            self.error("TTB021", message, span, help_, self.declarations([(node, None)]))
            return False
        return True

    def matmul(self, node: Binary) -> Operand:
        span = (node.start, node.end)
        left, right = self.expression(node.left), self.expression(node.right)
        if left is None or right is None:
            return None
        sides = ((left, node.left), (right, node.right))
        if not all(self.has_matrix(operand, side, span, "'@'") for operand, side in sides):
            return None
        assert isinstance(left, int)
        assert isinstance(right, int)
        dtype = self.common((left, right), span)
        if dtype is None or not self.allowed("matmul", dtype, span):
            return None
        a, b = self.builder.values[left].shape, self.builder.values[right].shape
        if a[-1] != b[-2]:
            self.inner_mismatch(node, a, b)
            return None
        batch = broadcast(a[:-2], b[:-2])
        if batch is None:
            message = f"the leading dimensions {show(a[:-2])} and {show(b[:-2])} of '{_short(node)}' do not broadcast"
            related = self.declarations([(node.left, None), (node.right, None)])
            self.error("TTB015", message, span, "they must be equal, or 1", related)
            return None
        (left, left_turned), (right, right_turned) = self.untransposed(left), self.untransposed(right)
        value = Value(
            op="matmul",
            args=(left, right),
            shape=(*batch, a[-2], b[-1]),
            dtype=dtype,
            transpose=(left_turned, right_turned),
        )
        return self.builder.add(value, span, max(self.builder.ranks[left], self.builder.ranks[right]))

    def untransposed(self, operand: int) -> tuple[int, bool]:
        """The operand of a matmul without its transposition, which the matmul does itself."""
        value = self.builder.values[operand]
        return (value.args[0], True) if value.op == "transpose" else (operand, False)

    def inner_mismatch(self, node: Binary, a: tuple[int, ...], b: tuple[int, ...]) -> None:
        tensor = f"tensor '{node.right.id}'" if isinstance(node.right, Name) else f"'{_short(node.right)}'"
        which = "first dimension" if len(b) == 2 else "second to last dimension"
        message = f"{tensor} has shape {show(b)} but '{_short(node)}' needs its {which} to be {a[-1]}"
        helps = []
        text = self.shape_texts.get(node.right.id, ()) if isinstance(node.right, Name) else ()
        if text and text[-2].isidentifier():
            helps.append(f"make {text[-2]} {a[-1]}")
        elif isinstance(node.right, Name):
            helps.append(f"make the {which} of {node.right.id} {a[-1]}")
        if b[-1] == a[-1] and not isinstance(node.right, Attribute):
            helps.append(f"transpose {_short(node.right)}: {expression_text(node.right)}.T")
        if a[-2] == b[-2]:
            helps.append(f"transpose {_short(node.left)}")
        related = self.declarations([(node.right, -2)]) or self.declarations([(node.left, -1)])
        self.error("TTB014", message, (node.start, node.end), ", or ".join(helps), related)


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """NumPy's broadcast of two shapes, None where they do not fit."""
    length = max(len(a), len(b))
    a, b = (1,) * (length - len(a)) + a, (1,) * (length - len(b)) + b
    if any(x != y and x != 1 and y != 1 for x, y in zip(a, b, strict=True)):
        return None
    return tuple([y if x == 1 else x for x, y in zip(a, b, strict=True)])


def show(shape: tuple[int, ...]) -> str:
    """``[256, 1024]``."""
    return f"[{', '.join(map(str, shape))}]"


def _differ(a: tuple[int, ...], b: tuple[int, ...], axis: int) -> bool:
    return -axis <= min(len(a), len(b)) and a[axis] != b[axis] and 1 not in (a[axis], b[axis])


def _short(node: Expr) -> str:
    text = expression_text(node)
    return text if len(text) <= 40 else text[:37] + "..."
