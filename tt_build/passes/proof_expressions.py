"""What sections compute, read off their statements as expressions; used by proofs about attention."""

from __future__ import annotations

from collections.abc import Callable

from tt_build.ir.lowered import Loop, Pack, Pop, Push, Section, SfpuOp, Stmt, TileOp, Wait, When, walk


def event_of(stmt: Stmt, cb: str) -> str:
    """What a statement does with a circular buffer: wait, push, pop, read; empty where it does none of it."""
    for kind, name in ((Wait, "wait"), (Push, "push"), (Pop, "pop")):
        if isinstance(stmt, kind) and stmt.cb == cb:
            return name
    inside = walk((stmt,))
    return "read" if any(isinstance(s, TileOp) and cb in s.cbs for s in inside) else ""


def stored(body: tuple[Stmt, ...], phase: str) -> list[tuple[tuple[str, str], str]]:
    """For each section behind another: which buffer gets which expression; before, in and behind the steps."""
    found: list[tuple[tuple[str, str], str]] = []
    for stmt in body:
        if isinstance(stmt, Section):
            slots = evaluated(stmt.math, {})
            found += [((phase, s.cb), slots.get(s.dst, "?")) for s in stmt.packs if isinstance(s, Pack)]
        elif isinstance(stmt, Loop):
            found += stored(stmt.body, "step" if stmt.var == "step" else phase)
            if stmt.var == "step":
                phase = "end"
        elif isinstance(stmt, When):
            found += stored(stmt.body, phase)
    return found


def _gathered(before: str | None, once: str, twice: str) -> str:
    """The text of a slot behind a loop: that of one round, where every round keeps what those before it made."""
    if before is None or (once != before and (before not in once or twice != once.replace(before, once, 1))):
        return "?"  # what the last round alone has left
    return once


def _buffer(stmt: TileOp) -> str:
    return stmt.cbs[0]


def evaluated(math: tuple[Stmt, ...], slots: dict[int, str], name: Callable[[TileOp], str] = _buffer) -> dict[int, str]:
    """What DST slots hold after these statements, as expressions; a loop over tiles is gone through once.

    ``name`` tells what a load takes.
    """
    slots = dict(slots)
    for stmt in math:
        if isinstance(stmt, TileOp):
            loads = {("copy", ""): "{}", ("unary_bcast", "cols"): "cols({})"}
            slots[stmt.dst] = loads.get((stmt.op, stmt.mode), "?").format(name(stmt))
        elif isinstance(stmt, SfpuOp) and stmt.function == "fill":
            whole = stmt.form == "float" and isinstance(stmt.params[0], int)
            slots[stmt.out] = f"{stmt.params[0]:#x}" if whole else "?"
        elif isinstance(stmt, SfpuOp):
            function = stmt.function if stmt.form == "float" and not stmt.params else "?"
            slots[stmt.out] = f"{function}({', '.join(slots.get(s, '?') for s in stmt.slots)})"
        elif isinstance(stmt, When):
            slots = dict.fromkeys(slots, "?")
        elif isinstance(stmt, Loop):
            before, slots = slots, evaluated(stmt.body, slots, name)
            gathered = evaluated(stmt.body, slots, name)  # what a second round makes holds what the first made
            slots = {slot: _gathered(before.get(slot), slots[slot], gathered[slot]) for slot in slots}
    return slots
