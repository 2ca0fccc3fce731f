"""Ops of a repository's own (``extensions``), as the language and the op table see them.

An op without C++ is a macro: a call of it stands for its definition. One with C++ is a row like those of
``tt_build.lang.functions``, with ``call(operands, [out,] scratch, words)`` as its SDK call.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

from tt_build.lang.functions import FUNCTIONS, Bound, Function, Param, SfpuCall
from tt_build.lang.parse import parse_expression
from tt_build.lang.signatures import Param as Parameter
from tt_build.lang.signatures import Signature
from tt_build.lang.syntax import Attribute, Binary, Call, Expr, SyntaxProblem, Tuple, Unary
from tt_build.spec.model import OpSpec, SfpuSpec
from tt_build.targets.dtypes import DTYPES

MOST_EXPANDED = 2000
"""Definitions that stand for the calls of one text."""
MOST_EXPANDED_OF_ALL = 50_000
"""The same for all kernels of a specification."""
MACRO = "macro"
OWN = "own"
FLOAT_ULP = 2.0**-23


class Expansions:
    """Counts definitions that stand for calls, for all kernels of a specification."""

    def __init__(self) -> None:
        self.done = 0


def signature_of(name: str, op: OpSpec) -> Signature:
    """What a call of the op takes."""
    params = tuple(Parameter(param, default) for param, default in op.parameters.items())
    kind = OWN if op.sfpu is not None else MACRO
    return Signature(name, len(op.operands), params, True, kind, op.operands)


def row_of(name: str, ops: Mapping[str, OpSpec]) -> Function:
    """The row of an elementwise function: the op table's, or that of an op with C++."""
    row = FUNCTIONS.get(name)
    return row if row is not None else _own_row(name, ops[name])


def is_elementwise(name: str, ops: Mapping[str, OpSpec]) -> bool:
    """Whether a value of that ``op`` is an elementwise function's."""
    return name in FUNCTIONS or name in ops


def _own_row(name: str, op: OpSpec) -> Function:
    assert op.sfpu is not None, name
    call = _own_call(len(op.operands), op.sfpu)
    bfloat16, float32 = op.sfpu.ulp
    return Function(
        name=name,
        operands=len(op.operands),
        params=tuple(Param(name=param, default=default) for param, default in op.parameters.items()),
        float_call=call if any(DTYPES[dtype].is_float for dtype in op.dtypes) else None,
        int_calls={dtype: call for dtype in op.dtypes if not DTYPES[dtype].is_float},
        bound=Bound(bf16_ulp=bfloat16, rel=float32 * FLOAT_ULP, abs=op.sfpu.absolute, source="the op's own"),
        numpy=op.meaning,
    )


def _own_call(operands: int, sfpu: SfpuSpec) -> SfpuCall:
    slots = [f"{{d{at}}}" for at in range(operands)]
    slots += ["{out}"] if operands > 1 else []
    slots += [f"{{d{operands + at}}}" for at in range(sfpu.scratch)]
    slots += [f"{{p{at}}}" for at in range(len(sfpu.words))]
    return SfpuCall(header="", init=f"{sfpu.init}()", call=f"{sfpu.call}({', '.join(slots)})", params=sfpu.words)


def scratch_of(name: str, ops: Mapping[str, OpSpec]) -> int:
    """How many DST slots beyond its operands a call of that function writes."""
    op = ops.get(name)
    return op.sfpu.scratch if op is not None and op.sfpu is not None else 0


def used_ops(expressions: Iterable[Expr], ops: Mapping[str, OpSpec]) -> dict[str, OpSpec]:
    """The ops that expressions call, and those that these use, in the order of ``ops``."""
    if not ops:
        return {}
    found: set[str] = set()
    todo = list(expressions)
    while todo:
        for node in walk(todo.pop()):
            if isinstance(node, Call) and node.function in ops and node.function not in found:
                found.add(node.function)
                todo.append(meaning_of(ops[node.function]))
    return {name: op for name, op in ops.items() if name in found}


def meaning_of(op: OpSpec) -> Expr:
    """The tree of an op's meaning, which was checked when it was read."""
    return _tree(op.meaning)


@functools.lru_cache(maxsize=1024)
def _tree(text: str) -> Expr:
    tree = parse_expression(text)
    assert not isinstance(tree, SyntaxProblem)
    return tree


def walk(tree: Expr) -> Iterator[Expr]:
    """A tree's nodes, each before those below it."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo += reversed(_below(node))


def height(tree: Expr, ops: Mapping[str, int]) -> int:
    """How many operations deep a tree is, calls of ``ops`` counted with their own heights."""
    own = ops.get(tree.function, 0) if isinstance(tree, Call) else 0
    return 1 + own + max((height(node, ops) for node in _below(tree)), default=0)


def _below(node: Expr) -> list[Expr]:
    if isinstance(node, Binary):
        return [node.left, node.right]
    if isinstance(node, (Unary, Attribute)):
        return [node.operand]
    if isinstance(node, Tuple):
        return list(node.items)
    return [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(node, Call) else []
