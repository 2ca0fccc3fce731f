"""Pass ``verify_ir``: LoweredKernel -> VerifiedKernel. A gate: what it cannot prove does not leave the compiler.

Needs   lowered bodies with their arguments.
Gives   the figures that the checks counted.
Rejects (all TTB4xx: faults of ours, not of the user's)
        TTB401  work that is not covered exactly once, cores outside the region
        TTB402  circular buffers: ids, sizes, blocks, producers and consumers, counts that differ, a wait that never
                ends
        TTB403  pages outside a tensor, output pages not written exactly once
        TTB404  DST slots beyond the capacity, statements outside a section, a product on a slot that was written
        TTB405  arguments: names that nobody defines, more words than a kernel may have
        TTB406  L1
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from tt_build.ir.index import names_in
from tt_build.ir.lowered import (
    KernelBody,
    Let,
    Loop,
    Pack,
    ReadPage,
    Section,
    SfpuOp,
    Stmt,
    TileOp,
    WritePage,
    ZOrderPoint,
    walk,
)
from tt_build.ir.plan import ArgRef
from tt_build.ir.stages import CbTraffic, LoweredKernel, VerifiedKernel
from tt_build.ir.work import tile_ids
from tt_build.passes.common import extend, refuse
from tt_build.passes.simplify import bodies_of, indices_of
from tt_build.passes.skeleton import Move, accesses, define, moves
from tt_build.targets import Arch

_EXECUTED_BLOCKS = 3


def apply(kernel: LoweredKernel, arch: Arch) -> VerifiedKernel:
    """Prove the kernel, or reject it."""
    _check_work(kernel)
    _check_circular_buffers(kernel, arch)
    _check_arguments(kernel, arch)
    dst = _check_dst(kernel, arch)
    traffic = _check_moves(kernel)
    read, written = _check_pages(kernel)
    return extend(
        VerifiedKernel,
        kernel,
        l1_bytes=sum(cb.size for cb in kernel.circular_buffers),
        dst_tiles=dst,
        traffic=traffic,
        pages_read=read,
        pages_written=written,
    )


def _fail(kernel: LoweredKernel, code: str, message: str) -> NoReturn:
    refuse(kernel, code, f"internal check failed: {message}", help="this is a fault of tt-build; please report it")


def _check_work(kernel: LoweredKernel) -> None:
    walks = [tile_ids(item, kernel.order, kernel.grid) for item in kernel.work]
    units = kernel.grid.units
    if sorted(tile for walk_ in walks for tile in walk_) != list(range(units)):
        _fail(kernel, "TTB401", f"the cores' work does not cover {units} units exactly once")
    (x0, y0), (w, h) = kernel.region.at, kernel.region.size
    seen: set[tuple[int, int]] = set()
    for item in kernel.work:
        x, y = item.core
        if not (x0 <= x < x0 + w and y0 <= y < y0 + h) or item.core in seen:
            _fail(kernel, "TTB401", f"core {item.core} is outside the region or occurs twice")
        if item.core_id != y * kernel.core_grid[0] + x:
            _fail(kernel, "TTB401", f"core {item.core} has id {item.core_id}")
        seen.add(item.core)
    covered = [core for r in kernel.core_ranges for core in r.cores()]
    if sorted(covered) != sorted(seen):
        _fail(kernel, "TTB401", "core ranges do not cover the cores with work exactly once")
    _check_walks(kernel, walks)


def _check_walks(kernel: LoweredKernel, walks: list[list[int]]) -> None:
    """The persistent loop's own expressions give each core the tiles of its walk, in order."""
    for body in kernel.bodies:
        if set(body.runtime_args) - set(kernel.loop.args):
            _fail(kernel, "TTB405", f"{body.role} takes {body.runtime_args}; the loop has {kernel.loop.args}")
    for item, tiles in zip(kernel.work, walks, strict=True):
        x, y, w, h = item.rect or (0, 0, 0, 0)
        arguments = {"start_tile": item.start, "num_tiles": item.count}
        arguments |= {"rect_x": x, "rect_y": y, "rect_width": w, "rect_height": h}
        names = {name: np.asarray(value) for name, value in arguments.items()}
        names["unit"] = np.arange(item.count)
        for stmt in kernel.loop.body:
            if not isinstance(stmt, Let | ZOrderPoint):
                _fail(kernel, "TTB401", f"the loop holds a {type(stmt).__name__}")
            define(stmt, names)
        if not np.array_equal(np.broadcast_to(names["tile_id"], item.count), tiles):
            _fail(kernel, "TTB401", f"core {item.core} does not walk its tiles in order {kernel.order}")


