"""Proofs about memory, used by ``verify_ir``: tensors, shards, accessor words, circular buffers, L1."""

from __future__ import annotations

import math

import numpy as np

from tt_build.ir.lowered import ReadPage, walk
from tt_build.ir.stages import TILE, Buffer, CircularBuffer, LoweredKernel, memory_of
from tt_build.passes.blocks import pointer_of
from tt_build.passes.l1_tensors import l1_tensor_bytes
from tt_build.passes.proof import fail
from tt_build.spec.model import Sharding
from tt_build.targets import DTYPES, Arch


def check_memory(kernel: LoweredKernel, arch: Arch) -> None:
    """Tensors as their declarations say (TTB407), circular buffers that hold them (TTB402), all within L1 (TTB406)."""
    if [b.name for b in kernel.buffers] != [t.name for t in kernel.tensors]:
        fail(kernel, "TTB407", "other buffers than tensors")
    for buffer in kernel.buffers:
        _check_buffer(kernel, buffer, arch)
    _check_circular_buffers(kernel, arch)
    check_scratch(kernel, arch)
    size = sum(cb.size for cb in kernel.circular_buffers) + l1_tensor_bytes(kernel, arch)
    if size > arch.l1_allocatable:
        fail(kernel, "TTB406", f"circular buffers and tensors take {size} B of {arch.l1_allocatable} B")


def check_scratch(kernel: LoweredKernel, arch: Arch) -> None:
    """Rows go through the scratch page where they cannot be read straight into faces, and nowhere else (TTB402)."""
    for stmt in (s for body in kernel.bodies for s in walk(body.body)):
        if not isinstance(stmt, ReadPage):
            continue
        tensor = kernel.tensor(stmt.tensor)
        aligned = arch.alignment.dram_page if memory_of(tensor.layout) == "dram" else arch.alignment.l1_page
        apart = stmt.rows is not None and TILE // 2 * DTYPES[tensor.dtype].element_bytes % aligned != 0
        if stmt.scratch != (pointer_of(kernel.scratch) if apart else ""):
            fail(kernel, "TTB402", f"'{stmt.tensor}' is read through '{stmt.scratch}'")


def _check_buffer(kernel: LoweredKernel, buffer: Buffer, arch: Arch) -> None:
    tensor = kernel.tensor(buffer.name)
    rows, columns = tensor.matrix
    tiles = -(-rows // TILE), -(-columns // TILE)
    if (buffer.shape, buffer.dtype, buffer.layout) != (tensor.shape, tensor.dtype, tensor.layout):
        fail(kernel, "TTB407", f"'{buffer.name}' is not as declared")
    if buffer.tiles != tiles or buffer.batch != math.prod(tensor.batch):
        fail(kernel, "TTB407", f"'{buffer.name}' has {buffer.batch} x {buffer.tiles} tiles")
    by_rows = tensor.format == "row_major"
    padded = tensor.shape if by_rows else (*tensor.batch, tiles[0] * TILE, tiles[1] * TILE)
    needs_padding = not by_rows and padded[-2:] != (rows, columns)
    if buffer.format != tensor.format or buffer.padded_shape != padded or buffer.needs_padding != needs_padding:
        fail(kernel, "TTB407", f"'{buffer.name}' is padded to {list(buffer.padded_shape)}")
    sharded = isinstance(buffer.layout, Sharding)
    memory = memory_of(buffer.layout)
    step = arch.alignment.dram_page if memory == "dram" else arch.alignment.l1_page
    words = buffer.accessor_words
    page = columns * DTYPES[buffer.dtype].element_bytes if by_rows else DTYPES[buffer.dtype].tile_bytes
    if buffer.page_size != page or len(words) < 2 or (by_rows and sharded):
        fail(kernel, "TTB407", f"'{buffer.name}' has pages of {buffer.page_size} B")
    if words[0] != int(sharded) + 2 * (memory == "dram") or words[1] != -(-buffer.page_size // step) * step:
        fail(kernel, "TTB407", f"'{buffer.name}' in {memory} has accessor words {list(words)}")
    if sharded != (buffer.shards is not None) or (not sharded and len(words) != 2):
        fail(kernel, "TTB407", f"'{buffer.name}' has shards or words of another layout")
    if sharded:
        _check_shards(kernel, buffer, memory, arch)


def _check_shards(kernel: LoweredKernel, buffer: Buffer, memory: str, arch: Arch) -> None:
    """The shards hold each page once, inside the grid, and the accessor's own arithmetic finds it there."""
    shards = buffer.shards
    assert shards is not None
    rows, columns = buffer.batch * buffer.tiles[0], buffer.tiles[1]
    (height, width), (down, across) = shards.tiles, shards.counts
    limit = kernel.core_grid if memory == "l1" else (arch.dram_banks, 1)
    inside = all(0 <= x < limit[0] and 0 <= y < limit[1] for x, y in shards.cores)
    if shards.memory != memory or not inside or len(set(shards.cores)) != len(shards.cores):
        fail(kernel, "TTB407", f"the shards of '{buffer.name}' lie on {list(shards.cores)} of {list(limit)}")
    fits = all(
        (n - 1) * part < total <= n * part for n, part, total in ((down, height, rows), (across, width, columns))
    )
    if not fits or len(shards.cores) != down * across:
        fail(kernel, "TTB407", f"{down} x {across} shards of {shards.tiles} tiles for '{buffer.name}'")
    row, column = np.divmod(np.arange(rows * columns), columns)
    index = row // height * across + column // width
    places = [(x << 8) if memory == "dram" else _packed(arch, x, y) for x, y in shards.cores]
    expected = np.asarray(places)[index], row % height * width + column % width
    found = _accessed(buffer)
    if found is None or not all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True)):
        fail(
            kernel, "TTB407", f"accessor words {list(buffer.accessor_words)} do not find the shards of '{buffer.name}'"
        )


