"""Proof about the padding of block-float tiles, used by ``verify_ir``.

Sixteen elements of a row share an exponent there, so that whatever lies in a ragged row's padding columns would change
the elements beside it: it is zeroed in DST before it is packed (TTB408).
"""

from __future__ import annotations

from collections.abc import Iterator

from tt_build.ir.lowered import Block, FillTile, Pack, Section, SfpuOp, Stmt, TileOp, walk
from tt_build.ir.stages import FIRST, TILE, LoweredKernel
from tt_build.passes.kinds import extents
from tt_build.passes.prologues import computed_operands
from tt_build.passes.proof import fail, program_of
from tt_build.passes.simplify import bodies_of
from tt_build.passes.tile_dtypes import BLOCK
from tt_build.targets import DTYPES


def check_block_padding(kernel: LoweredKernel) -> None:
    """Every slot that is packed into a block-float buffer is masked last, with a mask of the right columns."""
    made = {s.cb: s for body in kernel.bodies for s in walk(body.body) if isinstance(s, FillTile)}
    for mask in kernel.masks:
        fill = made.get(mask.cb)
        if fill is None or (fill.pattern, fill.count, fill.value_bits) != (mask.axis, mask.count, 0x3F80):
            fail(kernel, "TTB408", f"{mask.cb} is not made with {mask.count} {mask.axis} of ones")
        if fill.element_bytes != DTYPES[kernel.cb(mask.cb).dtype].element_bytes:
            fail(kernel, "TTB408", f"{mask.cb} is made with elements of {fill.element_bytes} B")
    for body in kernel.bodies:
        for number, section in _sections(body.body, -1):
            for pack in walk(section.packs):
                if isinstance(pack, Pack) and DTYPES[kernel.cb(pack.cb).dtype].is_block:
                    _check_pack(kernel, pack, section, columns_of(kernel, number))


def columns_of(kernel: LoweredKernel, number: int) -> frozenset[int]:
    """Columns of what sweep ``number`` computes (-1: of a kernel without sweeps), counted in elements.

    Without sweeps those of the outputs: an input is wider where a matmul reduces its columns or a slice cuts some off.
    Two where its values only go to later sweeps and have one tile: all computed values have the widest's columns or 1.
    """
    if number < 0:
        return frozenset((max(tensor.matrix[1] for tensor in kernel.outputs),))
    whole = extents(kernel)[1]
    program, sweep = program_of(kernel), kernel.sweeps[number]
    values = program.values
    if sweep.before:
        operand = computed_operands(program, 0 if sweep.axes == FIRST else 1)[0]
        return frozenset((1 if sweep.one_column else values[operand].shape[-1],))
    found = {values[values[fold.value].args[0]].shape[-1] for fold in sweep.folds}
    found |= {kernel.tensor(result.tensor).matrix[1] for result in kernel.results if result.sweep == number}
    return frozenset(found or ({1, whole} if sweep.extent[1] == 1 else {whole}))


def _sections(body: tuple[Stmt, ...], number: int) -> Iterator[tuple[int, Section]]:
    """All sections, each with the number of its sweep."""
    for stmt in body:
        if isinstance(stmt, Section):
            yield number, stmt
        for inner in bodies_of(stmt):
            yield from _sections(inner, stmt.sweep if isinstance(stmt, Block) else number)


def _check_pack(kernel: LoweredKernel, pack: Pack, section: Section, columns: frozenset[int]) -> None:
    """Padding is masked as it must be for one of these numbers of columns."""
    for count in columns:
        masks = {m.cb for m in kernel.masks if (m.axis, m.count) == ("columns", count % TILE)}
        if count % BLOCK == 0 or pack.dst in masked_slots(section.math, masks):
            return
    fail(kernel, "TTB408", f"DST slot {pack.dst} goes into {pack.cb} with its padding columns")


def masked_slots(statements: tuple[Stmt, ...], masks: set[str]) -> set[int]:
    """The slots whose last write is a mask."""
    clean: set[int] = set()
    holds_mask: set[int] = set()
    for stmt in statements:
        for inner in bodies_of(stmt):
            written = {s.dst if isinstance(s, TileOp) else s.out for s in inner if isinstance(s, TileOp | SfpuOp)}
            clean = (clean - written) | masked_slots(inner, masks)
        if isinstance(stmt, TileOp):
            clean.discard(stmt.dst)
            holds_mask.discard(stmt.dst)
            if stmt.cbs[0] in masks and stmt.op == "copy":
                holds_mask.add(stmt.dst)
        elif isinstance(stmt, SfpuOp):
            mask, *rest = (*stmt.slots, -1)
            selects = stmt.function == "where" and mask in holds_mask and rest[:2] == [stmt.out, mask]
            holds_mask.discard(stmt.out)
            clean = clean | {stmt.out} if selects else clean - {stmt.out}
    return clean
