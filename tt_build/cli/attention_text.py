"""An attention in words: what a unit is, which keys it meets, and what its cores share."""

from __future__ import annotations

from tt_build.ir.flash_blocks import walk_of
from tt_build.ir.stages import Flash, VerifiedKernel
from tt_build.spec.nearest import plural


def attention_lines(kernel: VerifiedKernel, flash: Flash) -> list[str]:
    """A head, and a line for each thing that is not so in every attention."""
    wide, parts = kernel.unit_tiles[1], kernel.parts
    head = f"attention: {flash.rows} x {wide} tiles of the output in steps of {plural(flash.keys, 'tile')} of keys"
    lines = [f"{head}; no score leaves a core"]
    if flash.causal:
        turn = f"every other {'matrix' if flash.turn == 1 else f'{flash.turn} matrices'}"
        lines.append(
            f"  no unit meets keys behind its last query; {turn} hand{'s' * (flash.turn == 1)} units out in reverse"
        )
    if flash.shared:
        walks = [walk_of(item, flash, kernel.order, kernel.grid) for item in kernel.work]
        lines.append(f"  {len(walks) // len(set(walks))} cores each share keys and values: one reads, and multicasts")
    if parts is not None:
        shared = f"  {plural(parts.total, 'tile')} of keys are {parts.count} parts of {plural(parts.tiles, 'tile')}"
        lines.append(f"{shared} on cores of their own; the first puts together what all have gathered")
    return lines
