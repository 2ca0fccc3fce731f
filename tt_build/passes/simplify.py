"""Clean-up of lowered bodies: constants and plain copies are read through, definitions that nobody reads are
dropped.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from tt_build.ir.index import Bin, Dim, Index, Num, Var, fold, names_in
from tt_build.ir.lowered import Block, Let, Loop, Section, Stmt, When, ZOrderPoint


def simplify(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The body with every name defined where it is needed and nowhere else."""
    body = _read_through(body, {})
    while True:
        shorter = _drop_unread(body, _names_read(body))
        if shorter == body:
            return body
        body = shorter


def _read_through(body: tuple[Stmt, ...], known: dict[str, Index]) -> tuple[Stmt, ...]:
    known = dict(known)
    kept: list[Stmt] = []
    for stmt in body:
        stmt = _substitute(stmt, known)
        if isinstance(stmt, Let) and isinstance(stmt.value, Num | Var | Dim):
            known[stmt.name] = stmt.value
            continue
        if isinstance(stmt, When) and isinstance(stmt.a, Num) and stmt.a == stmt.b:
            kept += _read_through(stmt.body, known)
            continue
        if isinstance(stmt, Let):
            known.pop(stmt.name, None)
        inside = {name: value for name, value in known.items() if not isinstance(stmt, Loop) or name != stmt.var}
        kept.append(with_bodies(stmt, functools.partial(_read_through, known=inside)))
    return tuple(kept)


def _substitute(stmt: Stmt, known: dict[str, Index]) -> Stmt:
    changed: dict[str, Any] = {}
    for name in stmt.__struct_fields__:
        item = getattr(stmt, name)
        if isinstance(item, Num | Var | Dim | Bin):
            changed[name] = _replace(item, known)
        elif name == "indices":
            changed[name] = tuple(_replace(index, known) for index in item)
    return msgspec.structs.replace(stmt, **changed) if changed else stmt


def _replace(expr: Index, known: dict[str, Index]) -> Index:
    if isinstance(expr, Var):
        return known.get(expr.name, expr)
    if isinstance(expr, Bin):
        return fold(expr.op, _replace(expr.a, known), _replace(expr.b, known))
    return expr


def indices_of(stmt: Stmt) -> list[Index]:
    """The integer expressions that a statement itself evaluates."""
    found: list[Index] = []
    for name in stmt.__struct_fields__:
        item = getattr(stmt, name)
        if isinstance(item, Num | Var | Dim | Bin):
            found.append(item)
        elif name == "indices":
            found += item
    return found


def bodies_of(stmt: Stmt) -> tuple[tuple[Stmt, ...], ...]:
    """The statement lists inside a statement."""
    if isinstance(stmt, Loop | When | Block):
        return (stmt.body,)
    if isinstance(stmt, Section):
        return (stmt.math, stmt.packs)
    return ()


def with_bodies(stmt: Stmt, change: Any) -> Stmt:
    """The statement with each list of statements inside it changed."""
    if isinstance(stmt, Loop | When | Block):
        return msgspec.structs.replace(stmt, body=change(stmt.body))
    if isinstance(stmt, Section):
        return Section(math=change(stmt.math), packs=change(stmt.packs))
    return stmt


def _names_read(body: tuple[Stmt, ...]) -> frozenset[str]:
    found: set[str] = set()
    for stmt in body:
        for index in indices_of(stmt):
            found |= names_in(index)
        for inner in bodies_of(stmt):
            found |= _names_read(inner)
    return frozenset(found)


def _drop_unread(body: tuple[Stmt, ...], read: frozenset[str]) -> tuple[Stmt, ...]:
    kept = (s for s in body if not (isinstance(s, Let) and s.name not in read) and not _unread_point(s, read))
    return tuple(with_bodies(s, lambda inner: _drop_unread(inner, read)) for s in kept)


def _unread_point(stmt: Stmt, read: frozenset[str]) -> bool:
    return isinstance(stmt, ZOrderPoint) and not {f"{stmt.name}.x", f"{stmt.name}.y"} & read
