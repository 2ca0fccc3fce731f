"""What each tile of a tensor is in memory, for the proofs: its page, and where pages are rows, which part of them.

Used by ``verify_ir``. Everything is counted in elements from the tensor's shape, not taken from page expressions.
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.lowered import ReadPage, WritePage
from tt_build.ir.skeleton import Visit
from tt_build.ir.stages import TILE, LoweredKernel
from tt_build.passes.proof import fail
from tt_build.targets import DTYPES


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


def check_form(kernel: LoweredKernel, stmt: ReadPage | WritePage) -> None:
    """Rows are moved of row-major tensors and of no others, in elements of their size (TTB403)."""
    tensor = kernel.tensor(stmt.tensor)
    by_rows = tensor.format == "row_major"
    given = [index is not None for index in (stmt.rows, stmt.column, stmt.columns)]
    if given != [by_rows] * 3 or (by_rows and stmt.element_bytes != DTYPES[tensor.dtype].element_bytes):
        name = f"{type(stmt).__name__} of {stmt.cb}"
        fail(kernel, "TTB403", f"{name} does not move '{stmt.tensor}' as it lies in memory")


def with_parts(visit: Visit) -> tuple[np.ndarray, ...]:
    """Page, slot, rows, column and columns of each time; the last three 0 where the page is a tile."""
    zero = np.zeros_like(visit.core)
    return (*visit.values, zero, zero, zero)[:5]


def pages_moved(stmt: ReadPage | WritePage, visit: Visit) -> int:
    """Pages that a statement moves, all times together: of a row-major tensor the rows of its tiles."""
    return int(visit.core.size) if stmt.rows is None else int(visit.values[2].sum())
