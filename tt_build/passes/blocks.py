"""How reader and writer open and close blocks of circular buffers, for every kind of kernel."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import Index
from tt_build.ir.lowered import Pointer, Pop, Push, Reserve, Stmt, Wait


def pointer_of(cb: str) -> str:
    """The name of the L1 address of the circular buffer's block."""
    return f"{cb.removeprefix('cb_')}_l1"


def opened(cbs: Sequence[str], pages: Index) -> list[Stmt]:
    """Room for a block in each, and where it is."""
    found: list[Stmt] = [Reserve(cb=cb, pages=pages) for cb in cbs]
    return [*found, *(Pointer(name=pointer_of(cb), cb=cb, side="write") for cb in cbs)]


def filled(cbs: Sequence[str], pages: Index, body: Sequence[Stmt]) -> list[Stmt]:
    """``body``, which fills a block of each, and their announcement."""
    return [*opened(cbs, pages), *body, *(Push(cb=cb, pages=pages) for cb in cbs)]


def awaited(cbs: Sequence[str], pages: Index) -> list[Stmt]:
    """A block of each that compute has filled, and where it is."""
    found: list[Stmt] = [Wait(cb=cb, pages=pages) for cb in cbs]
    return [*found, *(Pointer(name=pointer_of(cb), cb=cb, side="read") for cb in cbs)]


def popped(cbs: Sequence[str], pages: Index) -> list[Stmt]:
    """The blocks are free again."""
    return [Pop(cb=cb, pages=pages) for cb in cbs]
