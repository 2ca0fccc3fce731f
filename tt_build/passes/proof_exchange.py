"""Proofs about tiles that cores send each other, used by ``verify_ir``."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Channel,
    ChannelName,
    Exchange,
    KernelBody,
    Pointer,
    Push,
    ReceiveShared,
    Reserve,
    RotateShared,
    SendShared,
    Stmt,
    When,
    walk,
)
from tt_build.ir.plan import ArgRef
from tt_build.ir.skeleton import occurrences
from tt_build.ir.stages import LoweredKernel, Stream
from tt_build.ir.work import block_of, tile_ids
from tt_build.passes.channels import IS_SENDER
from tt_build.passes.proof import fail
from tt_build.passes.proof_flash_units import walks
from tt_build.passes.proof_turns import turn_words_of
from tt_build.passes.shard_to_core_map import cover
from tt_build.passes.simplify import bodies_of
from tt_build.targets import Arch

Coordinates = tuple[int | ArgRef, ...]


def check_semaphores(kernel: LoweredKernel, arch: Arch) -> None:
    """Every semaphore has one use, an exchange or a channel of one kernel; they are numbered from 0 on, as the runtime
    numbers what a host program makes, and the hardware has them (TTB402).
    """
    flat = [(body.role, stmt) for body in kernel.bodies for stmt in walk(body.body)]
    channels = {
        (role, stmt.channel, stmt.ready, stmt.sent)
        for role, stmt in flat
        if isinstance(stmt, SendShared | ReceiveShared)
    }
    used = [number for _, _, ready, sent in channels for number in (ready, sent)]
    used += [number for _, stmt in flat if isinstance(stmt, RotateShared) for number in (stmt.ready, stmt.sent)]
    used += [stmt.semaphore for _, stmt in flat if isinstance(stmt, Exchange)]
    if (
        len(set(used)) != len(used)
        or sorted(used) != sorted(kernel.semaphores)
        or list(kernel.semaphores) != list(range(len(used)))
        or len(used) > arch.semaphores
    ):
        fail(kernel, "TTB402", f"semaphores {list(kernel.semaphores)} for uses of {sorted(used)}")


def check_shared(kernel: LoweredKernel, body: KernelBody) -> dict[tuple[int, int], dict[ChannelName, Coordinates]]:
    """The words that each core needs for each channel of a kernel: its sender, and rectangles of the others.

    In each channel one core of a group sends, all others receive, as often, with the same two semaphores; the group's
    cores do their units in step; every shared stream is in one parcel, whole (TTB402).
    """
    pairs = list(_parcels(kernel, body))
    flat = walk(body.body)
    if len(pairs) != sum(isinstance(s, SendShared) for s in flat) or len(pairs) != sum(
        isinstance(s, ReceiveShared) for s in flat
    ):
        fail(kernel, "TTB402", f"{body.role} sends what nobody receives, or receives what nobody sends")
    rotating = [stmt for stmt in flat if isinstance(stmt, RotateShared)]
    names = {send.channel for send, _ in pairs} | {stmt.channel for stmt in rotating}
    if {channel.name for channel in body.channels} != names or len(body.channels) != len(names):
        fail(kernel, "TTB405", f"{body.role} has arguments for channels {body.channels}, and uses {sorted(names)}")
    _check_links(kernel, [*(send for send, _ in pairs), *rotating], names)
    words: dict[tuple[int, int], dict[ChannelName, Coordinates]] = {item.core: {} for item in kernel.work}
    for channel in body.channels:
        sends = [send for send, _ in pairs if send.channel == channel.name]
        if channel.senders > 1:
            noc = 1 if body.role == "writer" else 0
            for core, found in turn_words_of(kernel, body, channel, bool(sends), noc).items():
                words[core][channel.name] = found
            continue
        for core, found in _channel_words(kernel, channel, sends, 1 if body.role == "writer" else 0).items():
            words[core][channel.name] = found
    return words


def _check_links(
    kernel: LoweredKernel, sends: Sequence[SendShared | RotateShared], names: Collection[ChannelName]
) -> None:
    """Chains of multicasts are as planned and as the architecture needs them, and no two senders' paths cross.

    A chain is alone on its NoC, which is that of its kernel: no other channel is there, and where groups of cores send
    at the same time each is a row of the grid of cores, or each a column (TTB402).
    """
    for stmt in sends:
        wanted = "" if stmt.channel not in kernel.linked else "flushed" if kernel.arch == "blackhole" else "linked"
        if stmt.link != wanted:
            fail(kernel, "TTB402", f"a multicast of channel {stmt.channel} is '{stmt.link}', not '{wanted}'")
    linked = {stmt.channel for stmt in sends if stmt.link}
    if not linked:
        return
    if len(names) > 1:
        fail(kernel, "TTB402", f"multicasts of channels {sorted(names)} are linked on one NoC, and cross")
    found = _groups(kernel, linked.pop())
    if len(found) == 1:
        return
    lines = [[{core[axis] for core in members} for members in found] for axis in (0, 1)]
    if not any(sum(map(len, line)) == len(line) == len(set().union(*line)) for line in lines):
        fail(kernel, "TTB402", f"linked multicasts of {len(found)} groups of cores cross")


def _parcels(kernel: LoweredKernel, body: KernelBody) -> Iterator[tuple[SendShared, ReceiveShared]]:
    """Both sides of each parcel: the sender's branch ends with sending, the other has nothing but receiving.

    Every core of the channel reserves the pages in front, and announces them behind.
    """
    for statements in _lists(body.body):
        for at, (first, second) in enumerate(itertools.pairwise(statements)):
            if not (isinstance(first, When) and first.body and isinstance(first.body[-1], SendShared)):
                continue
            send, flag = first.body[-1], var(IS_SENDER[first.body[-1].channel])
            receive = ReceiveShared(channel=send.channel, ready=send.ready, sent=send.sent)
            wanted = When(a=flag, b=num(0), body=(receive,))
            if (first.a, first.b) != (flag, num(1)) or second != wanted:
                fail(kernel, "TTB402", f"{body.role}: the two sides of a parcel of channel {send.channel} differ")
            count = len(send.blocks)
            opened = (
                *(Reserve(cb=block.cb, pages=num(block.pages)) for block in send.blocks),
                *(Pointer(name=block.pointer, cb=block.cb, side="write") for block in send.blocks),
            )
            pushed = tuple(Push(cb=block.cb, pages=num(block.pages)) for block in send.blocks)
            if statements[max(0, at - 2 * count) : at] != opened or statements[at + 2 : at + 2 + count] != pushed:
                fail(kernel, "TTB402", f"{body.role}: not all cores of channel {send.channel} hold a parcel's pages")
            yield send, receive


def _lists(body: tuple[Stmt, ...]) -> Iterator[tuple[Stmt, ...]]:
    yield body
    for stmt in body:
        for inner in bodies_of(stmt):
            yield from _lists(inner)


def _channel_words(
    kernel: LoweredKernel, channel: Channel, sends: list[SendShared], noc: int
) -> dict[tuple[int, int], Coordinates]:
    """The words of one channel on each core."""
    _check_parcels(kernel, channel.name, sends)
    found: dict[tuple[int, int], Coordinates] = {}
    for members in _groups(kernel, channel.name):
        sender, *others = members
        rectangles = cover(tuple(others))
        if sorted(core for r in rectangles for core in r.cores()) != sorted(others):
            fail(kernel, "TTB402", "the rectangles of receivers do not cover the other cores exactly once")
        if any(send.receivers != len(others) or send.targets != len(rectangles) for send in sends):
            fail(kernel, "TTB402", f"{sends[0].receivers} receivers of {len(others)}")
        if channel.targets != len(rectangles):
            fail(kernel, "TTB405", f"{channel.targets} of {len(rectangles)} rectangles of receivers")
        words: list[int | ArgRef] = [ArgRef(noc_x=sender), ArgRef(noc_y=sender)]
        for r in rectangles:
            first, last = (r.start, r.end) if noc == 0 else (r.end, r.start)
            words += [ArgRef(noc_x=first), ArgRef(noc_y=first), ArgRef(noc_x=last), ArgRef(noc_y=last)]
            words.append(len(r.cores()))
        found |= dict.fromkeys(members, tuple(words))
    return found


def senders(kernel: LoweredKernel, channel: str) -> list[int]:
    """Of the cores with work, by number, those that read for the others of a channel."""
    order = [item.core for item in kernel.work]
    return [order.index(members[0]) for members in _groups(kernel, channel)]


def _groups(kernel: LoweredKernel, channel: str) -> list[list[tuple[int, int]]]:
    """The cores that go through the same rows, or columns, of the grid of units in the same order; or all cores. Of an
    attention those that go through the same keys and values in step.
    """
    found: dict[bytes, list[tuple[int, int]]] = {}
    if kernel.flash is not None and channel == "column":
        for item, walk_ in zip(kernel.work, walks(kernel), strict=True):
            found.setdefault(walk_, []).append(item.core)
        return list(found.values())
    for item in kernel.work:
        tiles = np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64)
        plane = kernel.grid.x * kernel.grid.y
        along = tiles // kernel.grid.x if channel == "row" else tiles // plane * plane + tiles % kernel.grid.x
        found.setdefault(b"" if channel == "all" else along.tobytes(), []).append(item.core)
    return list(found.values())


def _check_parcels(kernel: LoweredKernel, channel: str, sends: list[SendShared]) -> None:
    """Each stream that the cores of a channel share is in one parcel, with all pages of a block."""
    if channel == "all":
        shared = [s.cb for s in kernel.streams if s.per == "core"]
    else:
        operand = "in0" if channel == "row" else "in1"
        shared = [s.cb for s in kernel.streams if s.operand == operand and _is_shared(kernel, s)]
    sent = [(block.cb, block.pages) for send in sends for block in send.blocks]
    if sorted(sent) != sorted((cb, kernel.cb(cb).block) for cb in shared):
        fail(kernel, "TTB402", f"shared streams {shared} are sent as {sorted(sent)}")


def _is_shared(kernel: LoweredKernel, stream: Stream) -> bool:
    """Whether the plan says that cores share the stream."""
    if kernel.blocking is not None:
        return kernel.blocking.is_shared(stream)
    return kernel.flash is not None and kernel.flash.shared and stream.operand == "in1"


def check_sent(kernel: LoweredKernel) -> None:
    """What cores share is sent: nobody waits for a stream that only another core reads (TTB402)."""
    flat = [stmt for body in kernel.bodies for stmt in walk(body.body)]
    sent = {b.cb for s in flat if isinstance(s, SendShared) for b in s.blocks}
    sent |= {s.cb for s in flat if isinstance(s, RotateShared)}
    wanted = {s.cb for s in kernel.streams if s.per == "core"} if len(kernel.work) > 1 else set()
    wanted |= {s.cb for s in kernel.streams if _is_shared(kernel, s)}
    if kernel.blocking is not None and "in0" in kernel.blocking.shares:
        wanted |= {plan.a for plan in kernel.contractions if plan.own}
    if sent != wanted:
        fail(kernel, "TTB402", f"streams {sorted(sent)} are sent, {sorted(wanted)} are shared")


def check_exchanges(kernel: LoweredKernel) -> dict[tuple[int, int], Coordinates]:
    """The coordinates that each core needs: those of the cores with the parts of its unit (TTB405).

    All parts of a unit run at the same time, each on a core of its own (TTB401); each exchange is for exactly the
    parts that there are (TTB402).
    """
    found = [(body.role, s) for body in kernel.bodies for s in walk(body.body) if isinstance(s, Exchange)]
    planned: list[tuple[str, int, str]] = [
        (fold.parts_cb, 1, "all") for sweep in kernel.sweeps for fold in sweep.folds if fold.part_cb
    ]
    tiles = kernel.unit_tiles[0] * kernel.unit_tiles[1]
    planned += [(plan.parts_cb, tiles, "first") for plan in kernel.contractions if plan.part_cb]
    attention = kernel.attention
    if attention is not None and attention.state:
        planned.append((attention.states, kernel.unit_tiles[0] * (attention.width + 2), "first"))
    if [(stmt.cb, stmt.pages, stmt.to) for _, stmt in found] != planned or any(role != "writer" for role, _ in found):
        fail(kernel, "TTB402", f"{len(found)} exchanges, {len(planned)} reductions in spread parts")
    if not found:
        return {}
    parts = kernel.parts
    if parts is None or not parts.spread:
        fail(kernel, "TTB402", "an exchange without parts")
    along = 1 if parts.axis == "rows" else 0
    groups: dict[tuple[int, ...], dict[int, tuple[int, int]]] = {}
    numbers: list[int] = []
    for item in kernel.work:
        if item.count != 1:
            fail(kernel, "TTB401", f"core {item.core} has {item.count} parts, which wait for each other")
        place = list(block_of(tile_ids(item, kernel.order, kernel.grid)[0], kernel.grid))
        number, place[along] = place[along], 0
        numbers.append(number)
        groups.setdefault(tuple(place), {})[number] = item.core
    for visit in occurrences(kernel.bodies[2], (Exchange,)):
        part, count = visit.values
        if not np.array_equal(part, numbers) or (count != parts.count).any():
            fail(kernel, "TTB402", "a core sends another part than its own")
    coordinates: dict[tuple[int, int], Coordinates] = {}
    for members in groups.values():
        if sorted(members) != list(range(parts.count)):
            fail(kernel, "TTB401", f"a unit with parts {sorted(members)} of {parts.count}")
        cores = [members[number] for number in range(parts.count)]
        words = tuple(word for core in cores for word in (ArgRef(noc_x=core), ArgRef(noc_y=core)))
        coordinates |= dict.fromkeys(cores, words)
    return coordinates
