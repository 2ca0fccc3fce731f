"""The reader's body: tiles of every stream from memory into circular buffers, a block a barrier."""

from __future__ import annotations

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import Barrier, FillTile, Push, Reserve, Stmt, When, ZeroPadding
from tt_build.ir.stages import MaskPlan, PaddedKernel, Stream
from tt_build.passes import loops
from tt_build.passes.blocks import filled, opened, pointer_of
from tt_build.passes.read_tiles import open_scratch, read_tile
from tt_build.passes.tensorize_patterns import make_pattern
from tt_build.passes.tensorize_shared import once_a_core
from tt_build.targets import DTYPES

ONE_BFLOAT16 = 0x3F80


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``reader.cpp``; without inputs there are none. Shards are there: they are only announced."""
    unit = [s for s in kernel.streams if s.per == "unit"]
    body: list[Stmt] = [*open_scratch(kernel), *announced(kernel)]
    for mask in kernel.masks:
        body += mask_tile(mask)
    for pattern in kernel.patterns:
        body += make_pattern(pattern)
    body += once_a_core(kernel)
    if loops.has_matmul(kernel):
        inner = [*loops.definitions(kernel), *_k_streams(kernel)]
        if unit:
            reads = [stmt for s in unit for stmt in read_tile(s, num(0))]
            inner += filled([s.cb for s in unit], num(1), [*reads, Barrier(what="read")])
        body.append(loops.unit_loop(kernel, [], inner, []))
    elif unit:
        size = loops.batch(kernel)
        reads = [stmt for s in unit for stmt in read_tile(s, loops.unit_slot(kernel))]
        before, after = opened([s.cb for s in unit], size), _close(unit, size)
        body.append(loops.unit_loop(kernel, before, [*loops.definitions(kernel), *reads], after))
    return tuple(body)


def announced(kernel: PaddedKernel) -> list[Stmt]:
    """The core's shards, each in its circular buffer as a whole; those that are sent stay with the one who sends."""
    sent = {s.shard_cb for s in kernel.streams}
    local = [kernel.cb(s.cb) for s in kernel.streams if s.per == "shard" and s.cb not in sent]
    return [
        stmt
        for cb in local
        for stmt in (Reserve(cb=cb.name, pages=num(cb.block)), Push(cb=cb.name, pages=num(cb.block)))
    ]


def mask_tile(mask: MaskPlan) -> list[Stmt]:
    """The tile of ones and zeros that compute masks edge tiles with, made once."""
    fill = FillTile(
        pointer=pointer_of(mask.cb),
        slot=num(0),
        cb=mask.cb,
        pattern=mask.axis,
        count=mask.count,
        value_bits=ONE_BFLOAT16,
        element_bytes=DTYPES["bfloat16"].element_bytes,
    )
    return filled([mask.cb], num(1), [fill])


def _k_streams(kernel: PaddedKernel) -> list[Stmt]:
    """Both operands of a matmul block by block; one after the other when compute transposes the first beforehand."""
    streams = [s for s in kernel.streams if s.per == "k"]
    groups = [[s] for s in streams] if kernel.transposes else [streams]
    size = loops.k_block(kernel)
    found: list[Stmt] = []
    for group in groups:
        reads = [stmt for s in group for stmt in read_tile(s, loops.k_slot(kernel))]
        found.append(
            loops.k_loop(kernel, opened([s.cb for s in group], size), reads, _close(group, size, _zero(kernel, group)))
        )
    return found


def _zero(kernel: PaddedKernel, group: list[Stream]) -> list[Stmt]:
    """Zero the padding of the last K tile, once it has landed."""
    found: list[Stmt] = []
    total = loops.k_tile_count(kernel)
    last_block, last_slot = divmod(total - 1, kernel.k_block)
    for fill in kernel.zero_fills:
        for stream in (s for s in group if s.cb == fill.cb):
            dtype = DTYPES[kernel.tensor(stream.tensor).dtype]
            zero = ZeroPadding(
                pointer=pointer_of(stream.cb),
                slot=num(last_slot),
                cb=stream.cb,
                axis=fill.axis,
                first=fill.first,
                element_bytes=dtype.element_bytes,
            )
            block: Index = var("k" if kernel.k_block == 1 else "k_block")
            found.append(When(a=block, b=num(last_block), body=(zero,)))
    return found


def _close(streams: list[Stream], size: Index, landed: list[Stmt] | None = None) -> list[Stmt]:
    return [Barrier(what="read"), *(landed or []), *(Push(cb=s.cb, pages=size) for s in streams)]
