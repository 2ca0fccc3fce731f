"""Pass ``infer_shard``: ScheduledKernel -> ShardedKernel.

Needs   tensors with dtype and layout.
Gives   tiles, padding, page size and TensorAccessor words of each tensor.
Rejects shards that break the rules (TTB207, TTB208), layouts that are not lowered yet (TTB206).

Accessor words of an interleaved tensor are ``[flags, aligned page size]`` with bit 1 of the flags for DRAM
(api/tensor/tensor_accessor_args.h; measured against ttnn 0.81.1).
"""

from __future__ import annotations

import math

from tt_build.ir.stages import TILE, Buffer, ScheduledKernel, ShardedKernel, Tensor
from tt_build.passes.common import extend, refuse
from tt_build.passes.shards import shard_shape
from tt_build.spec.model import Sharding
from tt_build.targets import DTYPES, Arch

_INTERLEAVED = {"dram_interleaved": 2, "l1_interleaved": 0}


def apply(kernel: ScheduledKernel, arch: Arch) -> ShardedKernel:
    """Describe every tensor in device memory."""
    return extend(ShardedKernel, kernel, buffers=tuple(_buffer(kernel, t, arch) for t in kernel.tensors))


def _buffer(kernel: ScheduledKernel, tensor: Tensor, arch: Arch) -> Buffer:
    layout = tensor.layout
    if isinstance(layout, Sharding):
        shard_shape(kernel, tensor, layout)
        refuse(
            kernel,
            "TTB206",
            f"tensor '{tensor.name}' is {layout.sharding}-sharded in {layout.memory}, which cannot be lowered yet",
            path=("inputs" if tensor.role == "input" else "outputs", tensor.name, "layout"),
            help=f"use one of {', '.join(_INTERLEAVED)}",
        )
    rows, columns = tensor.matrix
    tiles = (-(-rows // TILE), -(-columns // TILE))
    padded = (tiles[0] * TILE, tiles[1] * TILE)
    page_size = DTYPES[tensor.dtype].tile_bytes
    alignment = arch.alignment.dram_page if layout == "dram_interleaved" else arch.alignment.l1_page
    aligned = -(-page_size // alignment) * alignment
    return Buffer(
        name=tensor.name,
        role=tensor.role,
        shape=tensor.shape,
        dtype=tensor.dtype,
        layout=layout,
        tiles=tiles,
        batch=math.prod(tensor.batch),
        needs_padding=padded != (rows, columns),
        padded_shape=(*tensor.batch, *padded),
        page_size=page_size,
        accessor_words=(_INTERLEAVED[layout], aligned),
    )
