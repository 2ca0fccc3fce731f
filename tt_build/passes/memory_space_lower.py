"""Pass ``memory_space_lower``: StagedKernel -> BufferedKernel.

Needs   streams, sections and the architecture's L1.
Gives   circular buffers with ids, formats, page sizes and depths; the units and K tiles a block and the tiles a DST
        section, as ``passes.barriers`` chooses them. Every move is a whole block and a depth is a multiple of its
        block, so that pointers always wrap exactly.
        A tensor whose shard is the core's own work has its circular buffer on the shard.
Rejects what does not fit L1 even with blocks of one tile (TTB301), more circular buffers than there are (TTB302),
        L1 tensors that fill L1 themselves (TTB303).
"""

from __future__ import annotations

import math
from typing import NoReturn

from tt_build.ir.handwritten import BoundSources
from tt_build.ir.stages import (
    BufferedKernel,
    CircularBuffer,
    MappedKernel,
    Parts,
    StagedKernel,
    Sweep,
)
from tt_build.model.streaming import DEPTH, MAX_BLOCK
from tt_build.passes.barriers import SMALLEST, Barriers, block_of_sweeps, plan_barriers
from tt_build.passes.common import extend, refuse
from tt_build.passes.l1_advice import fewer_tiles, l1_table, moved_to_dram
from tt_build.passes.l1_tensors import bytes_in_l1, l1_tensor_bytes
from tt_build.passes.links import linked_channels
from tt_build.passes.views import PATTERN_DTYPE
from tt_build.targets import DTYPES, Arch


def apply(kernel: StagedKernel, arch: Arch, *, any_plan: bool = False) -> BufferedKernel:
    """Place every stream in L1. ``any_plan``: in blocks that fit, not the fastest: enough to tell whether any do."""
    if kernel.sweeps or kernel.contractions or kernel.attention is not None:
        return _sweeps(kernel, arch)
    budget = _budget(kernel, arch)
    plan = plan_barriers(
        kernel, arch, lambda one: sum(cb.size for cb in _buffers(kernel, one)) <= budget, any_plan=any_plan
    )
    if plan is None:
        _refuse_l1(kernel, _buffers(kernel, SMALLEST), budget, arch)
    buffers = _buffers(kernel, plan)
    _check_count(kernel, buffers, arch)
    return extend(
        BufferedKernel,
        kernel,
        circular_buffers=buffers,
        batch=plan.batch,
        k_block=plan.k_block,
        depth=plan.depth,
        in_dst=plan.in_dst,
        linked=linked_channels(kernel),
        block_costs=plan.costs,
    )


def _check_count(kernel: StagedKernel, buffers: tuple[CircularBuffer, ...], arch: Arch) -> None:
    if len(buffers) > arch.circular_buffers:
        refuse(
            kernel,
            "TTB302",
            f"the kernel needs {len(buffers)} circular buffers; {arch.name} has {arch.circular_buffers}",
            path=("compute",),
            help="split the expression over two kernels",
        )


def _sweeps(kernel: StagedKernel, arch: Arch) -> BufferedKernel:
    """Two units deep where that fits, else one; then the largest blocks of what a sweep streams, or, where nothing but
    sweeps is done, those that the model finds as fast as any.
    """
    budget = _budget(kernel, arch)
    longest = max((line_tiles(sweep, kernel.parts) for sweep in kernel.sweeps), default=1)
    k_block = kernel.blocking.k_block if kernel.blocking is not None else 1
    once = kernel.blocking is not None and bool(kernel.blocking.prologue) and all(w.count == 1 for w in kernel.work)
    for depth in (1,) if once else (DEPTH, 1):  # with one unit a core nothing comes while a block is in use
        for block in range(min(MAX_BLOCK, longest), 0, -1):
            buffers = sweep_buffers(kernel, block, depth)
            if sum(cb.size for cb in buffers) <= budget:
                _check_count(kernel, buffers, arch)
                lines = tuple(line_tiles(sweep, kernel.parts) for sweep in kernel.sweeps)
                block, costs = block_of_sweeps(kernel, arch, lines, block, depth)
                return extend(
                    BufferedKernel,
                    kernel,
                    circular_buffers=sweep_buffers(kernel, block, depth),
                    batch=1,
                    k_block=k_block,
                    sweep_block=block,
                    depth=depth,
                    linked=linked_channels(kernel),
                    block_costs=costs,
                )
    return _refuse_l1(kernel, buffers, budget, arch)


