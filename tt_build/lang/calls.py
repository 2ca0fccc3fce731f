"""Calls of the compute language: elementwise functions, reductions, composites, movement, cast."""

from __future__ import annotations

from math import prod

from tt_build.lang.builder import Num, Span
from tt_build.lang.functions import FUNCTIONS
from tt_build.lang.movement import Movement
from tt_build.lang.numbers import FOLDED
from tt_build.lang.operations import Operand
from tt_build.lang.ops import (
    MACRO,
    MOST_EXPANDED,
    MOST_EXPANDED_OF_ALL,
    OWN,
    Expansions,
    meaning_of,
    signature_of,
)
from tt_build.lang.parse import expression_text
from tt_build.lang.program import Value
from tt_build.lang.signatures import FOREIGN, SIGNATURES, Signature
from tt_build.lang.syntax import Call, Expr, Name
from tt_build.spec.nearest import did_you_mean, nearest, plural
from tt_build.targets.dtypes import DTYPES


class Calls(Movement):
    """Adds calls to the operators."""

    expanded = 0
    exhausted = False
    expansions: Expansions
    broken_ops: frozenset[str] | None = frozenset()
    absent_ops = ""
    calls_broken_op = False

    def call(self, node: Call) -> Operand:
        signature = SIGNATURES.get(node.function)
        if signature is None and node.function in self.kernel.ops:
            signature = signature_of(node.function, self.kernel.ops[node.function])
        name_span = (node.start, node.name_end)
        if signature is None:
            for part in (*node.args, *(keyword.value for keyword in node.keywords)):
                if not isinstance(part, Name):
                    self.expression(part)
                else:
                    self.mention(part.id)
            self.unknown_function(node.function, name_span)
            return None
        bound = self.arguments(node, signature)
        if bound is None:
            self.mention_all(node)
            return None
        operands, params = bound
        if signature.kind == MACRO:
            return self.macro(signature, operands, params, node)
        if signature.kind in ("elementwise", OWN):
            return self.function(signature, operands, params, node)
        if signature.kind == "movement":
            return self.move(signature, operands, params, node)
        if signature.kind == "cast":
            return self.cast(operands[0], params["dtype"], node)
        return self.along_axis(signature, operands[0], params, node)

    def mention(self, name: str) -> None:
        """Notes that a name is read, where its value is not looked at."""

    def mention_all(self, node: Call) -> None:
        for part in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(part, Name):
                self.mention(part.id)

    def unknown_function(self, name: str, span: Span) -> None:
        if name not in FOREIGN and (self.broken_ops is None or name in self.broken_ops):
            self.calls_broken_op = True  # its definition was refused
            return
        if name in FOREIGN:
            help_ = f"write {FOREIGN[name]}"
        else:
            near = nearest(name, [*SIGNATURES, *self.kernel.ops])
            help_ = f"did you mean '{near}'?" if near else "the reference lists the functions"
            if self.absent_ops:  # first, so that nothing is mended mechanically
                help_ = f"{self.absent_ops}, which would define ops of your own, does not exist\n{help_}"
        self.error("TTB013", f"unknown function '{name}'", span, help_)

    def arguments(self, node: Call, signature: Signature) -> tuple[list[Expr], dict[str, Expr]] | None:
        """Operands and parameters by name; None (reported) where the call does not fit the signature."""
        span = (node.start, node.end)
        names = [param.name for param in signature.params]
        if len(node.args) < signature.operands:
            needed = plural(signature.operands, "tensor")
            self.error("TTB017", f"'{signature.name}' needs {needed} as first argument", span, f"write {signature}")
            return None
        extra = node.args[signature.operands :]
        if len(extra) > len(names):
            first = extra[len(names)]
            help_ = f"write {signature}"
            if signature.name in ("max", "min"):
                help_ = f"{signature.name} reduces one tensor; of two it is {FOREIGN[signature.name]}"
            self.error("TTB017", f"too many arguments for '{signature.name}'", (first.start, first.end), help_)
            return None
        given: dict[str, Expr] = dict(zip(names, extra, strict=False))
        for keyword in node.keywords:
            place = (keyword.start, keyword.start + len(keyword.name))
            if keyword.name not in names:
                help_ = did_you_mean(keyword.name, names) if names else f"write {signature}"
                message = f"'{signature.name}' has no argument '{keyword.name}'"
                if keyword.name in ("keepdims", "keepdim"):
                    help_ = "leave it out: reduced dimensions are always kept"
                self.error("TTB017", message, place, help_)
                return None
            if keyword.name in given:
                self.error("TTB017", f"argument '{keyword.name}' is given twice", place, "remove one of them")
                return None
            given[keyword.name] = keyword.value
        for param in signature.params:
            if param.name not in given and param.default is None:
                help_ = f"write {signature}"
                if param.name == "axis" and signature.kind in ("reduction", "composite"):
                    several = ", or (-2, -1) for both" if signature.kind == "reduction" else ""
                    help_ = f"add axis=-1 to go along each row, axis=-2 along each column{several}"
                self.error("TTB017", f"'{signature.name}' needs '{param.name}'", span, help_)
                return None
        return list(node.args[: signature.operands]), given

    def parameter(self, node: Expr, name: str) -> float | None:
        """The number that a parameter is."""
        value = self.expression(node)
        if isinstance(value, Num):
            return float(value.value)
        if value is not None:
            help_ = "sizes, scalars with a value, and arithmetic on them are numbers"
            self.error("TTB017", f"'{name}' must be a number known at build time", (node.start, node.end), help_)
        return None

    def function(self, signature: Signature, nodes: list[Expr], given: dict[str, Expr], node: Call) -> Operand:
        span = (node.start, node.end)
        operands = [self.expression(part) for part in nodes]
        params: list[float] = []
        for param in signature.params:
            number = self.parameter(given[param.name], param.name) if param.name in given else param.default
            if number is None:
                return None
            params.append(number)
        numbers = [operand for operand in operands if isinstance(operand, Num)]
        if len(numbers) == len(operands):
            if signature.name in FOLDED and not params:
                return self.fold(signature.name, span, *numbers)
            message = f"'{signature.name}' of numbers alone is not computed"
            self.error("TTB017", message, span, "write the number itself")
            return None
        ids = self.weak_operands(operands, span)
        if ids is None:
            return None
        if signature.name == "clip" and params[0] > params[1]:
            self.error(
                "TTB017", f"clip from {params[0]:g} to {params[1]:g} is empty", span, "write the lower one first"
            )
            return None
        if signature.name in ("left_shift", "right_shift") and not 0 <= params[0] <= 31:
            self.error("TTB017", f"a shift by {params[0]:g} bits", span, "write 0 to 31")
            return None
        if signature.kind == "elementwise" and not self.only_for_integers(signature.name, ids, span):
            return None
        return self.elementwise(signature.name, nodes, ids, span, tuple(params))

    def macro(self, signature: Signature, nodes: list[Expr], given: dict[str, Expr], node: Call) -> Operand:
        """An op that stands for its definition: that, with the call's operands and parameters as its names."""
        op, span = self.kernel.ops[signature.name], (node.start, node.end)
        self.expanded += 1
        self.expansions.done += 1
        if self.expanded > MOST_EXPANDED or self.expansions.done > MOST_EXPANDED_OF_ALL:
            if not self.exhausted:
                most = MOST_EXPANDED if self.expanded > MOST_EXPANDED else MOST_EXPANDED_OF_ALL
                message = f"more than {most} definitions of ops stand for the calls up to here"
                self.error("TTB034", message, span, "name what occurs several times on its own line")
            self.exhausted = True
            return None
        names: dict[str, Operand] = dict(zip(op.operands, [self.expression(part) for part in nodes], strict=True))
        for param in signature.params:
            number = self.parameter(given[param.name], param.name) if param.name in given else param.default
            names[param.name] = None if number is None else Num(number, span)
        if None in names.values():
            return None
        outer = self.builder.stands_for
        self.builder.stands_for = outer or span
        self.frames.append((signature.name, names))
        found = self.expression(meaning_of(op))
        self.frames.pop()
        self.builder.stands_for = outer
        return found

    def only_for_integers(self, name: str, ids: list[int], span: Span) -> bool:
        """Whether the function has a form for its operands; reported where it has only ones for integers."""
        dtype = self.builder.values[ids[0]].dtype
        if not self.is_float(dtype) or FUNCTIONS[name].float_call is not None:
            return True
        help_ = "cast to an integer first, as in cast(x, int32)"
        self.error("TTB022", f"'{name}' is not defined on floats ({dtype})", span, help_)
        return False

    def along_axis(self, signature: Signature, operand: Expr, given: dict[str, Expr], node: Call) -> Operand:
        """Reductions and composites."""
        span = (node.start, node.end)
        value = self.expression(operand)
        axes: tuple[int, ...] | None = (-1,)
        params: tuple[float, ...] = ()
        if "axis" in given:
            axes = self.reduced_axes(given["axis"], one=signature.kind == "composite")
        if "eps" in given:
            eps = self.parameter(given["eps"], "eps")
            if eps is None:
                return None
            if eps < 0:
                place = (given["eps"].start, given["eps"].end)
                self.error("TTB036", f"eps is {eps:g}", place, "it is added to a mean of squares: 0 or more")
                return None
            params = (eps,)
        if value is None or axes is None:
            return None
        if isinstance(value, Num):
            what = expression_text(operand)
            self.error("TTB017", f"'{signature.name}' needs a tensor; '{what}' is a number", span)
            return None
        old = self.builder.values[value]
        if self.builder.ranks[value] < 2 and axes != (-1,):
            message = f"'{expression_text(operand)}' has rank 1: it has no axis -2"
            self.error("TTB033", message, (given["axis"].start, given["axis"].end), "write axis=-1")
            return None
        if not self.allowed(signature.name, old.dtype, span):
            return None
        if signature.kind == "reduction":
            return self.reduce(signature.name, value, axes, span)
        return self.composite(signature.name, value, axes, params, span)

    def reduce(self, op: str, value: int, axes: tuple[int, ...], span: Span) -> int:
        """A reduction over these axes, which are kept with extent 1."""
        old = self.builder.values[value]
        shape = (*old.shape[:-2], 1 if -2 in axes else old.shape[-2], 1 if -1 in axes else old.shape[-1])
        new = Value(op=op, args=(value,), shape=shape, dtype=old.dtype, axes=axes)
        return self.builder.add(new, span, self.builder.ranks[value])

    def composite(self, name: str, x: int, axes: tuple[int, ...], params: tuple[float, ...], span: Span) -> Operand:
        """softmax, log_softmax, layernorm, rmsnorm as the values that they stand for, so that every spelling is one."""

        def apply(op: str, *args: int) -> int:
            wide = max(args, key=lambda arg: prod(self.builder.values[arg].shape))
            shape, dtype = self.builder.values[wide].shape, self.builder.values[wide].dtype
            return self.builder.add(Value(op=op, args=args, shape=shape, dtype=dtype), span, self.builder.ranks[wide])

        if name in ("softmax", "log_softmax"):
            shifted = apply("sub", x, self.reduce("max", x, axes, span))
            powers = apply("exp", shifted)
            total = self.reduce("sum", powers, axes, span)
            if name == "softmax":
                return apply("mul", powers, apply("reciprocal", total))
            return apply("sub", shifted, apply("log", total))
        if name == "layernorm":
            x = apply("sub", x, self.reduce("mean", x, axes, span))
        power = self.reduce("mean", apply("mul", x, x), axes, span)
        eps = self.builder.const(Num(params[0], span), self.builder.values[x].dtype)
        return apply("mul", x, apply("rsqrt", apply("add", power, eps)))

    def reduced_axes(self, node: Expr, *, one: bool) -> tuple[int, ...] | None:
        axes = self.integers(node, "axis")
        if axes is None:
            return None
        if not axes or not set(axes) <= {-1, -2} or len(set(axes)) != len(axes) or (one and len(axes) > 1):
            help_ = "write axis=-1 or axis=-2" + ("" if one else " or axis=(-2, -1)")
            message = f"axis {expression_text(node)} is not one of the last two, counted from the end"
            self.error("TTB033", message, (node.start, node.end), help_)
            return None
        return tuple(sorted(axes))

    def cast(self, operand: Expr, dtype: Expr, node: Call) -> Operand:
        value = self.expression(operand)
        span = (dtype.start, dtype.end)
        if not isinstance(dtype, Name):
            self.error("TTB023", "cast needs the name of a dtype", span, f"one of {', '.join(DTYPES)}")
            return None
        if dtype.id not in DTYPES:
            self.error("TTB023", f"unknown dtype '{dtype.id}'", span, dtype_help(dtype.id))
            return None
        if value is None:
            return None
        if isinstance(value, Num):
            message = "cast of a number: a number takes the dtype of the tensor beside it"
            self.error("TTB017", message, (node.start, node.end), f"write {expression_text(operand)}")
            return None
        old = self.builder.values[value]
        new = Value(op="cast", args=(value,), shape=old.shape, dtype=dtype.id)
        return self.builder.add(new, (node.start, node.end), self.builder.ranks[value])


def dtype_help(name: str) -> str:
    """What to write instead of an unknown dtype."""
    if name in ("float16", "fp16", "half"):
        return "the SDK's tensors have no float16; use bfloat16, or float32 for more precision"
    short = {"bf16": "bfloat16", "fp32": "float32", "float": "float32", "bfp8": "bfloat8_b", "bfp4": "bfloat4_b"}
    short |= {"bfloat8": "bfloat8_b", "bfloat4": "bfloat4_b", "int": "int32", "f32": "float32", "double": "float32"}
    if name in short:
        return f"did you mean '{short[name]}'?"
    return did_you_mean(name, DTYPES, what="dtypes")
