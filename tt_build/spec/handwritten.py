"""A kernel whose sources are written by hand: its node to a ``HandDeclaration``; and which kind an entry is."""

from __future__ import annotations

from collections.abc import Mapping as MappingType

import msgspec

from tt_build.spec import schedules
from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.fields import Fields, is_identifier
from tt_build.spec.kernels import Context, KernelReader, Read
from tt_build.spec.model import CbSpec, HandDeclaration, HandSpec, KernelSpec, MathSpec, OpSpec, SourceText, TensorSpec
from tt_build.spec.nearest import did_you_mean
from tt_build.spec.schedules import LARGEST
from tt_build.spec.texts import Texts, Unusable

KEYS = (
    "description",
    "sizes",
    "inputs",
    "outputs",
    "sources",
    "circular_buffers",
    "arguments",
    "reference",
    "grid",
    "schedule",
    "math",
    "verify",
    "target",
    "allow",
    "variants",
)
REQUIRED = ("inputs", "outputs", "sources", "circular_buffers")
ROLES = ("reader", "compute", "writer")
WORDS = ("start", "count", "stride", "rect_x", "rect_y", "rect_width", "rect_height")
"""Words of the schedule that an argument may name; those that the policy has not are refused by a pass."""
MOST_PAGES = 65535
MOST_ARGUMENTS = 256


def read_entry(name: str, node: Node, context: Context) -> Read:
    """An entry of either kind, without variants (or one of its variants, its values put in place)."""
    fields = Fields(context.file)
    written = isinstance(node, Mapping) and "sources" in node.entries
    return (_Handwritten if written else KernelReader)(fields, name, context).read(node)


