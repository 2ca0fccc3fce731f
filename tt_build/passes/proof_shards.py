"""Proof that the blocks of a matmul lie where they are computed, used by ``proof_blocks``."""

from __future__ import annotations

import numpy as np

from tt_build.ir.stages import LoweredKernel
from tt_build.passes.proof import fail


def check_shards_here(
    kernel: LoweredKernel,
    tensor: str,
    tiles: tuple[int, int],
    units: tuple[np.ndarray, np.ndarray],
    *,
    one: bool,
) -> None:
    """Each core's shard of the tensor has the rows of its units' blocks, and is of so many ``tiles`` (TTB403).

    ``units`` are the core and the id of each unit. With ``one`` a core has one unit, and the shard is its block of the
    output, or of a first operand that is cut along K as the output is along its columns; else the shard has all
    columns of its rows.
    """
    buffer, output = kernel.buffer(tensor), kernel.buffer(kernel.outputs[0].name)
    shards, grid = buffer.shards, kernel.grid
    if shards is None or shards.memory != "l1" or shards.tiles != tiles:
        fail(kernel, "TTB403", f"the shards of '{tensor}' have not {tiles[0]} x {tiles[1]} tiles")
    if buffer.tiles[0] != output.tiles[0] or kernel.tensor(tensor).batch != kernel.outputs[0].batch:
        fail(kernel, "TTB403", f"'{tensor}' has other rows than the output")
    if one and (shards.counts[1] != grid.x or any(item.count != 1 for item in kernel.work)):
        fail(kernel, "TTB403", f"a core has several shards of '{tensor}', or none")
    core, ids = units
    bx, by, bz = ids % grid.x, ids // grid.x % grid.y, ids // (grid.x * grid.y)
    line, within = np.divmod(bz * output.tiles[0] + by * kernel.unit_tiles[0], tiles[0])
    index = line * shards.counts[1] + (bx if one else 0)
    cores = [kernel.work[number].core for number in core]
    if within.any() or (not one and shards.counts[1] != 1) or [shards.cores[i] for i in index] != cores:
        fail(kernel, "TTB403", f"work is not where the shards of '{tensor}' lie")
