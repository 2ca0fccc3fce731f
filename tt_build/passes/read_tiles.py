"""Fetching a tile of a stream, for every kind of reader."""

from __future__ import annotations

from tt_build.ir.index import Index, num
from tt_build.ir.lowered import ReadPage, Stmt, When
from tt_build.ir.stages import PaddedKernel, Source, Stream
from tt_build.passes.blocks import opened, pointer_of
from tt_build.passes.pages import rows_fields


def read_tile(stream: Stream, slot: Index) -> list[Stmt]:
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
        pointer=pointer_of(stream.cb),
        slot=slot,
        cb=stream.cb,
        scratch=pointer_of(source.rows.scratch) if source.rows is not None and source.rows.scratch else "",
    )


def open_scratch(kernel: PaddedKernel) -> list[Stmt]:
    """The page through which rows go, held for the whole kernel."""
    return opened([kernel.scratch], num(1)) if kernel.scratch else []
