"""Corruptions of blocked matmuls: steps along K, subblocks, accumulation, shared operands. As those of
``corruptions``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.passes.corruptions import (
    Corruptions,
    Kernel,
    change,
    first_page_again,
    item,
    page_beside,
    registry,
    replace,
    slot_beside,
    tile_index_beside,
)
from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Accumulate,
    Barrier,
    Exchange,
    Loop,
    MatmulBlock,
    Pack,
    Pop,
    Push,
    ReceiveShared,
    RotateShared,
    Section,
    SendShared,
    SfpuOp,
    Stmt,
    Wait,
    When,
    ZeroPadding,
    walk,
)
from tt_build.passes.channels import IS_SENDER
from tt_build.passes.simplify import with_bodies
from tt_build.passes.tensorize_steps import FILL

BLOCK_CORRUPTIONS: Corruptions = {}
corruption = registry(BLOCK_CORRUPTIONS)


for _shared in (page_beside, slot_beside, tile_index_beside):
    corruption("TTB403")(_shared)


def _matmul(kernel: Kernel, rng: random.Random, edit: Callable[[Any], Any]) -> Kernel | None:
    return change(kernel, rng, MatmulBlock, edit)


@corruption("TTB403")
def first_operand_one_tile_on(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _matmul(kernel, rng, lambda s: replace(s, indices=(s.indices[0] + 1, s.indices[1])))


@corruption("TTB403")
def second_operand_one_tile_on(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _matmul(kernel, rng, lambda s: replace(s, indices=(s.indices[0], s.indices[1] + 1)))


@corruption("TTB403")
def operands_exchanged(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _matmul(kernel, rng, lambda s: replace(s, cbs=s.cbs[::-1]))


@corruption("TTB403")
def rows_further_apart(kernel: Kernel, rng: random.Random) -> Kernel | None:
    stride = kernel.blocking.k_block + 1 if kernel.blocking is not None else 0
    return _matmul(kernel, rng, lambda s: replace(s, k_stride=num(stride)))


@corruption("TTB403")
def transposed_or_not(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _matmul(kernel, rng, lambda s: replace(s, transpose=not s.transpose))


@corruption("TTB403", "TTB404")
def subblock_of_another_shape(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _matmul(kernel, rng, lambda s: replace(s, rows=s.columns + 1, columns=s.rows))


@corruption("TTB403", "TTB405")
def one_k_tile_less(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count - 1), lambda s: s.var == "kk")


@corruption("TTB402", "TTB403", "TTB405")
def one_step_less(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count - 1), lambda s: s.var == "k_step")


@corruption("TTB403")
def packed_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=s.index + 1), lambda s: s.index is not None)


@corruption("TTB403")
def packed_in_order(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=None), lambda s: s.index is not None)


@corruption("TTB403", "TTB404")
def another_slot_packed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, dst=s.dst + 1), lambda s: s.index is not None)


@corruption("TTB403")
def never_adds(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Accumulate, lambda s: replace(s, on=0), lambda s: s.on == 1)


@corruption("TTB403")
def adds_for_ever(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Accumulate, lambda s: replace(s, on=1), lambda s: s.on == 0)


@corruption("TTB403")
def adds_from_another_step_on(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def late(stmt: Any) -> bool:
        return isinstance(stmt, When) and any(isinstance(s, Accumulate) for s in stmt.body)

    return change(kernel, rng, When, lambda s: replace(s, b=num(rng.choice([0, 2]))), late)


@corruption("TTB408", "TTB402")
def padding_not_zeroed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ZeroPadding, lambda _: None)


@corruption("TTB408")
def padding_of_another_tile_zeroed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ZeroPadding, lambda s: replace(s, slot=s.slot + 1))


@corruption("TTB408")
def padding_zeroed_from_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ZeroPadding, lambda s: replace(s, first=s.first + 1))


@corruption("TTB408")
def padding_zeroed_in_another_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def zeroes(stmt: Any) -> bool:
        return isinstance(stmt, When) and stmt.a == var("k_step") and not isinstance(stmt.body[0], Accumulate)

    return change(kernel, rng, When, lambda s: replace(s, b=num(0)), zeroes)


@corruption("TTB402")
def sent_under_way(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Barrier, lambda _: None, lambda s: s.what == "read")


@corruption("TTB402")
def fewer_receivers(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, SendShared, lambda s: replace(s, receivers=s.receivers - 1))


@corruption("TTB402", "TTB405")
def more_rectangles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, SendShared, lambda s: replace(s, targets=s.targets + 1))


@corruption("TTB402")
def part_of_a_block_sent(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(
        kernel,
        rng,
        SendShared,
        lambda s: replace(s, blocks=tuple(replace(b, pages=b.pages + 1) for b in s.blocks)),
    )


@corruption("TTB402")
def other_channel(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def swap(stmt: Any) -> Any:
        return replace(stmt, channel="column" if stmt.channel == "row" else "row")

    return change(kernel, rng, (SendShared, ReceiveShared), swap)


@corruption("TTB402")
def other_semaphore(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (SendShared, ReceiveShared), lambda s: replace(s, sent=s.ready))


@corruption("TTB402")
def a_chain_that_is_not_planned(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (SendShared, RotateShared), lambda s: replace(s, link="linked"), lambda s: not s.link)


@corruption("TTB402")
def a_planned_chain_that_is_none(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (SendShared, RotateShared), lambda s: replace(s, link=""), lambda s: s.link)


@corruption("TTB402")
def a_chain_of_another_architecture(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (SendShared, RotateShared), lambda s: replace(s, link="flushed"), lambda s: s.link)


@corruption("TTB402")
def chains_that_cross(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Both channels on one NoC, all of it as if it were planned so."""
    if kernel.linked or not any(len(body.channels) > 1 for body in kernel.bodies):
        return None
    names = tuple(dict.fromkeys(channel.name for body in kernel.bodies for channel in body.channels))
    bodies = tuple(replace(body, body=_linked(body.body)) for body in kernel.bodies)
    return replace(kernel, linked=names, bodies=bodies)


