"""Corruptions of attention: its recurrence, its matmuls, what goes from step to step. As those of ``corruptions``."""

from __future__ import annotations

import random
from typing import Any

from tests.passes.block_corruptions import (
    a_part_left_out,
    another_part_sent,
    half_a_part_sent,
    more_parts_expected,
    parts_not_sent,
    parts_sent_to_all,
)
from tests.passes.corruptions import (
    Corruptions,
    Kernel,
    change,
    first_page_again,
    page_beside,
    registry,
    replace,
    slot_beside,
    tile_index_beside,
)
from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Let,
    Loop,
    MatmulBlock,
    Pack,
    Pop,
    Push,
    ReceiveShared,
    Section,
    SendShared,
    SfpuOp,
    TileOp,
    Wait,
    When,
    ZeroPadding,
    walk,
)
from tt_build.passes.channels import IS_SENDER

FLASH_CORRUPTIONS: Corruptions = {}
corruption = registry(FLASH_CORRUPTIONS)


for _shared in (page_beside, slot_beside, tile_index_beside):
    corruption("TTB403")(_shared)


for _shared in (first_page_again, a_part_left_out):
    corruption("TTB403", "TTB405")(_shared)


for _shared in (another_part_sent, more_parts_expected, parts_sent_to_all, half_a_part_sent):
    corruption("TTB402")(_shared)


corruption("TTB402", "TTB405")(parts_not_sent)


@corruption("TTB403")
def another_tile_multiplied(kernel: Kernel, rng: random.Random) -> Kernel | None:
    side = rng.randrange(2)

    def edit(stmt: Any) -> Any:
        indices = list(stmt.indices)
        indices[side] = indices[side] + 1
        return replace(stmt, indices=tuple(indices))

    return change(kernel, rng, MatmulBlock, edit)


@corruption("TTB403")
def transposed_or_not(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, MatmulBlock, lambda s: replace(s, transpose=not s.transpose))


@corruption("TTB403")
def operands_exchanged(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, MatmulBlock, lambda s: replace(s, cbs=s.cbs[::-1]))


@corruption("TTB403", "TTB402", "TTB405", "TTB408")
def one_round_less(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count - 1), lambda s: s.var != "unit")


@corruption("TTB403")
def packed_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=s.index + 1), lambda s: s.index is not None)


@corruption("TTB403", "TTB404")
def another_slot_packed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, dst=1 - s.dst if s.dst < 2 else 0))


_OTHERS = {"maximum": "add", "sub": "add", "mul": "add", "add": "sub", "div": "mul", "exp": "abs"}


def _own(kernel: Kernel, stmt: Any) -> bool:
    """Calls of the recurrence, not of the user's expression: their operands are not scalars of a program."""
    return stmt.function in _OTHERS and stmt.form == "float" and kernel.attention is not None


