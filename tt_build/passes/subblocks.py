"""DST sections over a block of products: one subblock each, row by row."""

from __future__ import annotations

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import Loop, Pack, Section, Stmt


def first_of(axis: str, size: int, step: int) -> Index:
    """The first ``row`` or ``column`` of the present subblock, of ``step`` tiles, in a block of ``size``."""
    return var(f"subblock_{axis}") * step if size > step else num(0)


def each_subblock(math: Stmt, cb: str, block: tuple[int, int], subblock: tuple[int, int], width: Index) -> Stmt:
    """``math`` for every subblock (rows, columns) of a block, which lies in ``cb`` row by row, ``width`` tiles each."""
    (rows, columns), (high, wide) = block, subblock
    row, column = first_of("row", rows, high), first_of("column", columns, wide)
    packs = tuple(
        Pack(dst=r * wide + c, cb=cb, index=(row + r) * width + (column + c)) for r in range(high) for c in range(wide)
    )
    section: Stmt = Section(math=(math,), packs=packs)
    for name, count in (("subblock_column", columns // wide), ("subblock_row", rows // high)):
        if count > 1:
            section = Loop(var=name, count=num(count), body=(section,))
    return section
