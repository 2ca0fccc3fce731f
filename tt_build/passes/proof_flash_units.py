"""Proof about the units of attention, used by ``verify_ir``: which queries and which keys each has, and which cores go
through the same keys and values in step (TTB402, TTB403).
"""

from __future__ import annotations

from typing import NoReturn

import msgspec
import numpy as np

from tt_build.ir.stages import LoweredKernel
from tt_build.ir.work import tile_ids
from tt_build.passes.proof import fail
from tt_build.passes.proof_views import tiles_at


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """Of units: block of queries, matrix, part of the keys, first tile of keys, tiles of keys, and steps."""

    block: np.ndarray
    bz: np.ndarray
    part: np.ndarray
    first_key: np.ndarray
    met: np.ndarray
    steps: np.ndarray


def units_of(kernel: LoweredKernel, ids: np.ndarray) -> Units:
    """The units with these tile ids."""
    assert kernel.flash is not None
    assert kernel.attention is not None
    flash, total, part = kernel.flash, kernel.attention.sequence, ids % kernel.grid.x
    block, bz = _blocks(kernel, ids // kernel.grid.x)
    if kernel.parts is not None:
        first = part * kernel.parts.tiles
        met = np.minimum(kernel.parts.tiles, total - first)
        return Units(block=block, bz=bz, part=part, first_key=first, met=met, steps=-(-met // flash.keys))
    steps = np.full_like(block, -(-total // flash.keys))
    if flash.causal:
        steps = np.minimum(steps, (block * flash.rows + flash.rows - 1) // flash.keys + 1)
    met = np.minimum(steps * flash.keys, total)
    return Units(block=block, bz=bz, part=part, first_key=np.zeros_like(block), met=met, steps=steps)


def _blocks(kernel: LoweredKernel, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The block of queries and the matrix of units. In a causal attention every other ``turn`` matrices run backwards,
    and ``apart`` runs of blocks each have one of those that follow each other.
    """
    assert kernel.flash is not None
    blocks, flash = kernel.grid.y, kernel.flash
    by, bz = ids % blocks, ids // blocks
    if not flash.causal:
        return by, bz
    if flash.turn < 1 or flash.apart < 1 or blocks % flash.apart:
        _fail(kernel, f"turns of {flash.turn} matrices, {flash.apart} of {blocks} blocks apart")
    order = np.arange(blocks).reshape(-1, flash.apart).T.ravel()
    return order[np.where(bz // flash.turn % 2 == 1, blocks - 1 - by, by)], bz


def walks(kernel: LoweredKernel) -> list[bytes]:
    """For each core with work, one after the other: the keys and values of its units, in so many steps each.

    ``Flash.heads`` says which matrices have the same; that they have is looked up element by element.
    """
    flash, plan = kernel.flash, kernel.attention
    assert flash is not None
    assert plan is not None
    matrix = np.arange(kernel.grid.z)
    first, zero = matrix // max(flash.heads, 1) * flash.heads, np.zeros_like(matrix)
    views = {stream.cb: stream.view for stream in kernel.streams}
    for cb in (plan.keys, plan.values):
        here, there = (
            tiles_at(kernel, views[cb], bz, zero, zero, transposed=False, spread=True) for bz in (matrix, first)
        )
        same = [
            np.array_equal(x, y) for x, y in zip((here.source, *here.place), (there.source, *there.place), strict=True)
        ]
        if flash.heads < 1 or not all(same):
            _fail(kernel, f"{flash.heads} matrices one after the other have not the same tiles of {cb}")
    found: list[bytes] = []
    for item in kernel.work:
        units = units_of(kernel, np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64))
        found.append(np.stack([units.bz // flash.heads, units.steps]).tobytes())
    return found


def _fail(kernel: LoweredKernel, message: str) -> NoReturn:
    fail(kernel, "TTB403", message)
