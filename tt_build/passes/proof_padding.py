"""Proof about the padding of block-float tiles, used by ``verify_ir``.

Sixteen elements of a row share an exponent there, so that whatever lies in a ragged row's padding columns would change
the elements beside it: it is zeroed in DST before it is packed (TTB408).
"""

from __future__ import annotations

from tt_build.ir.lowered import FillTile, Pack, Section, SfpuOp, Stmt, TileOp, walk
from tt_build.ir.stages import TILE, LoweredKernel
from tt_build.passes.proof import fail
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
    columns = {result.cb: kernel.tensor(result.tensor).matrix[1] for result in kernel.results}
    widest = max(tensor.matrix[1] for tensor in kernel.tensors)
    for body in kernel.bodies:
        for section in walk(body.body):
            if not isinstance(section, Section):
                continue
            for pack in section.packs:
                if not isinstance(pack, Pack) or not DTYPES[kernel.cb(pack.cb).dtype].is_block:
                    continue
                count = columns.get(pack.cb, widest)
                masks = {m.cb for m in kernel.masks if (m.axis, m.count) == ("columns", count % TILE)}
                if count % BLOCK and pack.dst not in _masked(section.math, masks):
                    fail(kernel, "TTB408", f"DST slot {pack.dst} goes into {pack.cb} with its padding columns")


def _masked(statements: tuple[Stmt, ...], masks: set[str]) -> set[int]:
    """The slots whose last write is a mask."""
    clean: set[int] = set()
    holds_mask: set[int] = set()
    for stmt in statements:
        for inner in bodies_of(stmt):
            written = {s.dst if isinstance(s, TileOp) else s.out for s in inner if isinstance(s, TileOp | SfpuOp)}
            clean = (clean - written) | _masked(inner, masks)
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
