"""The compute kernel's body: DST sections over the tiles that the reader brings."""

from __future__ import annotations

import msgspec

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import (
    Pack,
    Pop,
    Push,
    Reserve,
    Section,
    SfpuOp,
    Startup,
    Stmt,
    TileOp,
    Wait,
    When,
)
from tt_build.ir.stages import (
    FpuStep,
    LoadStep,
    MaskStep,
    MatmulStep,
    PaddedKernel,
    SectionPlan,
    Step,
    TransposePlan,
)
from tt_build.passes import loops
from tt_build.passes.inits import place_inits
from tt_build.passes.tensorize_steps import step_statements


def compute(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``compute.cpp``, inits included."""
    return _Compute(kernel).body()


class _Compute:
    def __init__(self, kernel: PaddedKernel) -> None:
        self.kernel = kernel
        self.matmul = loops.has_matmul(kernel)
        self.resident = [s.cb for s in kernel.streams if s.per == "core"] + [m.cb for m in kernel.masks]
        self.patterns = {p.cb: p for p in kernel.patterns}
        self.kept = {s.cb: s.extent for s in kernel.streams if s.per == "core" and s.extent != (1, 1)}
        self.unit = [s.cb for s in kernel.streams if s.per == "unit"]
        self.local = [s.cb for s in kernel.streams if s.per == "shard"]
        self.local_results = [r.cb for r in kernel.results if r.bound]
        self.temporary = [i.cb for i in kernel.intermediates if i.cb not in {t.target for t in kernel.transposes}]
        self.waited: set[str] = set()

    def body(self) -> tuple[Stmt, ...]:
        kernel = self.kernel
        size = loops.batch(kernel)
        results = [r.cb for r in kernel.results if not r.bound]
        # In a matmul the reader sends K blocks first, so operands of the epilogue are awaited where they are used.
        early = [] if self.matmul else self.unit
        before: list[Stmt] = [Wait(cb=cb, pages=size) for cb in early]
        before += [Reserve(cb=cb, pages=size) for cb in results]
        after: list[Stmt] = [Pop(cb=cb, pages=size) for cb in self.unit]
        after += [Push(cb=cb, pages=size) for cb in results]
        loop = loops.unit_loop(kernel, before, self._unit(), after)
        if kernel.in_dst > 1:
            loop = loops.section_loop(kernel, before, [self._section_of_several(kernel.sections[0])], after)
        body: tuple[Stmt, ...] = (
            self._startup(),
            *(Wait(cb=p.cb, pages=num(p.tiles)) for p in kernel.patterns),
            *(Wait(cb=cb, pages=self._whole(cb)) for cb in self.resident),
            *(Wait(cb=cb, pages=self._whole(cb)) for cb in self.local),
            *(Reserve(cb=cb, pages=self._whole(cb)) for cb in self.local_results),
            loop,
            *(Pop(cb=cb, pages=self._whole(cb)) for cb in self.resident),
            *(Pop(cb=p.cb, pages=num(p.tiles)) for p in kernel.patterns),
            *(Pop(cb=cb, pages=self._whole(cb)) for cb in self.local),
            *(Push(cb=cb, pages=self._whole(cb)) for cb in self.local_results),
        )
        return place_inits(body, kernel)

    def _unit(self) -> list[Stmt]:
        """What a unit computes."""
        inner: list[Stmt] = loops.definitions(self.kernel)
        inner += [s for turn in self.kernel.transposes for s in self._transpose(turn)]
        for section in self.kernel.sections:
            inner += self._section(section)
        return [*inner, *(Pop(cb=cb, pages=num(1)) for cb in self.temporary)]

    def _startup(self) -> Startup:
        kernel = self.kernel
        first = kernel.sections[0]
        out = first.stores[0][1]
        if kernel.transposes:
            turn = kernel.transposes[0]
            return Startup(a=turn.source, b=turn.source, out=turn.target)
        for step in first.steps:
            if isinstance(step, MatmulStep):
                return Startup(a=step.a, b=step.b, out=out, reverse=True)
            if isinstance(step, FpuStep):
                return Startup(a=step.a, b=step.b, out=out)
            if isinstance(step, LoadStep):
                return Startup(a=step.cb, b=step.cb, out=out)
        return Startup(a=out, b=out, out=out)  # constants only: nothing is unpacked

    def _transpose(self, turn: TransposePlan) -> list[Stmt]:
        """All K tiles of the unit through DST into the circular buffer that the matmul reads."""
        kernel, size, slot = self.kernel, loops.k_block(self.kernel), loops.k_slot(self.kernel)
        load = TileOp(op="transpose", cbs=(turn.source,), indices=(slot,), dst=0)
        section = Section(math=(load,), packs=(Pack(dst=0, cb=turn.target),))
        before: list[Stmt] = [Wait(cb=turn.source, pages=size), Reserve(cb=turn.target, pages=size)]
        after: list[Stmt] = [Push(cb=turn.target, pages=size), Pop(cb=turn.source, pages=size)]
        return [loops.k_loop(kernel, before, [section], after)]

    def _section_of_several(self, plan: SectionPlan) -> Section:
        """A section that takes one step after the other for all of its units, so that each is configured once."""
        math = [self._in_lanes(stmt) for step in plan.steps for stmt in self._step(step)]
        return Section(math=tuple(math), packs=tuple(self._in_lanes(pack) for pack in self._packs(plan)))

    def _in_lanes(self, stmt: Stmt) -> Stmt:
        """The statement for each unit of a section: slots of the same use lie side by side."""
        assert isinstance(stmt, TileOp | SfpuOp | Pack), stmt
        lanes = self.kernel.in_dst
        if isinstance(stmt, SfpuOp):
            slots = tuple(slot * lanes for slot in stmt.slots)
            spread: Stmt = msgspec.structs.replace(stmt, slots=slots, out=stmt.out * lanes, lane=var("lane"))
        else:
            spread = msgspec.structs.replace(stmt, dst=stmt.dst * lanes, lane=var("lane"))
        return loops.lane_loop(self.kernel, [spread])

    def _packs(self, plan: SectionPlan) -> list[Pack]:
        return [
            Pack(dst=slot, cb=cb, index=var("shard_page") if cb in self.local_results else None)
            for slot, cb in plan.stores
        ]

    def _section(self, plan: SectionPlan) -> list[Stmt]:
        math: list[Stmt] = []
        for step in plan.steps:
            math += self._step(step)
        packs = tuple(self._packs(plan))
        stored = [cb for _, cb in plan.stores if cb in self.temporary]
        return [
            *(Reserve(cb=cb, pages=num(1)) for cb in stored),
            Section(math=tuple(math), packs=packs),
            *(Push(cb=cb, pages=num(1)) for cb in stored),
        ]

    def _step(self, step: Step) -> list[Stmt]:
        if isinstance(step, MatmulStep):
            return [self._matmul_loop(step)]
        statements = step_statements(step, self._index, self._await)
        if isinstance(step, MaskStep):
            return [When(a=var("bx"), b=num(self.kernel.grid.x - 1), body=tuple(statements))]
        return statements

    def _matmul_loop(self, step: MatmulStep) -> Stmt:
        kernel, size, slot = self.kernel, loops.k_block(self.kernel), loops.k_slot(self.kernel)
        op = TileOp(
            op="matmul",
            cbs=(step.a, step.b),
            indices=(slot, slot),
            dst=step.out,
            transpose=step.transpose_b,
        )
        before: list[Stmt] = [Wait(cb=step.a, pages=size), Wait(cb=step.b, pages=size)]
        after: list[Stmt] = [Pop(cb=step.a, pages=size), Pop(cb=step.b, pages=size)]
        return loops.k_loop(kernel, before, [op], after)

    def _whole(self, cb: str) -> Index:
        return num(self.kernel.cb(cb).block)

    def _index(self, cb: str, _shift: int = 0) -> Index:
        if cb in self.local:
            return var("shard_page")
        if cb in self.patterns:
            return self.patterns[cb].slot
        if cb in self.kept:  # a row or column of tiles that stays on the core
            return var("bx" if self.kept[cb][1] > 1 else "by")
        return loops.unit_slot(self.kernel) if cb in self.unit else num(0)

    def _await(self, cb: str) -> list[Stmt]:
        """Wait for a tile at its first use in the unit, where the block did not wait for it already."""
        late = (self.matmul and cb in self.unit) or cb in self.temporary
        if not late or cb in self.waited:
            return []
        self.waited.add(cb)
        return [Wait(cb=cb, pages=num(1))]
