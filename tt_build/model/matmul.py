"""Matmul plans that do not exist yet: cycles, bound and bytes of a candidate, from its numbers alone.

The form is that of a roofline with overlap by blocks: each resource of the busiest core is busy for so many cycles, all
but the first and the last block overlap. With the constants of ``arch/*.json`` it reproduces the published tables of
tt-metal's GEMM_FLOPS report (``tests/model/test_published_matmuls.py`` has the errors). Microseconds a call, so that
thousands of candidates can be ranked while a kernel is built; integers in, integers out, the same on every machine.

The output is cut into blocks of ``block`` tiles, which are dealt out to the cores; a core accumulates each of its
blocks over K in steps of ``k_block`` tiles. Blocks at the edge may hold less.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from tt_build.model.constants import Constants, load_constants
from tt_build.model.overlap import overlapped
from tt_build.targets import load_arch

Algorithm = Literal["streaming", "reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d"]
Memory = Literal["dram", "l1", "local"]
"""Where a tensor lies: in the banks of DRAM, in other cores' L1, or where it is used. A ``local`` operand of a
multicast is sent by the cores that hold it, without a read."""

PHASES = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}


class Candidate(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One way to compute C[M, N] = A[M, K] B[K, N], ``batch`` times. Extents are tiles of 32 x 32.

    ``grid`` is (columns, rows) of cores. Blocks across go to columns and those down to rows of cores; under
    ``mcast_1d_in0`` blocks across go to all cores and under ``mcast_1d_in1`` those down; under ``reuse`` each core
    takes as many as any other, wherever they lie. ``streaming`` deals out single tiles: no ``block``, no ``subblock``.
    ``a``, ``b``, ``out`` and ``partials`` are bytes of a tile: of the operands, of all that is written for an output
    tile, and of what is accumulated over K steps in L1. The packer adds it there with ``l1_accumulate``, else it is
    unpacked again; unless ``shares_output`` it has a buffer of its own. ``phases`` are those of the fidelity. With two
    ``processors`` the second operand comes by the reader on NoC 0, the first by the writer on NoC 1, which also writes;
    with one both come by the reader. ``cores`` are those that the target has, to which utilisation refers (0: those of
    ``grid``). ``products`` matmuls of the same extents go through K together; ``a`` and ``b`` are then the bytes of all
    their operands, each counted once. ``beside`` are bytes of other operands that are read from DRAM, of which
    ``earlier`` come before the steps, in the time of ``before`` and ``fetched``. ``behind`` are cycles of the vector
    engine for an output tile. An operand that is ``computed`` is not brought: cores compute it, the busiest in
    ``before`` cycles, from what it waits for ``fetched`` cycles; with ``ahead`` steps come meanwhile, as many as the
    buffers hold. ``linked`` tells for each operand whether its multicasts keep their path for the word behind them.
    """

    m: int
    n: int
    k: int
    algorithm: Algorithm
    grid: tuple[int, int]
    block: tuple[int, int] = (1, 1)
    k_block: int = 1
    subblock: tuple[int, int] = (1, 1)
    batch: int = 1
    a: int = 2048
    b: int = 2048
    out: int = 2048
    partials: int = 2048
    phases: int = 4
    a_memory: Memory = "dram"
    b_memory: Memory = "dram"
    out_memory: Memory = "dram"
    depth: int = 2
    processors: Literal[1, 2] = 1
    l1_accumulate: bool = True
    shares_output: bool = True
    cores: int = 0
    products: int = 1
    beside: int = 0
    earlier: int = 0
    behind: float = 0.0
    computed: tuple[bool, bool] = (False, False)
    before: float = 0.0
    fetched: float = 0.0
    ahead: bool = False
    linked: tuple[bool, bool] = (True, True)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate costs. ``busy`` has cycles of each resource where it is busiest.

    ``bound`` names the busiest, or ``fixed`` where starting and ending the program takes longer than that.
    ``noc_bytes`` are those delivered to cores: multicasts times receivers, and reads of other cores' L1. ``l1_bytes``
    are the circular buffers of one core, ``steps`` the K steps of the busiest core. The last ``drain_cycles`` of all
    cycles are those in which only results leave.
    """

    cycles: int
    drain_cycles: int
    bound: str
    busy: dict[str, int]
    ideal_cycles: int
    dram_read_bytes: int
    dram_write_bytes: int
    compulsory_bytes: int
    noc_bytes: int
    l1_bytes: int
    cores: int
    steps: int

    @property
    def dram_bytes(self) -> int:
        """Read and written."""
        return self.dram_read_bytes + self.dram_write_bytes

    @property
    def utilization(self) -> float:
        """The matrix engines' shortest time over the estimate, on all cores of the target."""
        return self.ideal_cycles / self.cycles

    @property
    def dram_ratio(self) -> float:
        """DRAM bytes over compulsory bytes of what lies in DRAM; 1.0 where nothing does."""
        return self.dram_bytes / self.compulsory_bytes if self.compulsory_bytes else 1.0


