"""The compute kernel's body of a blocked matmul: subblocks of the product step by step along K, then the sweep.

A DST section takes a subblock through the K tiles of a step. The packer puts the first step's results into the buffer
of the product and adds those of the others to what lies there.
"""

from __future__ import annotations

from tt_build.ir.index import Index, dim, num, var
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
    Wait,
    When,
)
from tt_build.ir.stages import Contraction, PaddedKernel
from tt_build.passes.compute_sweeps import SweepCompute
from tt_build.passes.tensorize_blocks import k_steps


def compute(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``compute.cpp``, inits included."""
    return _Compute(kernel).body()


class _Compute(SweepCompute):
    def startup(self) -> Startup:
        first = self.kernel.contractions[0]
        return Startup(a=first.a, b=first.b, out=first.cb, reverse=True)

    def before_sweeps(self) -> list[Stmt]:
        """The blocks of the products: reserved once, their tiles packed at their places in every step."""
        kernel, blocking, plans = self.kernel, self.kernel.blocking, self.kernel.contractions
        assert blocking is not None
        several = plans[0].k_tiles > blocking.k_block
        operands = [s.cb for s in kernel.streams if s.per == "k"]
        step: list[Stmt] = [Wait(cb=cb, pages=self.pages(cb)) for cb in operands]
        if several:
            step.append(When(a=var("k_step"), b=num(1), body=(Accumulate(on=1),)))
        step += [stmt for plan in plans for stmt in self._subblocks(plan)]
        step += [Pop(cb=cb, pages=self.pages(cb)) for cb in operands]
        return [
            *(Reserve(cb=plan.cb, pages=self.pages(plan.cb)) for plan in plans),
            k_steps(kernel, step),
            *([Accumulate(on=0)] if several else []),
            *(Push(cb=plan.cb, pages=self.pages(plan.cb)) for plan in plans),
        ]

    def _subblocks(self, plan: Contraction) -> list[Stmt]:
        """Every subblock of the block, row by row."""
        blocking = self.kernel.blocking
        assert blocking is not None
        (rows, columns), (high, wide) = blocking.block, blocking.subblock
        stride = dim("k_tiles_per_step", blocking.k_block)
        row, column = _first("subblock_row", rows // high, high), _first("subblock_column", columns // wide, wide)
        width = dim("unit_columns", columns)
        step = MatmulBlock(
            cbs=(plan.a, plan.b),
            indices=(row * stride + var("kk"), var("kk") * width + column),
            rows=high,
            columns=wide,
            k_stride=stride,
            transpose=plan.transpose_b,
        )
        packs = tuple(
            Pack(dst=r * wide + c, cb=plan.cb, index=(row + r) * width + (column + c))
            for r in range(high)
            for c in range(wide)
        )
        section: Stmt = Section(math=(Loop(var="kk", count=var("k_extent"), body=(step,)),), packs=packs)
        for name, count in (("subblock_column", columns // wide), ("subblock_row", rows // high)):
            if count > 1:
                section = Loop(var=name, count=num(count), body=(section,))
        return [section]


def _first(name: str, count: int, size: int) -> Index:
    """The first row or column of a subblock."""
    return var(name) * size if count > 1 else num(0)
