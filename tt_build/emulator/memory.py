"""Where everything lies: tensors in DRAM banks or L1, circular buffers, and what the SDK's host refuses.

Circular buffers grow upwards from the allocatable base of L1, in plan order, at one address on all their cores; L1
tensors grow downwards from its top, at one address on all cores. DRAM tensors start at the same address in every bank,
with a gap between them that no transfer may touch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tt_build.emulator.report import EmulationError, Report
from tt_build.emulator.sources import is_compute, noc_and_processor
from tt_build.ir.plan import Buffer, CircularBuffer, Plan, PlanSharding, Range
from tt_build.targets import BY_DATA_FORMAT, DTYPES, Arch

DRAM_BASE = 0x40000
WINDOW_LOW = 0x10000
ZEROS_BYTES = 512
Core = tuple[int, int]


class PlacedBuffer(msgspec.Struct, frozen=True):
    """A tensor in memory. ``pages[i]`` is (bank or core index, byte offset in it); L1 ``banks`` are cores."""

    name: str
    dram: bool
    address: int
    page: int
    bank_bytes: int
    banks: tuple[Core, ...]
    pages: tuple[tuple[int, int], ...]
    words: tuple[int, ...]


class PlacedCb(msgspec.Struct, frozen=True):
    """One circular-buffer index on its cores. ``bytes`` is the size of the allocation that it may share."""

    id: int
    alloc: int
    address: int
    bytes: int
    page: int
    pages: int
    format_code: int
    bound: str | None
    cores: tuple[Core, ...]


class Layout(msgspec.Struct, frozen=True):
    """The whole memory map of a plan."""

    buffers: dict[str, PlacedBuffer]
    cbs: tuple[PlacedCb, ...]
    cores: tuple[Core, ...]
    sem_base: int
    arg_base: int


def cores_of(ranges: tuple[Range, ...]) -> tuple[Core, ...]:
    """The cores of several ranges, each once, in order."""
    seen: dict[Core, None] = {}
    for part in ranges:
        seen.update(dict.fromkeys(part.cores()))
    return tuple(seen)


def lay_out(plan: Plan, arch: Arch, tensors: Mapping[str, PlacedBuffer] | None = None) -> Layout:
    """Places tensors and circular buffers; ``EmulationError`` for what the host would refuse.

    ``tensors`` are those that a host program has placed already; without it they are placed here.
    """
    _check_host_rules(plan, arch)
    buffers = _place_tensors(plan, arch) if tensors is None else dict(tensors)
    top = min((b.address for b in buffers.values() if not b.dram), default=arch.l1_base + arch.l1_allocatable)
    cbs = _place_cbs(plan, arch, buffers, top)
    cores: dict[Core, None] = {}
    for kernel in plan.kernels:
        cores.update(dict.fromkeys(cores_of(kernel.core_ranges)))
    for cb in cbs:
        cores.update(dict.fromkeys(cb.cores))
    for placed in buffers.values():
        if not placed.dram:
            cores.update(dict.fromkeys(placed.banks))
    for semaphore in plan.semaphores:
        cores.update(dict.fromkeys(cores_of(semaphore.core_ranges)))
    for x, y in cores:
        if x >= arch.grid[0] or y >= arch.grid[1]:
            refuse(
                "EMU706",
                f"core ({x}, {y}) lies outside the {arch.grid[0]} x {arch.grid[1]} grid of {arch.name}",
                "use cores of the grid",
            )
    return Layout(
        buffers=buffers,
        cbs=cbs,
        cores=tuple(cores),
        sem_base=(arch.l1_base - 256) // 16 * 16,
        arg_base=WINDOW_LOW + ZEROS_BYTES,
    )


def _place_tensors(plan: Plan, arch: Arch) -> dict[str, PlacedBuffer]:
    dram_at, top = DRAM_BASE, arch.l1_base + arch.l1_allocatable
    buffers: dict[str, PlacedBuffer] = {}
    for name, buffer in plan.buffers.items():
        placed = _place(name, buffer, arch)
        if placed.dram:
            if dram_at + placed.bank_bytes > arch.dram_bank_bytes:
                refuse(
                    "EMU701",
                    f"tensor {name} needs {placed.bank_bytes} bytes of each DRAM bank; that does not fit",
                    "use smaller tensors",
                )
            placed = msgspec.structs.replace(placed, address=dram_at)
            dram_at += _up(placed.bank_bytes, arch.alignment.dram_page) + max(4096, _up(placed.page, 64))
        else:
            top = (top - placed.bank_bytes) // 64 * 64
            placed = msgspec.structs.replace(placed, address=top)
        buffers[name] = placed
    return buffers


def refuse(code: str, text: str, help_: str) -> None:
    """Ends the run with a report that belongs to no core."""
    raise EmulationError(Report(code=code, text=text, help=help_))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _check_host_rules(plan: Plan, arch: Arch) -> None:
    for kernel in plan.kernels:
        for args in kernel.runtime_args:
            count = len(args.args) + len(kernel.common_runtime_args)
            if count > arch.runtime_args:
                refuse(
                    "EMU702",
                    f"kernel {kernel.source}: {count} arguments on core {args.core}; at most {arch.runtime_args}",
                    "pass fewer arguments, or keep tables in a tensor",
                )
    ids: dict[tuple[Core, int], None] = {}
    for semaphore in plan.semaphores:
        if not 0 <= semaphore.id < arch.semaphores:
            refuse("EMU703", f"semaphore {semaphore.id}: ids run from 0 to {arch.semaphores - 1}", "reuse a semaphore")
        for core in cores_of(semaphore.core_ranges):
            if (core, semaphore.id) in ids:
                refuse("EMU703", f"semaphore {semaphore.id} occurs twice on core {core}", "give each its own id")
            ids[core, semaphore.id] = None
    owner: dict[tuple[Core, str], int] = {}
    for index, kernel in enumerate(plan.kernels):
        noc, processor = noc_and_processor(kernel)
        keys = (
            ["compute kernels"]
            if is_compute(kernel)
            else [f"kernels on processor {processor}", f"data-movement kernels on NoC {noc}"]
        )
        for core in cores_of(kernel.core_ranges):
            for key in keys:
                first = owner.setdefault((core, key), index)
                if first != index:
                    refuse(
                        "EMU707",
                        f"core {core} has two {key}: {plan.kernels[first].source} and {kernel.source}",
                        "give them different cores, or different processors and NoCs",
                    )


def _place(name: str, buffer: Buffer, arch: Arch) -> PlacedBuffer:
    """A tensor without its address."""
    layout = buffer.layout
    count, page, matrix = _pages(buffer)
    if not isinstance(layout, PlanSharding):
        return place_pages(name, layout.startswith("dram"), (count, page, matrix), (), (), arch)
    # shard in pages: tiles, or whole rows
    tiles = (-(-layout.shard[0] // 32), -(-layout.shard[1] // 32))
    shard = tiles if buffer.format == "tile" else (layout.shard[0], 1)
    shards = -(-matrix[0] // shard[0]) * -(-matrix[1] // shard[1])
    dram = layout.memory == "dram"
    return place_pages(name, dram, (count, page, matrix), shard, _shard_banks(layout, shards, dram, arch), arch)


def place_pages(
    name: str,
    dram: bool,
    size: tuple[int, int, tuple[int, int]],
    shard: tuple[int, ...],
    banks: tuple[Core, ...],
    arch: Arch,
) -> PlacedBuffer:
    """A tensor without its address: ``size`` is (pages, bytes of one, (rows, columns) of pages).

    ``shard`` is (rows, columns) of pages on ``banks`` in their order, or () for interleaved over all banks.
    """
    count, page, matrix = size
    aligned = _up(page, arch.alignment.dram_page if dram else arch.alignment.l1_page)
    if not shard:
        banks = (
            tuple((b, 0) for b in range(arch.dram_banks))
            if dram
            else tuple((c % arch.grid[0], c // arch.grid[0]) for c in range(arch.grid[0] * arch.grid[1]))
        )
        number = len(banks)
        places = tuple((i % number, i // number * aligned) for i in range(count))
        bank_bytes = max(1, -(-count // number)) * aligned
        return PlacedBuffer(name, dram, 0, aligned, bank_bytes, banks, places, (2 if dram else 0, aligned))
    rows, columns = matrix
    per_row = -(-columns // shard[1])
    shards = -(-rows // shard[0]) * per_row
    volume = shard[0] * shard[1]
    found: list[tuple[int, int]] = []
    for i in range(count):
        r, c = divmod(i, columns)
        index = r // shard[0] * per_row + c // shard[1]
        within = r % shard[0] * shard[1] + c % shard[1]
        found.append((index % len(banks), (index // len(banks) * volume + within) * aligned))
    bank_bytes = -(-shards // len(banks)) * volume * aligned
    words = _sharded_words(matrix, (shard[0], shard[1]), banks, dram, aligned, arch)
    return PlacedBuffer(name, dram, 0, aligned, bank_bytes, banks, tuple(found), words)


def _pages(buffer: Buffer) -> tuple[int, int, tuple[int, int]]:
    """(number of pages, bytes of one, (rows, columns) of pages with the batch folded into the rows)."""
    if buffer.format == "row_major":
        shape = buffer.padded_shape if len(buffer.padded_shape) > 1 else (1, *buffer.padded_shape)
        rows = math.prod(shape[:-1])
        return rows, buffer.page_size, (rows, 1)
    rows, columns = buffer.tiles[0] * buffer.batch, buffer.tiles[1]
    return rows * columns, DTYPES[buffer.dtype].tile_bytes, (rows, columns)


def _shard_banks(layout: PlanSharding, shards: int, dram: bool, arch: Arch) -> tuple[Core, ...]:
    if layout.cores:
        return layout.cores
    if dram:
        return tuple((b, 0) for b in range(layout.grid[0]))
    gx, gy = layout.grid
    if layout.order == "column_major":
        return tuple((x, y) for x in range(gx) for y in range(gy))
    return tuple((x, y) for y in range(gy) for x in range(gx))


def _sharded_words(
    matrix: tuple[int, int], shard: tuple[int, int], banks: tuple[Core, ...], dram: bool, aligned: int, arch: Arch
) -> tuple[int, ...]:
    """Words of a sharded accessor (metalium-api section 3.2): squeezed shape, banks as packed coordinates."""
    shape, part = list(matrix), list(shard)
    if shape[1] == part[1]:  # whole rows lie in one shard: one dimension
        shape, part = [shape[0] * shape[1]], [part[0] * part[1]]
    xy = [(b[0] << 8) if dram else (arch.virtual(*b)[0] << 8 | arch.virtual(*b)[1]) for b in banks]
    packed = [xy[i] | (xy[i + 1] << 16 if i + 1 < len(xy) else 0) for i in range(0, len(xy), 2)]
    return (1 | (2 if dram else 0), aligned, len(shape), len(banks), *shape, *part, *packed)


def _place_cbs(plan: Plan, arch: Arch, buffers: dict[str, PlacedBuffer], top: int) -> tuple[PlacedCb, ...]:
    used: dict[Core, int] = {}
    taken: set[tuple[Core, int]] = set()
    rows: dict[Core, list[str]] = {}
    out: list[PlacedCb] = []
    for alloc, cb in enumerate(plan.circular_buffers):
        cores = cores_of(cb.core_ranges)
        total = cb.page_size * cb.num_pages
        address = _up(
            max((used.get(core, arch.l1_base) for core in cores), default=arch.l1_base), arch.alignment.dram_page
        )
        if cb.buffer is not None:
            bound = buffers[cb.buffer]
            if bound.dram or not set(cores) <= set(bound.banks):
                refuse(
                    "EMU708",
                    f"circular buffer {cb.id} is bound to {cb.buffer}, which has no shard on some of its cores",
                    "bind to an L1-sharded tensor on its own cores",
                )
            if cb.address_offset + total > bound.bank_bytes:
                refuse(
                    "EMU708",
                    f"circular buffer {cb.id} ({total} bytes) exceeds the shard of {cb.buffer} ({bound.bank_bytes})",
                    "use the shard's size",
                )
            address = bound.address + cb.address_offset
        else:
            for core in cores:
                used[core] = address + total
                rows.setdefault(core, []).append(
                    f"  circular buffer {cb.id:2} {cb.name}: {cb.num_pages} pages of {cb.page_size} = {total} bytes"
                )
                if used[core] > top:
                    table = "\n".join(rows[core])
                    refuse(
                        "EMU701",
                        f"circular buffers of core {core} end at {used[core]}, L1 for them ends at {top}: "
                        f"{used[core] - top} bytes too many\n{table}",
                        "fewer or smaller pages; L1 tensors take from the same memory",
                    )
        for id_, fmt, page in _formats(cb):
            if not 0 <= id_ < arch.circular_buffers:
                refuse(
                    "EMU704",
                    f"circular buffer {id_}: {arch.name} has {arch.circular_buffers} (ids from 0)",
                    "reuse an id",
                )
            if page <= 0 or total % page:
                refuse(
                    "EMU705",
                    f"circular buffer {id_}: {total} bytes are no multiple of its page size {page}",
                    "make it whole pages",
                )
            if fmt not in BY_DATA_FORMAT:
                refuse(
                    "EMU705",
                    f"circular buffer {id_}: data format {fmt} is not emulated",
                    f"one of {', '.join(BY_DATA_FORMAT)}",
                )
            for core in cores:
                if (core, id_) in taken:
                    refuse("EMU704", f"circular buffer {id_} occurs twice on core {core}", "give each its own id")
                taken.add((core, id_))
            code = BY_DATA_FORMAT[fmt].format_code
            out.append(PlacedCb(id_, alloc, address, total, page, total // page, code, cb.buffer, cores))
    return tuple(out)


def _formats(cb: CircularBuffer) -> list[tuple[int, str, int]]:
    extra = [(f.id, f.data_format, f.page_size) for f in cb.formats if f.id != cb.id]
    return [(cb.id, cb.data_format, cb.page_size), *extra]
