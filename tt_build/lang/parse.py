"""Compute text to syntax tree, and the tree back to canonical text. Nothing is ever evaluated as Python.

The grammar is Python's for expressions of numbers, names, calls, ``.T``, tuples and the operators of
``tt_build.lang.syntax``: same precedence, same associativity. Size and depth are bounded, so that no text can exhaust
the stack of this parser or of the walks over its trees.
"""

from __future__ import annotations

import msgspec

from tt_build.lang.signatures import FOREIGN, SIGNATURES
from tt_build.lang.syntax import (
    Assignment,
    Attribute,
    Binary,
    Call,
    Expr,
    Keyword,
    Name,
    Number,
    Parsed,
    SyntaxProblem,
    Tuple,
    Unary,
)
from tt_build.lang.tokens import Token, tokens_of

MAX_TEXT = 50_000
MAX_TOKENS = 10_000
MAX_DEPTH = 100

_LEVEL = {"<": 1, "<=": 1, ">": 1, ">=": 1, "==": 1, "!=": 1}
_LEVEL |= {"+": 2, "-": 2, "*": 3, "/": 3, "//": 3, "@": 3, "**": 5}
_UNARY_LEVEL = 4
_ATOM_LEVEL = 6
_WORDS = {
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
    "and": "multiply the two conditions: they are 0 or 1",
    "or": "write maximum(a, b) of the two conditions: they are 0 or 1",
    "not": "write 1 - condition: a condition is 0 or 1",
    "for": "there are no loops: write the expression for whole tensors",
    "while": "there are no loops: write the expression for whole tensors",
    "lambda": "write the expression itself",
    "def": "functions cannot be defined here",
    "import": "functions are built in; the reference lists them",
    "return": "assign to an output instead",
    "in": "there is no membership: write comparisons, as in (X == 1) + (X == 2)",
    "is": "write ==",
    "True": "write 1",
    "False": "write 0",
    "None": "leave the argument out",
}
_CHARACTERS = {
    "[": "there is no indexing; slice(x, axis, start, stop) takes a part; axes are written (1, 0, 2)",
    "]": "there is no indexing; slice(x, axis, start, stop) takes a part",
    "%": "write x - floor(x / y) * y",
    "^": "write ** for a power",
    "&": "multiply the two conditions: they are 0 or 1",
    "|": "write maximum(a, b) of the two conditions: they are 0 or 1",
    "~": "write 1 - condition: a condition is 0 or 1",
    "!": "write 1 - condition, or != to compare",
    ";": "write one assignment a line",
    "\\": "open a parenthesis: a line goes on until it is closed",
    "'": "write the name without quotes",
    '"': "write the name without quotes",
    "{": "there are no dictionaries here",
    ":": "there are no slices and no annotations; slice(x, axis, start, stop) takes a part",
}

_MODULES = frozenset(("torch", "F", "nn", "np", "numpy", "jnp", "jax", "tf", "math", "ttnn", "scipy"))

Parsing = tuple[Expr, int, int, int]  # the node, start and end with its parentheses, depth


class _Stop(Exception):
    """Ends the reading of one assignment."""

    def __init__(
        self, message: str, start: int, end: int, help_: str = "", code: str = "TTB011", fix: str | None = None
    ) -> None:
        super().__init__(message)
        self.problem = SyntaxProblem(code, message, start, end, help_, fix=fix)
        self.resume = False


def parse(text: str) -> Parsed:
    """The assignments of ``text``; what cannot be read is a problem, and reading goes on at the next line."""
    if len(text) > MAX_TEXT:
        return Parsed(text, (), (_too_large(text, f"more than {MAX_TEXT} characters"),))
    tokens = tokens_of(text)
    if len(tokens) > MAX_TOKENS:
        return Parsed(text, (), (_too_large(text, f"more than {MAX_TOKENS} words and signs"),))
    reader = _Reader(tokens)
    assignments: list[Assignment] = []
    problems: list[SyntaxProblem] = []
    while not reader.skip_newlines():
        kind, word, _, _ = reader.peek()
        try:
            assignments.append(reader.assignment())
        except _Stop as stop:
            problem = stop.problem
            target = word if kind == "name" and word not in _WORDS else ""
            problems.append(msgspec.structs.replace(problem, target=target))
            reader.next_line(here=stop.resume)
    return Parsed(text, tuple(assignments), tuple(problems))


