"""Operands that several cores share: one of them reads, and multicasts to the others (``passes.channels``)."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Barrier,
    ChannelName,
    Pointer,
    Push,
    ReceiveShared,
    Reserve,
    SendShared,
    SharedBlock,
    Stmt,
    When,
)
from tt_build.ir.stages import PaddedKernel, Stream
from tt_build.passes.blocks import pointer_of
from tt_build.passes.channels import IS_SENDER, groups, semaphores
from tt_build.passes.links import link_of
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.sweep_loops import every_tile, place_in


def shared_streams(kernel: PaddedKernel) -> list[Stream]:
    """Streams that one core reads for all."""
    return [s for s in kernel.streams if s.per == "core"] if len(kernel.work) > 1 else []


def once_a_core(kernel: PaddedKernel) -> list[Stmt]:
    """The operands that stay on a core: read there where it is alone, else sent by the first core to all."""
    streams = [s for s in kernel.streams if s.per == "core"]
    if not streams:
        return []
    reads = [
        s
        for stream in streams
        for s in every_tile(kernel, stream.extent, read_tile(stream, place_in(kernel, stream.extent)))
    ]
    return parcel(kernel, "all", [s.cb for s in streams], [*reads, Barrier(what="read")])


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
