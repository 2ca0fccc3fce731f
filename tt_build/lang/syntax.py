"""The syntax tree of the compute language: small, frozen, with the span of characters that each node was read from.

``start`` and ``end`` index the parsed text (end exclusive); parentheses around an expression are not part of its span,
but those of an operand are part of the span of the operation.
"""

from __future__ import annotations

from typing import Union

import msgspec


class Node(msgspec.Struct, frozen=True, gc=False):
    """Base of all nodes."""

    start: int
    end: int


class Name(Node, frozen=True, gc=False):
    """A name: input, size, scalar, assigned value, or the dtype in ``cast``."""

    id: str


class Number(Node, frozen=True, gc=False):
    """A number; ``text`` as written, ``value`` an int where it has neither point nor exponent."""

    text: str
    value: int | float


class Unary(Node, frozen=True, gc=False):
    """``-x`` or ``+x``."""

    op: str
    operand: Expr


class Binary(Node, frozen=True, gc=False):
    """``left op right``; ``op`` is one of ``+ - * / // ** @ < <= > >= == !=``."""

    op: str
    left: Expr
    right: Expr


class Attribute(Node, frozen=True, gc=False):
    """``operand.name``; only ``.T`` has a meaning."""

    operand: Expr
    name: str


class Tuple(Node, frozen=True, gc=False):
    """``(a, b)``: axes."""

    items: tuple[Expr, ...]


class Keyword(Node, frozen=True, gc=False):
    """``name=value`` in a call."""

    name: str
    value: Expr


class Call(Node, frozen=True, gc=False):
    """``function(args, keywords)``; ``name_end`` ends the function's name, which begins at ``start``."""

    function: str
    name_end: int
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]


Expr = Union[Name, Number, Unary, Binary, Attribute, Tuple, Call]  # noqa: UP007 - evaluated at run time on 3.10


class Assignment(Node, frozen=True, gc=False):
    """``target = value``; ``target_end`` ends the target, which begins at ``start``."""

    target: str
    target_end: int
    value: Expr


class SyntaxProblem(msgspec.Struct, frozen=True):
    """One thing that is not in the language: where, what, and what to write instead. ``code`` is TTB011 or TTB034.

    ``target`` is the name that the line begins with, probably the one that it meant to assign; ``fix`` what takes the
    place of the text where the repair is mechanical.
    """

    code: str
    message: str
    start: int
    end: int
    help: str = ""
    target: str = ""
    fix: str | None = None


class Parsed(msgspec.Struct, frozen=True):
    """The assignments of a compute text in order, and the problems of the lines that could not be read."""

    text: str
    assignments: tuple[Assignment, ...]
    problems: tuple[SyntaxProblem, ...] = ()