class _Handwritten(KernelReader):
    def read(self, node: Node) -> Read:
        fields, path = self.fields, self.path
        if isinstance(node, Mapping) and "compute" in node.entries:
            fields.error(
                "TTB039",
                "a kernel has either 'compute' or 'sources'",
                (*path, "compute"),
                "remove one of them; what 'scons verify' compares with is 'reference'",
                key=True,
            )
            return Read(None, (), tuple(fields.problems))
        entries = fields.mapping(node, path, KEYS, REQUIRED)
        if entries is None:
            return Read(None, (), tuple(fields.problems))
        common = self.entry(entries)
        for name in WORDS:
            if name in common["sizes"]:
                message = f"the size '{name}' is also a word of 'arguments'"
                fields.error("TTB029", message, (*path, "sizes", name), "rename the size", key=True)
        if common["verify"] is not None and common["verify"].sizes:
            message = "sources cannot be verified at other sizes: nothing tells whether they would be the same kernel"
            fields.error("TTB212", message, (*path, "verify", "sizes"), "leave 'sizes' out")
        sizes, texts = common["sizes"], Texts(self.context.folder)
        tensors: dict[str, TensorSpec] = {**common["inputs"], **common["outputs"]}
        sources = self.sources(entries["sources"], texts) if "sources" in entries else {}
        buffers = self.buffers(entries["circular_buffers"], tensors, sizes) if "circular_buffers" in entries else {}
        arguments = self.arguments(entries["arguments"], sizes) if "arguments" in entries else {}
        reference, ops = self.reference(entries, common) if "reference" in entries else ("", {})
        read = self.finish(
            entries,
            common["allow"],
            lambda target: HandDeclaration(
                kernel=HandSpec(
                    **common,
                    sources=sources,
                    circular_buffers=buffers,
                    arguments=arguments,
                    reference=reference,
                    ops=ops,
                ),
                defaults=self.context.defaults,
                target=target,
            ),
        )
        return msgspec.structs.replace(read, texts=texts.read)

    def sources(self, node: Node, texts: Texts) -> dict[str, SourceText]:
        path = (*self.path, "sources")
        entries = self.fields.mapping(node, path, ROLES, ROLES) or {}
        found: dict[str, SourceText] = {}
        for role in ROLES:
            name = self.fields.text(entries[role], (*path, role), "a path") if role in entries else None
            if name is None:
                continue
            try:
                found[role] = SourceText(path=name, text=texts.source(name))
            except Unusable as problem:
                self.fields.error("TTB038", str(problem), (*path, role), problem.help)
        return found

    def buffers(
        self, node: Node, tensors: MappingType[str, TensorSpec], sizes: MappingType[str, int]
    ) -> dict[str, CbSpec]:
        path = (*self.path, "circular_buffers")
        named = self.fields.named(node, path, "circular buffer")
        if isinstance(node, Mapping) and not node.entries:
            self.fields.error("TTB007", "'circular_buffers' is empty", path, "declare at least one", key=True)
        found = {name: self.buffer(value, (*path, name), tensors, sizes) for name, value in named.items()}
        return {name: buffer for name, buffer in found.items() if buffer is not None}

    def buffer(
        self,
        node: Node,
        path: tuple[str | int, ...],
        tensors: MappingType[str, TensorSpec],
        sizes: MappingType[str, int],
    ) -> CbSpec | None:
        fields = self.fields
        entries = fields.mapping(
            node, path, ("of", "dtype", "pages", "unpack_to_dest"), ("pages",), "write {of: X, pages: 2}"
        )
        if entries is None:
            return None
        if isinstance(node, Mapping) and not node.incomplete and len(entries.keys() & {"of", "dtype"}) != 1:
            message = f"'{path[-1]}' needs 'of' (a tensor) or 'dtype', one of the two"
            fields.error("TTB007", message, path, "write {of: X, pages: 2}", key=True)
        dtype = None
        if "of" in entries:
            tensor = fields.word(entries["of"], (*path, "of"), tuple(tensors), "tensor") if tensors else None
            if tensor is not None:
                dtype = tensors[tensor].dtype or self.context.defaults.dtype or "bfloat16"
        elif "dtype" in entries:
            dtype = schedules.dtype(fields, entries["dtype"], (*path, "dtype"))
        pages = fields.integer(entries["pages"], (*path, "pages"), 1, MOST_PAGES, sizes) if "pages" in entries else None
        direct: bool | None = False
        if "unpack_to_dest" in entries:
            direct = fields.boolean(entries["unpack_to_dest"], (*path, "unpack_to_dest"))
        if dtype is None or pages is None or direct is None:
            return None
        return CbSpec(dtype=dtype, pages=pages, unpack_to_dest=direct)

    def arguments(self, node: Node, sizes: MappingType[str, int]) -> dict[str, tuple[str | int, ...]]:
        path = (*self.path, "arguments")
        entries = self.fields.mapping(node, path, ROLES) or {}
        found: dict[str, tuple[str | int, ...]] = {}
        for role in ROLES:
            value = entries.get(role)
            if value is None:
                continue
            if not isinstance(value, Sequence):
                self.fields.wrong_type(value, (*path, role), "a list of words and sizes", "write [start, count]")
            elif self.fields.few(value, (*path, role), MOST_ARGUMENTS) and not self.fields.cut_call(
                value, (*path, role)
            ):
                words = [self.argument(item, (*path, role, at), sizes) for at, item in enumerate(value.items)]
                found[role] = tuple(word for word in words if word is not None)
        return found

    def argument(self, node: Node, path: tuple[str | int, ...], sizes: MappingType[str, int]) -> str | int | None:
        if isinstance(node, Scalar) and node.value in WORDS:
            return node.value
        if isinstance(node, Scalar) and is_identifier(node.value) and node.value not in sizes:
            if node.value not in self.fields.broken_sizes:
                help_ = did_you_mean(node.value, (*WORDS, *sizes), what="known words and sizes")
                self.fields.error("TTB008", f"unknown word '{node.value}'", path, help_)
            return None
        return self.fields.integer(node, path, 0, LARGEST, sizes)

    def reference(self, entries: dict[str, Node], common: dict[str, object]) -> tuple[str, dict[str, OpSpec]]:
        """The canonical text and the ops that it uses; its problems are told at ``reference``."""
        path = (*self.path, "reference")
        text = self.fields.text(entries["reference"], path, "text")
        if text is None:
            return "", {}
        if not text.strip():
            self.fields.error("TTB011", "reference is empty", path, "write output = expression", key=True)
            return "", {}
        before = len(self.fields.problems)
        spec = KernelSpec(
            name=self.name,
            compute=text,
            inputs=common["inputs"],  # type: ignore[arg-type]
            outputs=common["outputs"],  # type: ignore[arg-type]
            sizes=common["sizes"],  # type: ignore[arg-type]
            math=MathSpec(fp32_accumulate=True),  # how the author's C++ rounds is not known here
        )
        _, kernel = self.elaborated(spec, text, entries)
        self.fields.problems[before:] = [_at_reference(problem) for problem in self.fields.problems[before:]]
        return kernel.compute, kernel.ops


def _at_reference(problem: Diagnostic) -> Diagnostic:
    def moved(where: Where) -> Where:
        if where.path[2:3] != ("compute",):
            return where
        return msgspec.structs.replace(where, path=(*where.path[:2], "reference", *where.path[3:]))

    fix = problem.fix
    return msgspec.structs.replace(
        problem,
        where=moved(problem.where),
        related=tuple(msgspec.structs.replace(item, where=moved(item.where)) for item in problem.related),
        fix=None if fix is None else msgspec.structs.replace(fix, where=moved(fix.where)),
    )
