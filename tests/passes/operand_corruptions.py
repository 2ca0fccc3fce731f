"""Corruptions of blocked matmuls whose operands are moved: other pages than those of the view, in the plan too."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.passes.corruptions import Corruptions, Kernel, change, item, registry, replace
from tt_build.ir.index import Bin, Dim, Index, Num, num, var
from tt_build.ir.lowered import MatmulBlock, ReadPage, Stmt, ZeroPadding
from tt_build.passes.simplify import with_bodies

OPERAND_CORRUPTIONS: Corruptions = {}
corruption = registry(OPERAND_CORRUPTIONS)


def _moved(kernel: Kernel) -> set[str]:
    """Circular buffers of operands that are moved."""
    return {stream.cb for stream in kernel.streams if stream.view >= 0 and stream.per == "k"}


def _read(kernel: Kernel, rng: random.Random, edit: Callable[[Index], Index]) -> Kernel | None:
    """The page of one read of a moved operand, edited; nothing where that changes nothing."""
    cbs = _moved(kernel)
    return change(
        kernel, rng, ReadPage, lambda s: replace(s, page=edit(s.page)), lambda s: s.cb in cbs and edit(s.page) != s.page
    )


def _each(index: Index, edit: Callable[[Index], Index | None]) -> Index:
    """The expression with every part for which ``edit`` has another replaced by that."""
    other = edit(index)
    if other is not None:
        return other
    if isinstance(index, Bin):
        return Bin(index.op, _each(index.a, edit), _each(index.b, edit))
    return index


def _without(op: str) -> Callable[[Index], Index | None]:
    return lambda part: part.a if isinstance(part, Bin) and part.op == op else None


@corruption("TTB403", "TTB405")
def the_whole_number_for_what_is_left(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _read(kernel, rng, lambda page: _each(page, _without("%")))


@corruption("TTB403", "TTB405")
def no_division(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _read(kernel, rng, lambda page: _each(page, _without("/")))


@corruption("TTB403", "TTB405")
def another_number_in_the_page(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Another head size, offset of a slice, or count of heads that share one."""
    step = rng.choice([1, 2])
    return _read(kernel, rng, lambda page: _each(page, lambda p: num(p.value + step) if isinstance(p, Num) else None))


@corruption("TTB403", "TTB405")
def another_extent_in_the_page(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """As the moved value has it, not the tensor."""
    return _read(kernel, rng, lambda page: _each(page, lambda p: num(p.value + 1) if isinstance(p, Dim) else None))


@corruption("TTB403", "TTB405")
def read_as_if_not_moved(kernel: Kernel, rng: random.Random) -> Kernel | None:
    streams = {stream.cb: stream for stream in kernel.streams}

    def plain(stmt: Any) -> Any:
        stream = streams[stmt.cb]
        width = kernel.buffer(stream.tensor).tiles[1]
        row, column = (var("tile_row"), var("k")) if stream.operand == "in0" else (var("k"), var("tile_column"))
        return replace(stmt, page=row * width + column)

    cbs = _moved(kernel)
    names = ("tile_row", "tile_column")
    return change(kernel, rng, ReadPage, plain, lambda s: s.cb in cbs and any(name in str(s.page) for name in names))


@corruption("TTB403")
def of_another_tensor(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The program has the tensors of two moved operands exchanged; plan and code do not know."""
    streams = [s for s in kernel.streams if s.cb in _moved(kernel) and s.operand == "in0"]
    names = [s.tensor for s in streams]
    if len(set(names)) < 2:
        return None
    exchanged = {names[0]: names[1], names[1]: names[0]}
    values = tuple(
        replace(value, name=exchanged.get(value.name, value.name)) if value.op == "input" else value
        for value in kernel.program.values
    )
    return replace(kernel, program=replace(kernel.program, values=values))


@corruption("TTB403")
def operand_of_the_other_product(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Both products take the other's moved operand, in plan and code alike."""
    if len(kernel.contractions) < 2:
        return None
    first, second = kernel.contractions
    if first.a == second.a or not {first.a, second.a} <= _moved(kernel):
        return None
    exchanged = {first.a: second.a, second.a: first.a}
    plans = tuple(replace(plan, a=exchanged[plan.a]) for plan in kernel.contractions)
    return replace(_matmuls(kernel, lambda s: replace(s, cbs=(exchanged[s.cbs[0]], s.cbs[1]))), contractions=plans)


@corruption("TTB403")
def transposed_in_the_plan_too(kernel: Kernel, rng: random.Random) -> Kernel | None:
    plans = tuple(
        replace(plan, transpose_b=not plan.transpose_b) if plan.b in _moved(kernel) else plan
        for plan in kernel.contractions
    )
    cbs = {plan.b for plan in kernel.contractions} & _moved(kernel)
    turned = _matmuls(kernel, lambda s: replace(s, transpose=not s.transpose) if s.cbs[1] in cbs else s)
    return replace(turned, contractions=plans) if cbs else None


def _matmuls(kernel: Kernel, edit: Callable[[Any], Any]) -> Kernel:
    """Every matmul of the compute kernel, edited."""

    def edited(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(edit(stmt) if isinstance(stmt, MatmulBlock) else with_bodies(stmt, edited) for stmt in body)

    return replace(kernel, bodies=tuple(replace(body, body=edited(body.body)) for body in kernel.bodies))


@corruption("TTB402", "TTB403")
def taken_for_a_shard(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Nobody reads it: the plan has it lie on the core."""
    places = [n for n, stream in enumerate(kernel.streams) if stream.cb in _moved(kernel)]
    if not places:
        return None
    number = rng.choice(places)
    cb = kernel.streams[number].cb
    unread = change(kernel, rng, ReadPage, lambda _: None, lambda s: s.cb == cb)
    return item(unread, "streams", number, per="shard") if unread is not None else None


@corruption("TTB408", "TTB402")
def padding_of_the_view_left(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """What lies beyond a slice is data: nothing but the reader makes it zero. Plan and code agree not to."""
    cbs = {fill.cb for fill in kernel.zero_fills} & _moved(kernel)
    left = change(kernel, rng, ZeroPadding, lambda _: None, lambda s: s.cb in cbs)
    fills = tuple(fill for fill in kernel.zero_fills if fill.cb not in cbs)
    return replace(left, zero_fills=fills) if left is not None else None


@corruption("TTB408")
def padding_of_the_tensor_zeroed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Where the tensor ends, not where the view does."""
    ends = {s.cb: kernel.tensor(s.tensor).shape[-1] % 32 for s in kernel.streams if s.cb in _moved(kernel)}
    return change(
        kernel, rng, ZeroPadding, lambda s: replace(s, first=ends[s.cb]), lambda s: ends.get(s.cb, s.first) != s.first
    )
