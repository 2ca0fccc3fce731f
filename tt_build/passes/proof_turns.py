"""Proofs about cores that send their shards of a first operand in turn, used by ``verify_ir``."""

from __future__ import annotations

import numpy as np

from tt_build.ir.lowered import Channel, KernelBody, RotateShared, walk
from tt_build.ir.plan import ArgRef
from tt_build.ir.skeleton import occurrences
from tt_build.ir.stages import LoweredKernel
from tt_build.ir.work import tile_ids
from tt_build.passes.blocks import pointer_of
from tt_build.passes.proof import fail
from tt_build.passes.shard_to_core_map import cover

Words = tuple[int | ArgRef, ...]
Core = tuple[int, int]


def turn_words_of(
    kernel: LoweredKernel, body: KernelBody, channel: Channel, mixed: bool, noc: int
) -> dict[Core, Words]:
    """The words that each core needs: all of its row in the order of their turns, and the rectangle that they are.

    One statement sends the block of each step from the core with that number in its row, and every core of a row has
    one unit (TTB402).
    """
    (rotate, *more) = [stmt for stmt in walk(body.body) if isinstance(stmt, RotateShared)]
    own = {s.cb: s.shard_cb for s in kernel.streams if s.shard_cb}
    own |= {plan.a: plan.own for plan in kernel.contractions if plan.own}
    if more or mixed or channel.name != "row" or [*own] != [rotate.cb]:
        fail(kernel, "TTB402", f"{body.role} sends in turn what is no shard or step, or by another channel")
    if rotate.pages != kernel.cb(rotate.cb).block or rotate.pages != kernel.cb(own[rotate.cb]).block:
        fail(kernel, "TTB402", f"{rotate.pages} pages of a shard or a step are sent")
    if rotate.source != pointer_of(own[rotate.cb]):
        fail(kernel, "TTB402", f"{rotate.source} is sent, not {own[rotate.cb]}")
    rows: dict[int, dict[int, Core]] = {}
    for item in kernel.work:
        if item.count != 1:
            fail(kernel, "TTB402", f"core {item.core} has {item.count} units, and one turn")
        line, place = divmod(tile_ids(item, kernel.order, kernel.grid)[0], kernel.grid.x)
        rows.setdefault(line, {})[place] = item.core
    found: dict[Core, Words] = {}
    for row in rows.values():
        members = tuple(row[place] for place in sorted(row))
        rectangles = cover(members)
        if sorted(row) != list(range(rotate.cores)) or len(rectangles) != 1 or channel.targets != 1:
            fail(kernel, "TTB402", f"{rotate.cores} cores that send in turn, {len(members)} in a row")
        if channel.senders != rotate.cores:
            fail(kernel, "TTB405", f"arguments of {channel.senders} senders")
        ends = (rectangles[0].start, rectangles[0].end)
        corners = [word for x, y in (ends if noc == 0 else ends[::-1]) for word in _coordinates((x, y))]
        senders = [word for member in members for word in _coordinates(member)]
        found |= dict.fromkeys(members, (*senders, *corners, len(members)))
    _check_turns(kernel, body, rotate)
    return found


def _coordinates(core: Core) -> tuple[ArgRef, ArgRef]:
    return ArgRef(noc_x=core), ArgRef(noc_y=core)


def _check_turns(kernel: LoweredKernel, body: KernelBody, rotate: RotateShared) -> None:
    """Each core has its own number, and turns are the steps along K, one after the other."""
    numbers = np.asarray([tile_ids(item, kernel.order, kernel.grid)[0] % kernel.grid.x for item in kernel.work])
    (visit,) = occurrences(body, (RotateShared,))
    turn, place = visit.values
    steps = -(-kernel.contractions[0].k_tiles // kernel.k_block)
    step = visit.rounds.get("k_step", np.zeros_like(turn))
    right = np.array_equal(turn, step) and np.array_equal(place, numbers[visit.core])
    if not right or visit.core.size != len(numbers) * steps or steps != rotate.cores:
        fail(kernel, "TTB402", "a core sends in another turn than its own, or not at all")
