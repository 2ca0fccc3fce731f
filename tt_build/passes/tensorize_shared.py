"""Operands that all units of all cores share: one core reads them and multicasts them to the others."""

from __future__ import annotations

from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Barrier,
    Pointer,
    Push,
    ReceiveShared,
    Reserve,
    SendShared,
    SharedBlock,
    Stmt,
    When,
)
from tt_build.ir.plan import ArgRef, Range
from tt_build.ir.stages import MappedKernel, PaddedKernel, Stream
from tt_build.passes.blocks import pointer_of
from tt_build.passes.read_tiles import read_tile
from tt_build.passes.shard_to_core_map import cover
from tt_build.passes.sweep_loops import every_tile, place_in

IS_SENDER = "is_sender"
"""The runtime argument that is 1 on the core that reads for all."""

READY, SENT = 0, 1
"""Semaphores of the hand-shake."""


def shared_streams(kernel: PaddedKernel) -> list[Stream]:
    """Streams that one core reads for several."""
    return [s for s in kernel.streams if s.per == "core"] if len(kernel.work) > 1 else []


def targets_of(kernel: MappedKernel) -> tuple[Range, ...]:
    """The cores with work without the sender, the first of them, as rectangles."""
    return cover(tuple(item.core for item in kernel.work[1:]))


def target_words(kernel: MappedKernel) -> tuple[int | ArgRef, ...]:
    """The sender's coordinates; for each rectangle its corners, as the device knows them, and how many cores it has."""
    sender = kernel.work[0].core
    words: list[int | ArgRef] = [ArgRef(noc_x=sender), ArgRef(noc_y=sender)]
    for rectangle in targets_of(kernel):
        words += [ArgRef(noc_x=rectangle.start), ArgRef(noc_y=rectangle.start)]
        words += [ArgRef(noc_x=rectangle.end), ArgRef(noc_y=rectangle.end), len(rectangle.cores())]
    return tuple(words)


def once_a_core(kernel: PaddedKernel) -> list[Stmt]:
    """The operands that stay on a core: read there where it is alone, else sent by the first core to all."""
    streams = [s for s in kernel.streams if s.per == "core"]
    if not streams:
        return []
    blocks = tuple(SharedBlock(pointer=pointer_of(s.cb), cb=s.cb, pages=kernel.cb(s.cb).block) for s in streams)
    opened: list[Stmt] = [Reserve(cb=b.cb, pages=num(b.pages)) for b in blocks]
    opened += [Pointer(name=b.pointer, cb=b.cb, side="write") for b in blocks]
    reads = [
        s
        for stream in streams
        for s in every_tile(kernel, stream.extent, read_tile(stream, place_in(kernel, stream.extent)))
    ]
    landed: list[Stmt] = [*reads, Barrier(what="read")]
    pushed = [Push(cb=b.cb, pages=num(b.pages)) for b in blocks]
    if not shared_streams(kernel):
        return [*opened, *landed, *pushed]
    send = SendShared(
        blocks=blocks,
        receivers=len(kernel.work) - 1,
        targets=len(targets_of(kernel)),
        ready=READY,
        sent=SENT,
    )
    return [
        *opened,
        When(a=var(IS_SENDER), b=num(1), body=(*landed, send)),
        When(a=var(IS_SENDER), b=num(0), body=(ReceiveShared(ready=READY, sent=SENT),)),
        *pushed,
    ]
