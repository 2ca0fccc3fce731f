"""Positions: from a ``Where`` to file, line and column, and from a diagnostic to the text that a user reads.

Nothing here runs while a valid file is read: lines are split and positions inside scalars are found when a message is
printed.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.scalars import offsets_in_source

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Span(msgspec.Struct, frozen=True):
    """A range of one line: 1-based line and columns, ``end_column`` exclusive; columns count characters."""

    file: str
    line: int
    column: int
    end_column: int
    start: int = 0
    end: int = 0


class Located(msgspec.Struct, frozen=True):
    """A diagnostic with its place; ``related`` the places of its related entries, in their order."""

    diagnostic: Diagnostic
    span: Span
    related: tuple[Span, ...] = ()


class SourceFile:
    """One file that was read: its name as shown to the user, its text, its tree."""

    def __init__(self, name: str, path: Path, text: str, root: Node | None) -> None:
        self.name = name
        self.path = path
        self.text = text
        self.root = root
        self._line = (0, "")

    @functools.cached_property
    def starts(self) -> list[int]:
        """Offset of the first character of each line."""
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    def line_of(self, offset: int) -> int:
        """1-based line of an offset."""
        import bisect

        return bisect.bisect_right(self.starts, offset)

    def line_text(self, line: int) -> str:
        """A line without its break."""
        if not 1 <= line <= len(self.starts):
            return ""
        if line != self._line[0]:  # many messages about one long line ask for it again and again
            end = self.starts[line] if line < len(self.starts) else len(self.text)
            self._line = line, _BREAK.sub("", self.text[self.starts[line - 1] : end])
        return self._line[1]

    def span(self, start: int, end: int) -> Span:
        """The first line of a range of characters."""
        start = min(max(start, 0), len(self.text))
        line = self.line_of(start)
        first = self.starts[line - 1]
        length = len(self.line_text(line))
        last = max(min(end - first, length), start - first)
        if last < length or end - first <= length:
            pass
        else:  # the range goes on: stop at the end of the line's text
            last = max(len(self.line_text(line).rstrip()), start - first)
        last = max(last, start - first + 1)
        return Span(self.name, line, start - first + 1, last + 1, start, first + last)


class KernelPlace(msgspec.Struct):
    """Where a kernel (or a variant of one) is declared; ``spans`` of its values in the compute text.

    ``elsewhere`` are the places of what is not written in the kernel, by the path inside of it.
    """

    file: int
    key: Scalar
    node: Node
    spans: tuple[tuple[int, int] | None, ...] = ()
    elsewhere: dict[tuple[str | int, ...], Where] = {}


class SourceMap:
    """All files of a specification, the main one first; by name the place of every kernel, the file of every program.

    ``texts`` has the digest of every other file and folder that was read, ``patterns`` what 'include' looked for.
    ``lock`` is the index of the lockfile among the files, the last one; None where there is none. A path that begins
    with "lock" leads into it.
    """

    def __init__(self) -> None:
        self.files: list[SourceFile] = []
        self.kernels: dict[str, KernelPlace] = {}
        self.programs: dict[str, int] = {}
        self.texts: dict[Path, str] = {}
        self.patterns: list[Path] = []
        self.lock: int | None = None

    def locate(self, where: Where) -> Span:
        """The place; where the path leads to nothing that was written, the nearest thing around it."""
        file, start, end = self.range(where)
        return self.files[file].span(start, end)

    def entry(self, file: int, path: tuple[str | int, ...]) -> tuple[str, ...]:
        """The keys of a mapping of that file; none where the path leads to none."""
        node: Node | None = self.files[file].root
        for step in path:
            found = _step(node, step)
            node = found[1] if found else None
        return tuple(node.entries) if isinstance(node, Mapping) else ()

    def position(self, where: Where) -> tuple[int, int]:
        """File index and offset, for sorting."""
        file, start, _ = self.range(where)
        return file, start

    def range(self, where: Where) -> tuple[int, int, int]:
        """File index and the range of its characters."""
        if where.offsets is not None:
            return where.file or 0, *where.offsets
        path, named = where.path, where.file
        if path and path[0] == "lock":
            path, named = ("kernels", *path[1:]), self.lock
        place = None
        if len(path) >= 2 and path[0] == "kernels":
            place = self.kernels.get(str(path[1]))
            if place is not None and named not in (None, place.file):
                place = None
            if place is not None and path[2:] in place.elsewhere:
                return self.range(place.elsewhere[path[2:]])
        file = named or 0
        if place is not None:
            file = place.file
        elif named is None and len(path) >= 2 and path[0] == "programs":
            file = self.programs.get(str(path[1]), 0)
        if not self.files:
            return 0, 0, 0
        key: Scalar | None = place.key if place is not None else None
        node: Node | None = place.node if place is not None else self.files[file].root
        rest = path[2:] if place is not None else path
        whole = False
        for at, step in enumerate(rest):
            found = _step(node, step)
            if found is None:
                if place is not None and at == 0 and step in ("schedule", "math"):
                    inherited = self._default(file, rest)
                    if inherited is not None:
                        return file, *inherited
                whole = True
                break
            key, node = found
        if node is None:
            return file, 0, 0
        if isinstance(node, Scalar) and not where.on_key and not whole:
            span = where.span
            if where.value is not None and place is not None and where.value < len(place.spans):
                span = place.spans[where.value]
            if span is not None:
                return file, *offsets_in_source(self.files[file].text, node, *span)
        if key is not None and (where.on_key or (whole and not isinstance(node, Scalar)) or _spread(node)):
            return file, key.start.index, key.end.index
        return file, *self._extent(self.files[file].text, node)

    def _default(self, file: int, rest: tuple[str | int, ...]) -> tuple[int, int] | None:
        """The place in the file's defaults that a kernel's own missing key comes from."""
        found = _step(self.files[file].root, "defaults")
        node = found[1] if found else None
        key = None
        for at, step in enumerate(rest):
            found = _step(node, step)
            if found is None:
                if at == 0:
                    return None
                break
            key, node = found
        if key is None or node is None:
            return None
        return (key.start.index, key.end.index) if _spread(node) else self._extent(self.files[file].text, node)

    @staticmethod
    def _extent(text: str, node: Node) -> tuple[int, int]:
        """Start and end of a node; of a block scalar its first line of text."""
        if isinstance(node, Scalar) and node.style in ("|", ">") and node.value.strip():
            first = len(node.value) - len(node.value.lstrip())
            return offsets_in_source(text, node, first, len(node.value.rstrip()))
        return node.start.index, max(node.end.index, node.start.index)


def _step(node: Node | None, step: str | int) -> tuple[Scalar | None, Node] | None:
    if isinstance(node, Mapping) and step in node.entries:
        return node.entries[str(step)]
    if isinstance(node, Sequence) and isinstance(step, int) and -len(node.items) <= step < len(node.items):
        return None, node.items[step]
    return None


def _spread(node: Node) -> bool:
    """Whether a value is written over several lines, so that its key says better where it is."""
    return isinstance(node, (Mapping, Sequence)) and not node.flow