def line_tiles(sweep: Sweep, parts: Parts | None) -> int:
    """Tiles of the lines that a sweep walks, at most: its inner loop."""
    axis = "rows" if sweep.by_columns else "columns"
    tiles = sweep.extent[0 if sweep.by_columns else 1]
    return parts.tiles if parts is not None and sweep.parts > 1 and parts.axis == axis else tiles


def swept_block(sweep: Sweep, sweep_block: int, parts: Parts | None) -> int:
    """Tiles of a block of what a sweep streams, where a block has at most ``sweep_block``.

    In front of a product all blocks of a line are whole: what is sent to other cores is all of use.
    """
    line = line_tiles(sweep, parts)
    if not sweep.before:
        return min(sweep_block, line)
    return next(size for size in range(min(sweep_block, line), 0, -1) if line % size == 0)


def l1_budget(kernel: MappedKernel | BoundSources, arch: Arch) -> int:
    """Bytes of a core's L1 that are left for circular buffers."""
    return arch.l1_allocatable - l1_tensor_bytes(kernel, arch)


def _budget(kernel: MappedKernel | BoundSources, arch: Arch) -> int:
    """The same; refuses tensors that leave nothing."""
    budget = l1_budget(kernel, arch)
    if budget <= 0:
        refuse_tensors(kernel, arch)
    return budget


def smallest_size(kernel: StagedKernel) -> int:
    """Bytes of L1 that the circular buffers of sweeps need at least."""
    return sum(cb.size for cb in sweep_buffers(kernel, 1, 1))


class _Buffers:
    """Circular buffers, numbered in the order in which they are added."""

    def __init__(self) -> None:
        self.placed: list[CircularBuffer] = []

    def add(
        self,
        name: str,
        dtype: str,
        block: int,
        pages: int,
        *,
        unpack_to_dest: bool = False,
        buffer: str = "",
        scratch: bool = False,
    ) -> None:
        self.placed.append(
            CircularBuffer(
                id=len(self.placed),
                name=name,
                dtype=dtype,
                page_size=DTYPES[dtype].tile_bytes,
                block=block,
                num_pages=pages,
                unpack_to_dest=unpack_to_dest,
                buffer=buffer,
                scratch=scratch,
            )
        )

    def add_scratch(self, name: str) -> None:
        """The page through which rows go, where there is one: any 32 rows of 64 B."""
        if name:
            self.add(name, PATTERN_DTYPE, 1, 1, scratch=True)


def sweep_buffers(kernel: StagedKernel, sweep_block: int, depth: int) -> tuple[CircularBuffer, ...]:
    """Circular buffers of a kernel of sweeps; what a unit holds is one block of all its tiles."""
    buffers = _Buffers()
    add = buffers.add
    for stream in kernel.streams:
        tiles, blocks = stream.extent[0] * stream.extent[1], {"core": 1, "unit": depth}.get(stream.per, DEPTH)
        if stream.per == "k" and kernel.blocking is not None:
            blocks = kernel.blocking.depth
        if stream.per == "sweep":
            tiles = swept_block(kernel.sweeps[stream.sweep], sweep_block, kernel.parts)
        dtype = kernel.tensor(stream.tensor).dtype
        if stream.per == "shard":
            add(stream.cb, dtype, tiles, tiles, unpack_to_dest=stream.unpack_to_dest, buffer=stream.tensor)
            continue
        add(stream.cb, dtype, tiles, blocks * tiles, unpack_to_dest=stream.unpack_to_dest)
    for mask in kernel.masks:
        add(mask.cb, "bfloat16", 1, 1)
    for pattern in kernel.patterns:
        add(pattern.cb, PATTERN_DTYPE, pattern.tiles, pattern.tiles)
    for result in kernel.results:
        block, blocks = math.prod(kernel.unit_tiles), depth
        if result.bound:
            add(result.cb, kernel.tensor(result.tensor).dtype, block, block, buffer=result.tensor)
            continue
        if result.sweep >= 0:
            block, blocks = swept_block(kernel.sweeps[result.sweep], sweep_block, kernel.parts), DEPTH
        add(result.cb, kernel.tensor(result.tensor).dtype, block, blocks * block)
    twice = {sweep.spill for sweep in kernel.sweeps}
    if kernel.attention is not None:  # what goes from step to step: the old block is read while the new one is made
        twice |= {kernel.attention.peak, kernel.attention.total, kernel.attention.gathered}
    sent = {plan.a for plan in kernel.contractions if plan.own}
    for item in kernel.intermediates:
        block, blocks = item.tiles, 2 if item.cb in twice else 1
        if item.cb in sent and kernel.blocking is not None:
            blocks = min(kernel.blocking.depth, DEPTH)
        add(item.cb, item.dtype, block, blocks * block, unpack_to_dest=item.unpack_to_dest)
    buffers.add_scratch(kernel.scratch)
    return tuple(buffers.placed)


