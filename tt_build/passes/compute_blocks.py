"""The compute kernel's body of a blocked matmul: subblocks of the product step by step along K, then the sweep.

A DST section takes a subblock through the K tiles of a step. The packer puts the first step's results into the buffer
of the product and adds those of the others to what lies there.
"""

from __future__ import annotations

from tt_build.ir.index import dim, num, var
from tt_build.ir.lowered import (
    Accumulate,
    Loop,
    MatmulBlock,
    Pack,
    Pop,
    Push,
    Reserve,
    Section,
    Startup,
    Stmt,
    TileOp,
    Wait,
    When,
)
from tt_build.ir.stages import Contraction, PaddedKernel
from tt_build.passes.compute_sweeps import SweepCompute
from tt_build.passes.subblocks import each_subblock, first_of
from tt_build.passes.tensorize_blocks import k_steps
from tt_build.passes.tensorize_shared import on_first_part
from tt_build.passes.tensorize_steps import COMBINE, fill, sfpu


def compute(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``compute.cpp``, inits included."""
    return _Compute(kernel).body()


class _Compute(SweepCompute):
    def startup(self) -> Startup:
        if self.operands:
            return super().startup()
        first = self.kernel.contractions[0]
        return Startup(a=first.a, b=first.b, out=first.gathered, reverse=True)

    def before_sweeps(self) -> list[Stmt]:
        """The blocks of the products: reserved once, their tiles packed at their places in every step."""
        kernel, blocking, plans = self.kernel, self.kernel.blocking, self.kernel.contractions
        assert blocking is not None
        several = (kernel.parts.tiles if kernel.parts is not None else plans[0].k_tiles) > blocking.k_block
        whole = list(dict.fromkeys(cb for plan in plans for cb in plan.whole_cbs))
        operands = [s.cb for s in kernel.streams if s.per == "k"]
        operands += dict.fromkeys(plan.a for plan in plans if plan.own)
        step: list[Stmt] = [Wait(cb=cb, pages=self.pages(cb)) for cb in operands]
        if several:
            step.append(When(a=var("k_step"), b=num(1), body=(Accumulate(on=1),)))
        step += [stmt for plan in plans for stmt in self._subblocks(plan)]
        step += [Pop(cb=cb, pages=self.pages(cb)) for cb in operands]
        return [
            *(self.sweeps(before=True) if self.operands else []),
            *(Wait(cb=cb, pages=self.pages(cb)) for cb in whole),
            *(Reserve(cb=plan.gathered, pages=self.pages(plan.gathered)) for plan in plans),
            *k_steps(kernel, step),
            *([Accumulate(on=0)] if several else []),
            *(Push(cb=plan.gathered, pages=self.pages(plan.gathered)) for plan in plans),
            *(Pop(cb=cb, pages=self.pages(cb)) for cb in whole),
        ]

    def once_a_unit(self, sweeps: list[Stmt]) -> list[Stmt]:
        """Where cores share a unit, its first adds up their parts and does the sweeps."""
        if self.kernel.parts is None:
            return sweeps
        (plan,) = self.kernel.contractions
        return on_first_part(self.kernel, [*self._combined(plan.cb, plan.parts_cb), *sweeps])

    def _combined(self, cb: str, parts_cb: str) -> list[Stmt]:
        """Each tile of the block from all partial products, in the order of the parts."""
        assert self.kernel.parts is not None
        pages, tiles = self.pages(parts_cb), self.kernel.cb(cb).block
        place, stride = var("tile") if tiles > 1 else num(0), dim("block_tiles", tiles)
        load = TileOp(op="copy", cbs=(parts_cb,), indices=(var("part") * stride + place,), dst=1)
        add = sfpu(COMBINE["sum"], "float", (0, 1), 0)
        adds = Loop(var="part", count=dim("parts", self.kernel.parts.count), body=(load, add))
        section: Stmt = Section(math=(fill(0, 0), adds), packs=(Pack(dst=0, cb=cb, index=place),))
        return [
            Wait(cb=parts_cb, pages=pages),
            Reserve(cb=cb, pages=self.pages(cb)),
            Loop(var="tile", count=stride, body=(section,)) if tiles > 1 else section,
            Push(cb=cb, pages=self.pages(cb)),
            Pop(cb=parts_cb, pages=pages),
        ]

    def _subblocks(self, plan: Contraction) -> list[Stmt]:
        """Every subblock of the block, row by row."""
        blocking = self.kernel.blocking
        assert blocking is not None
        (rows, columns), (high, wide) = blocking.block, blocking.subblock
        stride, k = dim("k_tiles_per_step", blocking.k_block), var("kk")
        along_k = var("k_step") * stride + k
        if blocking.local or plan.is_whole:
            k, stride = along_k, dim("k_tiles", plan.k_tiles)
        row, column = first_of("row", rows, high), first_of("column", columns, wide)
        width = dim("unit_columns", columns)
        step = MatmulBlock(
            cbs=(plan.a, plan.b),
            indices=(row * stride + k, (along_k if plan.computed_b else var("kk")) * width + column),
            rows=high,
            columns=wide,
            k_stride=stride,
            transpose=plan.transpose_b,
        )
        gathered = Loop(var="kk", count=var("k_extent"), body=(step,))
        return [each_subblock(gathered, plan.gathered, blocking.block, blocking.subblock, width)]
