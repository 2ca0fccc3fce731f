"""One kernel's node to its ``Declaration``: the unit of work of the loader, free of every other kernel."""

from __future__ import annotations

from collections.abc import Callable, Container
from collections.abc import Mapping as MappingType
from pathlib import Path as FilePath
from typing import Any

import msgspec

from tt_build.lang.elaborate import elaborate
from tt_build.lang.ops import Expansions, used_ops
from tt_build.lang.parse import canonical, parse
from tt_build.lang.program import Program
from tt_build.spec import schedules
from tt_build.spec.diagnostics import Diagnostic, Rejected, Related, Where
from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import (
    Declaration,
    Declared,
    DefaultsSpec,
    KernelSpec,
    MathSpec,
    OpSpec,
    RuntimeScalar,
    ScheduleSpec,
    TargetSpec,
    TensorSpec,
    VerifySpec,
)
from tt_build.spec.schedules import LARGEST, Policies
from tt_build.spec.shapes import MOST_AXES, shape_help
from tt_build.spec.targets import Wish, read_target, resolve

KEYS = (
    "description",
    "sizes",
    "scalars",
    "inputs",
    "outputs",
    "compute",
    "grid",
    "block",
    "schedule",
    "math",
    "verify",
    "target",
    "allow",
    "variants",
)
REQUIRED = ("inputs", "outputs", "compute")
MOST_ELEMENTS = 2**40
TILE = 32


class Context(msgspec.Struct, frozen=True):
    """What a kernel takes from its file and the command line."""

    file: int
    folder: FilePath
    defaults: DefaultsSpec
    policies: Policies
    target: tuple[Wish, ...]
    ops: dict[str, OpSpec] = {}
    op_places: dict[str, Where] = {}
    broken_ops: frozenset[str] | None = frozenset()
    expansions: Expansions | None = None
    absent_ops: str = ""


class Read(msgspec.Struct, frozen=True):
    """A kernel that was read: None where it is invalid; the spans of its values; all that was found.

    ``program`` is its text, typed. ``accepted`` holds the codes of warnings that ``allow`` has silenced, ``texts`` the
    digests of other files that were read for it.
    """

    declaration: Declared | None
    spans: tuple[tuple[int, int] | None, ...]
    diagnostics: tuple[Diagnostic, ...]
    accepted: frozenset[str] = frozenset()
    program: Program | None = None
    texts: dict[FilePath, str] = {}


