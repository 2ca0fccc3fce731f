"""What a kernel's own tensors take of L1."""

from __future__ import annotations

from tt_build.ir.handwritten import BoundSources
from tt_build.ir.stages import Buffer, MappedKernel
from tt_build.targets import Arch


def l1_tensor_bytes(kernel: MappedKernel | BoundSources, arch: Arch) -> int:
    """Bytes that the kernel's own L1 tensors take of each core's L1: the allocator gives all cores the same."""
    return sum(bytes_in_l1(buffer, arch) for buffer in kernel.buffers)


def bytes_in_l1(buffer: Buffer, arch: Arch) -> int:
    """A shard, or an equal share of the pages, which go round all workers; in steps of 64 B, as allocated."""
    if buffer.shards is not None:
        pages = buffer.shards.pages if buffer.shards.memory == "l1" else 0
    else:
        pages = -(-buffer.pages // (arch.grid[0] * arch.grid[1])) if buffer.layout == "l1_interleaved" else 0
    return -(-pages * buffer.accessor_words[1] // 64) * 64
