"""Attention of which cores have parts of the keys: what each hands over, and how the first core puts it together.

With m the largest of the parts' m(p), the sum of the weights is that of l(p) exp(m(p) - m), and the weighted sum that
of O(p) exp(m(p) - m): the same as if one core had gone through all keys, but for the order of the sums.
"""

from __future__ import annotations

from tt_build.ir.index import Index, dim, var
from tt_build.ir.lowered import BroadcastMode, Loop, Pack, Section, Stmt
from tt_build.ir.stages import PaddedKernel
from tt_build.passes.flash_loops import over
from tt_build.passes.flash_tiles import FlashTiles
from tt_build.passes.places import LOWEST
from tt_build.passes.tensorize_shared import on_first_part
from tt_build.passes.tensorize_steps import fill, sfpu


def hand_over(kernel: PaddedKernel) -> list[Stmt]:
    """What the core has gathered, for the first core of the unit."""
    return _Parts(kernel).state()


def put_together(kernel: PaddedKernel, result: str) -> list[Stmt]:
    """On the first core of the unit: the output from what all have gathered."""
    return on_first_part(kernel, _Parts(kernel).result(result))


class _Parts(FlashTiles):
    def __init__(self, kernel: PaddedKernel) -> None:
        super().__init__(kernel)
        assert kernel.parts is not None
        self.count = kernel.parts.count
        self.peak_at = self.flash.rows * self.plan.width
        self.total_at = self.peak_at + self.flash.rows

    def state(self) -> list[Stmt]:
        """The weighted sum, row by row, then the largest logits, then the sums of the weights."""
        plan, rows = self.plan, self._row()
        block = Section(
            math=(self._load(plan.gathered, self._at(plan.gathered), 0),),
            packs=(self._pack(0, plan.state, self._at(plan.gathered)),),
        )
        column = Section(
            math=(self._load(plan.peak, rows, 0), self._load(plan.total, rows, 1)),
            packs=(
                self._pack(0, plan.state, rows + self.peak_at),
                self._pack(1, plan.state, rows + self.total_at),
            ),
        )
        return [
            *self._wait(plan.gathered, plan.peak, plan.total),
            *self._making([plan.state], [*self._block([block]), *over(self.kernel, "tile_row", [column])]),
        ]

    def result(self, result: str) -> list[Stmt]:
        """The largest logit of all, what each part is scaled by, the sum of the weights, the weighted sum over it."""
        plan = self.plan
        return [
            *self._wait(plan.states),
            *self._making([plan.peak], over(self.kernel, "tile_row", [self._largest()])),
            *self._wait(plan.peak),
            *self._making([plan.shrink], [self._each_part(over(self.kernel, "tile_row", [self._shrunk()]))]),
            *self._wait(plan.shrink),
            *self._making([plan.total], over(self.kernel, "tile_row", [self._sum()])),
            *self._wait(plan.total),
            *self._making([result], self._block([self._weighted(result)])),
            *self._pop(plan.peak, plan.shrink, plan.total, plan.states),
        ]

    def _largest(self) -> Stmt:
        gather = self._each_part([self._part(self._row() + self.peak_at, 1), sfpu("maximum", "float", (0, 1), 0)])
        return Section(math=(fill(0, LOWEST), gather), packs=(self._pack(0, self.plan.peak, self._row()),))

    def _shrunk(self) -> Stmt:
        math = (
            self._part(self._row() + self.peak_at, 0),
            self._load(self.plan.peak, self._row(), 1),
            sfpu("sub", "float", (0, 1), 0),
            sfpu("exp", "float", (0,), 0),
        )
        return Section(math=math, packs=(Pack(dst=0, cb=self.plan.shrink, index=self._shrink()),))

    def _sum(self) -> Stmt:
        gather = self._scaled(self._row() + self.total_at, "")
        return Section(math=(fill(0, 0), gather), packs=(self._pack(0, self.plan.total, self._row()),))

    def _weighted(self, result: str) -> Stmt:
        plan, at = self.plan, self._at(self.plan.gathered)
        math = (
            fill(0, 0),
            self._scaled(at, "cols"),
            self._load(plan.total, self._row(), 1, "cols"),
            sfpu("div", "float", (0, 1), 0),
        )
        return Section(math=math, packs=(self._pack(0, result, at),))

    def _scaled(self, place: Index, mode: BroadcastMode) -> Stmt:
        """DST slot 0 += each part's tile at a place of its state, scaled down to the largest logit of all."""
        return self._each_part(
            [
                self._part(place, 1),
                self._load(self.plan.shrink, self._shrink(), 2, mode),
                sfpu("mul", "float", (1, 2), 1),
                sfpu("add", "float", (0, 1), 0),
            ]
        )

    def _each_part(self, inside: list[Stmt]) -> Stmt:
        return Loop(var="part", count=dim("parts", self.count), body=tuple(inside))

    def _part(self, place: Index, slot: int) -> Stmt:
        """The tile at a place of the present part's state."""
        return self._load(
            self.plan.states, var("part") * dim("state_tiles", self.total_at + self.flash.rows) + place, slot
        )

    def _shrink(self) -> Index:
        rows = self.flash.rows
        return var("part") * dim("unit_rows", rows) + var("tile_row") if rows > 1 else var("part")
