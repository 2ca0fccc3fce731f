"""YAML text to a tree of nodes with positions: safe, bounded, without YAML's surprises.

Only the C parser's events are used: nothing is constructed, aliases are never expanded, depth is bounded, and a
scalar stays the text that was written until a field says what it wants it to be. What is refused here (duplicate keys,
anchors, tags, merge keys, several documents) is reported, and reading goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import yaml
from yaml import events as ev

try:
    from yaml import CSafeLoader as _Parser
except ImportError:  # PyYAML without libyaml: slower, the same events
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

MAX_DEPTH = 20
MAX_BYTES = 16 << 20
MAX_PROBLEMS = 100


class Scalar:
    """A scalar as written: ``plain`` where it has no quotes, ``style`` one of ``' " | >`` or empty."""

    __slots__ = ("end", "plain", "start", "style", "value")

    def __init__(self, value: str, style: str, start: Any, end: Any) -> None:
        self.value = value
        self.plain = style == ""
        self.style = style
        self.start = start
        self.end = end


class Sequence:
    """A list."""

    __slots__ = ("end", "flow", "items", "start")

    def __init__(self, start: Any, flow: bool) -> None:
        self.items: list[Node] = []
        self.start = start
        self.end = start
        self.flow = flow


class Mapping:
    """A mapping: key text -> (key, value), in file order; ``incomplete`` where an entry of it was refused."""

    __slots__ = ("end", "entries", "flow", "incomplete", "start")

    def __init__(self, start: Any, flow: bool) -> None:
        self.entries: dict[str, tuple[Scalar, Node]] = {}
        self.incomplete = False
        self.start = start
        self.end = start
        self.flow = flow


class Refused:
    """Stands where something was refused, so that nothing is said about it twice."""

    __slots__ = ("end", "start")

    def __init__(self, start: Any, end: Any) -> None:
        self.start = start
        self.end = end


Node: TypeAlias = "Scalar | Sequence | Mapping | Refused"


class Problem(msgspec.Struct, frozen=True):
    """Something that YAML allows and kernels.yaml does not, or that is no YAML; offsets in characters of the text."""

    code: str
    message: str
    start: int
    end: int
    help: str = ""
    first: tuple[int, int] | None = None
    replacement: str | None = None


class Document(msgspec.Struct, frozen=True):
    """The root, None where there is none; and what was refused."""

    root: Mapping | Sequence | Scalar | Refused | None
    problems: tuple[Problem, ...] = ()


