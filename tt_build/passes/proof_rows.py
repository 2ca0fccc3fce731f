"""What each tile of a tensor is in memory, for the proofs: its page, and where pages are rows, which part of them.

Used by ``verify_ir``. Everything is counted in elements from the tensor's shape, not taken from page expressions.
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.stages import TILE, LoweredKernel


def tile_fields(kernel: LoweredKernel, name: str) -> tuple[np.ndarray, ...]:
    """Arrays of shape (*batch, tiles down, tiles across): the page of each tile; for a row-major tensor also the number
    of its rows, its first column and the number of its columns.
    """
    tensor, buffer = kernel.tensor(name), kernel.buffer(name)
    shape = (*tensor.batch, *buffer.tiles)
    if tensor.format != "row_major":
        return (np.arange(buffer.pages).reshape(shape),)
    rows, columns = tensor.matrix
    elements = np.arange(int(np.prod(tensor.shape, dtype=np.int64))).reshape(*tensor.batch, rows, columns)
    first = elements[..., ::TILE, ::TILE]
    page, column = np.divmod(first, columns)
    tall = np.array([len(range(rows)[start : start + TILE]) for start in range(0, rows, TILE)])
    wide = np.array([len(range(columns)[start : start + TILE]) for start in range(0, columns, TILE)])
    return page, np.broadcast_to(tall[:, None], shape), column, np.broadcast_to(wide, shape)
