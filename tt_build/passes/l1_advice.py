"""What to change where a kernel does not fit L1: the smallest change that fits, and the table of what is there.

Used by ``memory_space_lower``. A tensor that moves to DRAM changes no result, so it comes first; then fewer rows or
columns, counted in whole tiles. What is advised fits by the sizes that the planner itself uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from tt_build.ir.stages import TILE, CircularBuffer, StagedKernel

SizeOf = Callable[[StagedKernel], int]
_AXES = ("rows", "columns")


def l1_table(buffers: Sequence[CircularBuffer], tensors: Mapping[str, int]) -> str:
    """Bytes of each circular buffer and of each tensor in L1, on every core."""
    rows = [f"  {cb.name:<16} {cb.num_pages:>6} x {cb.page_size:>5} = {cb.size:>9} B" for cb in buffers]
    rows += [f"  {name:<16} {'tensor in L1':>14} = {size:>9} B" for name, size in tensors.items() if size]
    return "\n".join(rows)


def moved_to_dram(tensors: Mapping[str, int], over: int) -> str:
    """The tensors that free ``over`` bytes when they lie in DRAM: one where one does, the smallest; "" where none do.

    ``tensors`` has the bytes of each on a core.
    """
    enough = [name for name, size in tensors.items() if size >= over]
    if enough:
        return f"keep '{min(enough, key=lambda name: tensors[name])}' in DRAM: layout: dram_interleaved"
    chosen: list[str] = []
    for name in sorted(tensors, key=lambda name: -tensors[name]):
        if tensors[name]:
            chosen.append(f"'{name}'")
        if sum(tensors[found.strip("'")] for found in chosen) >= over:
            return f"keep {', '.join(chosen[:-1])} and {chosen[-1]} in DRAM: layout: dram_interleaved"
    return ""


def fewer_tiles(kernel: StagedKernel, size_of: SizeOf, budget: int) -> str:
    """How many rows or columns fit, whichever keeps more of them; "" where neither helps, or the axis is in parts."""
    if kernel.parts is not None:
        return ""
    found: list[tuple[float, str]] = []
    for axis, name in enumerate(_AXES):
        most = max((extent[axis] for extent in _extents(kernel)), default=1)
        fits = largest(most, partial(_fits, kernel, size_of, budget, axis, most))
        if fits:
            found.append((fits / most, f"use at most {fits * TILE} {name}, all else being as it is"))
    return max(found)[1] if found else ""


def _fits(kernel: StagedKernel, size_of: SizeOf, budget: int, axis: int, most: int, tiles: int) -> bool:
    return size_of(_cut(kernel, axis, most, tiles)) <= budget


def _extents(kernel: StagedKernel) -> list[tuple[int, int]]:
    held = [stream.extent for stream in kernel.streams]
    return [*held, *(item.extent for item in kernel.intermediates if item.extent is not None)]


def _cut(kernel: StagedKernel, axis: int, most: int, tiles: int) -> StagedKernel:
    """The kernel with ``tiles`` tiles along an axis in place of ``most``."""

    def cut(extent: tuple[int, int]) -> tuple[int, int]:
        rows, columns = (tiles if at == axis and n == most else n for at, n in enumerate(extent))
        return rows, columns

    streams = tuple(replace(stream, extent=cut(stream.extent)) for stream in kernel.streams)
    handed = []
    for item in kernel.intermediates:
        if item.extent is None:
            handed.append(item)
            continue
        rows, columns = cut(item.extent)
        handed.append(replace(item, extent=(rows, columns), tiles=rows * columns))
    return replace(kernel, streams=streams, intermediates=tuple(handed))


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number below ``most`` that fits, 0 where 1 does not; what is smaller than one that fits does, too."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
