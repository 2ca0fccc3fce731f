# ruff: noqa: N802, N815 - Jinja2 names its visitors so
"""Where a repository's own templates are rendered: Jinja2's sandbox, with bounded work and nothing to call.

A template reads what it is given and names other templates; it reaches no file and no Python object's methods. Work is
counted, not timed, so that the same input has the same outcome on every machine: each round of a loop, each call of a
macro and each inclusion costs the size of its body, each text its length.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jinja2
import jinja2.runtime
import jinja2.sandbox
from jinja2 import nodes

from tt_build.ir.index import Bin, Expr

MOST_WORK = 3_000_000
"""Of one text: some twenty times what the largest kernel of ours takes."""
MOST_BITS = 4096
MOST_WIDTH = 200
MOST_TERMS = 500
PER_ROUND = 10

_SCALARS = (str, int, float, type(None))
_TESTS = (
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "mapping",
    "sequence",
    "odd",
    "even",
    "boolean",
    "integer",
)
_PLAIN_FILTERS = ("abs", "default", "d", "first", "last", "length", "count")
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{4,}|\*)")


class Exceeded(jinja2.TemplateRuntimeError):
    """A template does more than it may."""


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """An environment of one set of templates, shared by threads; ``budget`` bounds what is rendered inside it."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, texts: Mapping[str, tuple[str, str]], filters: Mapping[str, Callable[..., Any]]) -> None:
        """``texts`` maps names to texts and what a template is called in messages."""

        def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
            return (*texts[name], lambda: True) if name in texts else None

        super().__init__(
            loader=jinja2.FunctionLoader(load),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
            finalize=self._printed,
            cache_size=-1,
        )
        own = {"trim": self._trim, "indent": self._indent, "join": self._join, "format": self._format}
        own |= {"replace": self._replace, "upper": self._upper, "lower": self._lower}
        kept = {name: self.filters[name] for name in _PLAIN_FILTERS}
        self.filters = {**kept, **own, **filters}
        self.tests = {name: self.tests[name] for name in _TESTS}
        self.globals = {"range": self._range, "namespace": self.globals["namespace"]}
        self._left = threading.local()

    @contextmanager
    def budget(self) -> Iterator[None]:
        """Bounds what this thread does inside, loading of templates included."""
        self._left.work = MOST_WORK
        try:
            yield
        finally:
            self._left.work = None

    def charge(self, work: int) -> str:
        """Pays for that much; empty, so that it prints nothing."""
        left = getattr(self._left, "work", None)
        if left is not None:
            self._left.work = left = left - work
            if left < 0:
                raise Exceeded(f"the templates do more than {MOST_WORK} steps, or make a text that is too long")
        return ""

    @property
    def left(self) -> int:
        """What of the budget this thread has left."""
        return int(getattr(self._left, "work", None) or 0)

    # What the compiler of templates calls

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _Metered(self).visit(super()._parse(source, name, filename))  # type: ignore[no-any-return]

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, blocks and what is ours."""
        if isinstance(obj, (jinja2.runtime.Macro, jinja2.runtime.BlockReference, jinja2.runtime.LoopContext)):
            return True
        return (
            obj in (self.charge, self.joined, self.weighed, self.sized, self._range) or obj is self.globals["namespace"]
        )

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item by a name or a number."""
        return super().getitem(obj, self.weighed(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic whose result may be large."""
        if operator == "%" and isinstance(left, str):
            return self._format(left, *(right if isinstance(right, tuple) else (right,)))
        if all(isinstance(side, (int, float)) for side in (left, right)):
            bits = [side.bit_length() if isinstance(side, int) else 64 for side in (left, right)]
            if (bits[0] * abs(right) if operator == "**" else sum(bits)) > MOST_BITS:
                raise Exceeded("a number is too large")
        elif operator == "+" and isinstance(left, (str, list, tuple)):
            self.charge(len(left) + len(right))
        elif all(isinstance(side, (int, Expr)) for side in (left, right)):
            self.charge(_terms(left) + _terms(right))
        else:
            raise Exceeded(f"'{operator}' is for numbers only")
        return super().call_binop(context, operator, left, right)

    def joined(self, *parts: Any) -> str:
        """``a ~ b``."""
        return self._join(parts)

    def weighed(self, value: Any) -> Any:
        """A value that is compared or looked up: text, a number, or a list of such."""
        if isinstance(value, (list, tuple, dict)):
            self.charge(len(value) + 1)
            return type(value)(map(self._scalar, value)) if not isinstance(value, dict) else value
        return self._scalar(value)

    def sized(self, value: Any) -> Any:
        """What a part is taken of."""
        if isinstance(value, (str, list, tuple)):
            self.charge(len(value))
        return value

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, jinja2.Undefined):
            return str(value)  # which says what is not defined, but for an 'if' without 'else'
        if not isinstance(value, _SCALARS):
            raise Exceeded("only text and numbers are printed and compared")
        self.charge(1 + (len(value) if isinstance(value, str) else 0))
        return value

    def _printed(self, value: Any) -> Any:
        return self._scalar(value)

    # Filters and functions

    def _range(self, *bounds: int) -> range:
        made = range(*bounds)
        self.charge(len(made))
        return made

    def _trim(self, text: str) -> str:
        return str(self._scalar(text)).strip()

    def _upper(self, text: str) -> str:
        return str(self._scalar(text)).upper()

    def _lower(self, text: str) -> str:
        return str(self._scalar(text)).lower()

    def _indent(self, text: str, width: int = 4, first: bool = False) -> str:
        if not 0 <= width <= MOST_WIDTH:
            raise Exceeded(f"an indent of {width}")
        self.charge(len(self._scalar(text)) + (text.count("\n") + 1) * width)
        return str(jinja2.filters.do_indent(text, width, first))

    def _join(self, parts: Any, separator: str = "", attribute: str | None = None) -> str:
        if attribute is not None:
            parts = [self.getattr(part, attribute) for part in parts]
        texts = [str(self._scalar(part)) for part in parts]
        self.charge(sum(map(len, texts)) + len(texts) * len(self._scalar(separator)))
        return separator.join(texts)

    def _replace(self, text: str, old: str, new: str) -> str:
        found = self._scalar(text).count(self._scalar(old))
        self.charge(len(text) + found * len(self._scalar(new)))
        return str(text).replace(old, new)

    def _format(self, text: str, *values: Any) -> str:
        if _WIDE.search(self._scalar(text)):
            raise Exceeded("a field is too wide")
        longest = max((len(str(self._scalar(value))) for value in values), default=0)
        self.charge(text.count("%") * (longest + 1000))
        return text % values


class _Metered(jinja2.visitor.NodeTransformer):
    """Puts the charges into a template, and refuses what cannot be bounded."""

    def __init__(self, environment: Sandbox) -> None:
        self._environment = environment

    def visit_Template(self, node: nodes.Template) -> nodes.Node:
        return self._paid(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self._paid(node)
        if node.test is not None:  # it is asked for items that the body never sees
            unpaid = nodes.Not(self._charge(_weight(node.test), node.lineno), lineno=node.lineno)
            node.test = nodes.And(unpaid, node.test, lineno=node.lineno)
        return node

    visit_Macro = visit_CallBlock = visit_Block = visit_Template

    def _paid(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        weight = PER_ROUND + sum(_weight(part) for part in node.body)
        paid = nodes.ExprStmt(self._charge(weight, node.lineno), lineno=node.lineno)
        first = node.body[:1] if node.body and isinstance(node.body[0], nodes.Extends) else []
        node.body = [*first, paid, *node.body[len(first) :]]
        return node  # type: ignore[no-any-return]

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        joined: nodes.Node = self._call("joined", node.nodes, node.lineno)
        return joined

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = self._call("weighed", [node.expr], node.lineno)
        for operand in node.ops:
            operand.expr = self._call("weighed", [operand.expr], node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = self._call("sized", [node.node], node.lineno)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        if not isinstance(node.key, nodes.Const):
            raise jinja2.TemplateSyntaxError("a key is written out", node.lineno)
        return self.generic_visit(node)

    def _charge(self, weight: int, lineno: int) -> Any:
        return self._call("charge", [nodes.Const(weight, lineno=lineno)], lineno)

    @staticmethod
    def _call(name: str, args: list[Any], lineno: int) -> Any:
        method = nodes.EnvironmentAttribute(name, lineno=lineno)
        return nodes.Call(method, args, [], None, None, lineno=lineno)


def _terms(index: Any) -> int:
    """How many numbers, names and operations an index has. Raises ``Exceeded`` for more than any kernel needs."""
    todo, count = [index], 0
    while todo:
        node = todo.pop()
        count += 1
        if count > MOST_TERMS:
            raise Exceeded(f"an index of more than {MOST_TERMS} terms")
        if isinstance(node, Bin):
            todo += (node.a, node.b)
    return count


def _weight(node: nodes.Node) -> int:
    own = len(node.data) if isinstance(node, nodes.TemplateData) else 1
    return own + sum(map(_weight, node.iter_child_nodes()))