def _linked(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    return tuple(
        replace(stmt, link="linked") if isinstance(stmt, SendShared | RotateShared) else with_bodies(stmt, _linked)
        for stmt in body
    )


@corruption("TTB402")
def nobody_receives(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ReceiveShared, lambda _: None)


@corruption("TTB402", "TTB405")
def everybody_sends(kernel: Kernel, rng: random.Random) -> Kernel | None:
    flags = {*IS_SENDER.values()}
    return change(
        kernel, rng, When, lambda s: replace(s, a=num(1)), lambda s: getattr(s.a, "name", "") in flags and s.b == num(1)
    )


@corruption("TTB405")
def sender_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A core that believes that it sends, or does not."""
    for number, body in enumerate(kernel.bodies):
        flags = [i for i, name in enumerate(body.runtime_args) if name in IS_SENDER.values()]
        if flags:
            at = len(body.accessors) + rng.choice(flags)
            core = rng.randrange(len(body.core_values))
            values = list(body.core_values)
            words = list(values[core].values)
            words[at] = 1 - int(words[at])  # type: ignore[arg-type]
            values[core] = replace(values[core], values=tuple(words))
            return item(kernel, "bodies", number, core_values=tuple(values))
    return None


@corruption("TTB402")
def not_shared_after_all(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The plan shares nothing, the kernels send."""
    if kernel.blocking is None or not kernel.blocking.shares:
        return None
    return replace(kernel, blocking=replace(kernel.blocking, shares=()))


def _shards(kernel: Kernel) -> set[str]:
    """Circular buffers that are shards."""
    return {cb.name for cb in kernel.circular_buffers if cb.buffer}


@corruption("TTB402")
def shard_not_awaited(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Wait, lambda _: None, lambda s: s.cb in _shards(kernel))


@corruption("TTB402")
def shard_not_announced(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Push, lambda _: None, lambda s: s.cb in _shards(kernel))


@corruption("TTB402")
def shard_copied(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The circular buffer of a shard is memory of its own."""
    at = [n for n, cb in enumerate(kernel.circular_buffers) if cb.buffer]
    return item(kernel, "circular_buffers", rng.choice(at), buffer="") if at else None


@corruption("TTB402")
def result_written_after_all(kernel: Kernel, rng: random.Random) -> Kernel | None:
    at = [n for n, result in enumerate(kernel.results) if result.bound]
    return item(kernel, "results", rng.choice(at), bound=False) if at else None


@corruption("TTB403")
def operand_not_local(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.blocking is None or not kernel.blocking.local:
        return None
    return replace(kernel, blocking=replace(kernel.blocking, local=False))


@corruption("TTB402", "TTB403", "TTB405")
def on_each_others_shards(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Two cores change places, and their arguments with them."""
    if not kernel.placed_by:
        return None
    a, b = rng.sample(range(len(kernel.work)), 2)
    work = list(kernel.work)
    for mine, other in ((a, b), (b, a)):
        work[mine] = replace(work[mine], core=kernel.work[other].core, core_id=kernel.work[other].core_id)
    bodies = tuple(
        replace(
            body,
            core_values=tuple(replace(v, core=work[n].core) for n, v in enumerate(body.core_values)),
        )
        for body in kernel.bodies
    )
    return replace(kernel, work=tuple(work), bodies=bodies)


@corruption("TTB402")
def another_part_sent(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Exchange, lambda s: replace(s, part=s.part + 1))


@corruption("TTB402")
def more_parts_expected(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Exchange, lambda s: replace(s, parts=s.parts + 1))


@corruption("TTB402")
def parts_sent_to_all(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Exchange, lambda s: replace(s, to="all"))


@corruption("TTB402")
def half_a_part_sent(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Exchange, lambda s: replace(s, pages=s.pages + 1))


@corruption("TTB402", "TTB405")
def parts_not_sent(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Exchange, lambda _: None)


@corruption("TTB403", "TTB405")
def a_part_left_out(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count - 1), lambda s: s.var == "part")


@corruption("TTB403")
def parts_maximum(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.sweeps:  # which may add, too
        return None
    return change(
        kernel,
        rng,
        SfpuOp,
        lambda s: replace(s, function="maximum"),
        lambda s: s.function == "add" and s.slots == (0, 1),
    )


@corruption("TTB403")
def sum_starts_anew(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Each part is added to zero."""
    adds = [s for s in walk(kernel.bodies[1].body) if isinstance(s, Section) and s.math and _from_zero(s.math[-1])]
    if not adds or kernel.sweeps:
        return None
    fill = next(s for s in walk(adds[0].math) if isinstance(s, SfpuOp) and s.function == FILL)
    return change(kernel, rng, Loop, lambda s: replace(s, body=(fill, *s.body)), _from_zero)


def _from_zero(stmt: Any) -> bool:
    return isinstance(stmt, Loop) and stmt.var == "part"


@corruption("TTB403")
def part_packed_for_the_sum(kernel: Kernel, rng: random.Random) -> Kernel | None:
    sums = {plan.cb for plan in kernel.contractions if plan.part_cb}
    return change(kernel, rng, Pack, lambda s: replace(s, dst=1), lambda s: s.cb in sums)


@corruption("TTB403")
def sum_from_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(
        kernel,
        rng,
        SfpuOp,
        lambda s: replace(s, params=(0x3F800000,)),
        lambda s: s.function == FILL and not any(s.params),
    )


@corruption("TTB402", "TTB403", "TTB405")
def every_core_of_a_unit_finishes(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.parts is None:
        return None
    return change(
        kernel, rng, When, lambda s: replace(s, a=num(0), b=num(0)), lambda s: s.b == num(0) and "sends" not in str(s.a)
    )


@corruption("TTB403")
def other_parts(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.parts is None:
        return None
    return replace(kernel, parts=replace(kernel.parts, tiles=kernel.parts.tiles + rng.choice([-1, 1])))


def _rotate(kernel: Kernel, rng: random.Random, edit: Callable[[Any], Any]) -> Kernel | None:
    return change(kernel, rng, RotateShared, edit)


@corruption("TTB402")
def another_turn(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, turn=s.turn + 1))


@corruption("TTB402")
def the_turn_of_a_neighbour(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, place=s.place + 1))


@corruption("TTB402")
def always_the_first_core(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, turn=num(0)))


@corruption("TTB402", "TTB405")
def fewer_turns(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, cores=s.cores - 1))


@corruption("TTB402")
def part_of_a_shard_sent(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, pages=s.pages - 1))


@corruption("TTB402")
def sent_over_the_shard(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, source=s.target, target=s.source))


@corruption("TTB402")
def one_semaphore_for_both(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda s: replace(s, sent=s.ready))


@corruption("TTB402", "TTB405")
def no_turns(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _rotate(kernel, rng, lambda _: None)


@corruption("TTB402", "TTB403")
def nobody_takes_turns_by_the_plan(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.blocking is None or not kernel.blocking.rotates:
        return None
    return replace(kernel, blocking=replace(kernel.blocking, rotates=False))


@corruption("TTB405")
def senders_in_another_order(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A core that takes its row's senders in another order."""
    for number, body in enumerate(kernel.bodies):
        if not any(channel.senders > 1 for channel in body.channels):
            continue
        core = rng.randrange(len(body.core_values))
        values = list(body.core_values)
        at = len(body.accessors) + len(body.runtime_args)
        at += sum(channel.words for channel in body.channels[:-1])
        words = list(values[core].values)
        words[at : at + 4] = [*words[at + 2 : at + 4], *words[at : at + 2]]
        values[core] = replace(values[core], values=tuple(words))
        return item(kernel, "bodies", number, core_values=tuple(values))
    return None


@corruption("TTB402")
def product_not_awaited(kernel: Kernel, rng: random.Random) -> Kernel | None:
    product = {i.cb for i in kernel.intermediates if i.extent is not None}
    return change(kernel, rng, Wait, lambda _: None, lambda s: s.cb in product)


@corruption("TTB402")
def operands_kept(kernel: Kernel, rng: random.Random) -> Kernel | None:
    operands = {s.cb for s in kernel.streams if s.per == "k"}
    return change(kernel, rng, Pop, lambda _: None, lambda s: s.cb in operands)


@corruption("TTB402")
def step_not_announced(kernel: Kernel, rng: random.Random) -> Kernel | None:
    operands = {s.cb for s in kernel.streams if s.per == "k"}
    return change(kernel, rng, Push, lambda _: None, lambda s: s.cb in operands)


corruption("TTB403", "TTB405")(first_page_again)


@corruption("TTB402")
def only_the_sender_announces(kernel: Kernel, rng: random.Random) -> Kernel | None:
    shares = kernel.blocking.shares if kernel.blocking is not None else ()
    names = {"in0": "sends_row", "in1": "sends_column"}
    known = {name for body in kernel.bodies for name in body.runtime_args}
    cbs = {s.cb for s in kernel.streams if s.operand in shares and names[s.operand] in known}

    def alone(stmt: Any) -> Any:
        operand = next(s.operand for s in kernel.streams if s.cb == stmt.cb)
        return When(a=var(names[operand]), b=num(1), body=(stmt,))

    return change(kernel, rng, Push, alone, lambda s: s.cb in cbs)


@corruption("TTB403")
def replaced_again_in_a_later_step(kernel: Kernel, rng: random.Random) -> Kernel | None:
    off = When(a=var("k_step"), b=num(3), body=(Accumulate(on=0),))

    def adds(stmt: Any) -> bool:
        return stmt.var == "k_step" and any(isinstance(s, When) and Accumulate(on=1) in s.body for s in stmt.body)

    return change(kernel, rng, Loop, lambda s: replace(s, body=(off, *s.body)), adds)


@corruption("TTB403", "TTB404")
def product_cleared(kernel: Kernel, rng: random.Random) -> Kernel | None:
    clear = SfpuOp(function="fill", form="float", slots=(), out=0, params=(0,))

    def multiplies(stmt: Any) -> bool:
        return any(isinstance(s, Loop) and any(isinstance(m, MatmulBlock) for m in s.body) for s in stmt.math)

    return change(kernel, rng, Section, lambda s: replace(s, math=(*s.math, clear)), multiplies)
