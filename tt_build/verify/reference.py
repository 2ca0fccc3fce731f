"""The reference: the compute text itself, evaluated by NumPy in float64 with a running error bound.

It walks Python's own syntax tree over a whitelist and shares no code with the lowering, so that a mistake there cannot
hide here. What each function means is in ``tt_build.verify.meanings``; how far a device may be off is in the op table.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tt_build.emulator.formats import round_to
from tt_build.lang.functions import FUNCTIONS
from tt_build.spec.model import OpSpec
from tt_build.targets.dtypes import DTYPES
from tt_build.verify import contractions, elementwise
from tt_build.verify.accumulation import lost_on_the_way
from tt_build.verify.own_ops import apply_own
from tt_build.verify.values import (
    INTEGERS,
    TINY,
    Array,
    EvaluationError,
    Math,
    Value,
    finite_difference,
    overflowed,
    reach,
    ulp,
    wrap,
)

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.BitAnd: "bitwise_and",
    ast.BitOr: "bitwise_or",
    ast.BitXor: "bitwise_xor",
}
_BITS = {"float32": 23, "bfloat16": 7, "bfloat8_b": 6, "bfloat4_b": 2}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


class Ref:
    """An output as it should be: ``value`` (float64 or int64, not yet rounded to the output's dtype, of its shape).

    ``bound`` is how far a right result may be off, rounding to the dtype included, while every branch goes as here;
    ``wide`` how far when branches within the propagated error go the other way; ``discontinuous`` where the two differ.
    """

    def __init__(self, value: Array, bound: Array, wide: Array, dtype: str) -> None:
        self.value = value
        self.bound = bound
        self.wide = wide
        self.dtype = dtype

    @property
    def discontinuous(self) -> Array:
        return np.asarray(self.wide > self.bound)


def evaluate(
    compute: str,
    inputs: Mapping[str, Array],
    *,
    dtypes: Mapping[str, str],
    outputs: Mapping[str, tuple[int, ...]],
    sizes: Mapping[str, int] | None = None,
    scalars: Mapping[str, float] | None = None,
    math: Math | None = None,
    ops: Mapping[str, OpSpec] | None = None,
) -> dict[str, Ref]:
    """Every output of ``compute``. ``inputs`` hold values already rounded to their dtype (``dtypes`` has all tensors').

    ``outputs`` maps names to declared shapes; ``ops`` are those of ``extensions``. EvaluationError for text that is
    not of the language, or an output that is missing or of another shape.
    """
    walker = _Walker(math or Math(), ops or {})
    for name, number in {**(sizes or {}), **(scalars or {})}.items():
        walker.names[name] = _number(number)
    for name, array in inputs.items():
        walker.names[name] = walker.tensor(array, dtypes[name])
        walker.ranks[name] = max(1, np.ndim(array))
    try:
        tree = ast.parse(compute)
    except SyntaxError as error:
        raise EvaluationError(f"line {error.lineno}: {error.msg}") from error
    for statement in tree.body:
        walker.assign(statement)
    found = {}
    for name, shape in outputs.items():
        if name not in walker.names or name in inputs:
            raise EvaluationError(f"output '{name}' is never assigned")
        found[name] = _rounded(walker.names[name], dtypes[name], name, shape)
    return found


def _number(number: float) -> Value:
    exact = float(np.float32(number)) == float(number)
    data = np.full((1, 1, 1, 1), number, np.float64)
    return Value(data, None if exact else np.full((2, 1, 1, 1, 1), 2.0**-24 * abs(number)), None)


def _rounded(value: Value, dtype: str, name: str, shape: tuple[int, ...]) -> Ref:
    """The output: broadcast to four axes of its shape, rounding to its dtype added to the errors."""
    whole = (1,) * (4 - len(shape)) + tuple(shape)
    if value.data.shape != whole and value.data.size != 1:
        raise EvaluationError(f"output '{name}' is declared {list(shape)} but computed as {list(value.data.shape)}")
    data = np.broadcast_to(value.data, whole)
    if dtype in INTEGERS:
        if not value.is_integer and value.dtype is not None:
            raise EvaluationError(f"output '{name}' is {dtype} but its value is a float; cast it")
        ints = wrap(np.rint(data).astype(np.int64), dtype)
        tight, wide = np.broadcast_to(value.errors, (2, *whole))
        return Ref(ints.reshape(shape), tight.reshape(shape), wide.reshape(shape), dtype)
    if value.is_integer:
        raise EvaluationError(f"output '{name}' is {dtype} but its value is {value.dtype}; cast it")
    err = np.broadcast_to(value.errors, (2, *whole))
    err = np.stack([e + _dtype_step(data, e, dtype) for e in err])
    if dtype == "bfloat16":  # 3.39e38 and up rounds to infinity
        data, doubtful = overflowed(data, err, 2.0**128 - 2.0**119)
        err = err if doubtful is None else doubtful
    bound, wide = err
    return Ref(data.reshape(shape), bound.reshape(shape), wide.reshape(shape), dtype)


def _dtype_step(data: Array, err: Array, dtype: str) -> Array:
    """The most that rounding to a float dtype moves a value that is within ``err`` of ``data``."""
    size = reach(data, err)
    if dtype == "float32":
        return 0.5 * ulp(size, 23) + TINY
    if dtype == "bfloat16":
        return 0.5 * ulp(size, 7) + TINY
    width = data.shape[-1]
    padded = np.zeros((*size.shape[:-1], -(-width // 16) * 16))
    # An infinity takes the block's exponent, and with it every other element of the block.
    padded[..., :width] = np.where(np.isfinite(data) & np.isfinite(err), size, np.inf)
    largest = padded.reshape(*size.shape[:-1], -1, 16).max(axis=-1)
    step = np.where(np.isfinite(largest), ulp(largest, 6 if dtype == "bfloat8_b" else 2), np.inf)
    step = np.repeat(step, 16, axis=-1)
    return np.asarray(step[..., :width]) + TINY


class _Walker:
    """Evaluates one statement after the other; ``names`` holds what is known so far."""

    def __init__(self, math: Math, ops: Mapping[str, OpSpec]) -> None:
        self.math = math
        self.ops = ops
        self.names: dict[str, Value] = {}
        self.ranks: dict[str, int] = {}

    def tensor(self, array: Array, dtype: str) -> Value:
        data = np.asarray(array)
        data = data.reshape((1,) * (4 - data.ndim) + data.shape)
        if dtype in INTEGERS:
            return Value(wrap(data.astype(np.int64), dtype), None, dtype)
        data = data.astype(np.float64)
        bits = _BITS[dtype]
        lost = None if bits < 23 or self.math.fp32_accumulate else np.stack([lost_on_the_way(data)] * 2)
        return Value(data, lost, "float32" if dtype == "float32" else "bfloat16", bits=bits)

    def assign(self, statement: ast.stmt) -> None:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise EvaluationError(f"line {statement.lineno}: only assignments 'name = expression' are known")
        target = statement.targets[0]
        if not isinstance(target, ast.Name):
            raise EvaluationError(f"line {statement.lineno}: only a plain name can be assigned")
        self.names[target.id] = self.value(statement.value)
        self.ranks[target.id] = self.rank(statement.value)

    def rank(self, node: ast.AST) -> int:
        """Axes that the user counts: those of the tensor of the highest rank in the expression; heads are an axis."""
        if isinstance(node, ast.Name):
            return self.ranks.get(node.id, 0)
        highest = max((self.rank(child) for child in ast.iter_child_nodes(node)), default=0)
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        return highest + {"split_heads": 1, "join_heads": -1}.get(called, 0)

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return _number(float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise EvaluationError(f"unknown name '{node.id}'")
            return self.names[node.id]
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            name = _COMPARISONS.get(type(node.ops[0]))
            if name is not None:
                return self._apply(name, [self.value(node.left), self.value(node.comparators[0])])
        if isinstance(node, ast.Attribute) and node.attr == "T":
            return self.value(node.value).moved(lambda a: np.swapaxes(a, -1, -2))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node)
        raise EvaluationError(f"'{ast.unparse(node)}' is not of the compute language")

    def _unary(self, node: ast.UnaryOp) -> Value:
        x = self.value(node.operand)
        if isinstance(node.op, ast.UAdd):
            return x
        if isinstance(node.op, ast.USub):
            return self._apply("neg", [x])
        if isinstance(node.op, ast.Invert):
            return self._apply("bitwise_not", [x])
        raise EvaluationError(f"'{ast.unparse(node)}' is not of the compute language")

    def _binary(self, node: ast.BinOp) -> Value:
        x, y = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.MatMult):
            return contractions.matmul(x, y, self.math)
        if isinstance(node.op, ast.FloorDiv) and x.dtype is None and y.dtype is None:
            return _number(float(x.data.flat[0]) // float(y.data.flat[0]))
        name = _OPERATORS.get(type(node.op))
        if name is None:
            raise EvaluationError(f"'{ast.unparse(node)}' is not of the compute language")
        if name == "pow" and y.dtype is None and x.dtype is not None:
            exponent = float(y.data.flat[0])
            return self._apply("square", [x]) if exponent == 2 else self._apply("power", [x], (exponent,))
        return self._apply(name, [x, y])

    def _apply(self, name: str, operands: list[Value], params: tuple[float, ...] = ()) -> Value:
        if all(v.dtype is None and v.data.size == 1 for v in operands):
            return self._fold(name, operands, params)
        return elementwise.apply(name, operands, params, self.math)

    def _fold(self, name: str, operands: list[Value], params: tuple[float, ...]) -> Value:
        """Arithmetic between numbers is exact: the compiler does it."""
        exact = elementwise.apply(name, [Value(v.data, None, None) for v in operands], params, Math())
        return _number(float(exact.data.flat[0]))

    def _call(self, name: str, node: ast.Call) -> Value:
        special: dict[str, Callable[[ast.Call], Value]] = {
            "softmax": self._softmax,
            "log_softmax": self._log_softmax,
            "layernorm": self._layernorm,
            "rmsnorm": self._rmsnorm,
            "cast": self._cast,
            "causal": self._causal,
            "permute": self._permute,
            "split_heads": self._split_heads,
            "join_heads": self._join_heads,
            "slice": self._slice,
            "concat": self._concat,
            "repeat": self._repeat,
            "rotate_half": self._rotate_half,
        }
        if name in special:
            return special[name](node)
        if name in ("sum", "mean", "max", "min"):
            (x,), given = self._arguments(node, ("x",), {"axis": None})
            return contractions.reduce(name, x, self._axes(given["axis"], node), self.math)
        if name in self.ops:
            return self._own(name, node)
        row = FUNCTIONS.get(name)
        if row is None:
            raise EvaluationError(f"unknown function '{name}'")
        operands, given = self._arguments(
            node, ("x", "y", "z")[: row.operands], {p.name: p.default for p in row.params}
        )
        return self._apply(name, operands, tuple(float(given[p.name]) for p in row.params))

    def _own(self, name: str, node: ast.Call) -> Value:
        """An op of ``extensions``: its meaning, with operands and parameters as names."""
        op = self.ops[name]
        operands, given = self._arguments(node, op.operands, op.parameters)
        rank = max((self.rank(arg) for arg in node.args), default=0)

        def meaning(values: list[Value]) -> Value:
            inner = _Walker(self.math, self.ops)
            inner.names = dict(zip(op.operands, values, strict=True)) | {k: _number(v) for k, v in given.items()}
            inner.ranks = dict.fromkeys(op.operands, rank)
            return inner.value(ast.parse(op.meaning, mode="eval").body)

        return meaning(operands) if op.sfpu is None else apply_own(name, self.ops, operands, meaning, self.math)

    def _arguments(
        self, node: ast.Call, operands: tuple[str, ...], params: dict[str, Any]
    ) -> tuple[list[Value], dict[str, Any]]:
        """The operands' values, and the parameters (numbers, tuples of numbers, or names of dtypes)."""
        call = ast.unparse(node)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise EvaluationError(f"'{call}': no unpacking")
        if not len(operands) <= len(node.args) <= len(operands) + len(params):
            raise EvaluationError(f"'{call}' takes {len(operands)} operands and {list(params)}")
        values = [self.value(a) for a in node.args[: len(operands)]]
        given = dict(params)
        for key, argument in zip(params, node.args[len(operands) :], strict=False):
            given[key] = self._parameter(argument)
        for keyword in node.keywords:
            if keyword.arg not in params:
                raise EvaluationError(f"'{call}' has no parameter '{keyword.arg}'")
            given[keyword.arg] = self._parameter(keyword.value)
        missing = [key for key, value in given.items() if value is None]
        if missing:
            raise EvaluationError(f"'{call}' needs {', '.join(missing)}")
        return values, given

    def _parameter(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Tuple):
            return tuple(self._parameter(e) for e in node.elts)
        if isinstance(node, ast.Name) and node.id in DTYPES:
            return node.id
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        value = self.value(node)
        if value.dtype is not None or value.data.size != 1:
            raise EvaluationError(f"'{ast.unparse(node)}' must be a number")
        return float(value.data.flat[0])

    def _axes(self, axis: Any, node: ast.Call) -> tuple[int, ...]:
        """Axes counted from the end."""
        rank = max(1, self.rank(node.args[0]))
        axes = tuple(int(a) for a in (axis if isinstance(axis, tuple) else (axis,)))
        if any(not -max(rank, 2) <= a < rank for a in axes):
            raise EvaluationError(f"'{ast.unparse(node)}': axis {axis} of a tensor of rank {rank}")
        return tuple(a - rank if a >= 0 else a for a in axes)

    # -- composites: their definitions ------------------------------------------------------------------------------

    def _softmax(self, node: ast.Call) -> Value:
        _, powers, total = self._exponentials(node)
        return self._apply("mul", [powers, self._apply("reciprocal", [total])])

    def _log_softmax(self, node: ast.Call) -> Value:
        shifted, _, total = self._exponentials(node)
        return self._apply("sub", [shifted, self._apply("log", [total])])

    def _exponentials(self, node: ast.Call) -> tuple[Value, Value, Value]:
        """x - max(x), its exponential, and the sum of that."""
        (x,), given = self._arguments(node, ("x",), {"axis": -1.0})
        axes = self._axes(given["axis"], node)
        shifted = self._apply("sub", [x, contractions.reduce("max", x, axes, self.math)])
        powers = self._apply("exp", [shifted])
        return shifted, powers, contractions.reduce("sum", powers, axes, self.math)

    def _layernorm(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"eps": 1e-5})
        centred = self._apply("sub", [x, contractions.reduce("mean", x, (-1,), self.math)])
        return self._normed(centred, given["eps"])

    def _rmsnorm(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"eps": 1e-5})
        return self._normed(x, given["eps"])

    def _normed(self, x: Value, eps: float) -> Value:
        power = contractions.reduce("mean", self._apply("mul", [x, x]), (-1,), self.math)
        return self._apply("mul", [x, self._apply("rsqrt", [self._apply("add", [power, _number(eps)])])])

    # -- movement and casts -----------------------------------------------------------------------------------------

    def _cast(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"dtype": None})
        dtype = given["dtype"]
        if dtype not in DTYPES:
            raise EvaluationError(f"'{ast.unparse(node)}': unknown dtype")
        return _cast_to(x, dtype, self.math)

    def _causal(self, node: ast.Call) -> Value:
        (x,), _ = self._arguments(node, ("x",), {})
        rows, columns = x.data.shape[-2:]
        above = np.arange(columns)[None, :] > np.arange(rows)[:, None]
        err = None if x.err is None else np.where(above, 0.0, x.err)
        return Value(np.where(above, -np.inf, x.data), err, x.dtype, bits=x.bits)

    def _permute(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"axes": None})
        axes = [int(a) for a in given["axes"]]
        rank = len(axes)
        if sorted(a % rank for a in axes) != list(range(rank)) or rank > 4:
            raise EvaluationError(f"'{ast.unparse(node)}': axes must name every axis once")
        order = [*range(4 - rank), *(4 - rank + a % rank for a in axes)]
        return x.moved(lambda a: np.transpose(a, order))

    def _slice(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"axis": None, "start": None, "stop": None})
        (axis,) = self._axes(given["axis"], node)
        start, stop = int(given["start"]), int(given["stop"])
        if not 0 <= start < stop <= x.data.shape[axis]:
            raise EvaluationError(f"'{ast.unparse(node)}' reaches outside of {x.data.shape[axis]} elements")
        return x.moved(lambda a: np.take(a, range(start, stop), axis=axis))

    def _concat(self, node: ast.Call) -> Value:
        (x, y), given = self._arguments(node, ("x", "y"), {"axis": None})
        (axis,) = self._axes(given["axis"], node)
        err = None
        if x.err is not None or y.err is not None:
            err = np.concatenate([x.errors, y.errors], axis=axis)
        data = np.concatenate([x.data, y.data], axis=axis)
        return Value(data, err, elementwise.joined(x, y), bits=max(x.bits, y.bits))

    def _repeat(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"n": None, "axis": None})
        (axis,) = self._axes(given["axis"], node)
        return x.moved(lambda a: np.repeat(a, int(given["n"]), axis=axis))

    def _split_heads(self, node: ast.Call) -> Value:
        (x,), given = self._arguments(node, ("x",), {"n": None})
        heads = int(given["n"])
        first, batch, rows, columns = x.data.shape
        if first != 1 or heads < 1 or columns % heads:
            raise EvaluationError(f"'{ast.unparse(node)}' of {list(x.data.shape)}")
        return x.moved(lambda a: np.swapaxes(a.reshape(batch, rows, heads, columns // heads), 1, 2))

    def _join_heads(self, node: ast.Call) -> Value:
        (x,), _ = self._arguments(node, ("x",), {})
        batch, heads, rows, columns = x.data.shape
        return x.moved(lambda a: np.swapaxes(a, 1, 2).reshape(1, batch, rows, heads * columns))

    def _rotate_half(self, node: ast.Call) -> Value:
        (x,), _ = self._arguments(node, ("x",), {})
        half, odd = divmod(x.data.shape[-1], 2)
        if odd:
            raise EvaluationError(f"'{ast.unparse(node)}' needs an even last dimension")
        turned = x.moved(lambda a: np.concatenate([a[..., half:], a[..., :half]], axis=-1))
        turned.data = turned.data * np.where(np.arange(x.data.shape[-1]) < half, -1.0, 1.0)
        return turned


def _cast_to(x: Value, dtype: str, math: Math) -> Value:
    """``cast`` rounds; a value near the middle of two may go to either."""
    if dtype in INTEGERS:
        if x.is_integer:
            return Value(wrap(x.data, dtype), x.err, dtype)
        return _float_to_integer(x, dtype)
    kind = "float32" if dtype == "float32" else "bfloat16"
    if x.is_integer:
        held = dtype if math.fp32_accumulate or dtype != "float32" else "bfloat16"
        data = round_to(x.data.astype(np.float64), held).astype(np.float64)
        return Value(data, x.errors, kind, bits=_BITS[held])
    data = round_to(x.data, dtype).astype(np.float64)
    errors = x.errors
    step = np.stack([np.where(e > 0, 2 * _dtype_step(data, e, dtype), 0.0) for e in errors])
    return Value(data, errors + step, kind, bits=_BITS[dtype] if x.err is None else 23)


def _float_to_integer(x: Value, dtype: str) -> Value:
    low, high = (-(2**31), 2**31 - 1) if dtype == "int32" else (0, 2 ** (16 if dtype == "uint16" else 32) - 1)

    def convert(data: Array) -> Array:
        return np.clip(np.rint(data), low, high).astype(np.int64)

    data = convert(x.data)
    wide = np.zeros(data.shape)
    if x.err is not None:
        for s in (-1.0, 1.0):
            wide = np.maximum(wide, finite_difference(convert(x.data + s * x.err[1]), data))
    return Value(data, np.stack([np.zeros(data.shape), wide]), dtype)
