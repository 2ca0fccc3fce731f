"""Proof about matmuls of which several cores share a block, used by ``proof_blocks``: how their parts become one."""

from __future__ import annotations

import numpy as np

from tt_build.ir.lowered import KernelBody, Loop, Pack, Section, SfpuOp, Stmt, TileOp, walk
from tt_build.ir.skeleton import Visit, visits
from tt_build.ir.stages import Contraction, LoweredKernel
from tt_build.passes.proof import fail
from tt_build.passes.tensorize_steps import COMBINE, FILL


def check_combined(kernel: LoweredKernel, compute: KernelBody, plan: Contraction, part: np.ndarray) -> None:
    """The first core of a unit adds the parts of each tile in their order, from zero on, and packs it once (TTB403).

    ``part`` is the number of the part of each core with work, which has one unit (``proof_exchange``).
    """
    if (kernel.parts is not None) != bool(plan.part_cb):
        fail(kernel, "TTB403", "parts of K that nobody adds")
    if kernel.parts is None:
        return
    sections = [s for s in walk(compute.body) if isinstance(s, Section) and _packs(s, plan.cb)]
    if len(sections) != 1 or not _adds(sections[0], plan.cb, plan.parts_cb):
        fail(kernel, "TTB403", f"parts of K are not added from zero on in {plan.cb}")
    for visit in visits(compute, (TileOp, Pack)):
        stmt = visit.stmt
        if isinstance(stmt, TileOp) and plan.parts_cb in stmt.cbs:
            _check_places(kernel, visit, part, kernel.parts.count)
        elif isinstance(stmt, Pack) and stmt.cb == plan.cb:
            _check_places(kernel, visit, part, 1)


def _packs(section: Section, cb: str) -> bool:
    return any(isinstance(stmt, Pack) and stmt.cb == cb for stmt in section.packs)


def _adds(section: Section, cb: str, parts_cb: str) -> bool:
    """Slot 0 is zero; then, part by part, slot 1 is the part and slot 0 the sum; slot 0 is packed."""
    start, *rest = _operations(section.math)
    if len(rest) != 1 or not isinstance(rest[0], Loop) or rest[0].var != "part":
        return False
    told = [
        (s.op, s.cbs, s.dst) if isinstance(s, TileOp) else (s.function, s.form, s.slots, s.out, s.params)
        for s in (start, *_operations(rest[0].body))
        if isinstance(s, TileOp | SfpuOp)
    ]
    add = (COMBINE["sum"], "float", (0, 1), 0, ())
    packed = [(s.dst, s.cb) for s in section.packs if isinstance(s, Pack)]
    return told == [(FILL, "float", (), 0, (0,)), ("copy", (parts_cb,), 1), add] and packed == [(0, cb)]


def _operations(body: tuple[Stmt, ...]) -> list[Stmt]:
    return [stmt for stmt in body if isinstance(stmt, Loop | TileOp | SfpuOp)]


def _check_places(kernel: LoweredKernel, visit: Visit, part: np.ndarray, parts: int) -> None:
    """Tile by tile of the block, and of each tile part by part, on the first core of each unit."""
    size = kernel.unit_tiles[0] * kernel.unit_tiles[1]
    if part[visit.core].any() or not visit.values:
        fail(kernel, "TTB403", "parts of K are added on a core that has not all of them, or packed in order")
    tile = visit.rounds.get("tile", np.zeros_like(visit.core))
    number = visit.rounds["part"] if parts > 1 else 0
    units = visit.core * size + tile
    key = units * parts + number
    if not np.array_equal(visit.values[0], number * size + tile) or (np.diff(key) <= 0).any() or (tile >= size).any():
        fail(kernel, "TTB403", "parts of K are not added tile by tile, in their order")
    if visit.core.size != int((part == 0).sum()) * size * parts:
        fail(kernel, "TTB403", f"{visit.core.size} tiles of parts of K are added")