class KernelReader:
    """Reads a kernel that is an expression; the base of the reader of sources (``spec.handwritten``)."""

    def __init__(self, fields: Fields, name: str, context: Context, at: MappingType[str, int] | None = None) -> None:
        self.fields = fields
        self.name = name
        self.path: Path = ("kernels", name)
        self.context = context
        self.at = at or {}
        self.shape_texts: dict[str, tuple[str, ...]] = {}
        self.program: Program | None = None
        self.unusable = False  # for a reason that is reported elsewhere

    def read(self, node: Node) -> Read:
        fields, path = self.fields, self.path
        entries = fields.mapping(node, path, KEYS, REQUIRED, "write the kernel's inputs, outputs and compute below it")
        if entries is None:
            return Read(None, (), tuple(fields.problems))
        common = self.entry(entries)
        sizes = common["sizes"]
        scalars = self.scalars(entries["scalars"]) if "scalars" in entries else {}
        compute = fields.text(entries["compute"], (*path, "compute"), "text") if "compute" in entries else None
        if compute is not None and not compute.strip():
            fields.error("TTB011", "compute is empty", (*path, "compute"), "write output = expression", key=True)
        block = self.block(entries["block"], sizes) if "block" in entries else None
        kernel = KernelSpec(**common, compute=compute or "", scalars=scalars, block=block)
        spans: tuple[tuple[int, int] | None, ...] = ()
        if compute and compute.strip():
            spans, kernel = self.elaborated(kernel, compute, entries)
        defaults = self.context.defaults
        read = self.finish(
            entries, kernel.allow, lambda target: Declaration(kernel=kernel, defaults=defaults, target=target)
        )
        if read.declaration is None:
            return read
        smaller = self.at_verify_sizes(node, kernel)
        if isinstance(smaller, Diagnostic):
            return Read(None, (), (*read.diagnostics, smaller))
        declaration = msgspec.structs.replace(read.declaration, at_verify_sizes=smaller)
        return msgspec.structs.replace(read, declaration=declaration, spans=spans, program=self.program)

    def entry(self, entries: MappingType[str, Node]) -> dict[str, Any]:
        """The fields of an ``Entry``."""
        fields, path = self.fields, self.path
        description = ""
        if "description" in entries:
            description = fields.text(entries["description"], (*path, "description")) or ""
        sizes = {**self.sizes(entries["sizes"]), **self.at} if "sizes" in entries else {}
        if "sizes" in entries:
            self.fields.broken_sizes = _broken_names(entries["sizes"], sizes)
        inputs = self.tensors(entries["inputs"], "inputs", sizes) if "inputs" in entries else {}
        outputs = self.tensors(entries["outputs"], "outputs", sizes) if "outputs" in entries else {}
        self.distinct(entries)
        grid = self.counts(entries["grid"], "grid", sizes) if "grid" in entries else None
        schedule: ScheduleSpec | None = None
        if "schedule" in entries:
            schedule = schedules.schedule(fields, entries["schedule"], (*path, "schedule"), self.context.policies)
        math: MathSpec | None = None
        if "math" in entries:
            math = schedules.math(fields, entries["math"], (*path, "math"))
        verify: VerifySpec | None = None
        if "verify" in entries:
            verify = schedules.verify(fields, entries["verify"], (*path, "verify"), sizes)
            if verify is not None and self.at:
                verify = msgspec.structs.replace(verify, sizes=None)
        return {
            "name": self.name,
            "description": description,
            "sizes": sizes,
            "inputs": inputs,
            "outputs": outputs,
            "grid": grid,
            "schedule": schedule,
            "math": math,
            "verify": verify,
            "allow": self.allow(entries["allow"]) if "allow" in entries else (),
        }

    def finish(
        self, entries: MappingType[str, Node], allow: tuple[str, ...], declare: Callable[[TargetSpec], Declared]
    ) -> Read:
        """The declaration for its target, unless something was wrong."""
        wishes = self.context.target
        if "target" in entries:
            wishes = (read_target(self.fields, entries["target"], (*self.path, "target")), *wishes)
        target = resolve(self.fields, wishes)
        found = self.fields.problems
        problems = tuple([entry for entry in found if entry.severity == "error" or entry.code not in allow])
        if target is None or self.unusable or any(problem.severity == "error" for problem in problems):
            return Read(None, (), problems)
        accepted = frozenset(entry.code for entry in found) & frozenset(allow) if allow else frozenset()
        return Read(declare(target), (), problems, accepted)

    def at_verify_sizes(self, node: Node, kernel: KernelSpec) -> KernelSpec | Diagnostic | None:
        """The valid kernel at the sizes of its ``verify``; None where it has none of its own."""
        at = kernel.verify.sizes if kernel.verify is not None else None
        if not at or {**kernel.sizes, **at} == kernel.sizes:
            return None
        read = KernelReader(Fields(self.context.file), self.name, self.context, at).read(node)
        if isinstance(read.declaration, Declaration):
            return read.declaration.kernel
        first = next(problem for problem in read.diagnostics if problem.severity == "error")
        where = self.fields.where((*self.path, "verify", "sizes"))
        related = (Related(first.where, "declared here"),)
        message = f"the kernel is invalid at these sizes: {first.message}"
        return Diagnostic(first.code, message, where, "choose other sizes, or leave 'sizes' out", related)

    def broken(self, entries: MappingType[str, Node], kernel: KernelSpec) -> frozenset[str] | None:
        """Names whose declaration was refused, so that what reads them is not reported again; None: all of them."""
        found: set[str] = set()
        for part in ("sizes", "scalars", "inputs", "outputs"):
            node = entries.get(part)
            if node is None and part in ("inputs", "outputs"):
                return None
            if isinstance(node, Mapping) and not node.incomplete:
                found |= node.entries.keys() - getattr(kernel, part).keys()
            elif node is not None:
                return None
        for problem in self.fields.problems:
            path = problem.where.path
            if problem.severity == "error" and len(path) > 3 and path[2] in ("sizes", "scalars", "inputs", "outputs"):
                if problem.where.on_key and problem.code in ("TTB004", "TTB009"):
                    return None  # a name that cannot be one: compute may read it in any disguise
                found.add(str(path[3]))
        return frozenset(found)

    def elaborated(
        self, kernel: KernelSpec, compute: str, entries: MappingType[str, Node]
    ) -> tuple[tuple[tuple[int, int] | None, ...], KernelSpec]:
        """Spans of the program's values, and the kernel with its text made canonical."""
        parsed = parse(compute)
        broken = self.broken(entries, kernel)
        if broken is None:
            for problem in parsed.problems:
                span = (problem.start, problem.end)
                self.fields.error(
                    problem.code, problem.message, (*self.path, "compute"), problem.help, span=span, fix=problem.fix
                )
            return (), kernel
        ops = used_ops([line.value for line in parsed.assignments], self.context.ops)
        kernel = msgspec.structs.replace(kernel, ops=ops) if ops else kernel
        try:
            result = elaborate(
                kernel,
                self.context.defaults,
                parsed=parsed,
                shape_texts=self.shape_texts,
                broken=broken,
                op_places=self.context.op_places,
                broken_ops=self.context.broken_ops,
                expansions=self.context.expansions,
                absent_ops=self.context.absent_ops,
            )
        except Rejected as rejected:
            self.unusable = not rejected.diagnostics
            self.fields.problems += rejected.diagnostics
            return (), kernel
        if not broken:
            self.fields.problems += result.warnings
            self.program = result.program
        return result.spans, msgspec.structs.replace(kernel, compute=canonical(parsed))

    # Parts

    def sizes(self, node: Node) -> dict[str, int]:
        path = (*self.path, "sizes")
        found: dict[str, int] = {}
        for name, value in self.fields.named(node, path, "size").items():
            number = self.fields.integer(value, (*path, name), 0, LARGEST)
            if number is not None:
                found[name] = number
        return found

    def scalars(self, node: Node) -> dict[str, float | RuntimeScalar]:
        path = (*self.path, "scalars")
        found: dict[str, float | RuntimeScalar] = {}
        for name, value in self.fields.named(node, path, "scalar").items():
            place = (*path, name)
            if isinstance(value, Mapping):
                entries = self.fields.mapping(value, place, ("runtime",), ("runtime",))
                if entries and "runtime" in entries:
                    choices = ("float32", "int32", "uint32")
                    kind = self.fields.word(entries["runtime"], (*place, "runtime"), choices, "run-time dtype")
                    if kind is not None:
                        found[name] = RuntimeScalar(runtime=kind)
                continue
            number = self.fields.number(value, place, -3.4e38, 3.4e38)
            if number is not None:
                found[name] = number
        return found

    def tensors(self, node: Node, kind: str, sizes: MappingType[str, int]) -> dict[str, TensorSpec]:
        path = (*self.path, kind)
        named = self.fields.named(node, path, kind[:-1])
        if isinstance(node, Mapping) and not node.entries:
            self.fields.error("TTB007", f"'{kind}' is empty", path, "declare at least one tensor", key=True)
        found: dict[str, TensorSpec] = {}
        for name, value in named.items():
            spec = self.tensor(name, value, (*path, name), sizes)
            if spec is not None:
                found[name] = spec
        return found

    def tensor(self, name: str, node: Node, path: Path, sizes: MappingType[str, int]) -> TensorSpec | None:
        fields = self.fields
        known = ("shape", "dtype", "layout", "format")
        entries = fields.mapping(node, path, known, ("shape",), "write {shape: [rows, columns]}")
        if entries is None:
            return None
        dtype = schedules.dtype(fields, entries["dtype"], (*path, "dtype")) if "dtype" in entries else None
        layout = None
        if "layout" in entries:
            layout = schedules.layout(fields, entries["layout"], (*path, "layout"), self.context.policies, sizes)
        form: str | None = "tile"
        if "format" in entries:
            form = fields.word(entries["format"], (*path, "format"), ("tile", "row_major"), "format")
        if "shape" not in entries:
            return None
        shape = self.shape(name, entries["shape"], (*path, "shape"), sizes)
        if shape is None:
            return None
        actual = dtype or self.context.defaults.dtype or "bfloat16"
        if form == "row_major" and actual in ("bfloat8_b", "bfloat4_b"):
            message = f"a row_major tensor cannot be {actual}, whose elements share exponents within a tile"
            fields.error("TTB016", message, (*path, "format"), "write format: tile, or another dtype")
        return TensorSpec(shape=shape, dtype=dtype, layout=layout, format=form or "tile")

    def shape(self, name: str, node: Node, path: Path, sizes: MappingType[str, int]) -> tuple[int, ...] | None:
        wanted = "a list of 1 to 4 sizes, as in [rows, columns]"
        items = self.fields.items(node, path, wanted, range(1, MOST_AXES + 1), shape_help(node))
        if items is None:
            return None
        found = [self.fields.integer(item, (*path, at), 1, LARGEST, sizes) for at, item in enumerate(items)]
        shape = tuple([size for size in found if size is not None])
        if len(shape) < len(items):
            return None
        total = 1
        for size in shape:
            total *= size
        if total > MOST_ELEMENTS:
            self.fields.error("TTB036", f"the tensor has {total} elements", path, f"at most {MOST_ELEMENTS}")
            return None
        self.shape_texts[name] = tuple([item.value if isinstance(item, Scalar) else "" for item in items])
        return shape

    def distinct(self, entries: MappingType[str, Node]) -> None:
        """A name means one thing in a kernel."""
        first: dict[str, str] = {}
        for part in ("sizes", "scalars", "inputs", "outputs"):
            node = entries.get(part)
            for name in node.entries if isinstance(node, Mapping) else ():
                if name in first:
                    other = self.fields.where((*self.path, first[name], name), key=True)
                    message = f"'{name}' is in '{part}' and in '{first[name]}'"
                    related = (Related(other, "first declared here"),)
                    place = (*self.path, part, name)
                    self.fields.error("TTB029", message, place, "rename one of the two", key=True, related=related)
                else:
                    first[name] = part

    def counts(self, node: Node, key: str, sizes: MappingType[str, int]) -> tuple[int, ...] | None:
        path = (*self.path, key)
        items = self.fields.items(node, path, "[gx, gy] or [gx, gy, gz]", (2, 3))
        if items is None:
            return None
        found = [self.fields.integer(item, (*path, at), 1, LARGEST, sizes) for at, item in enumerate(items)]
        return tuple(count for count in found if count is not None) if None not in found else None

    def block(self, node: Node, sizes: MappingType[str, int]) -> tuple[int, int] | None:
        path = (*self.path, "block")
        pair = self.fields.pair(node, path, "rows, columns", 1, LARGEST, sizes)
        if pair is None:
            return None
        for at, size in enumerate(pair):
            if size % TILE:
                up = -(-size // TILE) * TILE
                message = f"a block of {size} {('rows', 'columns')[at]} is no multiple of a tile ({TILE})"
                self.fields.error("TTB035", message, (*path, at), f"write {up}", fix=str(up))
                return None
        return pair

    def allow(self, node: Node) -> tuple[str, ...]:
        from tt_build.spec.codes import CODES

        path = (*self.path, "allow")
        if not isinstance(node, Sequence):
            self.fields.wrong_type(node, path, "a list of codes", "write [TTB101]")
            return ()
        if not self.fields.few(node, path, len(CODES)):
            return ()
        found: list[str] = []
        for at, item in enumerate(node.items):
            code = self.fields.text(item, (*path, at), "a code")
            if code is None:
                continue
            if code not in CODES:
                self.fields.error("TTB008", f"unknown code '{code[:60]}'", (*path, at), "a code is like TTB101")
            elif not CODES[code].warning:
                self.fields.error("TTB008", f"{code} is an error: it cannot be allowed", (*path, at), "mend its cause")
            else:
                found.append(code)
        return tuple(found)


class _Everything:
    """Contains every name."""

    def __contains__(self, name: object) -> bool:
        return True


def _broken_names(node: Node, read: MappingType[str, int]) -> Container[str]:
    """The declared sizes that were refused; all where the declaration itself was."""
    if not isinstance(node, Mapping) or node.incomplete:
        return _Everything()
    return node.entries.keys() - read.keys()