def parse_expression(text: str) -> Expr | SyntaxProblem:
    """A single expression, as in a shape; a problem where it is none."""
    if len(text) > 1000:
        return _too_large(text, "more than 1000 characters")
    reader = _Reader(tokens_of(text))
    try:
        node = reader.expression(0)[0]
        reader.finish("an operator")
    except _Stop as stop:
        return stop.problem
    return node


def canonical(parsed: Parsed) -> str:
    """The text without comments, blank lines, redundant spaces and parentheses; parses to the same tree."""
    return "\n".join(f"{line.target} = {expression_text(line.value)}" for line in parsed.assignments)


def expression_text(node: Expr) -> str:
    """The canonical text of one expression."""
    return _print(node)[0]


def _too_large(text: str, what: str) -> SyntaxProblem:
    first = len(text) - len(text.lstrip())
    return SyntaxProblem("TTB034", f"the expression is too large: {what}", first, first + 1, "split it into kernels")


class _Reader:
    """A cursor over tokens; newlines inside parentheses do not end an assignment."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.nesting = 0

    def skip_newlines(self) -> bool:
        """Goes to the next assignment; True at the end of the text."""
        while self.tokens[self.at][0] == "newline":
            self.at += 1
        return self.tokens[self.at][0] == "end"

    def next_line(self, *, here: bool) -> None:
        """Recovers after a problem: the next newline, also when a parenthesis is still open; or right here."""
        self.nesting = 0
        if here:
            return
        while self.tokens[self.at][0] not in ("newline", "end"):
            self.at += 1

    def peek(self) -> Token:
        if self.nesting:
            while self.tokens[self.at][0] == "newline":
                self.at += 1
        return self.tokens[self.at]

    def assignment(self) -> Assignment:
        kind, target, start, target_end = self.peek()
        if kind != "name":
            raise self.unexpected("a name to assign to")
        if target in _WORDS:
            raise _Stop(f"'{target}' is not in the language", start, target_end, _WORDS[target])
        self.at += 1
        if self.peek()[1] != "=":
            raise self.no_assignment(target)
        self.at += 1
        value, _, end, _ = self.expression(0)
        self.finish("the end of the line")
        return Assignment(start, end, target, target_end, value)

    def no_assignment(self, target: str) -> _Stop:
        _, text, start, end = self.peek()
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        if text in ("+", "-", "*", "/", "@", "**", "//") and following[1] == "=" and following[2] == end:
            help_ = f"write {target} = {target} {text} ..., under a new name: a name is assigned once"
            return _Stop(f"'{text}=' is not in the language", start, following[3], help_)
        help_ = "a line is an assignment: name = expression"
        if end == start or text in ("\n", "\r", "\r\n"):
            start, end = self.tokens[self.at - 1][2:]
        return _Stop(f"expected '=' after '{target}'", start, end, help_)

    def finish(self, wanted: str) -> None:
        if self.peek()[0] not in ("newline", "end"):
            raise self.unexpected(wanted)

    def unexpected(self, wanted: str) -> _Stop:
        kind, text, start, end = self.peek()
        if kind == "end" or kind == "newline":
            before = self.tokens[self.at - 1] if self.at else (kind, text, start, end)
            help_ = "a line goes on in the next one only inside parentheses" if kind == "newline" else ""
            return _Stop(f"expected {wanted} after '{before[1]}'", before[2], before[3], help_)
        if kind == "bad":
            help_ = _CHARACTERS.get(text, "names and numbers are written in ASCII" if not text.isascii() else "")
            return _Stop(f"unexpected character {text!r}", start, end, help_)
        if kind == "name" and text in _WORDS:
            return _Stop(f"'{text}' is not in the language", start, end, _WORDS[text])
        return _Stop(f"expected {wanted}, found '{text}'", start, end)

    def expression(self, depth: int, level: int = 0) -> Parsing:
        """An expression whose operators bind tighter than ``level``."""
        if depth > MAX_DEPTH:
            _, _, start, end = self.peek()
            raise _Stop(f"nested more than {MAX_DEPTH} deep", start, end, "name a part of it on its own line", "TTB034")
        node, start, end, height = self.prefix(depth)
        while True:
            kind, op, op_start, op_end = self.peek()
            this = _LEVEL.get(op, 0) if kind == "op" else 0
            if this <= level:
                return node, start, end, height
            self.at += 1
            right, _, end, right_height = self.expression(depth + 1, this if op != "**" else _UNARY_LEVEL - 1)
            height = max(height, right_height) + 1
            if height > MAX_DEPTH:
                message = f"an expression of more than {MAX_DEPTH} operations in a row"
                raise _Stop(message, op_start, op_end, "name a part of it on its own line", "TTB034")
            node = Binary(start, end, op, node, right)
            if this == 1 and _LEVEL.get(self.peek()[1], 0) == 1:
                _, text, at, until = self.peek()
                raise _Stop(f"a second comparison, '{text}'", at, until, "write (a < b) * (b < c)")

    def prefix(self, depth: int) -> Parsing:
        kind, text, start, end = self.peek()
        if kind == "op" and text in "+-":
            self.at += 1
            operand, _, end, height = self.expression(depth + 1, _UNARY_LEVEL)
            return Unary(start, end, text, operand), start, end, height + 1
        node, start, end, height = self.atom(depth)
        while self.peek()[1] == ".":
            self.at += 1
            kind, name, _, name_end = self.peek()
            if kind != "name":
                raise self.unexpected("T")
            self.at += 1
            if self.peek()[1] == "(":
                raise self.method(node, name, start, name_end, depth)
            node, end, height = Attribute(start, name_end, node, name), name_end, height + 1
        return node, start, end, height

    def method(self, owner: Expr, name: str, start: int, name_end: int, depth: int) -> _Stop:
        """``x.f(y)`` and ``module.f(x)``: what to write instead, f(x, y)."""
        first = owner
        while isinstance(first, Attribute):
            first = first.operand
        called = self.call(name, start, name_end, depth)[0]
        assert isinstance(called, Call)
        tensors = any(not isinstance(arg, Number | Unary | Tuple) for arg in called.args)
        if tensors and isinstance(first, Name) and first.id in _MODULES:
            message, args = f"there are no modules: '{expression_text(owner)}.{name}'", called.args
        else:
            message, args = f"there are no methods: '.{name}()'", (owner, *called.args)
        if name == "T":
            help_, fix = "write .T without parentheses", None
        elif name in FOREIGN and name not in SIGNATURES:
            help_, fix = f"write {FOREIGN[name]}", None
        else:
            text = expression_text(Call(start, called.end, name, name_end, args, called.keywords))
            help_, fix = f"write {text}", text if name in SIGNATURES else None
        return _Stop(message, start, called.end, help_, fix=fix)

    def atom(self, depth: int) -> Parsing:
        kind, text, start, end = self.peek()
        if kind == "number":
            if len(text) > 1 and text[0] == "0" and text.isdigit():
                help_ = f"write {text.lstrip('0') or '0'}"
                if text.strip("01234567") == "" and text.strip("0"):
                    help_ += f", or {int(text, 8)} if octal is meant"
                raise _Stop(f"{text} begins with a zero", start, end, help_)
            self.at += 1
            return Number(start, end, text, _number(text)), start, end, 0
        if kind == "name" and text not in _WORDS:
            self.at += 1
            if self.peek()[1] == "(":
                return self.call(text, start, end, depth)
            return Name(start, end, text), start, end, 0
        if text != "(":
            raise self.unexpected("an expression")
        self.open()
        node, _, _, height = self.expression(depth + 1)
        if self.peek()[1] == ",":
            items = [node]
            while self.peek()[1] == ",":
                self.at += 1
                if self.peek()[1] == ")":
                    break
                item, _, _, item_height = self.expression(depth + 1)
                items.append(item)
                height = max(height, item_height)
            end = self.close(start)
            return Tuple(start, end, tuple(items)), start, end, height + 1
        return node, start, self.close(start), height

    def call(self, function: str, start: int, name_end: int, depth: int) -> Parsing:
        opened = self.peek()[2]
        self.open()
        args: list[Expr] = []
        keywords: list[Keyword] = []
        height = 0
        while self.peek()[1] != ")":
            kind, text, at, _ = self.peek()
            self.at += 1
            named = kind == "name" and self.peek()[1] == "="
            self.at -= 0 if named else 1
            if named:
                self.at += 1
            elif keywords:
                raise self.unexpected("'name=' (arguments by position come first)")
            value, _, end, value_height = self.expression(depth + 1)
            height = max(height, value_height)
            if named:
                keywords.append(Keyword(at, end, text, value))
            else:
                args.append(value)
            if self.peek()[1] != ",":
                break
            self.at += 1
        end = self.close(opened)
        return Call(start, end, function, name_end, tuple(args), tuple(keywords)), start, end, height + 1

    def open(self) -> None:
        self.at += 1
        self.nesting += 1

    def close(self, opened: int) -> int:
        kind, text, _, end = self.peek()
        if kind == "end":
            raise _Stop("this parenthesis is never closed", opened, opened + 1, "add ')'")
        if text != ")":
            if kind == "name" and self.tokens[self.at - 1][0] == "newline" and self.tokens[self.at + 1][1] == "=":
                # the next line is an assignment: the one before it lacks the parenthesis
                stop = _Stop("this parenthesis is never closed", opened, opened + 1, "add ')'")
                stop.resume = True
                raise stop
            raise self.unexpected("',' or ')'")
        self.at += 1
        self.nesting -= 1
        return end


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() and len(text) < 40 else float(text)


def _print(node: Expr) -> tuple[str, int]:
    """Text and binding level."""
    if isinstance(node, Name):
        return node.id, _ATOM_LEVEL
    if isinstance(node, Number):
        return node.text, _ATOM_LEVEL
    if isinstance(node, Binary):
        level = _LEVEL[node.op]
        # ** groups to the right and takes a unary minus on its right side; comparisons do not group at all.
        left = level + (1 if level in (1, 5) else 0)
        right = _UNARY_LEVEL if node.op == "**" else level + 1
        return f"{_print_at(node.left, left)} {node.op} {_print_at(node.right, right)}", level
    if isinstance(node, Unary):
        return node.op + _print_at(node.operand, _UNARY_LEVEL), _UNARY_LEVEL
    if isinstance(node, Attribute):
        inner = f"({expression_text(node.operand)})" if isinstance(node.operand, Number) else ""
        return f"{inner or _print_at(node.operand, _ATOM_LEVEL)}.{node.name}", _ATOM_LEVEL
    if isinstance(node, Tuple):
        items = ", ".join(expression_text(item) for item in node.items)
        return f"({items},)" if len(node.items) == 1 else f"({items})", _ATOM_LEVEL
    parts = [expression_text(arg) for arg in node.args]
    parts += [f"{keyword.name}={expression_text(keyword.value)}" for keyword in node.keywords]
    return f"{node.function}({', '.join(parts)})", _ATOM_LEVEL


def _print_at(node: Expr, level: int) -> str:
    text, own = _print(node)
    return text if own >= level else f"({text})"
