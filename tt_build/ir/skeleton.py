"""The skeleton of a lowered kernel, executed: its circular-buffer moves, its page accesses and its tile operations.

``verify_ir`` proves with it, and the cost model counts with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np

from tt_build.ir.index import Index, evaluate, evaluate_array
from tt_build.ir.lowered import (
    Block,
    Exchange,
    KernelBody,
    Let,
    Loop,
    MatmulBlock,
    Pack,
    Pop,
    Push,
    ReadPage,
    Reserve,
    RotateShared,
    Section,
    Stmt,
    TileOp,
    Wait,
    When,
    WritePage,
    ZeroPadding,
    ZOrderPoint,
)

Kind = Literal["reserve", "push", "wait", "pop"]


class Move(msgspec.Struct, frozen=True):
    """One circular-buffer call."""

    kind: Kind
    cb: str
    pages: int


def only_moves(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The body without loops and sections that move nothing, for ``moves``."""
    kept: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Loop | When | Block):
            inner = only_moves(stmt.body)
            if any(not isinstance(s, Let | ZOrderPoint) for s in inner):
                kept.append(msgspec.structs.replace(stmt, body=inner))
        elif isinstance(stmt, Section):
            inner = only_moves((*stmt.math, *stmt.packs))
            if inner:
                kept.append(Section(math=inner, packs=()))
        elif isinstance(stmt, Let | ZOrderPoint | Reserve | Push | Wait | Pop):
            kept.append(stmt)
    return tuple(kept)


def moves(body: tuple[Stmt, ...], names: Mapping[str, int]) -> Iterator[Move]:
    """The circular-buffer calls of a kernel whose runtime arguments have these values, in order."""
    scope = dict(names)
    for stmt in body:
        if isinstance(stmt, Let):
            scope[stmt.name] = evaluate(stmt.value, scope)
        elif isinstance(stmt, ZOrderPoint):  # places decide about pages, not about moves
            scope |= {f"{stmt.name}.x": 0, f"{stmt.name}.y": 0}
        elif isinstance(stmt, Loop):
            for step in range(evaluate(stmt.count, scope)):
                yield from moves(stmt.body, {**scope, stmt.var: step})
        elif isinstance(stmt, Block):
            yield from moves(stmt.body, scope)
        elif isinstance(stmt, When):
            if evaluate(stmt.a, scope) == evaluate(stmt.b, scope):
                yield from moves(stmt.body, scope)
        elif isinstance(stmt, Section):
            yield from moves(stmt.math, scope)
            yield from moves(stmt.packs, scope)
        elif isinstance(stmt, Reserve):
            yield Move("reserve", stmt.cb, evaluate(stmt.pages, scope))
        elif isinstance(stmt, Push):
            yield Move("push", stmt.cb, evaluate(stmt.pages, scope))
        elif isinstance(stmt, Wait):
            yield Move("wait", stmt.cb, evaluate(stmt.pages, scope))
        elif isinstance(stmt, Pop):
            yield Move("pop", stmt.cb, evaluate(stmt.pages, scope))


def define(stmt: Let | ZOrderPoint, names: dict[str, np.ndarray]) -> None:
    """Add what the statement defines to ``names``."""
    if isinstance(stmt, Let):
        names[stmt.name] = evaluate_array(stmt.value, names)
        return
    position, width, height = (evaluate_array(index, names) for index in (stmt.position, stmt.width, stmt.height))
    names[f"{stmt.name}.x"], names[f"{stmt.name}.y"] = _z_order_point(position, width, height, stmt.side)