def _check_circular_buffers(kernel: LoweredKernel, arch: Arch) -> None:
    buffers = kernel.circular_buffers
    ids = [cb.id for cb in buffers]
    if len(set(ids)) != len(ids) or any(not 0 <= i < arch.circular_buffers for i in ids):
        _fail(kernel, "TTB402", f"circular buffer ids {ids}")
    for cb in buffers:
        if cb.block < 1 or cb.num_pages % cb.block or cb.num_pages == 0:
            _fail(kernel, "TTB402", f"{cb.name} has {cb.num_pages} pages in blocks of {cb.block}")
    size = sum(cb.size for cb in buffers)
    if size > arch.l1_allocatable:
        _fail(kernel, "TTB406", f"circular buffers take {size} B of {arch.l1_allocatable} B")


def _check_arguments(kernel: LoweredKernel, arch: Arch) -> None:
    cores = {item.core for item in kernel.work}
    for body in kernel.bodies:
        words = len(body.accessors) + len(body.runtime_args)
        if words + len(body.common_args) > arch.runtime_args:
            _fail(kernel, "TTB405", f"{body.role} has {words} runtime arguments; {arch.runtime_args} are allowed")
        if {values.core for values in body.core_values} != cores:
            _fail(kernel, "TTB405", f"{body.role} has arguments for other cores than those with work")
        for values in body.core_values:
            addresses = tuple(v.address_of for v in values.values if isinstance(v, ArgRef))
            if len(values.values) != words or addresses != body.accessors:
                _fail(kernel, "TTB405", f"{body.role} on {values.core} has other arguments than it reads")
        _check_names(kernel, body, body.body, {*body.runtime_args, *body.common_args})


def _check_names(kernel: LoweredKernel, body: KernelBody, statements: tuple[Stmt, ...], known: set[str]) -> None:
    known = set(known)
    for stmt in statements:
        for index in indices_of(stmt):
            missing = names_in(index) - known
            if missing:
                _fail(kernel, "TTB405", f"{body.role} reads {sorted(missing)}, which nothing defines")
        if isinstance(stmt, Let):
            known.add(stmt.name)
        elif isinstance(stmt, ZOrderPoint):
            known |= {f"{stmt.name}.x", f"{stmt.name}.y"}
        inner = known | {stmt.var} if isinstance(stmt, Loop) else known
        for part in bodies_of(stmt):
            _check_names(kernel, body, part, inner)


def _check_dst(kernel: LoweredKernel, arch: Arch) -> int:
    capacity = arch.dst_capacity(fp32=kernel.math.fp32_accumulate)
    most = 0
    for body in kernel.bodies:
        inside = [s for section in walk(body.body) if isinstance(section, Section) for s in walk(section.math)]
        inside += [s for section in walk(body.body) if isinstance(section, Section) for s in walk(section.packs)]
        for stmt in walk(body.body):
            if not isinstance(stmt, TileOp | SfpuOp | Pack):
                continue
            slots = (stmt.dst,) if isinstance(stmt, TileOp | Pack) else (*stmt.slots, stmt.out)
            if any(not 0 <= slot < capacity for slot in slots):
                _fail(kernel, "TTB404", f"DST slots {slots} of {capacity}")
            if stmt not in inside:
                _fail(kernel, "TTB404", f"{type(stmt).__name__} outside a DST section")
            most = max(most, 1 + max(slots))
    _check_products(kernel)
    return most


def _check_products(kernel: LoweredKernel) -> None:
    """``mul`` and ``matmul`` add to DST: a section must not have written their slot with anything else before."""
    for body in kernel.bodies:
        for section in (s for s in walk(body.body) if isinstance(s, Section)):
            written: dict[int, str] = {}
            for stmt in walk(section.math):
                if isinstance(stmt, TileOp):
                    adds = stmt.op in ("mul", "matmul")
                    if adds and written.get(stmt.dst, stmt.op) != stmt.op:
                        _fail(
                            kernel, "TTB404", f"{stmt.op} adds to DST slot {stmt.dst}, which {written[stmt.dst]} wrote"
                        )
                    if stmt.op == "mul" and stmt.dst in written:
                        _fail(kernel, "TTB404", f"mul adds to DST slot {stmt.dst}, which was written")
                    written[stmt.dst] = stmt.op
                elif isinstance(stmt, SfpuOp):
                    written[stmt.out] = stmt.function


def _check_moves(kernel: LoweredKernel) -> tuple[CbTraffic, ...]:
    """Each circular buffer has one producer and one consumer, whole blocks, equal counts, and nobody waits for ever."""
    totals: dict[str, int] = {cb.name: 0 for cb in kernel.circular_buffers}
    counts: dict[int, int] = {}
    for item in kernel.work:
        counts[item.count] = counts.get(item.count, 0) + 1
    for count, cores in sorted(counts.items()):
        for name, pages in _pushed(kernel, count).items():
            totals[name] += pages * cores
    return tuple(CbTraffic(cb=name, pages=pages) for name, pages in totals.items())


