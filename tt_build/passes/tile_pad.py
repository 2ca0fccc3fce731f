"""Pass ``tile_pad``: BufferedKernel -> PaddedKernel.

Needs   shapes and streams.
Gives   the padding of each tensor, and where the reader must zero it. Padding may hold anything, so only the reduced
        dimension of a matmul matters: zero columns of the first operand's last K tile make whatever lies opposite
        add nothing (the matrix engine gives 0 x NaN = 0). Everywhere else padding stays in padding, but for what is
        packed into block-float formats, and operands that are computed: ``plan_stages`` masks it.
Rejects a first operand in a block-float format whose reduced dimension is ragged (TTB205).
"""

from __future__ import annotations

from typing import NoReturn

from tt_build.ir.stages import TILE, BufferedKernel, MatmulStep, PaddedKernel, Padding, Tensor, ZeroFill
from tt_build.passes.common import extend, refuse
from tt_build.targets import DTYPES


def apply(kernel: BufferedKernel) -> PaddedKernel:
    """Find the padding that matters."""
    padding = tuple(_padding(t) for t in kernel.tensors if kernel.buffer(t.name).needs_padding)
    return extend(PaddedKernel, kernel, padding=padding, zero_fills=tuple(_zero_fills(kernel)))


def _padding(tensor: Tensor) -> Padding:
    rows, columns = tensor.matrix
    padded = (-(-rows // TILE) * TILE, -(-columns // TILE) * TILE)
    return Padding(
        tensor=tensor.name,
        original_shape=(rows, columns),
        padded_shape=padded,
        padding_amount=(padded[0] - rows, padded[1] - columns),
    )


def _zero_fills(kernel: BufferedKernel) -> list[ZeroFill]:
    sources = {turn.target: turn.source for turn in kernel.transposes}
    fills: list[ZeroFill] = []
    if kernel.attention is not None:
        queries = next(s for s in kernel.streams if s.cb == kernel.attention.queries)
        if queries.reduced % TILE:
            fills.append(ZeroFill(cb=queries.cb, axis="columns", first=queries.reduced % TILE))
    for plan in kernel.contractions:
        if plan.computed:  # its padding is masked when it is packed
            continue
        stream = next(s for s in kernel.streams if s.cb == plan.a)
        if stream.reduced % TILE and DTYPES[kernel.tensor(stream.tensor).dtype].is_block:
            _refuse_block(kernel, stream.tensor, stream.reduced)
        if stream.reduced % TILE and all(fill.cb != stream.cb for fill in fills):
            fills.append(ZeroFill(cb=stream.cb, axis="columns", first=stream.reduced % TILE))
    for section in kernel.sections:
        for step in section.steps:
            if not isinstance(step, MatmulStep):
                continue
            turned = step.a in sources
            stream = next(s for s in kernel.streams if s.cb == sources.get(step.a, step.a))
            if stream.reduced % TILE and DTYPES[kernel.tensor(stream.tensor).dtype].is_block:
                _refuse_block(kernel, stream.tensor, stream.reduced)
            if stream.reduced % TILE:
                fills.append(ZeroFill(cb=stream.cb, axis="rows" if turned else "columns", first=stream.reduced % TILE))
    return fills


def _refuse_block(kernel: BufferedKernel, tensor: str, reduced: int) -> NoReturn:
    dtype = kernel.tensor(tensor).dtype
    refuse(
        kernel,
        "TTB205",
        f"'{tensor}' is {dtype} and its reduced dimension, {reduced}, is no multiple of {TILE}: its padding cannot be "
        "zeroed yet",
        path=("inputs", tensor, "dtype"),
        help=f"make the dimension {-(-reduced // TILE) * TILE}, or the first operand bfloat16",
    )
