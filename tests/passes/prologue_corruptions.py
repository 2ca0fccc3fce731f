"""Corruptions of what stands before the product of a blocked matmul. As those of ``corruptions``."""

from __future__ import annotations

import random

from tests.passes.corruptions import Corruptions, Kernel, change, item, registry, replace
from tt_build.ir.index import num, var
from tt_build.ir.lowered import Block, MatmulBlock, Pack, ReadPage, Section, SfpuOp, TileOp, When, walk
from tt_build.ir.stages import FIRST, SECOND, SECOND_TURNED, UNIT

PROLOGUE_CORRUPTIONS: Corruptions = {}
corruption = registry(PROLOGUE_CORRUPTIONS)


def _operands(kernel: Kernel) -> set[str]:
    """The circular buffers of operands that are computed."""
    first = {plan.a for plan in kernel.contractions if plan.computed}
    return first | {plan.b for plan in kernel.contractions if plan.computed_b}


@corruption("TTB403", "TTB402")
def operand_of_the_other_product(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if len({plan.a for plan in kernel.contractions if plan.computed}) < 2:
        return None
    first, second = kernel.contractions
    return replace(kernel, contractions=(replace(first, a=second.a), replace(second, a=first.a)))


@corruption("TTB403")
def operands_share_a_buffer(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Of two products, or of one and the same."""
    if len(_operands(kernel)) < 2:
        return None
    if len(kernel.contractions) == 1:
        return item(kernel, "contractions", 0, b=kernel.contractions[0].a)
    first, second = kernel.contractions
    if first.computed_b and second.computed_b:
        return item(kernel, "contractions", 1, b=first.b)
    return item(kernel, "contractions", 1, a=first.a)


@corruption("TTB403")
def operand_of_a_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Every step meets the tiles of the first."""
    return change(
        kernel, rng, MatmulBlock, lambda s: replace(s, indices=(var("kk"), s.indices[1])),
        lambda s: s.cbs[0] in _operands(kernel),
    )  # fmt: skip


@corruption("TTB403")
def second_operand_of_a_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def first_step(stmt: MatmulBlock) -> MatmulBlock:
        width = kernel.blocking.block[1] if kernel.blocking is not None else 1
        return replace(stmt, indices=(stmt.indices[0], var("kk") * num(width)))

    many = kernel.blocking is not None and kernel.contractions[0].k_tiles > kernel.blocking.k_block
    return change(kernel, rng, MatmulBlock, first_step, lambda s: many and s.cbs[1] in _operands(kernel))


@corruption("TTB403")
def operand_as_its_lines_come(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Rows of a second operand that the matmul transposes stay rows."""
    turned = {sweep.extent for sweep in kernel.sweeps if sweep.axes == SECOND_TURNED and min(sweep.extent) > 1}
    seconds = {plan.b for plan in kernel.contractions if plan.computed_b}
    in_order = var("tile_row") * num(max((extent[1] for extent in turned), default=1)) + var("i")
    return change(
        kernel, rng, Pack, lambda s: replace(s, index=in_order), lambda s: bool(turned) and s.cb in seconds
    )  # fmt: skip


@corruption("TTB403")
def operand_not_turned(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Tiles lie at the places of the transposed operand, and are not transposed themselves."""
    turned = {s.cb for s in kernel.streams if s.transpose}
    return change(kernel, rng, TileOp, lambda s: replace(s, op="copy"), lambda s: bool(turned & {*s.cbs}))


@corruption("TTB403")
def pages_of_the_operand_as_it_is(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A transposed operand's tiles come from the places of one that is not."""
    turned = [i for i, s in enumerate(kernel.streams) if s.transpose]
    return item(kernel, "streams", turned[0], transpose=False) if turned else None


@corruption("TTB403")
def moved_from_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """One part of a tensor comes in place of another."""
    moved = [i for i, s in enumerate(kernel.streams) if s.view >= 0 and s.is_before_product]
    if len(moved) < 2:
        return None
    return item(kernel, "streams", moved[0], view=kernel.streams[moved[1]].view)


@corruption("TTB403")
def another_part_of_the_tensor(kernel: Kernel, rng: random.Random) -> Kernel | None:
    moved = {s.cb for s in kernel.streams if s.view >= 0 and s.is_before_product}
    return change(kernel, rng, ReadPage, lambda s: replace(s, page=s.page + 1), lambda s: s.cb in moved)


@corruption("TTB403")
def operand_of_rows_and_columns(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """What is walked for one operand is said to be for the other."""
    before = [i for i, sweep in enumerate(kernel.sweeps) if sweep.before]
    at = rng.choice(before)
    return item(kernel, "sweeps", at, axes=FIRST if kernel.sweeps[at].axes != FIRST else SECOND)


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
        pack = next(p for p in section.packs if isinstance(p, Pack) and p.cb in _operands(kernel))
        more = SfpuOp(function="exp", form="tile", slots=(pack.dst,), out=pack.dst)
        return replace(section, math=(*section.math, more))

    return change(kernel, rng, Section, later, lambda s: any(s is m for m in masked))


@corruption("TTB403")
def sweep_behind_the_product(kernel: Kernel, rng: random.Random) -> Kernel | None:
    before = [i for i, sweep in enumerate(kernel.sweeps) if sweep.before]
    return item(kernel, "sweeps", rng.choice(before), axes=UNIT)


@corruption("TTB403", "TTB402")
def another_number_of_the_sweep(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def other(stmt: Block) -> Block:
        return replace(stmt, sweep=(stmt.sweep + 1) % len(kernel.sweeps))

    return change(kernel, rng, Block, other) if len(kernel.sweeps) > 1 else None
