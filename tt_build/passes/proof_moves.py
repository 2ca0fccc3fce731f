"""Proofs about circular buffers, used by ``verify_ir``: the moves of all three kernels against each other, and what
each kernel does with pages between its moves.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tt_build.ir.lowered import (
    Barrier,
    Block,
    Exchange,
    FillTile,
    KernelBody,
    Loop,
    MatmulBlock,
    Pack,
    PatternTile,
    Pointer,
    Pop,
    Push,
    ReadPage,
    Reserve,
    RotateShared,
    Section,
    SendShared,
    Stmt,
    TileOp,
    Wait,
    When,
    WritePage,
    ZeroPadding,
)
from tt_build.ir.skeleton import Move, moves, only_moves
from tt_build.ir.stages import CbTraffic, LoweredKernel
from tt_build.ir.work import CoreWork, block_of, tile_ids
from tt_build.passes.proof import fail


def check_moves(kernel: LoweredKernel, arguments: Mapping[tuple[int, int], Mapping[str, int]]) -> tuple[CbTraffic, ...]:
    """Each circular buffer has one producer and one consumer, whole blocks, equal counts, and nobody waits for ever.

    ``arguments`` are the loop's on each core.
    """
    totals: dict[str, int] = {cb.name: 0 for cb in kernel.circular_buffers}
    alike: dict[tuple[object, ...], list[dict[str, int]]] = {}
    for item in kernel.work:
        values = dict(arguments[item.core])
        if kernel.blocking is not None:  # a unit at a ragged edge has fewer tiles
            key = edges(kernel, item)
        elif kernel.flash is not None and kernel.flash.causal:  # a unit has steps as far as its last query
            key = tuple(block_of(tile, kernel.grid)[1:] for tile in tile_ids(item, kernel.order, kernel.grid))
        elif kernel.parts is None or not kernel.parts.spread:  # where a unit lies changes no move
            values = {name: item.count if name == "num_tiles" else 1 for name in values}
            key = tuple(values.items())
        else:
            key = tuple(values.items())
        alike.setdefault(key, []).append(values)
    bodies: dict[str, tuple[Stmt, ...]] = {body.role: only_moves(body.body) for body in kernel.bodies}
    for same in alike.values():
        cores = len(same)
        pushed = _run(kernel, bodies, same[0])
        for name, pages in pushed.items():
            totals[name] += pages * cores
    scratch = {cb.name for cb in kernel.circular_buffers if cb.scratch}
    idle = [name for name, pages in totals.items() if not pages and name not in scratch]
    if idle:
        fail(kernel, "TTB402", f"nobody pushes pages of {', '.join(idle)}")
    return tuple(CbTraffic(cb=name, pages=pages) for name, pages in totals.items())


def edges(kernel: LoweredKernel, item: CoreWork) -> tuple[object, ...]:
    """Rows and columns of tiles of each unit of the core, one after the other, and its part of K."""
    found: list[tuple[int, ...]] = []
    (high, wide), (rows, columns) = kernel.unit_tiles, kernel.buffer(kernel.outputs[0].name).tiles
    for tile in tile_ids(item, kernel.order, kernel.grid):
        bx, by, _ = block_of(tile, kernel.grid)
        part = 0
        if kernel.parts is not None and kernel.parts.axis == "rows":
            by, part = 0, by
        elif kernel.parts is not None:
            bx, part = 0, bx
        found.append((min(high, rows - by * high), min(wide, columns - bx * wide), part))
    return tuple(found)


def _run(kernel: LoweredKernel, bodies: Mapping[str, tuple[Stmt, ...]], names: Mapping[str, int]) -> dict[str, int]:
    """Execute the moves of one core, kernel by kernel as far as each can go, and return the pages pushed."""
    threads = {role: moves(body, names) for role, body in bodies.items()}
    pending: dict[str, Move | None] = {role: next(thread, None) for role, thread in threads.items()}
    state = {cb.name: _Fifo(cb.num_pages, cb.block) for cb in kernel.circular_buffers}
    while any(pending.values()):
        progress = False
        for role, thread in threads.items():
            move = pending[role]
            while move is not None:
                if move.cb not in state:
                    fail(kernel, "TTB402", f"{role} uses {move.cb}, which is not declared")
                problem = state[move.cb].problem(move, role)
                if problem:
                    fail(kernel, "TTB402", f"{role}: {move.kind} {move.pages} of {move.cb}: {problem}")
                if not state[move.cb].step(move, role):
                    break
                progress = True
                move = next(thread, None)
            pending[role] = move
        if not progress:
            stuck = ", ".join(f"{r} at {m.kind} {m.pages} of {m.cb}" for r, m in pending.items() if m)
            fail(kernel, "TTB402", f"nobody can go on: {stuck}")
    scratch = {cb.name for cb in kernel.circular_buffers if cb.scratch}
    for name, fifo in state.items():
        if name in scratch and (fifo.producer != "reader" or fifo.pushed or fifo.consumer):
            fail(kernel, "TTB402", f"{name} is not the reader's own")
        if fifo.pushed != fifo.popped:
            fail(kernel, "TTB402", f"{name}: {fifo.pushed} pages pushed, {fifo.popped} popped")
    return {name: fifo.pushed for name, fifo in state.items()}


class _Fifo:
    """One circular buffer while its moves are executed."""

    def __init__(self, pages: int, block: int) -> None:
        self.pages, self.block = pages, block
        self.pushed = self.popped = 0
        self.producer = self.consumer = ""
        self.reserved = self.awaited = 0

    def problem(self, move: Move, role: str) -> str:
        """Why the move is wrong whenever it happens; empty when it is not."""
        if move.pages != self.block:
            return f"not a block of {self.block} pages"
        end = self.producer if move.kind in ("reserve", "push") else self.consumer
        if end not in ("", role):
            return f"{end} does that too"
        if move.kind == "push" and not self.reserved:
            return "not reserved"
        if move.kind == "pop" and not self.awaited:
            return "not awaited"
        return ""

    def step(self, move: Move, role: str) -> bool:
        """Do the move if it can be done now."""
        free, ready = self.pages - (self.pushed - self.popped), self.pushed - self.popped
        if move.kind == "reserve" and free >= move.pages:
            self.producer, self.reserved = role, move.pages
        elif move.kind == "push":
            self.pushed += move.pages
            self.reserved = 0
        elif move.kind == "wait" and ready >= move.pages:
            self.consumer, self.awaited = role, move.pages
        elif move.kind == "pop":
            self.popped += move.pages
            self.awaited = 0
        else:
            return False
        return True


class _Held(msgspec.Struct):
    """What a kernel holds and has under way; pointers by name."""

    reserved: set[str] = msgspec.field(default_factory=set)
    awaited: set[str] = msgspec.field(default_factory=set)
    arriving: set[str] = msgspec.field(default_factory=set)
    leaving: set[str] = msgspec.field(default_factory=set)
    unacknowledged: bool = False
    pointers: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict)

    def holds_scratch(self, pointer: str) -> bool:
        """Whether the pointer is that of a page that is reserved."""
        cb, side = self.pointers.get(pointer, ("", ""))
        return side == "write" and cb in self.reserved


def check_pages_held(kernel: LoweredKernel, body: KernelBody) -> None:
    """Pages are touched only between reserve and push, or wait and pop; reads have landed before a push, writes have
    left before a pop, and are acknowledged at the end (TTB402).
    """
    held = _Held()
    _walk(kernel, body, body.body, held)
    if held.arriving or held.leaving or held.unacknowledged:
        fail(kernel, "TTB402", f"{body.role} ends with transfers under way")


def _walk(kernel: LoweredKernel, body: KernelBody, statements: tuple[Stmt, ...], held: _Held) -> None:
    for stmt in statements:
        problem = _problem(stmt, held)
        if problem:
            cb = getattr(stmt, "cb", "") or ", ".join(getattr(stmt, "cbs", ()))
            fail(kernel, "TTB402", f"{body.role}: {type(stmt).__name__} of {cb}: {problem}")
        _apply(stmt, held)
        if isinstance(stmt, Loop):  # the second round starts from what the first leaves behind
            _walk(kernel, body, stmt.body, held)
            _walk(kernel, body, stmt.body, held)
        elif isinstance(stmt, When | Block):
            _walk(kernel, body, stmt.body, held)
        elif isinstance(stmt, Section):
            _walk(kernel, body, stmt.math, held)
            _walk(kernel, body, stmt.packs, held)


def _problem(stmt: Stmt, held: _Held) -> str:
    if isinstance(stmt, Push):
        return "not reserved" if stmt.cb not in held.reserved else "reads under way" * (stmt.cb in held.arriving)
    if isinstance(stmt, Pop):
        return "not awaited" if stmt.cb not in held.awaited else "writes under way" * (stmt.cb in held.leaving)
    if isinstance(stmt, TileOp | MatmulBlock):
        return "" if set(stmt.cbs) <= held.awaited else "not awaited"
    if isinstance(stmt, Pack):
        return "" if stmt.cb in held.reserved else "not reserved"
    if isinstance(stmt, Pointer):
        return "" if stmt.cb in (held.reserved if stmt.side == "write" else held.awaited) else "pages are not held"
    if isinstance(stmt, SendShared):
        for part in stmt.blocks:
            if held.pointers.get(part.pointer) != (part.cb, "write") or part.cb not in held.reserved:
                return f"pages of {part.cb} are not held"
            if part.cb in held.arriving:
                return "reads under way"
        return ""
    if isinstance(stmt, RotateShared):
        own, side = held.pointers.get(stmt.source, ("", ""))
        if not side or held.pointers.get(stmt.target) != (stmt.cb, "write") or own == stmt.cb:
            return f"through pointers {stmt.source} and {stmt.target}"
        ready = held.reserved - held.arriving if side == "write" else held.awaited
        return "" if own in ready and stmt.cb in held.reserved - held.arriving else "pages are not held"
    if isinstance(stmt, Exchange):
        held_source = held.pointers.get(stmt.source, ("", ""))
        if held_source[1] != "read" or held.pointers.get(stmt.target) != (stmt.cb, "write"):
            return f"through pointers {stmt.source} and {stmt.target}"
        return "" if stmt.cb in held.reserved and held_source[0] in held.awaited else "pages are not held"
    if isinstance(stmt, ReadPage | WritePage | ZeroPadding | FillTile | PatternTile):
        side = "read" if isinstance(stmt, WritePage) else "write"
        if held.pointers.get(stmt.pointer) != (stmt.cb, side):
            return f"through pointer {stmt.pointer}"
        if isinstance(stmt, ZeroPadding) and stmt.cb in held.arriving:
            return "reads under way"
        if isinstance(stmt, ReadPage) and stmt.scratch and not held.holds_scratch(stmt.scratch):
            return f"through scratch {stmt.scratch}"
        return "" if stmt.cb in (held.awaited if side == "read" else held.reserved) else "pages are not held"
    return ""


def _apply(stmt: Stmt, held: _Held) -> None:
    if isinstance(stmt, Reserve):
        held.reserved.add(stmt.cb)
    elif isinstance(stmt, Wait):
        held.awaited.add(stmt.cb)
    elif isinstance(stmt, Push | Pop):
        (held.reserved if isinstance(stmt, Push) else held.awaited).discard(stmt.cb)
        held.pointers = {name: place for name, place in held.pointers.items() if place[0] != stmt.cb}
    elif isinstance(stmt, Pointer):
        held.pointers[stmt.name] = (stmt.cb, stmt.side)
    elif isinstance(stmt, ReadPage):
        held.arriving.add(stmt.cb)
    elif isinstance(stmt, WritePage):
        held.leaving.add(stmt.cb)
        held.unacknowledged = True
    elif isinstance(stmt, Barrier):
        (held.arriving if stmt.what == "read" else held.leaving).clear()
        held.unacknowledged = held.unacknowledged and stmt.what != "write"
