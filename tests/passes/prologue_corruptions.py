"""Corruptions of what stands before the product of a blocked matmul. As those of ``corruptions``."""

from __future__ import annotations

import random

from tests.passes.corruptions import Corruptions, Kernel, change, item, registry, replace
from tt_build.ir.index import num, var
from tt_build.ir.lowered import Block, MatmulBlock, Pack, Section, SfpuOp, TileOp, When, walk

PROLOGUE_CORRUPTIONS: Corruptions = {}
corruption = registry(PROLOGUE_CORRUPTIONS)


def _operands(kernel: Kernel) -> set[str]:
    return {plan.a for plan in kernel.contractions if plan.computed}


@corruption("TTB403", "TTB402")
def operand_of_the_other_product(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if len(_operands(kernel)) < 2:
        return None
    first, second = kernel.contractions
    return replace(kernel, contractions=(replace(first, a=second.a), replace(second, a=first.a)))


@corruption("TTB403")
def operands_share_a_buffer(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if len(_operands(kernel)) < 2:
        return None
    return item(kernel, "contractions", 1, a=kernel.contractions[0].a)


@corruption("TTB403")
def operand_of_a_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Every step meets the tiles of the first."""
    return change(
        kernel, rng, MatmulBlock, lambda s: replace(s, indices=(var("kk"), s.indices[1])),
        lambda s: s.cbs[0] in _operands(kernel),
    )  # fmt: skip


@corruption("TTB403")
def operand_of_one_column(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=num(0)), lambda s: s.cb in _operands(kernel))


@corruption("TTB403")
def operand_in_a_buffer_of_a_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    at = [i for i, item_ in enumerate(kernel.intermediates) if item_.cb in _operands(kernel)]
    rows, columns = kernel.intermediates[at[0]].extent or (1, 1)
    return item(kernel, "intermediates", at[0], extent=(rows, columns - 1))


@corruption("TTB408")
def operand_not_masked(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The mask that is left out is the operand's own, not that of a reduction."""
    masks = {mask.cb for mask in kernel.masks}
    packing = [
        s
        for body in kernel.bodies
        for s in walk(body.body)
        if isinstance(s, Section) and any(isinstance(p, Pack) and p.cb in _operands(kernel) for p in s.packs)
    ]
    inside = [when for section in packing for when in walk(section.math) if isinstance(when, When)]
    own = [when for when in inside if any(isinstance(s, TileOp) and masks & {*s.cbs} for s in when.body)]
    return change(kernel, rng, When, lambda s: None, lambda s: any(s is when for when in own))


@corruption("TTB408")
def changed_behind_its_mask(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A call behind the mask would give f(0), not 0."""
    sections = [s for body in kernel.bodies for s in walk(body.body) if isinstance(s, Section)]
    packing = [s for s in sections if any(isinstance(p, Pack) and p.cb in _operands(kernel) for p in s.packs)]
    masked = [s for s in packing if any(isinstance(when, When) for when in s.math)]

    def later(section: Section) -> Section:
        (pack,) = section.packs
        assert isinstance(pack, Pack)
        more = SfpuOp(function="exp", form="tile", slots=(pack.dst,), out=pack.dst)
        return replace(section, math=(*section.math, more))

    return change(kernel, rng, Section, later, lambda s: any(s is m for m in masked))


@corruption("TTB403")
def sweep_behind_the_product(kernel: Kernel, rng: random.Random) -> Kernel | None:
    before = [i for i, sweep in enumerate(kernel.sweeps) if sweep.before]
    return item(kernel, "sweeps", rng.choice(before), before=False)


@corruption("TTB403", "TTB402")
def another_number_of_the_sweep(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def other(stmt: Block) -> Block:
        return replace(stmt, sweep=(stmt.sweep + 1) % len(kernel.sweeps))

    return change(kernel, rng, Block, other) if len(kernel.sweeps) > 1 else None
