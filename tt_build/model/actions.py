"""What each processor of a core does, in order, as actions with costs: a lowered body with the core's arguments.

A compute kernel runs on three processors. Unpackers and engine overlap tile by tile, so that a stretch takes the longer
of the two; the packer takes a section's results while the next section is computed in the other half of DST.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tt_build.ir.index import evaluate, names_in
from tt_build.ir.lowered import (
    Accumulate,
    Barrier,
    Block,
    Exchange,
    FillTile,
    KernelBody,
    Let,
    Link,
    Loop,
    MatmulBlock,
    MatmulBlockInit,
    Note,
    Pack,
    PatternTile,
    Pointer,
    Pop,
    Push,
    ReadPage,
    ReceiveShared,
    Reconfig,
    Reserve,
    RotateShared,
    Section,
    SendShared,
    SfpuInit,
    SfpuOp,
    Startup,
    Stmt,
    TileInit,
    TileOp,
    Wait,
    When,
    WritePage,
    ZeroPadding,
    ZOrderPoint,
    walk,
)
from tt_build.ir.stages import LoweredKernel, memory_of
from tt_build.model.constants import Constants, load_constants, vector_cycles
from tt_build.model.matmul import PHASES, unpacked
from tt_build.model.traffic import receivers_of

Place = Literal["dram", "shared", "second", "l1"]
"""``shared``: operands in DRAM that a core reads for others too; ``second``: what comes from DRAM over NoC 1."""


class Action(msgspec.Struct, frozen=True, gc=False):
    """Base of all actions."""


class Move(Action, frozen=True, gc=False):
    """A call on a circular buffer."""

    kind: Literal["reserve", "push", "wait", "pop"]
    cb: str
    pages: int


class Transfer(Action, frozen=True, gc=False):
    """``count`` commands that read or write so many bytes together."""

    reads: bool
    place: Place
    count: int
    size: int


class Settle(Action, frozen=True, gc=False):
    """A barrier: ``read`` has landed, ``flushed`` has left, ``write`` is acknowledged."""

    what: Literal["read", "flushed", "write"]


class Spend(Action, frozen=True, gc=False):
    """The processor itself is busy."""

    cycles: float


class Begin(Action, frozen=True, gc=False):
    """A DST section begins."""


class Compute(Action, frozen=True, gc=False):
    """Cycles of the unpackers, of the matrix engine and of the vector engine, up to the next call on a buffer."""

    unpack: float
    engine: float
    vector: float

    @property
    def time(self) -> float:
        """Cycles until it is done."""
        return max(self.unpack, self.engine + self.vector)


class End(Action, frozen=True, gc=False):
    """A DST section ends; the packer is busy for so many cycles."""

    pack: float


class Sections(Action, frozen=True, gc=False):
    """``times`` whole DST sections that are alike and call no buffer."""

    times: int
    work: Compute
    pack: float


class Send(Action, frozen=True, gc=False):
    """Shared operands to the cores of each rectangle: (receivers, bytes). ``paths`` are reserved for a multicast."""

    channel: str
    parcels: tuple[tuple[int, int], ...]
    paths: int


class Receive(Action, frozen=True, gc=False):
    """Shared operands come."""

    channel: str


class Turn(Action, frozen=True, gc=False):
    """A core of a row sends its shard to all of them: as long for those who wait as for the one who sends."""

    size: int
    paths: int


class Meet(Action, frozen=True, gc=False):
    """Partial results go to all ``parts`` cores of a unit, and theirs come."""

    parts: int
    size: int


_INITS = (TileInit, SfpuInit, MatmulBlockInit, Reconfig)
_PLAIN = (Note, Pointer, TileOp, SfpuOp, MatmulBlock, Pack, *_INITS)
_TILES = (TileOp, SfpuOp, MatmulBlock)


class Translator:
    """Bodies of one kernel to actions."""

    def __init__(self, kernel: LoweredKernel) -> None:
        self.kernel = kernel
        self.figures: Constants = load_constants(kernel.arch)
        self.page = {cb.name: cb.page_size for cb in kernel.circular_buffers}
        self.place: dict[str, Place] = {
            b.name: "dram" if memory_of(b.layout) == "dram" else "l1" for b in kernel.buffers
        }
        self.moved = {b.name: b.page_size for b in kernel.buffers}
        self.plain: dict[int, bool] = {}
        self.costs: dict[int, Compute] = {}
        self.body: KernelBody
        self.core = 0
        self.accumulates = False

    def actions(self, body: KernelBody, core: int) -> list[Action]:
        """Everything that the body does on the core of that index."""
        values = body.core_values[core].values[len(body.accessors) :]
        scope = {name: value for name, value in zip(body.runtime_args, values, strict=False) if isinstance(value, int)}
        self.body, self.core, self.accumulates = body, core, False
        self.shared = {b.cb for s in walk(body.body) if isinstance(s, SendShared) for b in s.blocks}
        found: list[Action] = []
        self._body(body.body, scope, found)
        return found

    def _body(self, statements: tuple[Stmt, ...], outer: Mapping[str, int], found: list[Action]) -> None:
        scope = dict(outer)
        for stmt in statements:
            if isinstance(stmt, Let):
                scope[stmt.name] = evaluate(stmt.value, scope)
            elif isinstance(stmt, ZOrderPoint):  # places decide about pages, not about how many there are
                scope |= {f"{stmt.name}.x": 0, f"{stmt.name}.y": 0}
            elif isinstance(stmt, Loop):
                self._loop(stmt, scope, found)
            elif isinstance(stmt, Block):
                self._body(stmt.body, scope, found)
            elif isinstance(stmt, When):
                if evaluate(stmt.a, scope) == evaluate(stmt.b, scope):
                    self._body(stmt.body, scope, found)
            elif isinstance(stmt, Section):
                self._section(stmt, scope, found)
            else:
                self._single(stmt, scope, found)

    def _single(self, stmt: Stmt, scope: Mapping[str, int], found: list[Action]) -> None:
        f = self.figures
        if isinstance(stmt, Reserve | Push | Wait | Pop):
            kind = _KINDS[type(stmt)]
            found.append(Move(kind, stmt.cb, evaluate(stmt.pages, scope)))
        elif isinstance(stmt, ReadPage | WritePage):
            moved = self._transfer(stmt, scope)
            found.append(moved)
            if isinstance(stmt, ReadPage) and stmt.scratch:  # the rows land, then they move within L1
                found += [Settle("read"), Transfer(True, "l1", moved.count, moved.size), Settle("read")]
        elif isinstance(stmt, Barrier):
            found.append(Settle(stmt.what))
        elif isinstance(stmt, FillTile | PatternTile):
            found.append(Spend(f.fill_cycles))
        elif isinstance(stmt, ZeroPadding):
            found.append(Spend(f.fill_cycles * (32 - stmt.first) / 32))
        elif isinstance(stmt, SendShared):
            found.append(self._send(stmt))
        elif isinstance(stmt, ReceiveShared):
            found.append(Receive(stmt.channel))
        elif isinstance(stmt, RotateShared):
            size = stmt.pages * self.page[stmt.cb]
            found.append(Turn(size, self._paths([size], stmt.link)))
        elif isinstance(stmt, Exchange):
            gets = stmt.to == "all" or evaluate(stmt.part, scope) == 0  # the others send theirs and go on
            found.append(Meet(evaluate(stmt.parts, scope) if gets else 1, stmt.pages * self.page[stmt.cb]))
        elif isinstance(stmt, Accumulate):
            self.accumulates = stmt.on == 1
        elif isinstance(stmt, (Startup, *_INITS)):
            found.append(Compute(0.0, f.init_cycles, 0.0))
        elif isinstance(stmt, _TILES):
            found.append(self._cost(stmt))

    def _transfer(self, stmt: ReadPage | WritePage, scope: Mapping[str, int]) -> Transfer:
        count, size = 1, self.moved[stmt.tensor]
        if stmt.rows is not None and stmt.columns is not None:
            rows, columns = evaluate(stmt.rows, scope), evaluate(stmt.columns, scope)
            count, size = rows * (2 if columns > 16 else 1), rows * columns * stmt.element_bytes
        place = self.place[stmt.tensor]
        if place == "dram" and isinstance(stmt, ReadPage):
            place = "second" if self.body.role == "writer" else "shared" if stmt.cb in self.shared else "dram"
        return Transfer(isinstance(stmt, ReadPage), place, count, size)

    def _send(self, stmt: SendShared) -> Send:
        sizes = [block.pages * self.page[block.cb] for block in stmt.blocks]
        parcels = tuple((count, sum(sizes)) for count in receivers_of(self.body, self.core, stmt.channel))
        return Send(stmt.channel, parcels, self._paths(sizes, stmt.link))

    def _paths(self, sizes: list[int], link: Link) -> int:
        """How often a path is reserved for blocks of these sizes and the word behind them."""
        return 1 if link else 1 + sum(-(-size // int(self.figures.multicast_packet)) for size in sizes)

    def _loop(self, stmt: Loop, scope: Mapping[str, int], found: list[Action]) -> None:
        """Rounds that are alike and call no buffer are taken together."""
        count = evaluate(stmt.count, scope)
        if count and self._is_plain(stmt):
            once: list[Action] = []
            self._body(stmt.body, {**scope, stmt.var: 0}, once)
            found += [_times(action, count) for action in once]
            return
        for round_ in range(count):
            self._body(stmt.body, {**scope, stmt.var: round_}, found)

    def _is_plain(self, loop: Loop) -> bool:
        known = self.plain.get(id(loop))
        if known is None:
            known = self.plain[id(loop)] = _plain(loop.body, frozenset((loop.var,)))
        return known

    def _section(self, stmt: Section, scope: Mapping[str, int], found: list[Action]) -> None:
        f = self.figures
        pack = self._packed(stmt.packs, scope) / f.pack_rate
        pack *= f.pack_accumulate if self.accumulates else 1
        pack += f.init_cycles * sum(isinstance(p, Reconfig) for p in stmt.packs)
        math: list[Action] = []
        self._body(stmt.math, scope, math)
        work = _summed([Compute(0.0, f.section_cycles, 0.0), *(a for a in math if isinstance(a, Compute))])
        if all(isinstance(action, Compute) for action in math):
            found.append(Sections(1, work, pack))
            return
        found.append(Begin())
        found += [Compute(0.0, f.section_cycles, 0.0), *math, End(pack)]

    def _packed(self, packs: tuple[Stmt, ...], scope: Mapping[str, int]) -> int:
        """Bytes that the packer takes out of a section."""
        size = 0
        for stmt in packs:
            if isinstance(stmt, Pack):
                size += self.page[stmt.cb]
            elif isinstance(stmt, Loop):
                size += evaluate(stmt.count, scope) * self._packed(stmt.body, scope)
        return size

    def _cost(self, stmt: TileOp | SfpuOp | MatmulBlock) -> Compute:
        cost = self.costs.get(id(stmt))
        if cost is None:
            cost = self._block(stmt) if isinstance(stmt, MatmulBlock) else self._single_cost(stmt)
            self.costs[id(stmt)] = cost
        return cost

    def _single_cost(self, stmt: TileOp | SfpuOp) -> Compute:
        return self._tile_cost(stmt) if isinstance(stmt, TileOp) else self._vector(stmt)

    def _block(self, stmt: MatmulBlock) -> Compute:
        """A K tile of a subblock: the operand of the shorter side is unpacked anew for each tile matmul."""
        f, matmuls = self.figures, stmt.rows * stmt.columns
        a, b = (self.page[cb] for cb in stmt.cbs)
        unpack = unpacked(f, a, b, (stmt.rows, stmt.columns)) + f.matmul_overhead
        engine = f.phase_cycles * PHASES[self.kernel.math.fidelity] + f.matmul_overhead
        return Compute(matmuls * unpack, matmuls * engine, 0.0)

    def _tile_cost(self, stmt: TileOp) -> Compute:
        f, phases = self.figures, PHASES[self.kernel.math.fidelity]
        size = sum(self.page[cb] for cb in stmt.cbs)
        unpack = size / (f.unpack_joint_rate if len(stmt.cbs) > 1 else f.unpack_rate)
        if stmt.op == "matmul":
            return Compute(unpack, f.phase_cycles * phases + f.matmul_overhead, 0.0)
        if stmt.op in ("add", "sub"):
            return Compute(unpack, f.eltwise_cycles, 0.0)
        if stmt.op == "mul":
            return Compute(unpack, f.eltwise_cycles * phases, 0.0)
        return Compute(unpack, f.copy_cycles, 0.0)

    def _vector(self, stmt: SfpuOp) -> Compute:
        approximate = stmt.form == "approx"
        return Compute(0.0, 0.0, vector_cycles(self.kernel.arch, stmt.function, approximate=approximate))


_KINDS: dict[type, Literal["reserve", "push", "wait", "pop"]] = {
    Reserve: "reserve",
    Push: "push",
    Wait: "wait",
    Pop: "pop",
}


def _plain(body: tuple[Stmt, ...], changing: frozenset[str]) -> bool:
    """Whether every round is like the first: no call on a buffer, no choice, no count that changes."""
    for stmt in body:
        if isinstance(stmt, Let):
            if names_in(stmt.value) & changing:
                changing |= {stmt.name}
        elif isinstance(stmt, ZOrderPoint):
            changing |= {f"{stmt.name}.x", f"{stmt.name}.y"}
        elif isinstance(stmt, Loop):
            if names_in(stmt.count) & changing or not _plain(stmt.body, changing | {stmt.var}):
                return False
        elif isinstance(stmt, Section):
            if not _plain(stmt.math, changing):
                return False
        elif isinstance(stmt, ReadPage | WritePage):
            if isinstance(stmt, ReadPage) and stmt.scratch:
                return False
            if any(index is not None and names_in(index) & changing for index in (stmt.rows, stmt.columns)):
                return False
        elif not isinstance(stmt, _PLAIN):
            return False
    return True


def _times(action: Action, count: int) -> Action:
    """The action ``count`` times."""
    if isinstance(action, Transfer):
        return Transfer(action.reads, action.place, action.count * count, action.size * count)
    if isinstance(action, Compute):
        return Compute(action.unpack * count, action.engine * count, action.vector * count)
    assert isinstance(action, Sections), action
    return Sections(action.times * count, action.work, action.pack)


def _summed(parts: list[Compute]) -> Compute:
    return Compute(sum(p.unpack for p in parts), sum(p.engine for p in parts), sum(p.vector for p in parts))