def _pushed(kernel: LoweredKernel, count: int) -> dict[str, int]:
    """Pages that a core with that many units pushes.

    Blocks are alike, so a long loop is executed for two and for three blocks with the same remainder, and what a block
    adds is taken as often as there are blocks.
    """
    blocks = -(-count // kernel.batch)
    if blocks <= _EXECUTED_BLOCKS:
        return _run(kernel, count)
    shorter = [_run(kernel, count - (blocks - n) * kernel.batch) for n in (_EXECUTED_BLOCKS - 1, _EXECUTED_BLOCKS)]
    more = blocks - _EXECUTED_BLOCKS
    return {name: pages + more * (pages - shorter[0][name]) for name, pages in shorter[1].items()}


def _run(kernel: LoweredKernel, count: int) -> dict[str, int]:
    """Execute the moves of a core with ``count`` units, kernel by kernel as far as each can go; the pages pushed."""
    names = {**dict.fromkeys(kernel.loop.args, 1), "num_tiles": count}  # where a unit lies changes no move
    threads = {body.role: moves(body.body, names) for body in kernel.bodies}
    pending: dict[str, Move | None] = {role: next(thread, None) for role, thread in threads.items()}
    state = {cb.name: _Fifo(cb.num_pages, cb.block) for cb in kernel.circular_buffers}
    while any(pending.values()):
        progress = False
        for role, thread in threads.items():
            move = pending[role]
            while move is not None:
                if move.cb not in state:
                    _fail(kernel, "TTB402", f"{role} uses {move.cb}, which is not declared")
                problem = state[move.cb].problem(move, role)
                if problem:
                    _fail(kernel, "TTB402", f"{role}: {move.kind} {move.pages} of {move.cb}: {problem}")
                if not state[move.cb].step(move, role):
                    break
                progress = True
                move = next(thread, None)
            pending[role] = move
        if not progress:
            stuck = ", ".join(f"{r} at {m.kind} {m.pages} of {m.cb}" for r, m in pending.items() if m)
            _fail(kernel, "TTB402", f"nobody can go on: {stuck}")
    for name, fifo in state.items():
        if fifo.pushed != fifo.popped:
            _fail(kernel, "TTB402", f"{name}: {fifo.pushed} pages pushed, {fifo.popped} popped")
    return {name: fifo.pushed for name, fifo in state.items()}


class _Fifo:
    """One circular buffer while its moves are executed."""

    def __init__(self, pages: int, block: int) -> None:
        self.pages, self.block = pages, block
        self.pushed = self.popped = 0
        self.producer = self.consumer = ""
        self.reserved = self.awaited = self.packed = 0

    def problem(self, move: Move, role: str) -> str:
        """Why the move is wrong whenever it happens; empty when it is not."""
        if move.kind == "read":
            return "" if role == self.consumer and move.pages < self.awaited else f"of {self.awaited} awaited"
        if move.kind == "pack":
            return "" if role == self.producer and self.packed < self.reserved else f"of {self.reserved} reserved"
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
        elif move.kind == "pack":
            self.packed += 1
        elif move.kind == "push":
            self.pushed += move.pages
            self.reserved = self.packed = 0
        elif move.kind == "wait" and ready >= move.pages:
            self.consumer, self.awaited = role, move.pages
        elif move.kind == "pop":
            self.popped += move.pages
            self.awaited = 0
        elif move.kind == "read":
            pass
        else:
            return False
        return True


def _check_pages(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    """Pages that the bodies read and write on all cores together; every output page is written exactly once."""
    moved: dict[str, dict[str, int]] = {"read": {}, "written": {}}
    written: dict[str, list[np.ndarray]] = {}
    for body in kernel.bodies:
        for stmt, pages in accesses(body):
            total = kernel.buffer(stmt.tensor).pages
            if pages.size and not (pages.min() >= 0 and pages.max() < total):
                _fail(
                    kernel,
                    "TTB403",
                    f"{body.role} touches page {int(pages.max())} of '{stmt.tensor}', which has {total}",
                )
            kind = "read" if isinstance(stmt, ReadPage) else "written"
            moved[kind][stmt.tensor] = moved[kind].get(stmt.tensor, 0) + int(pages.size)
            if isinstance(stmt, WritePage):
                written.setdefault(stmt.tensor, []).append(pages)
    for tensor in kernel.outputs:
        pages = np.concatenate(written.get(tensor.name, [np.zeros(0, dtype=np.int64)]))
        if not np.array_equal(np.sort(pages), np.arange(kernel.buffer(tensor.name).pages)):
            _fail(kernel, "TTB403", f"the pages of '{tensor.name}' are not written exactly once")
    return moved["read"], moved["written"]
