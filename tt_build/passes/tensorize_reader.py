"""The reader's body: tiles of every stream from memory into circular buffers, a block a barrier."""

from __future__ import annotations

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import Barrier, Pointer, Push, ReadPage, Reserve, Stmt, When, ZeroPadding
from tt_build.ir.stages import PaddedKernel, Source, Stream
from tt_build.passes import loops
from tt_build.passes.pages import rows_fields
from tt_build.passes.tensorize_patterns import make_pattern
from tt_build.targets import DTYPES


def reader(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``reader.cpp``; without inputs there are none. Shards are there: they are only announced."""
    local = [kernel.cb(s.cb) for s in kernel.streams if s.per == "shard"]
    once = [s for s in kernel.streams if s.per == "core"]
    unit = [s for s in kernel.streams if s.per == "unit"]
    body: list[Stmt] = []
    for cb in local:
        body += [Reserve(cb=cb.name, pages=num(cb.block)), Push(cb=cb.name, pages=num(cb.block))]
    for pattern in kernel.patterns:
        body += make_pattern(pattern)
    if once:
        body += _block(once, num(1), [stmt for s in once for stmt in _read(s, num(0))])
    if loops.has_matmul(kernel):
        inner = [*loops.definitions(kernel), *_k_streams(kernel)]
        if unit:
            inner += _block(unit, num(1), [stmt for s in unit for stmt in _read(s, num(0))])
        body.append(loops.unit_loop(kernel, [], inner, []))
    elif unit:
        size = loops.batch(kernel)
        reads = [stmt for s in unit for stmt in _read(s, loops.unit_slot(kernel))]
        before, after = _open(unit, size), _close(unit, size)
        body.append(loops.unit_loop(kernel, before, [*loops.definitions(kernel), *reads], after))
    return tuple(body)


def _k_streams(kernel: PaddedKernel) -> list[Stmt]:
    """Both operands of a matmul block by block; one after the other when compute transposes the first beforehand."""
    streams = [s for s in kernel.streams if s.per == "k"]
    groups = [[s] for s in streams] if kernel.transposes else [streams]
    size = loops.k_block(kernel)
    found: list[Stmt] = []
    for group in groups:
        reads = [stmt for s in group for stmt in _read(s, loops.k_slot(kernel))]
        found.append(loops.k_loop(kernel, _open(group, size), reads, _close(group, size, _zero(kernel, group))))
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
                pointer=_pointer(stream),
                slot=num(last_slot),
                cb=stream.cb,
                axis=fill.axis,
                first=fill.first,
                element_bytes=dtype.element_bytes,
            )
            block: Index = var("k" if kernel.k_block == 1 else "k_block")
            found.append(When(a=block, b=num(last_block), body=(zero,)))
    return found


def _pointer(stream: Stream) -> str:
    return f"{stream.cb.removeprefix('cb_')}_l1"


def _read(stream: Stream, slot: Index) -> list[Stmt]:
    """The statements that fetch a tile: several where its place decides which tensor it comes from."""
    sources = stream.sources or (Source(tensor=stream.tensor, page=stream.page, when=(), rows=stream.rows),)
    return [_guarded(source, _read_page(stream, source, slot)) for source in sources]


def _guarded(source: Source, stmt: Stmt) -> Stmt:
    for condition in reversed(source.when):
        stmt = When(a=condition.index, b=num(condition.value), body=(stmt,))
    return stmt


def _read_page(stream: Stream, source: Source, slot: Index) -> Stmt:
    return ReadPage(
        tensor=source.tensor,
        page=source.page,
        **rows_fields(source.rows),
        pointer=_pointer(stream),
        slot=slot,
        cb=stream.cb,
    )


def _open(streams: list[Stream], size: Index) -> list[Stmt]:
    found: list[Stmt] = [Reserve(cb=s.cb, pages=size) for s in streams]
    return [*found, *(Pointer(name=_pointer(s), cb=s.cb, side="write") for s in streams)]


def _close(streams: list[Stream], size: Index, landed: list[Stmt] | None = None) -> list[Stmt]:
    return [Barrier(what="read"), *(landed or []), *(Push(cb=s.cb, pages=size) for s in streams)]


def _block(streams: list[Stream], size: Index, reads: list[Stmt]) -> list[Stmt]:
    return [*_open(streams, size), *reads, *_close(streams, size)]
