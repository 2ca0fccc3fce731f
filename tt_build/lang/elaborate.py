"""A kernel's compute text to its ``Program``: names, shapes, dtypes, constants.

Needs a kernel whose tensors have integer shapes. Gives the values in dependency order, equal values once, numbers
folded, and the span of text of each value. Rejects with every error of the text, one message a cause: what depends on a
broken value is not reported again. The same text modulo spaces, comments and parentheses gives the same value ids.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tt_build.lang.builder import Num, Span
from tt_build.lang.calls import Calls
from tt_build.lang.dst_width import rounded_casts, stated_width
from tt_build.lang.infinities import block_floats_of
from tt_build.lang.operations import Operand, show
from tt_build.lang.ops import Expansions
from tt_build.lang.parse import parse
from tt_build.lang.program import Binding, Program, Value
from tt_build.lang.signatures import SIGNATURES
from tt_build.lang.syntax import Assignment, Attribute, Binary, Call, Expr, Name, Number, Parsed, Tuple, Unary
from tt_build.spec.diagnostics import Diagnostic, Rejected, Related, Where
from tt_build.spec.model import DefaultsSpec, KernelSpec, RuntimeScalar
from tt_build.spec.nearest import article, did_you_mean


class Elaborated(msgspec.Struct, frozen=True):
    """The program; for each value the characters of the parsed text that mean it; warnings."""

    program: Program
    spans: tuple[Span | None, ...]
    warnings: tuple[Diagnostic, ...] = ()


def elaborate(
    kernel: KernelSpec,
    defaults: DefaultsSpec,
    *,
    parsed: Parsed | None = None,
    shape_texts: Mapping[str, tuple[str, ...]] | None = None,
    broken: frozenset[str] = frozenset(),
    op_places: Mapping[str, Where] | None = None,
    broken_ops: frozenset[str] | None = frozenset(),
    expansions: Expansions | None = None,
    absent_ops: str = "",
) -> Elaborated:
    """The typed program of ``kernel``; raises ``Rejected`` with every error in it.

    ``parsed`` is the text to take instead of ``kernel.compute`` (the raw text, for positions). ``shape_texts`` gives
    for a tensor the text of each dimension as written, so that messages can name sizes. ``broken`` names tensors,
    sizes and scalars whose declaration was refused already: what reads them is not reported, and the program that
    comes back is then none to use. ``op_places`` says where each op of ``kernel.ops`` is defined;
    ``broken_ops`` names those that were refused (None: any may have been): where the text calls one, ``Rejected`` has
    no diagnostics for that; ``absent_ops`` is the file that would define them and is not there. ``expansions`` counts
    them for several kernels.
    """
    walk = _Elaboration(kernel, defaults, parsed or parse(kernel.compute), shape_texts or {}, broken)
    walk.op_places, walk.broken_ops, walk.absent_ops = op_places or {}, broken_ops, absent_ops
    walk.expansions = expansions or Expansions()
    return walk.run()


class _Elaboration(Calls):
    """The walk over the assignments: names here, operators and calls in the bases."""

    def __init__(
        self,
        kernel: KernelSpec,
        defaults: DefaultsSpec,
        parsed: Parsed,
        shape_texts: Mapping[str, tuple[str, ...]],
        broken: frozenset[str],
    ) -> None:
        super().__init__(kernel, defaults, shape_texts)
        self.wide_dst = stated_width(kernel, defaults)
        self.broken = broken
        self.parsed = parsed
        self.assigned: dict[str, Operand] = {}
        self.places: dict[str, Span] = {}
        self.read: set[str] = set()
        self.bindings: dict[str, tuple[int, Assignment]] = {}

    def run(self) -> Elaborated:
        for problem in self.parsed.problems:
            self.error(problem.code, problem.message, (problem.start, problem.end), problem.help, fix=problem.fix)
        self.broken |= {problem.target for problem in self.parsed.problems} - self.kernel.inputs.keys()
        for line in self.parsed.assignments:
            self.assign(line)
        self.check_outputs()
        if self.errors:
            raise Rejected(*sorted(self.errors, key=_position))
        if self.calls_broken_op:
            raise Rejected
        if self.broken:
            return Elaborated(Program(values=(), outputs=()), ())
        values, spans, new = self.builder.prune([self.bindings[name][0] for name in self.kernel.outputs])
        outputs = tuple(Binding(tensor=name, value=new[self.bindings[name][0]]) for name in self.kernel.outputs)
        program = Program(values=tuple(values), outputs=outputs, ops=self.kernel.ops)
        warnings = (*self.unused(), *self.infinities(program, spans), *self.rounded(program, spans))
        return Elaborated(program, tuple(spans), warnings)

    # Names

    def assign(self, line: Assignment) -> None:
        value = self.expression(line.value)
        name, place = line.target, (line.start, line.target_end)
        if name in self.places:
            first = Related(self.at(self.places[name]), "first assigned here")
            self.error("TTB020", f"'{name}' is assigned a second time", place, "use a new name", (first,))
            return
        self.places[name] = place
        kind = self.declared_as(name)
        if kind:
            declared = Related(Where(path=(*self.path, f"{kind}s", name), on_key=True), "declared here")
            self.error("TTB020", f"'{name}' is the name of {article(kind)}", place, "use a new name", (declared,))
            return
        self.assigned[name] = value
        if name in self.kernel.outputs and name not in self.broken:
            self.bind(name, value, line)

    def declared_as(self, name: str) -> str:
        """``input``, ``size`` or ``scalar`` where the name is one of those."""
        if name in self.kernel.inputs:
            return "input"
        if name in self.kernel.sizes:
            return "size"
        return "scalar" if name in self.kernel.scalars else ""

    def name(self, node: Name) -> Operand:
        name, span = node.id, (node.start, node.end)
        if self.frames:
            return self.frames[-1][1].get(name)
        self.read.add(name)
        if name in self.broken:
            return None
        if name in self.assigned:
            return self.assigned[name]
        if name in self.kernel.inputs:
            return self.input(name, span)
        if name in self.kernel.sizes:
            return Num(self.kernel.sizes[name], span)
        if name in self.kernel.scalars:
            scalar = self.kernel.scalars[name]
            if isinstance(scalar, RuntimeScalar):
                value = Value(op="scalar", name=name, shape=(1, 1), dtype=scalar.runtime)
                return self.builder.add(value, span, 0)
            return Num(scalar, span)
        if name in self.places:
            return None  # its assignment was refused
        self.unknown_name(name, span)
        return None

    def unknown_name(self, name: str, span: Span) -> None:
        if name in self.kernel.outputs:
            self.error("TTB012", f"output '{name}' is read before it is assigned", span, "assign it on a line above")
            return
        if name in SIGNATURES:
            self.error("TTB012", f"'{name}' is a function", span, f"call it: {SIGNATURES[name]}")
            return
        kernel = self.kernel
        known = [*kernel.inputs, *self.assigned, *kernel.sizes, *kernel.scalars]
        later = [line for line in self.parsed.assignments if line.target == name and line.start > span[0]]
        help_ = "move its assignment above this line" if later else did_you_mean(name, known, what="known names")
        self.error("TTB012", f"unknown name '{name}'", span, help_)

    def mention(self, name: str) -> None:
        self.read.add(name)

    # Expressions

    def expression(self, node: Expr) -> Operand:
        if isinstance(node, Name):
            return self.name(node)
        if isinstance(node, Number):
            return self.number(node)
        if isinstance(node, Binary):
            return self.matmul(node) if node.op == "@" else self.binary(node)
        if isinstance(node, Unary):
            return self.unary(node)
        if isinstance(node, Call):
            return self.call(node)
        if isinstance(node, Attribute):
            return self.attribute(node)
        if isinstance(node, Tuple):
            for item in node.items:
                self.expression(item)
            self.error("TTB011", "a tuple has no meaning here", (node.start, node.end), "tuples are for axes only")
        return None

    # Outputs

    def bind(self, name: str, value: Operand, line: Assignment) -> None:
        span = (line.value.start, line.value.end)
        place = Where(path=(*self.path, "outputs", name), on_key=True)
        if value is None:
            return
        if isinstance(value, Num):
            help_ = "an output is computed from at least one input"
            self.error("TTB018", f"output '{name}' is a number, not a tensor", span, help_)
            return
        spec, found = self.kernel.outputs[name], self.builder.values[value]
        dtype = self.dtype_of(spec)
        if spec.shape != self.shown(value):
            message = (
                f"output '{name}' is declared {show(spec.shape)} but its value has shape {show(self.shown(value))}"
            )
            related = self.declared_shape("outputs", name)
            self.error("TTB018", message, span, self.reshape_help(name, self.shown(value)), (related,))
            return
        if self.is_float(dtype) != self.is_float(found.dtype):
            message = f"output '{name}' is {dtype} but its value is {found.dtype}"
            related = Related(place, "declared here")
            help_ = f"declare {name}: {{dtype: {found.dtype}}}, or write cast(..., {dtype}) around it"
            self.error("TTB016", message, span, help_, (related,))
            return
        if not self.is_float(dtype) and dtype != found.dtype:  # integers wrap; floats are rounded by the packer
            new = Value(op="cast", args=(value,), shape=found.shape, dtype=dtype)
            value = self.builder.add(new, span, self.builder.ranks[value])
        self.bindings[name] = (value, line)

    def reshape_help(self, name: str, shape: tuple[int, ...]) -> str:
        return f"declare {name}: {{shape: {show(shape)}}}"

    def check_outputs(self) -> None:
        """Every output is assigned, and all fit the space of the largest."""
        broken_lines = bool(self.parsed.problems)
        for name in self.kernel.outputs:
            if name not in self.places and not broken_lines:
                where = Where(path=(*self.path, "outputs", name), on_key=True)
                help_ = f"add a line '{name} = ...' to compute"
                unassigned = [other for other in self.places if other not in self.read and not self.declared_as(other)]
                unassigned = [other for other in unassigned if other not in self.kernel.outputs]
                if len(unassigned) == 1:
                    help_ = f"compute assigns '{unassigned[0]}', which nothing reads: call it '{name}'"
                self.errors.append(Diagnostic("TTB019", f"output '{name}' is never assigned", where, help_))
        if self.errors or self.broken or len(self.kernel.outputs) < 2:
            return
        largest = max(self.kernel.outputs, key=lambda name: _elements(self.kernel.outputs[name].shape))
        space = self.kernel.outputs[largest].shape
        for name, spec in self.kernel.outputs.items():
            if not _fits(spec.shape, space):
                message = f"outputs '{name}' {show(spec.shape)} and '{largest}' {show(space)} do not share one space"
                related = self.declared_shape("outputs", largest)
                where = Where(path=(*self.path, "outputs", name, "shape"))
                help_ = "outputs of one kernel have the same shape, or size 1 on a reduced axis; make two kernels"
                self.errors.append(Diagnostic("TTB037", message, where, help_, (related,)))

    def unused(self) -> list[Diagnostic]:
        """Warnings about what is declared or assigned and never read."""
        found = []
        for name in self.kernel.inputs:
            if name not in self.read:
                where = Where(path=(*self.path, "inputs", name), on_key=True)
                message = f"input '{name}' is never used in compute"
                found.append(Diagnostic("TTB101", message, where, "remove it, or use it", severity="warning"))
        for name, scalar in self.kernel.scalars.items():
            if name not in self.read:
                kind = "run-time scalar" if isinstance(scalar, RuntimeScalar) else "scalar"
                where = Where(path=(*self.path, "scalars", name), on_key=True)
                message = f"{kind} '{name}' is never used in compute"
                found.append(Diagnostic("TTB102", message, where, "remove it, or use it", severity="warning"))
        for name, place in self.places.items():
            if name not in self.read and name not in self.kernel.outputs:
                message = f"'{name}' is assigned and never read"
                found.append(
                    Diagnostic("TTB103", message, self.at(place), "remove the line, or use it", severity="warning")
                )
        return found

    def infinities(self, program: Program, spans: list[Span | None]) -> list[Diagnostic]:
        """Warnings about ``causal`` in block-float formats."""
        found = []
        dtypes = {name: self.dtype_of(spec) for name, spec in self.kernel.outputs.items()}
        for name, value in block_floats_of(program, dtypes):
            line = self.bindings[name][1].value if name else None
            where = self.at((line.start, line.end) if line else spans[value] or (0, 0))
            dtype = dtypes[name] if name else program.values[value].dtype
            what = f"output '{name}'" if name else "what is cast"
            message = f"{what} may hold minus infinity, and {dtype} has one exponent for 16 elements"
            help_ = "use bfloat16, or apply causal after it, inside softmax"
            found.append(Diagnostic("TTB107", message, where, help_, severity="warning"))
        return found

    def rounded(self, program: Program, spans: list[Span | None]) -> list[Diagnostic]:
        """Warnings about float32 that a 16-bit DST rounds before it becomes an integer."""
        casts, narrow = rounded_casts(program, self.wide_dst)
        return [self.rounded_cast(program.values, spans, cast, narrow) for cast in casts]

    def rounded_cast(
        self, values: tuple[Value, ...], spans: list[Span | None], cast: int, narrow: int | None
    ) -> Diagnostic:
        """TTB109; ``narrow`` is the value that makes DST 16 bits wide."""
        message = f"a 16-bit DST rounds float32 to bfloat16 before it becomes {values[cast].dtype}"
        related: tuple[Related, ...] = ()
        if narrow is None:
            help_ = "leave 'fp32_accumulate: false' out"
        elif values[narrow].op == "input":
            help_ = f"declare '{values[narrow].name}' as int32, or make two kernels"
        else:
            help_ = "compute on int32 and cast to uint16 last, or make two kernels"
        if narrow not in (None, cast):
            related = (Related(self.at(spans[narrow] or (0, 0)), "uint16 here needs a 16-bit DST"),)
        return Diagnostic("TTB109", message, self.at(spans[cast] or (0, 0)), help_, related, severity="warning")


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.where.span or (-1, -1)


def _elements(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _fits(shape: tuple[int, ...], space: tuple[int, ...]) -> bool:
    padded = (1,) * (len(space) - len(shape)) + shape
    return len(shape) <= len(space) and all(a in (1, b) for a, b in zip(padded, space, strict=True))