class _Shape(msgspec.Struct, frozen=True):
    """Blocks and tiles: ``units`` of the busiest core, what it brings, and what all cores read and receive.

    ``parcels`` are the rectangles of cores that an operand is sent to: 0 where each core reads its own.
    """

    units: int
    outputs: int
    cores: int
    a_core: int
    b_core: int
    a_read: int
    b_read: int
    a_parcels: int
    b_parcels: int
    a_received: int
    b_received: int


def estimate(candidate: Candidate, arch: str) -> Estimate:
    """Cycles, bound and bytes of a candidate on that architecture. ``KeyError`` where the model has no figures."""
    c, f, shape = candidate, load_constants(arch), _shape(candidate)
    steps = shape.units * -(-c.k // c.k_block)
    read, written, compulsory = _dram_bytes(c, shape)
    busy = _compute(c, f, shape) | _movement(c, f, shape, steps)
    banks = load_arch(arch).dram_banks
    busy["dram"] = _dram_cycles(c, f, banks, shape, read, written)
    computing = max(busy["math"], busy["unpack"], busy["pack"])
    in_steps = _dram_cycles(c, f, banks, shape, read - c.earlier, written)
    moving = max(busy["reader"], busy["writer"], busy["noc"], in_steps)
    drain = _drain(c, f, shape)
    behind = shape.outputs * c.behind  # meanwhile no more comes than the next steps
    before = c.before - _hidden(c, shape, steps, moving, computing) + c.fetched
    cycles = f.launch_cycles + overlapped(moving, computing, steps, c.depth) + before + behind + drain
    busy["math"] += c.before + behind
    busy["reader"] += c.fetched
    bound = max(busy, key=lambda name: busy[name])
    if busy[bound] < f.launch_cycles:
        bound = "fixed"
    ideal = c.m * c.n * c.k * c.batch * c.products * f.phase_cycles * c.phases / (c.cores or c.grid[0] * c.grid[1])
    return Estimate(
        cycles=round(cycles),
        drain_cycles=round(drain),
        bound=bound,
        busy={name: round(value) for name, value in busy.items()},
        ideal_cycles=round(ideal),
        dram_read_bytes=read,
        dram_write_bytes=written,
        compulsory_bytes=compulsory,
        noc_bytes=_noc_bytes(c, shape),
        l1_bytes=_l1_bytes(c),
        cores=shape.cores,
        steps=steps,
    )


def _hidden(c: Candidate, shape: _Shape, steps: int, moving: float, computing: float) -> float:
    """Cycles of those before the steps in which what comes meanwhile need not come later: where that would take longer
    than to compute.
    """
    if not c.ahead or shape.units > 1:
        return 0.0
    return min(c.before, max(0.0, moving - computing), moving * min(1.0, c.depth / steps))


def rank(candidates: Iterable[Candidate], arch: str) -> list[tuple[Candidate, Estimate]]:
    """Best first: by cycles, where those within ``tie_percent`` of the best of their group are alike.

    Alike are put in order by DRAM bytes, then more cores, then NoC bytes, L1, fewer steps, cycles and the candidate.
    """
    tie = 1 + load_constants(arch).tie_percent / 100
    estimates = [(candidate, estimate(candidate, arch)) for candidate in candidates]
    estimates.sort(key=lambda pair: (pair[1].cycles, pair[0]))
    ranked: list[tuple[Candidate, Estimate]] = []
    while estimates:
        best = estimates[0][1].cycles
        size = next((i for i, pair in enumerate(estimates) if pair[1].cycles > best * tie), len(estimates))
        ranked += sorted(estimates[:size], key=_tie_break)
        estimates = estimates[size:]
    return ranked


def _tie_break(pair: tuple[Candidate, Estimate]) -> tuple[int, int, int, int, int, int, Candidate]:
    candidate, e = pair
    return (e.dram_bytes, -e.cores, e.noc_bytes, e.l1_bytes, e.steps, e.cycles, candidate)


def _shape(c: Candidate) -> _Shape:
    columns, rows = c.grid
    cores = columns * rows
    a, b = c.m * c.k * c.batch, c.n * c.k * c.batch
    if c.algorithm == "streaming":
        units = -(-c.m * c.n * c.batch // cores)
        used, moved, everything = min(cores, c.m * c.n * c.batch), units * c.k, a * c.n
        return _Shape(units, units, used, moved, moved, everything, everything, 0, 0, 0, 0)
    high, wide = c.block
    down, across = -(-c.m // high), -(-c.n // wide)
    if c.algorithm == "reuse":
        units = -(-across * down * c.batch // cores)
        used = min(cores, across * down * c.batch)
        reads = a * across, b * down
        return _Shape(units, units * high * wide, used, units * high * c.k, units * wide * c.k, *reads, 0, 0, 0, 0)
    # All cores but the sender are the rest of its row and the rows below it.
    parcels = 2 if c.algorithm != "mcast_2d" and min(c.grid) > 1 else 1
    if c.algorithm != "mcast_2d":
        columns, rows = (cores, 1) if c.algorithm == "mcast_1d_in0" else (1, cores)
    rounds_across, rounds_down = -(-across // columns), -(-down // rows)
    units = rounds_across * rounds_down * c.batch
    columns, rows = min(columns, across), min(rows, down)
    a_read, b_read = a * rounds_across, b * rounds_down  # who shares an operand reads it once for each round
    return _Shape(
        units=units,
        outputs=units * high * wide,
        cores=columns * rows,
        a_core=units * high * c.k,
        b_core=units * wide * c.k,
        a_read=a_read,
        b_read=b_read,
        a_parcels=parcels if columns > 1 else 0,
        b_parcels=parcels if rows > 1 else 0,
        a_received=a_read * (columns - 1),
        b_received=b_read * (rows - 1),
    )


def _compute(c: Candidate, f: Constants, shape: _Shape) -> dict[str, float]:
    """Unpackers, matrix engine and packer of the busiest core."""
    matmuls, spills = shape.outputs * c.k * c.products, shape.outputs * _spills(c)
    a, b = c.a / c.products, c.b / c.products
    unpack = (a + b) / f.unpack_joint_rate if c.algorithm == "streaming" else unpacked(f, a, b, c.subblock)
    again = 0.0 if c.l1_accumulate else spills * c.partials / f.unpack_rate
    sections = matmuls / (c.subblock[0] * c.subblock[1] * min(c.k_block, c.k))
    if c.algorithm == "streaming":
        sections = shape.outputs
    accumulated = spills * c.partials * (f.pack_accumulate if c.l1_accumulate else 1)
    return {
        "math": matmuls * (f.phase_cycles * c.phases + f.matmul_overhead) + sections * f.section_cycles,
        "unpack": matmuls * (unpack + f.matmul_overhead) + again,
        "pack": (shape.outputs * c.out + accumulated) / f.pack_rate,
    }


def unpacked(f: Constants, a: float, b: float, subblock: tuple[int, int]) -> float:
    """Cycles of the unpackers for a tile matmul of ``matmul_block``; ``a`` and ``b`` are bytes of a tile.

    It keeps a tile of the operand along the subblock's shorter side and streams the other's (llk_unpack_AB_matmul.h).
    """
    streamed, kept, reuse = (b, a, subblock[1]) if subblock[1] >= subblock[0] else (a, b, subblock[0])
    return max(streamed / f.unpack_rate, (streamed + kept / reuse) / f.unpack_joint_rate)


def _spills(c: Candidate) -> int:
    """How often each output tile is put aside between K steps: never where DST holds the block over all of K."""
    if c.algorithm == "streaming" or c.block == c.subblock:
        return 0
    return max(1, -(-c.k // c.k_block)) - 1


def _movement(c: Candidate, f: Constants, shape: _Shape, steps: int) -> dict[str, float]:
    """The two data-movement processors and the NoC ports of the busiest core."""
    first = second = 0.0
    if not c.computed[0]:
        first = _bring(f, c.a_memory, shape.a_core, c.a, steps, shape.a_parcels)
        first += _paths(f, c, 0, shape.a_core * c.a, steps, shape.a_parcels)
    if not c.computed[1]:
        second = _bring(f, c.b_memory, shape.b_core, c.b, steps, shape.b_parcels)
        second += _paths(f, c, 1, shape.b_core * c.b, steps, shape.b_parcels)
    write = shape.outputs * (f.write_issue + c.out / _write_rate(c, f)) if c.out_memory != "local" else 0.0
    into_a = shape.a_core * c.a if not c.computed[0] and (c.a_memory != "local" or shape.a_parcels) else 0
    into_b = shape.b_core * c.b if not c.computed[1] and (c.b_memory != "local" or shape.b_parcels) else 0
    if c.processors == 2:
        return {"reader": second, "writer": first + write, "noc": max(into_a, into_b) / f.noc_rate}
    # All receive, then all read, and DRAM rests meanwhile.
    if shape.a_parcels and not shape.b_parcels and not any(c.computed):
        second = max(second, _together(f, c.b_memory, shape.b_read * c.b))
    elif shape.b_parcels and not shape.a_parcels and not any(c.computed):
        first = max(first, _together(f, c.a_memory, shape.a_read * c.a))
    return {"reader": first + second, "writer": write, "noc": (into_a + into_b) / f.noc_rate}


def _bring(f: Constants, memory: str, tiles: int, size: int, steps: int, parcels: int) -> float:
    """Cycles of a processor that brings an operand to the busiest core, and to the others in so many parcels.

    What DRAM gives all cores together is a resource of its own.
    """
    dram = memory == "dram"
    if parcels:
        read = 0.0 if memory == "local" else size / (f.sender_read_rate if dram else f.l1_read_rate)
        return tiles * (read + parcels * size / f.multicast_rate + f.sender_issue) + steps * f.sender_block
    if memory == "local":
        return 0.0
    latency, rate = (f.dram_read_latency, f.dram_read_rate) if dram else (f.l1_read_latency, f.l1_read_rate)
    return tiles * max(size / rate, f.read_issue) + steps * latency


def _together(f: Constants, memory: str, size: int) -> float:
    """Cycles in which all cores read so many bytes from DRAM at once."""
    return size / f.dram_total_rate if memory == "dram" else 0.0


def _paths(f: Constants, c: Candidate, operand: int, size: int, steps: int, parcels: int) -> float:
    """Cycles in which multicasts that are not linked reserve their paths: packet by packet, beside ``sender_block``."""
    if c.linked[operand] or not parcels:
        return 0.0
    return parcels * steps * -(-size // (steps * f.multicast_packet)) * f.multicast_path


def _write_rate(c: Candidate, f: Constants) -> float:
    return f.write_rate if c.out_memory == "dram" else f.l1_write_rate


def _drain(c: Candidate, f: Constants, shape: _Shape) -> float:
    """The results of the last block leave when nothing is left to overlap with: those of all cores at once."""
    if c.out_memory == "local":
        return 0.0
    tiles = min(shape.outputs, 1 if c.algorithm == "streaming" else c.block[0] * c.block[1])
    own = tiles * max(c.out / _write_rate(c, f), f.write_issue)
    together = shape.cores * tiles * c.out / f.dram_write_rate if c.out_memory == "dram" else 0.0
    return max(own, together) + f.write_latency


def _dram_bytes(c: Candidate, shape: _Shape) -> tuple[int, int, int]:
    """Read, written and compulsory."""
    read = compulsory = c.beside
    if c.a_memory == "dram":
        read, compulsory = read + shape.a_read * c.a, compulsory + c.m * c.k * c.batch * c.a
    if c.b_memory == "dram":
        read, compulsory = read + shape.b_read * c.b, compulsory + c.n * c.k * c.batch * c.b
    written = c.m * c.n * c.batch * c.out if c.out_memory == "dram" else 0
    return read, written, compulsory + written


def _dram_cycles(c: Candidate, f: Constants, banks: int, shape: _Shape, read: int, written: int) -> float:
    """All banks together, what comes over NoC 1, and one bank's rate of requests, whichever takes longest."""
    total = (read + written) / f.dram_total_rate
    second = shape.a_read * c.a / f.dram_second_rate if c.processors == 2 and c.a_memory == "dram" else 0.0
    requests = shape.a_read if c.a_memory == "dram" else 0
    requests += shape.b_read if c.b_memory == "dram" else 0
    return max(total, second, requests / banks * f.dram_bank_request)


def _noc_bytes(c: Candidate, shape: _Shape) -> int:
    """Delivered by multicasts, and moved from and to other cores' L1."""
    delivered = shape.a_received * c.a + shape.b_received * c.b
    fetched = (shape.a_read * c.a if c.a_memory == "l1" else 0) + (shape.b_read * c.b if c.b_memory == "l1" else 0)
    return delivered + fetched + (c.m * c.n * c.batch * c.out if c.out_memory == "l1" else 0)


def _l1_bytes(c: Candidate) -> int:
    """Circular buffers of one core."""
    rows, columns = (1, 1) if c.algorithm == "streaming" else c.block
    inputs = c.depth * c.k_block * (rows * c.a + columns * c.b)
    if c.algorithm == "streaming":
        return inputs + 2 * c.out
    partial = c.partials if _spills(c) and not (c.shares_output and c.partials == c.out) else 0
    return inputs + rows * columns * (c.out + partial)
