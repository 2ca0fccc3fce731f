"""The compute kernel's body of attention: softmax over the keys as they come, and the weighted sum of the values."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.lowered import (
    Loop,
    MatmulBlock,
    Pack,
    Pop,
    Push,
    Reserve,
    Section,
    Startup,
    Stmt,
    Wait,
    When,
)
from tt_build.ir.stages import MaskStep, PaddedKernel, SectionPlan, Step
from tt_build.passes import loops
from tt_build.passes.compute_flash_parts import hand_over, put_together
from tt_build.passes.flash_loops import columns, over, place, steps, unit
from tt_build.passes.flash_tiles import FlashTiles
from tt_build.passes.inits import place_inits
from tt_build.passes.places import LOWEST, key_row
from tt_build.passes.subblocks import each_subblock, first_of
from tt_build.passes.tensorize_steps import fill, sfpu, step_statements


def compute(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``compute.cpp``, inits included."""
    return _Compute(kernel).body()


class _Compute(FlashTiles):
    def __init__(self, kernel: PaddedKernel) -> None:
        super().__init__(kernel)
        self.streams = {stream.cb: stream for stream in kernel.streams}
        self.patterns = {pattern.cb: pattern for pattern in kernel.patterns}
        (self.result,) = (result.cb for result in kernel.results)

    def body(self) -> tuple[Stmt, ...]:
        kernel, plan = self.kernel, self.plan
        resident = [*(mask.cb for mask in kernel.masks), *self.patterns]
        carried = (plan.peak, plan.total, plan.gathered)
        inner: list[Stmt] = [
            *unit(kernel),
            *self._wait(plan.queries),
            *self._start(),
            steps(kernel, self._step()),
            *(self._finish() if kernel.parts is None else hand_over(kernel)),
            *self._pop(plan.queries, *carried),
            *([] if kernel.parts is None else put_together(kernel, self.result)),
        ]
        body: tuple[Stmt, ...] = (
            Startup(a=plan.queries, b=plan.keys, out=plan.scores, reverse=True),
            *(Wait(cb=cb, pages=self._pages(cb)) for cb in resident),
            loops.unit_loop(kernel, [], inner, []),
            *(Pop(cb=cb, pages=self._pages(cb)) for cb in resident),
        )
        return place_inits(body, kernel)

    # Parts of a unit

    def _start(self) -> list[Stmt]:
        """No logit yet, and sums of nothing."""
        plan = self.plan
        column = Section(
            math=(fill(0, LOWEST), fill(1, 0)),
            packs=(self._pack(0, plan.peak, self._row()), self._pack(1, plan.total, self._row())),
        )
        block = Section(math=(fill(0, 0),), packs=(self._pack(0, plan.gathered, self._at(plan.gathered)),))
        return self._making(
            (plan.peak, plan.total, plan.gathered),
            [
                *over(self.kernel, "tile_row", [column]),
                *over(self.kernel, "tile_row", over(self.kernel, "value_column", [block])),
            ],
        )

    def _step(self) -> list[Stmt]:
        """A step's keys and values: scores, logits, the new largest, weights, sums."""
        plan = self.plan
        others = [s.cb for s in self.kernel.streams if s.per == "step" and s.cb not in (plan.keys, plan.values)]
        found: list[Stmt] = [
            *self._wait(plan.keys),
            *self._making([plan.scores], self._scores()),
            *self._pop(plan.keys),
        ]
        if plan.sections:
            found += [
                *self._wait(plan.scores, *others),
                *self._making([plan.logits], self._tiles(self._sections(plan.sections))),
                *self._pop(plan.scores, *others),
            ]
        found += [
            *self._wait(plan.logits, plan.peak),
            *self._making([plan.peak, plan.change], over(self.kernel, "tile_row", [self._largest()])),
            *self._pop(plan.peak),
            *self._wait(plan.peak),
            *self._making([plan.weights], self._tiles([self._weight()])),
            *self._pop(plan.logits),
            *self._wait(plan.weights, plan.change, plan.total),
            *self._making([plan.total], over(self.kernel, "tile_row", [self._sum()])),
            *self._pop(plan.total),
            *self._wait(plan.values),
            *self._making([plan.part], self._weighted()),
            *self._pop(plan.values, plan.weights),
            *self._wait(plan.part, plan.gathered),
            *self._making([plan.gathered], self._block([self._gather()])),
            *self._pop(plan.gathered, plan.part, plan.change),
        ]
        return found

    def _finish(self) -> list[Stmt]:
        """The weighted sums over the sums of the weights."""
        plan = self.plan
        math = (
            self._load(plan.gathered, self._at(plan.gathered), 0),
            self._load(plan.total, self._row(), 1, "cols"),
            sfpu("div", "float", (0, 1), 0),
        )
        section = Section(math=math, packs=(self._pack(0, self.result, self._at(plan.gathered)),))
        return [*self._wait(plan.gathered, plan.total), *self._making([self.result], self._block([section]))]

    # Matmuls

    def _scores(self) -> list[Stmt]:
        """Queries times keys, each tile of keys transposed."""
        plan, (high, wide) = self.plan, self.flash.scores
        row, column = first_of("row", self.flash.rows, high), first_of("column", self.flash.keys, wide)
        stride, width = dim("inner_tiles", plan.inner), dim("keys_per_step", self.flash.keys)
        product = MatmulBlock(
            cbs=(plan.queries, plan.keys),
            indices=(row * stride + var("k"), var("k") * width + column),
            rows=high,
            columns=wide,
            k_stride=stride,
            transpose=True,
        )
        inner = Loop(var="k", count=stride, body=(product,))
        return [each_subblock(inner, plan.scores, (self.flash.rows, self.flash.keys), self.flash.scores, width)]

    def _weighted(self) -> list[Stmt]:
        """Weights times values."""
        plan, (high, wide) = self.plan, self.flash.output
        row, column = first_of("row", self.flash.rows, high), first_of("column", plan.width, wide)
        stride, width = dim("keys_per_step", self.flash.keys), dim("value_tiles", plan.width)
        product = MatmulBlock(
            cbs=(plan.weights, plan.values),
            indices=(row * stride + var("kk"), var("kk") * width + column),
            rows=high,
            columns=wide,
            k_stride=stride,
        )
        inner = Loop(var="kk", count=columns(self.kernel), body=(product,))
        return [each_subblock(inner, plan.part, (self.flash.rows, plan.width), self.flash.output, width)]

    # Sections

    def _largest(self) -> Stmt:
        """The largest logit of each row, with those before; and what the older sums shrink by."""
        plan = self.plan
        gather = over(
            self.kernel,
            "tile_column",
            [self._load(plan.logits, self._at(plan.logits), 1), sfpu("maximum", "float", (0, 1), 0)],
        )
        math = (
            fill(0, LOWEST),
            *gather,
            sfpu("reduce_max_rows", "float", (0,), 0),
            self._load(plan.peak, self._row(), 1),
            sfpu("maximum", "float", (0, 1), 0),
            sfpu("sub", "float", (1, 0), 1),
            sfpu("exp", "float", (1,), 1),
        )
        return Section(
            math=math, packs=(self._pack(0, plan.peak, self._row()), self._pack(1, plan.change, self._row()))
        )

    def _weight(self) -> Stmt:
        plan = self.plan
        math = (
            self._load(plan.logits, self._at(plan.logits), 0),
            self._load(plan.peak, self._row(), 1, "cols"),
            sfpu("sub", "float", (0, 1), 0),
            sfpu("exp", "float", (0,), 0),
        )
        return Section(math=math, packs=(self._pack(0, plan.weights, self._at(plan.weights)),))

    def _sum(self) -> Stmt:
        plan = self.plan
        gather = over(
            self.kernel,
            "tile_column",
            [self._load(plan.weights, self._at(plan.weights), 1), sfpu("add", "float", (0, 1), 0)],
        )
        math = (
            fill(0, 0),
            *gather,
            sfpu("reduce_sum_rows", "float", (0,), 0),
            self._load(plan.total, self._row(), 1),
            self._load(plan.change, self._row(), 2),
            sfpu("mul", "float", (1, 2), 1),
            sfpu("add", "float", (0, 1), 0),
        )
        return Section(math=math, packs=(self._pack(0, plan.total, self._row()),))

    def _gather(self) -> Stmt:
        plan = self.plan
        math = (
            self._load(plan.gathered, self._at(plan.gathered), 0),
            self._load(plan.change, self._row(), 1, "cols"),
            sfpu("mul", "float", (0, 1), 0),
            self._load(plan.part, self._at(plan.part), 1),
            sfpu("add", "float", (0, 1), 0),
        )
        return Section(math=math, packs=(self._pack(0, plan.gathered, self._at(plan.gathered)),))

    def _sections(self, sections: Sequence[SectionPlan]) -> list[Stmt]:
        """One tile of scores through all sections; what they hand on lives as long as the tile."""
        found: list[Stmt] = []
        handed: list[str] = []
        for section in sections:
            own = [cb for _, cb in section.stores if cb != self.plan.logits]
            math: list[Stmt] = []
            for step in section.steps:
                waits = [getattr(step, name, "") for name in ("cb", "a", "b")]
                math += [Wait(cb=cb, pages=num(1)) for cb in dict.fromkeys(waits) if cb in handed]
                math += self._one(step)
            packs = tuple(
                self._pack(slot, cb, self._at(cb)) if cb == self.plan.logits else Pack(dst=slot, cb=cb)
                for slot, cb in section.stores
            )
            found += [
                *(Reserve(cb=cb, pages=num(1)) for cb in own),
                Section(math=tuple(math), packs=packs),
                *(Push(cb=cb, pages=num(1)) for cb in own),
            ]
            handed += own
        return [*found, *(Pop(cb=cb, pages=num(1)) for cb in handed)]

    def _one(self, step: Step) -> list[Stmt]:
        statements = step_statements(step, self._index, lambda _: [])  # type: ignore[arg-type]
        if not isinstance(step, MaskStep):
            return statements
        return [When(a=key_row(self.kernel, "tile_column"), b=num(self.plan.sequence - 1), body=tuple(statements))]

    def _index(self, cb: str, _shift: int = 0) -> Index:
        """Where the tile of the present score lies."""
        if cb in self.patterns:
            return self.patterns[cb].slot
        if cb in self.streams:
            return place("tile_row", "tile_column", self.streams[cb].extent, "keys_per_step")
        return self._at(cb) if cb == self.plan.scores else num(0)
