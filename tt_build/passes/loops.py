"""The loop nest that reader, compute and writer share, so that their block counts cannot differ."""

from __future__ import annotations

from tt_build.ir.index import Index, ceil_div, dim, minimum, num, var
from tt_build.ir.lowered import Let, Loop, Stmt
from tt_build.ir.stages import MatmulStep, PaddedKernel


def has_matmul(kernel: PaddedKernel) -> bool:
    """Whether units run over K."""
    return any(stream.per == "k" for stream in kernel.streams)


def batch(kernel: PaddedKernel) -> Index:
    """Units a block."""
    return dim("tiles_per_block", kernel.batch) if kernel.batch > 1 else num(1)


def k_block(kernel: PaddedKernel) -> Index:
    """K tiles a block."""
    return dim("k_tiles_per_block", kernel.k_block) if kernel.k_block > 1 else num(1)


def k_tiles(kernel: PaddedKernel) -> Index:
    """K tiles a unit."""
    return dim("k_tiles", k_tile_count(kernel))


def k_tile_count(kernel: PaddedKernel) -> int:
    """K tiles a unit, as a number."""
    return next(s.k_tiles for section in kernel.sections for s in section.steps if isinstance(s, MatmulStep))


def unit_loop(kernel: PaddedKernel, before: list[Stmt], inner: list[Stmt], after: list[Stmt]) -> Loop:
    """Blocks of ``batch`` units: ``before``, then ``inner`` for each unit of the block, then ``after``.

    The last block of a core may hold fewer units; it is moved as a whole all the same.
    """
    size = batch(kernel)
    if kernel.batch == 1:
        return Loop(var="unit", count=var("num_tiles"), body=(*before, *inner, *after))
    tiles = Let(name="tiles", value=minimum(size, var("num_tiles") - var("block") * size))
    unit = Let(name="unit", value=var("block") * size + var("i"))
    return Loop(
        var="block",
        count=ceil_div(var("num_tiles"), size),
        body=(tiles, *before, Loop(var="i", count=var("tiles"), body=(unit, *inner)), *after),
    )


def in_dst(kernel: PaddedKernel) -> Index:
    """Units a DST section, at most."""
    return dim("tiles_in_dst", kernel.in_dst)


def section_loop(kernel: PaddedKernel, before: list[Stmt], inner: list[Stmt], after: list[Stmt]) -> Loop:
    """Blocks as those of ``unit_loop``, and in each ``inner`` for every section of up to ``in_dst`` units.

    There ``first`` is the place of the first of them in its block, and ``lanes`` says how many there are.
    """
    size = batch(kernel)
    tiles = Let(name="tiles", value=minimum(size, var("num_tiles") - var("block") * size))
    body: list[Stmt] = [Let(name="first", value=num(0)), Let(name="lanes", value=var("tiles")), *inner]
    if kernel.in_dst < kernel.batch:
        first = Let(name="first", value=var("group") * in_dst(kernel))
        lanes = Let(name="lanes", value=minimum(in_dst(kernel), var("tiles") - var("first")))
        count = ceil_div(var("tiles"), in_dst(kernel))
        body = [Loop(var="group", count=count, body=(first, lanes, *inner))]
    return Loop(var="block", count=ceil_div(var("num_tiles"), size), body=(tiles, *before, *body, *after))


def lane_loop(kernel: PaddedKernel, inner: list[Stmt]) -> Loop:
    """``inner`` for each unit of a section; ``lane`` is its place there, ``i`` that in the block."""
    i = Let(name="i", value=var("first") + var("lane"))
    unit = Let(name="unit", value=var("block") * batch(kernel) + var("i"))
    return Loop(var="lane", count=var("lanes"), body=(i, unit, *definitions(kernel), *inner))


def unit_slot(kernel: PaddedKernel) -> Index:
    """Position of the current unit in its block."""
    return var("i") if kernel.batch > 1 else num(0)


def k_loop(kernel: PaddedKernel, before: list[Stmt], inner: list[Stmt], after: list[Stmt]) -> Loop:
    """Blocks of K tiles: ``before``, ``inner`` for each K tile ``k`` of the block, ``after``."""
    size, total = k_block(kernel), k_tiles(kernel)
    blocks = dim("k_blocks", -(-k_tile_count(kernel) // kernel.k_block))
    if kernel.k_block == 1:
        return Loop(var="k", count=total, body=(*before, *inner, *after))
    k = Let(name="k", value=var("k_block") * size + var("kk"))
    ragged = k_tile_count(kernel) % kernel.k_block != 0
    extent = Let(name="k_extent", value=minimum(size, total - var("k_block") * size) if ragged else size)
    loop = Loop(var="kk", count=var("k_extent"), body=(k, *inner))
    return Loop(var="k_block", count=blocks, body=(extent, *before, loop, *after))


def k_slot(kernel: PaddedKernel) -> Index:
    """Position of the current K tile in its block."""
    return var("kk") if kernel.k_block > 1 else num(0)


def definitions(kernel: PaddedKernel) -> list[Stmt]:
    """The place of the current unit; ``simplify`` drops what nobody reads."""
    return list(kernel.loop.body)