def _z_order_point(
    position: np.ndarray, width: np.ndarray, height: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """As the generated C++ does it: down the quadrants, counting the points of the plane in each."""
    shape = np.broadcast_shapes(position.shape, width.shape, height.shape)
    position = np.broadcast_to(position, shape).copy()
    x, y = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    half = side // 2
    while half:
        found = np.zeros(shape, dtype=bool)
        corner_x, corner_y = x.copy(), y.copy()
        for quadrant in range(4):
            qx, qy = corner_x + quadrant % 2 * half, corner_y + quadrant // 2 * half
            points = np.clip(width - qx, 0, half) * np.clip(height - qy, 0, half)
            here = ~found & (position < points)
            x, y = np.where(here, qx, x), np.where(here, qy, y)
            position = np.where(found | here, position, position - points)
            found |= here
        half //= 2
    return x, y


Visited = ReadPage | WritePage | TileOp | Pack | MatmulBlock | ZeroPadding


class Occurrences(msgspec.Struct, frozen=True):
    """One statement on all cores: for each time that it runs the core's index and its page, slot or tile indices.

    Times are in order of cores, and on each core in order of execution; ``round`` numbers them, so that statements of
    one loop can be put in order. ``rounds`` has the counters of the loops around it at each time, ``sweep`` the number
    of the sweep that it is part of (-1: none).
    """

    stmt: Stmt
    core: np.ndarray
    values: tuple[np.ndarray, ...]
    round: np.ndarray
    rounds: dict[str, np.ndarray]
    sweep: int


class Visit(Occurrences, frozen=True):
    """The same of a transfer of a page, a tile operation or a pack."""

    stmt: Visited


def in_order(reads: list[Visit]) -> tuple[Visit, np.ndarray]:
    """Several reads into one circular buffer as one, in the order in which they run, and the tensor of each time.

    They have the same number of values.
    """
    order = np.argsort(np.concatenate([visit.round for visit in reads]), kind="stable")
    tensors = [visit.stmt.tensor for visit in reads if isinstance(visit.stmt, ReadPage)]
    names = [np.full(visit.core.size, tensor) for visit, tensor in zip(reads, tensors, strict=True)]
    values = zip(*(visit.values for visit in reads), strict=True)
    common = set.intersection(*({*visit.rounds} for visit in reads))
    whole = Visit(
        stmt=reads[0].stmt,
        core=np.concatenate([visit.core for visit in reads])[order],
        values=tuple(np.concatenate(column)[order] for column in values),
        round=np.concatenate([visit.round for visit in reads])[order],
        rounds={name: np.concatenate([visit.rounds[name] for visit in reads])[order] for name in sorted(common)},
        sweep=reads[0].sweep,
    )
    return whole, np.concatenate(names)[order]


_USUAL = (ReadPage, WritePage, TileOp, Pack)
_ALL = (*_USUAL, MatmulBlock, ZeroPadding)


def visits(body: KernelBody, kinds: tuple[type[Visited], ...] = _USUAL) -> list[Visit]:
    """Every transfer of a page, tile operation and pack of a kernel, or its statements of these ``kinds``."""
    found = occurrences(body, kinds)
    return [Visit(o.stmt, o.core, o.values, o.round, o.rounds, o.sweep) for o in found if isinstance(o.stmt, _ALL)]


def occurrences(body: KernelBody, kinds: tuple[type[Stmt], ...]) -> list[Occurrences]:
    """Every statement of these kinds.

    All cores run at once: every name is an array with an axis for the core and one for each loop around the statement,
    and a mask tells which rounds take place. ``KeyError`` for a name that nothing defines.
    """
    skip = len(body.accessors)
    names = {
        name: np.array([values.values[skip + i] for values in body.core_values], dtype=np.int64)
        for i, name in enumerate(body.runtime_args)
    }
    return _occurrences(body.body, names, np.ones(len(body.core_values), dtype=bool), kinds)


def _occurrences(
    body: tuple[Stmt, ...],
    names: dict[str, np.ndarray],
    mask: np.ndarray,
    kinds: tuple[type[Stmt], ...],
    counters: tuple[str, ...] = (),
    sweep: int = -1,
) -> list[Occurrences]:
    names = dict(names)
    found: list[Occurrences] = []
    for stmt in body:
        if isinstance(stmt, Let | ZOrderPoint):
            define(stmt, names)
        elif isinstance(stmt, Loop):
            count = np.broadcast_to(evaluate_array(stmt.count, names), mask.shape)[..., None]
            rounds = np.arange(int(count.max(initial=0)))
            inner = {name: values[..., None] for name, values in names.items() if values.ndim}
            constants = {name: values for name, values in names.items() if not values.ndim}
            scope, within = {**constants, **inner, stmt.var: rounds}, mask[..., None] & (rounds < count)
            found += _occurrences(stmt.body, scope, within, kinds, (*counters, stmt.var), sweep)
        elif isinstance(stmt, Block):
            found += _occurrences(stmt.body, names, mask, kinds, counters, stmt.sweep)
        elif isinstance(stmt, When):
            met = evaluate_array(stmt.a, names) == evaluate_array(stmt.b, names)
            found += _occurrences(stmt.body, names, mask & met, kinds, counters, sweep)
        elif isinstance(stmt, Section):
            found += _occurrences(stmt.math, names, mask, kinds, counters, sweep)
            found += _occurrences(stmt.packs, names, mask, kinds, counters, sweep)
        elif isinstance(stmt, kinds):
            arrays = (np.broadcast_to(evaluate_array(index, names), mask.shape)[mask] for index in _indices(stmt))
            cores = np.arange(mask.shape[0]).reshape(-1, *(1,) * (mask.ndim - 1))
            counted = {name: np.broadcast_to(names[name], mask.shape)[mask] for name in counters}
            found.append(
                Occurrences(
                    stmt, np.broadcast_to(cores, mask.shape)[mask], tuple(arrays), np.flatnonzero(mask), counted, sweep
                )
            )
    return found


def _indices(stmt: Stmt) -> tuple[Index, ...]:
    if isinstance(stmt, TileOp | MatmulBlock):
        return stmt.indices
    if isinstance(stmt, ZeroPadding):
        return (stmt.slot,)
    if isinstance(stmt, Exchange):
        return stmt.part, stmt.parts
    if isinstance(stmt, RotateShared):
        return stmt.turn, stmt.place
    if isinstance(stmt, Pack):
        return () if stmt.index is None else (stmt.index,)
    if isinstance(stmt, ReadPage | WritePage):
        return stmt.page, stmt.slot, *(index for index in (stmt.rows, stmt.column, stmt.columns) if index is not None)
    return ()