def _packed(arch: Arch, x: int, y: int) -> int:
    column, row = arch.virtual(x, y)
    return column << 8 | row


def _accessed(buffer: Buffer) -> tuple[np.ndarray, np.ndarray] | None:
    """For each page the packed coordinates and the page in the bank, as TensorAccessor finds them, or None."""
    rank, banks = (*buffer.accessor_words[2:4], 0, 0)[:2]
    rest = buffer.accessor_words[4:]
    if rank not in (1, 2) or len(rest) != 2 * rank + (banks + 1) // 2 or not all(rest[: 2 * rank]):
        return None
    shape, part, packed = rest[:rank], rest[rank : 2 * rank], rest[2 * rank :]
    if math.prod(shape) != buffer.pages or buffer.shards is None or math.prod(part) != math.prod(buffer.shards.tiles):
        return None
    coordinates = np.asarray([half for word in packed for half in (word & 0xFFFF, word >> 16)][:banks])
    page = np.arange(buffer.pages)
    shard, within = np.zeros_like(page), np.zeros_like(page)
    shard_step = within_step = 1
    for extent, piece in zip(reversed(shape), reversed(part), strict=True):
        place, page = page % extent, page // extent
        shard, within = shard + place // piece * shard_step, within + place % piece * within_step
        shard_step, within_step = shard_step * -(-extent // piece), within_step * piece
    if shard_step > banks:
        return None
    return coordinates[shard], within


def _check_circular_buffers(kernel: LoweredKernel, arch: Arch) -> None:
    buffers = kernel.circular_buffers
    ids, names = [cb.id for cb in buffers], [cb.name for cb in buffers]
    if len(set(ids)) != len(ids) or any(not 0 <= i < arch.circular_buffers for i in ids):
        fail(kernel, "TTB402", f"circular buffer ids {ids}")
    if len(set(names)) != len(names):
        fail(kernel, "TTB402", f"circular buffers {names}")
    tensors = {s.cb: s.tensor for s in kernel.streams} | {r.cb: r.tensor for r in kernel.results}
    bound = {s.cb for s in kernel.streams if s.per == "shard"} | {r.cb for r in kernel.results if r.bound}
    made = {p.cb for p in kernel.patterns} | {m.cb for m in kernel.masks} | ({kernel.scratch} - {""})
    if {cb.name for cb in buffers if cb.scratch} != {kernel.scratch} - {""}:
        fail(kernel, "TTB402", f"scratch is not {kernel.scratch}")
    if set(names) != set(tensors) | {i.cb for i in kernel.intermediates} | made:
        fail(kernel, "TTB402", f"circular buffers {names} for other streams")
    for cb in buffers:
        if cb.block < 1 or cb.num_pages < 1 or cb.num_pages % cb.block:
            fail(kernel, "TTB402", f"{cb.name} has {cb.num_pages} pages in blocks of {cb.block}")
        if cb.page_size != DTYPES[cb.dtype].tile_bytes:
            fail(kernel, "TTB402", f"{cb.name} has pages of {cb.page_size} B for {cb.dtype}")
        tensor = tensors.get(cb.name)
        if tensor is not None and (cb.dtype, cb.page_size) != _page(kernel, tensor):
            fail(kernel, "TTB402", f"pages of {cb.name} are not those of '{tensor}'")
        if (cb.buffer == tensor) != (cb.name in bound) or (cb.name not in bound and cb.buffer):
            fail(kernel, "TTB402", f"{cb.name} is bound to '{cb.buffer}'")
        if cb.unpack_to_dest and not (cb.dtype == "float32" and kernel.math.fp32_accumulate):
            fail(kernel, "TTB402", f"{cb.name} of {cb.dtype} is unpacked to DST")
        if cb.name in bound:
            _check_bound(kernel, cb)


def _page(kernel: LoweredKernel, tensor: str) -> tuple[str, int]:
    dtype = kernel.buffer(tensor).dtype
    return dtype, DTYPES[dtype].tile_bytes


def _check_bound(kernel: LoweredKernel, cb: CircularBuffer) -> None:
    """A circular buffer on a shard is that shard, on the cores where the work is."""
    shards = kernel.buffer(cb.buffer).shards
    cores = {item.core for item in kernel.work}
    if shards is None or shards.memory != "l1" or {*shards.cores} != cores or cb.block != cb.num_pages != shards.pages:
        fail(kernel, "TTB402", f"{cb.name} is not the shard of '{cb.buffer}'")
    if cb.num_pages != shards.pages:
        fail(kernel, "TTB402", f"{cb.name} has {cb.num_pages} pages; the shard of '{cb.buffer}' has {shards.pages}")
