"""Reading fields from nodes: each method returns the value, or None after it has reported what is wrong.

YAML's own guesses about types play no part: a field says what it wants, and text that YAML 1.1 tools would take for
something else (``no``, ``010``, ``12:30``, dates) is refused with the advice to quote it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Container, Iterable
from collections.abc import Mapping as MappingType
from typing import Any

from tt_build.lang.parse import parse_expression
from tt_build.lang.syntax import SyntaxProblem
from tt_build.spec.diagnostics import Diagnostic, Fix, Related, Where
from tt_build.spec.document import Mapping, Node, Refused, Scalar, Sequence
from tt_build.spec.nearest import article, did_you_mean, nearest, several, suggested
from tt_build.spec.sizes import SizeProblem, evaluate

Path = tuple[str | int, ...]

MOST_PROBLEMS = 1000
MOST_PARTS = 16
"""Of a call that its commas cut."""
"""Problems after which a file is read no further: nobody reads more, and hostile files must not take for ever."""

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = frozenset(
    word for stem in ("yes", "no", "on", "off", "true", "false") for word in (stem, stem.title(), stem.upper())
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?\Z")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_OTHER_INT = re.compile(r"[-+]?(?:0[0-7_]+|0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z")
_OTHER_FLOAT = re.compile(r"[-+]?(?:\.(?:inf|Inf|INF)|[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?)\Z|\.(?:nan|NaN|NAN)\Z")
_MAYBE_TRAP = frozenset("0123456789+-.~yYnNtTfFoO=")


def trap(text: str) -> str:
    """What YAML makes of an unquoted text that is no string to it: ``a boolean``, ``a date``, ...; else empty."""
    if not text:
        return "nothing"
    if text[0] not in _MAYBE_TRAP:
        return ""
    if text in _BOOL:
        return "a boolean"
    if text in _NULL:
        return "nothing"
    if _DATE.match(text):
        return "a date"
    if _BASE60.match(text):
        return "a number in base 60"
    if re.match(r"[-+]?0[0-7_]+\Z", text):
        return "an octal number"
    if _INT.match(text) or _FLOAT.match(text) or _OTHER_INT.match(text) or _OTHER_FLOAT.match(text) or text == "=":
        return "a number"
    return ""


class Fields:
    """Collects the diagnostics of one part of one file; ``file`` is its index in the SourceMap."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.problems: list[Diagnostic] = []
        self.broken_sizes: Container[str] = frozenset()

    def where(self, path: Path, *, key: bool = False, span: tuple[int, int] | None = None) -> Where:
        """A place in this file."""
        return Where(path=path, on_key=key, span=span, file=self.file)

    def error(self, code: str, message: str, path: Path, help_: str = "", **more: Any) -> None:
        """Reports an error; ``key``, ``span``, ``related`` and ``fix`` (a replacement text) are optional."""
        where = self.where(path, key=more.get("key", False), span=more.get("span"))
        replacement = more.get("fix", suggested(help_))
        fix = None if replacement is None else Fix(where, replacement)
        self.problems.append(Diagnostic(code, message, where, help_, more.get("related", ()), fix=fix))

    def warning(self, code: str, message: str, path: Path, help_: str = "", **more: Any) -> None:
        """Reports a warning."""
        where = self.where(path, key=more.get("key", False))
        related: tuple[Related, ...] = more.get("related", ())
        self.problems.append(Diagnostic(code, message, where, help_, related, severity="warning"))

    def wrong_type(self, node: Node, path: Path, wanted: str, help_: str = "") -> None:
        """The value is of another kind than the field wants."""
        if isinstance(node, Refused):
            return
        last = path[-1] if path else "the file"
        what = f"'{last}'" if isinstance(last, str) and path else "the file" if not path else f"item {int(last) + 1}"
        if isinstance(node, Scalar) and node.plain and node.value in _NULL:
            self.error("TTB005", f"{what} is empty; it must be {wanted}", path, help_, key=isinstance(last, str))
            return
        found = "a list" if isinstance(node, Sequence) else "a mapping" if isinstance(node, Mapping) else ""
        if isinstance(node, Scalar):
            found = f"'{_cut(node.value)}'"
        self.error("TTB005", f"{what} must be {wanted}, not {found}", path, help_)

    # Containers

    def mapping(
        self, node: Node, path: Path, known: Collection[str], required: Iterable[str] = (), help_: str = ""
    ) -> dict[str, Node] | None:
        """The entries under known keys; unknown and missing keys are reported."""
        if not isinstance(node, Mapping):
            self.wrong_type(
                node, path, "a mapping", help_ or f"write {{{next(iter(required), next(iter(known), 'key'))}: ...}}"
            )
            return None
        found: dict[str, Node] = {}
        meant: set[str | None] = set()
        cut = self.cut_values(node, path) if node.flow else set()
        for name, (_, value) in node.entries.items():
            if name in cut:
                continue
            if name in known:
                found[name] = value
            else:
                meant.add(self.unknown_key(name, (*path, name), known, node))
        for name in required if not node.incomplete else ():
            if name not in node.entries and name not in meant:
                owner = f"'{path[-1]}'" if path else "the file"
                self.error("TTB007", f"{owner} has no '{name}'", path, f"add '{name}: ...'", key=True)
        return found

    def word_in_place(self, node: Node, path: Path, key: str, words: Collection[str]) -> bool:
        """Whether a word stands where a mapping with it belongs, as in ``matmul: reuse``; reported."""
        near = nearest(node.value, words) if isinstance(node, Scalar) else None
        if near is None or not isinstance(node, Scalar):
            return False
        meant = f"{{{key}: {near}}}"
        message = f"'{path[-1]}' must be a mapping, not '{_cut(node.value)}'"
        self.error("TTB005", message, path, f"write {meant}", fix=meant)
        return True

    def unknown_key(self, name: str, path: Path, known: Collection[str], node: Mapping) -> str | None:
        """Reports it; the known key that was probably meant."""
        if len(self.problems) >= MOST_PROBLEMS:
            return None
        near = nearest(name, [key for key in known if key not in node.entries])
        help_ = f"did you mean '{near}'?" if near else f"known keys: {', '.join(known)}"
        self.error("TTB006", f"unknown key '{_cut(name)}'", path, help_, key=True, fix=near)
        return near

    def named(self, node: Node, path: Path, what: str) -> dict[str, Node]:
        """A mapping with names of the user's own as keys."""
        if not isinstance(node, Mapping):
            self.wrong_type(node, path, f"a mapping of {several(what)}", f"write each {what} below its name")
            return {}
        found = {}
        for name, (key, value) in node.entries.items():
            if self.name(name, key, (*path, name), what):
                found[name] = value
        return found

    def name(self, name: str, key: Scalar, path: Path, what: str) -> bool:
        """Whether a thing of the user's may be called that; reported where not."""
        if len(self.problems) >= MOST_PROBLEMS:
            return False
        if (key.plain and name in _BOOL) or name in _NULL:
            meant = trap(name)
            self.error(
                "TTB004",
                f"the {what} '{name}' is {meant} to YAML",
                path,
                f'quote it: "{name}"',
                key=True,
                fix=f'"{name}"',
            )
            return False
        if not is_identifier(name):
            help_ = "a name has letters, digits and underscores, begins with a letter, and has at most 63 characters"
            if name in RESERVED:
                help_ = "it is a word of the compute language; use another name"
            self.error("TTB009", f"'{_cut(name)}' cannot be the name of {article(what)}", path, help_, key=True)
            return False
        return True

    def items(
        self, node: Node, path: Path, wanted: str, counts: Collection[int] = (), help_: str = ""
    ) -> list[Node] | None:
        """The items of a list, as many as ``counts`` allows."""
        if not isinstance(node, Sequence):
            self.wrong_type(node, path, wanted, help_)
            return None
        if counts and len(node.items) not in counts:
            if not self.cut_call(node, path):
                self.error("TTB005", f"'{path[-1]}' must be {wanted}, not {len(node.items)} items", path, help_)
            return None
        return None if self.cut_call(node, path) else node.items

    def few(self, node: Sequence, path: Path, most: int) -> bool:
        """Whether a list has at most so many items; reported where not."""
        if len(node.items) <= most:
            return True
        self.error("TTB034", f"{len(node.items)} items, more than {most}", path, "write fewer", key=True)
        return False

    def cut_call(self, node: Sequence, path: Path) -> bool:
        """Whether an unquoted call was cut at its comma, as in ``[ceildiv(M, 32), N]``; reported."""
        for at, item in enumerate(node.items):
            if isinstance(item, Scalar) and item.plain and item.value.count("(") > item.value.count(")"):
                following = node.items[at : at + 2]
                text = ", ".join([part.value for part in following if isinstance(part, Scalar)])
                message = "a comma ends an unquoted item of a list"
                where = Where(path=path, file=self.file, offsets=(item.start.index, following[-1].end.index))
                fix = Fix(where, f'"{text}"')
                self.problems.append(Diagnostic("TTB010", message, where, f'quote it: "{text}"', fix=fix))
                return True
        return False

    def cut_values(self, node: Mapping, path: Path) -> set[str]:
        """The entries of ``{a: f(x, y)}`` that are one unquoted call, cut at its commas; each such call is reported."""
        entries, cut = list(node.entries.items()), set[str]()
        for at, (name, (_, value)) in enumerate(entries):
            if name in cut or not isinstance(value, Scalar) or not value.plain or not _is_open(value.value):
                continue
            text, end, parts = value.value, value.end, {name}
            for part, (key, rest) in entries[at + 1 :]:
                if not _is_open(text) or not isinstance(rest, Scalar) or rest.value or len(parts) > MOST_PARTS:
                    break
                text, end = f"{text}, {part}", key.end
                parts.add(part)
            if len(parts) == 1 or _is_open(text):
                continue
            cut |= parts
            where = Where(path=(*path, name), file=self.file, offsets=(value.start.index, end.index))
            message, quoted = "a comma ends an unquoted value in braces", f'"{text}"'
            self.problems.append(Diagnostic("TTB010", message, where, f"quote it: {quoted}", fix=Fix(where, quoted)))
        return cut

    # Scalars

    def text(self, node: Node, path: Path, wanted: str = "text") -> str | None:
        """A string."""
        if not isinstance(node, Scalar):
            self.wrong_type(node, path, wanted)
            return None
        meant = trap(node.value) if node.plain else ""
        if meant == "nothing":
            self.wrong_type(node, path, wanted)
            return None
        if meant:
            quoted = f'"{node.value}"'
            self.error(
                "TTB004", f"unquoted, {_cut(node.value)} is {meant} to YAML", path, f"quote it: {quoted}", fix=quoted
            )
            return None
        return node.value

    def word(self, node: Node, path: Path, choices: Collection[str], what: str) -> str | None:
        """One of the given words."""
        if isinstance(node, Scalar) and node.value in choices:
            return node.value
        if not isinstance(node, Scalar) or (node.plain and node.value in _NULL):
            self.wrong_type(node, path, f"one of {', '.join(choices)}")
            return None
        near = nearest(node.value, choices)
        help_ = did_you_mean(node.value, choices, what="known")
        self.error("TTB008", f"unknown {what} '{_cut(node.value)}'", path, help_, fix=near)
        return None

    def boolean(self, node: Node, path: Path) -> bool | None:
        """``true`` or ``false``."""
        if isinstance(node, Scalar) and node.plain and node.value in ("true", "false"):
            return node.value == "true"
        if isinstance(node, Scalar) and node.value.lower() in ("true", "yes", "on", "false", "no", "off"):
            meant = "true" if node.value.lower() in ("true", "yes", "on") else "false"
            self.error(
                "TTB005", f"'{path[-1]}' must be true or false, not '{node.value}'", path, f"write {meant}", fix=meant
            )
            return None
        self.wrong_type(node, path, "true or false")
        return None

    def integer(
        self, node: Node, path: Path, low: int, high: int, sizes: MappingType[str, int] | None = None
    ) -> int | None:
        """An integer in a range; with ``sizes`` also arithmetic on their names."""
        if not isinstance(node, Scalar):
            self.wrong_type(node, path, "an integer" if sizes is None else "an integer or a size")
            return None
        text = node.value
        if _INT.match(text) and node.plain and len(text) < 20:
            value: int | None = int(text)
        elif sizes is not None and text in sizes:
            value = sizes[text]
        elif sizes is not None and not trap(text):
            value = self.size_expression(node, path, sizes)
        else:
            self.bad_integer(node, path)
            return None
        if value is not None and not low <= value <= high:
            what = f"{text} = {value}" if text != str(value) else text
            self.error("TTB036", f"{what} is out of range", path, f"it must be {low} to {high}")
            return None
        return value

    def size_expression(self, node: Scalar, path: Path, sizes: MappingType[str, int]) -> int | None:
        tree = parse_expression(node.value)
        if isinstance(tree, SyntaxProblem):
            self.error("TTB010", tree.message, path, tree.help, span=(tree.start, tree.end))
            return None
        result = evaluate(tree, sizes)
        if isinstance(result, SizeProblem) and result.name in self.broken_sizes:
            return None  # its declaration was refused already
        if isinstance(result, SizeProblem):
            self.error("TTB010", result.message, path, result.help, span=(result.start, result.end))
            return None
        return result

    def bad_integer(self, node: Scalar, path: Path) -> None:
        text = node.value
        plain = text.replace("_", "")
        if not node.plain and _INT.match(text):
            self.error("TTB005", f'"{text}" is text, not a number', path, f"remove the quotes: {text}", fix=text)
        elif trap(text) == "an octal number":
            value = int(plain.lstrip("+-0") or "0")
            help_ = f"write {value}, or {int(plain, 8)} if octal is meant"
            self.error("TTB004", f"{text} is an octal number to YAML", path, help_)
        elif trap(text) in ("a number in base 60", "a date"):
            self.error("TTB004", f"{text} is {trap(text)} to YAML", path, "write an integer")
        elif _INT.match(plain) and "_" in text:
            self.error("TTB005", f"{text} is not a number to every YAML tool", path, f"write {plain}", fix=plain)
        elif _INT.match(text):
            self.error("TTB036", f"the number {_cut(text)} is too large", path)
        else:
            self.wrong_type(node, path, "an integer")

    def number(self, node: Node, path: Path, low: float = -math.inf, high: float = math.inf) -> float | None:
        """A finite number; ``1e-5`` is one."""
        if not isinstance(node, Scalar) or not node.plain or not _FLOAT.match(node.value) or _octal(node.value):
            if isinstance(node, Scalar) and node.plain and _octal(node.value):
                self.bad_integer(node, path)
            elif isinstance(node, Scalar) and not node.plain and _FLOAT.match(node.value):
                text = node.value
                self.error("TTB005", f'"{text}" is text, not a number', path, f"remove the quotes: {text}", fix=text)
            elif isinstance(node, Scalar) and node.plain and trap(node.value) == "a number in base 60":
                self.error("TTB004", f"{node.value} is a number in base 60 to YAML", path, "write a decimal number")
            else:
                self.wrong_type(node, path, "a number")
            return None
        value = float(node.value)
        if not math.isfinite(value) or not low <= value <= high:
            help_ = f"it must be {low:g} to {high:g}" if math.isfinite(low) or math.isfinite(high) else ""
            self.error("TTB036", f"{_cut(node.value)} is out of range", path, help_)
            return None
        return value

    def pair(
        self, node: Node, path: Path, names: str, low: int, high: int, sizes: MappingType[str, int] | None = None
    ) -> tuple[int, int] | None:
        """Two integers."""
        items = self.items(node, path, f"[{names}]", (2,))
        if items is None:
            return None
        first = self.integer(items[0], (*path, 0), low, high, sizes)
        second = self.integer(items[1], (*path, 1), low, high, sizes)
        return None if first is None or second is None else (first, second)


RESERVED = frozenset(
    ("if", "else", "and", "or", "not", "for", "while", "lambda", "def", "import", "return", "in", "is")
)
RESERVED |= {"True", "False", "None"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


def is_identifier(name: str) -> bool:
    """Whether a tensor, size or scalar may be called that."""
    return bool(_IDENTIFIER.match(name)) and name not in RESERVED


def _is_open(text: str) -> bool:
    return text.count("(") > text.count(")")


def _octal(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdigit()


def _cut(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if line == text and len(line) <= 60 else line[:57] + "..."