@corruption("TTB403", "TTB404")
def another_function(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.attention is not None and kernel.attention.sections:
        return None  # what the user's expression computes is the emulator's to prove
    return change(kernel, rng, SfpuOp, lambda s: replace(s, function=_OTHERS[s.function]), lambda s: _own(kernel, s))


@corruption("TTB403", "TTB404")
def operands_of_a_difference_exchanged(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.attention is not None and kernel.attention.sections:
        return None
    return change(
        kernel, rng, SfpuOp, lambda s: replace(s, slots=s.slots[::-1]), lambda s: s.function in ("sub", "div")
    )


@corruption("TTB403")
def starts_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.attention is not None and kernel.attention.sections:
        return None
    return change(kernel, rng, SfpuOp, lambda s: replace(s, params=(0x3F800000,)), lambda s: s.function == "fill")


@corruption("TTB403", "TTB404")
def starts_in_every_round(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The start of a sum moved into its loop: only the last tile would count."""

    def is_fill(stmt: Any) -> bool:
        return isinstance(stmt, SfpuOp) and stmt.function == "fill"

    def gathers(stmt: Any) -> bool:
        return any(map(is_fill, stmt.math)) and any(isinstance(s, Loop) for s in stmt.math)

    def move(stmt: Any) -> Any:
        first = next(s for s in stmt.math if is_fill(s))
        rest = [s for s in stmt.math if s is not first]
        at = next(i for i, s in enumerate(rest) if isinstance(s, Loop))
        rest[at] = replace(rest[at], body=(first, *rest[at].body))
        return replace(stmt, math=tuple(rest))

    return change(kernel, rng, Section, move, gathers)


@corruption("TTB403")
def transposed_load(kernel: Kernel, rng: random.Random) -> Kernel | None:
    logits = {kernel.attention.logits} if kernel.attention is not None else set()
    return change(
        kernel, rng, TileOp, lambda s: replace(s, op="transpose"), lambda s: s.op == "copy" and s.cbs[0] in logits
    )


@corruption("TTB403")
def weights_of_a_step_cleared(kernel: Kernel, rng: random.Random) -> Kernel | None:
    plan = kernel.attention
    assert plan is not None
    clear = When(a=var("step"), b=num(0), body=(SfpuOp(function="fill", form="float", slots=(), out=0, params=(0,)),))

    def is_weight(stmt: Any) -> bool:
        return any(isinstance(p, Pack) and p.cb == plan.weights for p in stmt.packs)

    return change(kernel, rng, Section, lambda s: replace(s, math=(*s.math, clear)), is_weight)


@corruption("TTB403")
def reduced_as_integers(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, SfpuOp, lambda s: replace(s, form="int32"), lambda s: s.function.startswith("reduce_"))


@corruption("TTB402")
def only_the_sender_announces(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _announced_by_the_sender(kernel, rng)


def _announced_by_the_sender(kernel: Kernel, rng: random.Random) -> Kernel | None:
    shared = {s.cb for s in kernel.streams if s.operand}
    if kernel.flash is None or not kernel.flash.shared:
        return None
    return change(
        kernel,
        rng,
        Push,
        lambda s: When(a=var(IS_SENDER["column"]), b=num(1), body=(s,)),
        lambda s: s.cb in shared,
    )


@corruption("TTB403")
def reduced_otherwise(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def edit(stmt: Any) -> Any:
        return replace(stmt, function=stmt.function.replace("_rows", "_columns"))

    return change(kernel, rng, SfpuOp, edit, lambda s: s.function.startswith("reduce_"))


@corruption("TTB403")
def not_broadcast(kernel: Kernel, rng: random.Random) -> Kernel | None:
    carried = _carried(kernel)
    return change(
        kernel, rng, TileOp, lambda s: replace(s, op="copy", mode=""), lambda s: bool(s.mode) and s.cbs[0] in carried
    )


def _carried(kernel: Kernel) -> set[str]:
    plan = kernel.attention
    assert plan is not None
    return {plan.peak, plan.total, plan.gathered, plan.change, plan.shrink, plan.states} - {""}


@corruption("TTB402", "TTB403")
def old_block_kept(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pop, lambda _: None, lambda s: s.cb in _carried(kernel))


@corruption("TTB402", "TTB403")
def new_block_not_awaited(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Wait, lambda _: None, lambda s: s.cb in _carried(kernel))


@corruption("TTB403", "TTB408")
def mask_left_out(kernel: Kernel, rng: random.Random) -> Kernel | None:
    masks = {mask.cb for mask in kernel.masks}

    def masks_keys(stmt: Any) -> bool:
        return isinstance(stmt, When) and any(isinstance(s, TileOp) and s.cbs[0] in masks for s in stmt.body)

    return change(kernel, rng, When, lambda _: None, masks_keys)


@corruption("TTB403")
def mask_in_another_tile(kernel: Kernel, rng: random.Random) -> Kernel | None:
    masks = {mask.cb for mask in kernel.masks}

    def masks_keys(stmt: Any) -> bool:
        return isinstance(stmt, When) and any(isinstance(s, TileOp) and s.cbs[0] in masks for s in stmt.body)

    return change(kernel, rng, When, lambda s: replace(s, b=num(0)), masks_keys)


@corruption("TTB408")
def padding_not_zeroed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ZeroPadding, lambda _: None)


@corruption("TTB402")
def nobody_receives(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ReceiveShared, lambda _: None)


@corruption("TTB402")
def fewer_receivers(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, SendShared, lambda s: replace(s, receivers=s.receivers - 1))


@corruption("TTB403")
def causal_though_it_is_not(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    return None if kernel.flash.causal else replace(kernel, flash=replace(kernel.flash, causal=True))


def _flash(kernel: Kernel, **changed: Any) -> Kernel:
    return replace(kernel, flash=replace(kernel.flash, **changed))


@corruption("TTB403", "TTB402")
def turns_of_other_matrices(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    if not kernel.flash.causal or kernel.grid.z <= kernel.flash.turn:
        return None
    return _flash(kernel, turn=rng.choice((kernel.flash.turn + 1, max(1, kernel.flash.turn - 1), 0)))


@corruption("TTB403", "TTB402", "TTB405")
def blocks_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    if not kernel.flash.causal or kernel.grid.y <= 2 * kernel.flash.apart:
        return None
    return _flash(kernel, apart=2 * kernel.flash.apart)


@corruption("TTB403", "TTB402")
def more_heads_share_keys(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    if not kernel.flash.shared or kernel.grid.z == 1:
        return None
    return _flash(kernel, heads=kernel.flash.heads * 2)


@corruption("TTB403", "TTB402", "TTB405")
def fewer_heads_share_keys(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    return _flash(kernel, heads=1) if kernel.flash.shared and kernel.flash.heads > 1 else None


@corruption("TTB403")
def another_number_of_steps(kernel: Kernel, rng: random.Random) -> Kernel | None:
    assert kernel.flash is not None
    return _flash(kernel, steps=kernel.flash.steps + 1)


@corruption("TTB403")
def values_for_keys(kernel: Kernel, rng: random.Random) -> Kernel | None:
    plan = kernel.attention
    assert plan is not None
    return replace(kernel, attention=replace(plan, keys=plan.values, values=plan.keys))


def _puts_together(stmt: Any) -> bool:
    """What only the first core of a unit does."""
    return isinstance(stmt, When) and stmt.a == var("bx")


def _reads_states(kernel: Kernel, stmt: Any) -> bool:
    plan = kernel.attention
    return plan is not None and any(isinstance(s, TileOp) and plan.states in s.cbs for s in walk(stmt.math))


@corruption("TTB402", "TTB403")
def put_together_everywhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, When, lambda s: replace(s, a=num(0)), _puts_together)


@corruption("TTB402", "TTB403")
def put_together_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, When, lambda s: replace(s, b=num(1)), _puts_together)


@corruption("TTB402", "TTB403", "TTB405")
def keys_of_another_part(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Let, lambda s: replace(s, value=s.value + 1), lambda s: s.name == "first_key")


@corruption("TTB402", "TTB403")
def another_length_of_parts(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.parts is None or kernel.flash is None:
        return None
    tiles = kernel.parts.tiles + rng.choice((-1, 1)) * kernel.flash.keys
    return replace(kernel, parts=replace(kernel.parts, tiles=tiles))


@corruption("TTB402", "TTB403")
def no_parts_after_all(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return None if kernel.parts is None else replace(kernel, parts=None)


@corruption("TTB403", "TTB404")
def parts_put_together_otherwise(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Another function in a section that reads what the parts gathered."""

    def edit(stmt: Any) -> Any:
        return replace(stmt, math=tuple(_otherwise(s) for s in stmt.math))

    return change(kernel, rng, Section, edit, lambda s: _reads_states(kernel, s))


def _otherwise(stmt: Any) -> Any:
    if isinstance(stmt, Loop):
        return replace(stmt, body=tuple(_otherwise(s) for s in stmt.body))
    if isinstance(stmt, SfpuOp) and stmt.function in _OTHERS:
        return replace(stmt, function=_OTHERS[stmt.function])
    return stmt


@corruption("TTB403")
def parts_start_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def is_fill(stmt: Any) -> bool:
        return isinstance(stmt, SfpuOp) and stmt.function == "fill"

    def edit(stmt: Any) -> Any:
        math = tuple(replace(s, params=(0x3F800000,)) if is_fill(s) else s for s in stmt.math)
        return replace(stmt, math=math)

    return change(kernel, rng, Section, edit, lambda s: _reads_states(kernel, s) and any(map(is_fill, s.math)))


@corruption("TTB403")
def sums_for_largest(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The parts of a state exchanged, where it is packed."""
    plan = kernel.attention
    assert plan is not None

    def hands_over(stmt: Any) -> bool:
        return len(stmt.packs) > 1 and all(isinstance(p, Pack) and p.cb == plan.state for p in stmt.packs)

    def edit(stmt: Any) -> Any:
        first, second = stmt.packs
        return replace(stmt, packs=(replace(first, index=second.index), replace(second, index=first.index)))

    return change(kernel, rng, Section, edit, hands_over)


@corruption("TTB402", "TTB403")
def scaled_before_the_largest_is_known(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """What makes the scale goes in front of what makes the largest logit."""
    plan = kernel.attention
    assert plan is not None

    def edit(stmt: Any) -> Any:
        made = next(i for i, s in enumerate(stmt.body) if isinstance(s, Push) and s.cb == plan.peak)
        awaited = next(i for i, s in enumerate(stmt.body) if isinstance(s, Wait) and s.cb == plan.peak)
        body = [s for i, s in enumerate(stmt.body) if i not in (made, awaited)]
        at = next(i for i, s in enumerate(body) if isinstance(s, Wait) and s.cb == plan.total)
        return replace(stmt, body=(*body[:at], stmt.body[made], stmt.body[awaited], *body[at:]))

    def makes(stmt: Any) -> bool:
        return _puts_together(stmt) and any(isinstance(s, Wait) and s.cb == plan.states for s in stmt.body)

    return change(kernel, rng, When, edit, makes)