def read_document(text: str) -> Document:
    """The tree of ``text``. Never raises for what a user wrote."""
    reader = _Reader(text)
    try:
        root = reader.read()
    except yaml.YAMLError as error:
        reader.problems.append(_syntax(error, text))
        root = None
    return Document(root, tuple(reader.problems))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []

    def problem(self, code: str, message: str, start: int, end: int, help_: str = "") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(code, message, start, max(end, start + 1), help_))

    def read(self) -> Node | None:
        parser = _Parser(self.text)
        get: Callable[[], Any] = parser.get_event
        root: Node | None = None
        stack: list[Sequence | Mapping | None] = []
        parent: Sequence | Mapping | None = None
        key: Scalar | None = None
        awaiting_key = False
        try:
            while True:
                event = get()
                kind = type(event)
                node: Node
                if kind is ev.ScalarEvent:
                    node = Scalar(event.value, event.style or "", event.start_mark, event.end_mark)
                    if event.anchor is not None or event.tag is not None:
                        self.decoration(event)
                        if event.tag is not None and not awaiting_key:
                            node = Refused(event.start_mark, event.end_mark)
                elif kind is ev.MappingStartEvent or kind is ev.SequenceStartEvent:
                    flow = bool(event.flow_style)
                    node = (Mapping if kind is ev.MappingStartEvent else Sequence)(event.start_mark, flow)
                    if event.anchor is not None or event.tag is not None:
                        self.decoration(event)
                elif kind is ev.MappingEndEvent or kind is ev.SequenceEndEvent:
                    assert parent is not None
                    parent.end = event.end_mark if parent.flow else event.start_mark
                    parent, key = stack.pop(), None
                    awaiting_key = isinstance(parent, Mapping)
                    continue
                elif kind is ev.AliasEvent:
                    self.alias(event)
                    node = Refused(event.start_mark, event.end_mark)
                elif kind is ev.StreamEndEvent:
                    return root
                elif kind is ev.DocumentStartEvent and root is not None:
                    at = event.start_mark.index
                    help_ = "put everything into one document, or into a file of its own under include"
                    self.problem("TTB001", "a second document begins here", at, at + 3, help_)
                    return root
                else:
                    continue

                if awaiting_key:
                    # the key of an entry
                    assert isinstance(parent, Mapping)
                    if not isinstance(node, Scalar):
                        message = "a key must be a name, not a list, mapping or alias"
                        self.problem("TTB005", message, node.start.index, node.start.index + 1, "write name: value")
                        return root
                    key, awaiting_key = node, False
                    continue
                if parent is None:
                    root = node
                elif isinstance(parent, Mapping):
                    assert key is not None
                    self.entry(parent, key, node)
                    awaiting_key = True
                else:
                    parent.items.append(node)
                if isinstance(node, (Mapping, Sequence)):
                    if len(stack) >= MAX_DEPTH:
                        message = f"nested more than {MAX_DEPTH} deep"
                        at = node.start.index
                        self.problem("TTB034", message, at, at + 1, "nothing in kernels.yaml needs that")
                        return None
                    stack.append(parent)
                    parent = node
                    awaiting_key = isinstance(node, Mapping)
        finally:
            parser.dispose()

    def entry(self, parent: Mapping, key: Scalar, node: Node) -> None:
        name = key.value
        if name == "<<" and key.plain:
            help_ = "write the keys out, or name a policy under 'policies' and refer to it"
            self.problem("TTB003", "merge keys are not allowed", key.start.index, key.end.index, help_)
            parent.incomplete = True
            return
        if name in parent.entries:
            first = parent.entries[name][0]
            if len(self.problems) < MAX_PROBLEMS:
                place = (first.start.index, first.end.index)
                help_ = "remove one of the two, or rename it"
                message = f"the key '{name[:80]}' is there a second time"
                self.problems.append(Problem("TTB002", message, key.start.index, key.end.index, help_, place))
            return
        parent.entries[name] = (key, node)

    def decoration(self, event: Any) -> None:
        """An anchor or a tag."""
        start = event.start_mark.index
        end = start
        while end < len(self.text) and not self.text[end].isspace():
            end += 1
        what = "anchors (&) are" if self.text[start : start + 1] == "&" else "tags (!) are"
        help_ = (
            "write the value out, or name a policy under 'policies'"
            if what.startswith("anchors")
            else "leave the tag out; quote the value where text is meant"
        )
        self.problem("TTB003", f"{what} not allowed", start, end, help_)

    def alias(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        help_ = "write the value out, or name a policy under 'policies'"
        self.problem("TTB003", "aliases (*) are not allowed", start, end, help_)


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    """The parser's complaint in our words: what it met, where, and what usually causes it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a character that YAML does not allow
        at = getattr(error, "position", 0)
        at = next((i for i, c in enumerate(text) if _forbidden(c)), min(at, max(len(text) - 1, 0)))
        code = ord(text[at]) if text else 0
        return Problem("TTB001", f"the character U+{code:04X} is not allowed in YAML", at, at + 1, "remove it")
    at = min(mark.index, len(text))
    reason = getattr(error, "problem", "") or "it cannot be read"
    line_start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    line_end = next((i for i in range(line_start, len(text)) if text[i] in "\r\n"), len(text))
    line = text[line_start:line_end]
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in indent:
        tab = line_start + indent.index("\t")
        help_ = "indent with spaces"
        return Problem("TTB001", "a tab indents this line", tab, tab + 1, help_, None, "  ")
    context = getattr(error, "context", "") or ""
    opened = getattr(error, "context_mark", None)
    if "flow" in context and opened is not None and (at >= len(text) or "expected ','" in reason):
        start = opened.index if at < len(text) else _innermost(text)  # at the end the mark is behind the bracket
        sign = text[start]
        close = {"[": "]", "{": "}"}[sign]
        help_ = f"close it with '{close}', or add a comma between the items"
        place = (at, min(at + 1, len(text))) if at < len(text) else None
        return Problem("TTB001", f"this '{sign}' is not closed", start, start + 1, help_, place)
    help_ = {
        "mapping values are not allowed in this context": "quote the text: it holds a ': ', or fix the indentation",
        "could not find expected ':'": "every entry of a mapping is 'key: value'",
        "did not find expected key": "align the line with the others of its mapping",
        "found character that cannot start any token": "quote the text",
    }.get(reason, "check the indentation, brackets and quotes before this place")
    if "quoted scalar" in context:
        start = opened.index if opened is not None else at
        return Problem("TTB001", "this quote is never closed", start, start + 1, "add the closing quote")
    return Problem("TTB001", f"this is not valid YAML: {reason}", at, at + 1, help_)


def _innermost(text: str) -> int:
    """Where the bracket stands that is still open at the end."""
    opened: list[int] = []
    with contextlib.suppress(yaml.YAMLError):
        for token in yaml.scan(text, Loader=_Parser):
            if isinstance(token, (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)):
                opened.append(token.start_mark.index)
            elif isinstance(token, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)):
                opened.pop()
    return opened[-1]


def _forbidden(char: str) -> bool:
    code = ord(char)
    return (code < 32 and char not in "\t\n\r") or (0x7F <= code < 0xA0 and code != 0x85) or 0xD800 <= code < 0xE000
