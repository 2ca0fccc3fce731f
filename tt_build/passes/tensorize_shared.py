"""What several cores share: operands, which one of them reads and multicasts to the others (``passes.channels``), and
units in parts, which the first of them puts together.
"""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import dim, num, var
from tt_build.ir.lowered import (
    Barrier,
    ChannelName,
    Exchange,
    Pointer,
    Pop,
    Push,
    ReceiveShared,
    Reserve,
    SendShared,
    SharedBlock,
    Stmt,
    Wait,
    When,
)
from tt_build.ir.stages import PaddedKernel, Stream
from tt_build.passes.blocks import pointer_of
from tt_build.passes.channels import CHANNELS, IS_SENDER, groups, semaphores
from tt_build.passes.links import link_of
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.sweep_loops import every_tile, part, place_in


def shared_streams(kernel: PaddedKernel) -> list[Stream]:
    """Streams that one core reads for all."""
    return [s for s in kernel.streams if s.per == "core"] if len(kernel.work) > 1 else []


def once_a_core(kernel: PaddedKernel) -> list[Stmt]:
    """The operands that stay on a core: read there where it is alone, else sent by the first core to all."""
    streams = [s for s in kernel.streams if s.per == "core"]
    if not streams:
        return []
    reads = [s for stream in streams for s in held_tiles(kernel, stream)]
    return parcel(kernel, "all", [s.cb for s in streams], [*reads, Barrier(what="read")])


def held_tiles(kernel: PaddedKernel, stream: Stream) -> list[Stmt]:
    """Reads of all tiles of a stream that a core or a unit holds, to their places."""
    read = read_tile(stream, place_in(kernel, stream.extent, axes=stream.axes))
    return every_tile(kernel, stream.extent, read, axes=stream.axes)


def parcel(kernel: PaddedKernel, channel: ChannelName, cbs: Sequence[str], landed: Sequence[Stmt]) -> list[Stmt]:
    """A block of each circular buffer, which ``landed`` fills on the core that sends, for all cores of the channel."""
    blocks = tuple(SharedBlock(pointer=pointer_of(cb), cb=cb, pages=kernel.cb(cb).block) for cb in cbs)
    before: list[Stmt] = [Reserve(cb=block.cb, pages=num(block.pages)) for block in blocks]
    before += [Pointer(name=block.pointer, cb=block.cb, side="write") for block in blocks]
    pushed = [Push(cb=block.cb, pages=num(block.pages)) for block in blocks]
    group = next(iter(groups(kernel, channel).values()))
    if not group.receivers:
        return [*before, *landed, *pushed]
    ready, sent = semaphores(kernel, channel)
    send = SendShared(
        channel=channel,
        blocks=blocks,
        receivers=len(group.receivers),
        targets=len(group.rectangles),
        ready=ready,
        sent=sent,
        link=link_of(kernel.arch) if channel in kernel.linked else "",
    )
    sends = var(IS_SENDER[channel])
    return [
        *before,
        When(a=sends, b=num(1), body=(*landed, send)),
        When(a=sends, b=num(0), body=(ReceiveShared(channel=channel, ready=ready, sent=sent),)),
        *pushed,
    ]


def on_first_part(kernel: PaddedKernel, body: list[Stmt]) -> list[Stmt]:
    """What only the first core of a unit does where several share it."""
    if kernel.parts is None or not body:
        return body
    return [When(a=part(kernel.parts), b=num(0), body=tuple(body))]


def parts_to_first(kernel: PaddedKernel, part_cb: str, parts_cb: str) -> list[Stmt]:
    """The core's part of the unit, a block of ``part_cb``, goes to the first core, which announces all of them."""
    assert kernel.parts is not None
    source, target = pointer_of(part_cb), pointer_of(parts_cb)
    pages, all_pages = kernel.cb(part_cb).block, num(kernel.cb(parts_cb).block)
    return [
        Wait(cb=part_cb, pages=num(pages)),
        Reserve(cb=parts_cb, pages=all_pages),
        Pointer(name=source, cb=part_cb, side="read"),
        Pointer(name=target, cb=parts_cb, side="write"),
        Exchange(
            source=source,
            target=target,
            cb=parts_cb,
            part=part(kernel.parts),
            parts=dim("parts", kernel.parts.count),
            semaphore=2 * len(CHANNELS),
            pages=pages,
            to="first",
        ),
        *on_first_part(kernel, [Push(cb=parts_cb, pages=all_pages)]),
        Pop(cb=part_cb, pages=num(pages)),
    ]
