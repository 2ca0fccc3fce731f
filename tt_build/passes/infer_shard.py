"""Pass ``infer_shard``: ScheduledKernel -> ShardedKernel.

Needs   tensors with dtype and layout.
Gives   tiles, padding, page size and TensorAccessor words of each tensor.
Rejects shards that break the rules (TTB207, TTB208, TTB209), tensors that do not fit DRAM (TTB304).

Accessor words of an interleaved tensor are ``[flags, aligned page size]`` with bit 1 of the flags for DRAM
(api/tensor/tensor_accessor_args.h; measured against ttnn 0.81.1).
"""

from __future__ import annotations

import math

from tt_build.ir.stages import TILE, Buffer, Kernel, ScheduledKernel, ShardedKernel, Tensor, memory_of
from tt_build.passes.common import extend
from tt_build.passes.dram_tensors import check_dram
from tt_build.passes.shards import sharded_words, shards_of
from tt_build.spec.model import Sharding
from tt_build.targets import DTYPES, Arch

_INTERLEAVED = {"dram": 2, "l1": 0}


def apply(kernel: ScheduledKernel, arch: Arch) -> ShardedKernel:
    """Describe every tensor in device memory."""
    return extend(ShardedKernel, kernel, buffers=buffers_of(kernel, kernel.tensors, arch))


def buffers_of(kernel: Kernel, tensors: tuple[Tensor, ...], arch: Arch) -> tuple[Buffer, ...]:
    """The kernel's tensors in device memory, where they fit."""
    buffers = tuple(buffer_of(kernel, tensor, arch) for tensor in tensors)
    check_dram(kernel, buffers, arch)
    return buffers


def buffer_of(kernel: Kernel, tensor: Tensor, arch: Arch) -> Buffer:
    """The tensor in device memory."""
    layout = tensor.layout
    rows, columns = tensor.matrix
    tiles = (-(-rows // TILE), -(-columns // TILE))
    padded = (tiles[0] * TILE, tiles[1] * TILE)
    by_rows = tensor.format == "row_major"
    dtype = DTYPES[tensor.dtype]
    page_size = columns * dtype.element_bytes if by_rows else dtype.tile_bytes
    memory = memory_of(layout)
    alignment = arch.alignment.dram_page if memory == "dram" else arch.alignment.l1_page
    aligned = -(-page_size // alignment) * alignment
    shards = shards_of(kernel, tensor, arch) if isinstance(layout, Sharding) else None
    words = (_INTERLEAVED[memory], aligned) if shards is None else sharded_words(tensor, shards, aligned, arch)
    return Buffer(
        name=tensor.name,
        role=tensor.role,
        shape=tensor.shape,
        dtype=tensor.dtype,
        layout=layout,
        tiles=tiles,
        batch=math.prod(tensor.batch),
        needs_padding=padded != (rows, columns) and not by_rows,
        padded_shape=tensor.shape if by_rows else (*tensor.batch, *padded),
        page_size=page_size,
        accessor_words=words,
        shards=shards,
        format=tensor.format,
    )