def _buffers(kernel: StagedKernel, plan: Barriers) -> tuple[CircularBuffer, ...]:
    buffers, batch, k_block = _Buffers(), plan.batch, plan.k_block
    add = buffers.add
    for stream in kernel.streams:
        dtype = kernel.tensor(stream.tensor).dtype
        if stream.per == "shard":
            pages = _shard_pages(kernel, stream.tensor)
            add(stream.cb, dtype, pages, pages, unpack_to_dest=stream.unpack_to_dest, buffer=stream.tensor)
            continue
        block = {"unit": batch, "k": k_block, "core": stream.extent[0] * stream.extent[1]}[stream.per]
        depth = 1 if stream.per == "core" else plan.depth
        add(stream.cb, dtype, block, depth * block, unpack_to_dest=stream.unpack_to_dest)
    for pattern in kernel.patterns:
        add(pattern.cb, PATTERN_DTYPE, pattern.tiles, pattern.tiles)
    for result in kernel.results:
        dtype = kernel.tensor(result.tensor).dtype
        if result.bound:
            pages = _shard_pages(kernel, result.tensor)
            add(result.cb, dtype, pages, pages, buffer=result.tensor)
        else:
            add(result.cb, dtype, batch, plan.depth * batch)
    for mask in kernel.masks:
        add(mask.cb, "bfloat16", 1, 1)
    turned = {t.target for t in kernel.transposes}
    for item in kernel.intermediates:
        block = k_block if item.cb in turned else 1
        add(item.cb, item.dtype, block, -(-item.tiles // block) * block, unpack_to_dest=item.unpack_to_dest)
    buffers.add_scratch(kernel.scratch)
    return tuple(buffers.placed)


def _shard_pages(kernel: StagedKernel, tensor: str) -> int:
    shards = kernel.buffer(tensor).shards
    assert shards is not None
    return shards.pages


def refuse_tensors(kernel: MappedKernel | BoundSources, arch: Arch) -> None:
    """Refuse tensors that fill L1 themselves."""
    sizes = {buffer: bytes_in_l1(buffer, arch) for buffer in kernel.buffers}
    largest = max(sizes, key=lambda buffer: sizes[buffer])
    named = {buffer.name: size for buffer, size in sizes.items()}
    # each tensor needs a circular buffer besides
    least = sum(DEPTH * DTYPES[buffer.dtype].tile_bytes for buffer in kernel.buffers)
    advice = [moved_to_dram(named, sum(sizes.values()) + least - arch.l1_allocatable)]
    all_cores = kernel.core_grid[0] * kernel.core_grid[1]
    advice += [
        f"cut '{buffer.name}' into smaller shards: they lie on {len(buffer.shards.cores)} of {all_cores} cores"
        for buffer in sizes
        if buffer.shards is not None and buffer.shards.memory == "l1" and len(buffer.shards.cores) < all_cores
    ]
    refuse(
        kernel,
        "TTB303",
        f"the tensors in L1 take {sum(sizes.values())} B of each core; {arch.name} has {arch.l1_allocatable} B",
        path=("inputs" if largest.role == "input" else "outputs", largest.name, "layout"),
        help=f"{', or '.join(filter(None, advice))}\n{l1_table((), named)}",
    )


def _refuse_l1(kernel: StagedKernel, buffers: tuple[CircularBuffer, ...], budget: int, arch: Arch) -> NoReturn:
    need = sum(cb.size for cb in buffers)
    tensors = {buffer.name: bytes_in_l1(buffer, arch) for buffer in kernel.buffers}
    # What lies in L1 as a shard needs a circular buffer of its own elsewhere.
    largest = max(DTYPES[buffer.dtype].tile_bytes for buffer in kernel.buffers)
    advice = moved_to_dram(tensors, need - budget + DEPTH * largest)
    turned = {t.target for t in kernel.transposes}
    if not advice and turned:
        most = (budget - sum(cb.size for cb in buffers if cb.name not in turned)) // buffers[0].page_size
        advice = f"declare the first operand transposed, without .T; or reduce its rows to at most {max(most, 0) * 32}"
    if not advice and kernel.sweeps:
        advice = fewer_tiles(kernel, smallest_size, budget)
    refuse(
        kernel,
        "TTB301",
        f"circular buffers need {need} B of L1 a core; {budget} B of {arch.l1_allocatable} B are left for them",
        path=("compute",),
        help=f"{advice or 'make the tensors smaller'}\n{l1_table(buffers, tensors)}",
    )
