"""Matmul plans that do not exist yet: cycles, bound and bytes of a candidate, from its numbers alone.

The form is that of a roofline with overlap by blocks: each resource of the busiest core is busy for so many cycles, all
but the first and the last block overlap. With the constants of ``arch/*.json`` it reproduces the published tables of
tt-metal's GEMM_FLOPS report (``tests/model/test_published_matmuls.py`` has the errors). Microseconds a call, so that
thousands of candidates can be ranked while a kernel is built; integers in, integers out, the same on every machine.

Tiles are 32 x 32. ``share`` is the output of one core, walked in blocks of ``block`` tiles, each accumulated over K in
steps of ``k_block`` tiles. The last core of a row or column has what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from tt_build.model.constants import Constants, load_constants
from tt_build.model.overlap import overlapped
from tt_build.targets import DTYPES, load_arch

Algorithm = Literal["streaming", "reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d"]
Memory = Literal["dram", "dram_sharded", "l1", "local"]
"""Where a tensor lies: interleaved over all banks, each core's part in its own bank, in other cores' L1, or where it is
used. A ``local`` operand of a multicast is sent by the cores that hold it, without a read."""

PHASES = {"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}


class Candidate(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One way to compute C[M, N] = A[M, K] B[K, N], ``batch`` times. Extents are tiles.

    ``grid`` is (columns, rows) of cores: N is cut over columns and M over rows, under ``mcast_1d_in0`` N over all
    cores and under ``mcast_1d_in1`` M over all. ``streaming`` takes single output tiles and ignores ``block`` and
    ``subblock``. ``processors``: with 2, A comes through one data-movement processor and B and the results through the
    other; with 1 both operands come through one and the results leave through the other. ``cores`` are those that the
    target has, to which utilisation refers (0: those of ``grid``). ``partials`` is the dtype of what is accumulated
    over K steps in L1, added there by the packer with ``l1_accumulate``, else unpacked again; unless
    ``shares_output`` they have a buffer of their own. ``serial_batch``: one matrix after the other.
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
    a: str = "bfloat16"
    b: str = "bfloat16"
    out: str = "bfloat16"
    partials: str = "bfloat16"
    fidelity: str = "HiFi4"
    a_memory: Memory = "dram"
    b_memory: Memory = "dram"
    out_memory: Memory = "dram"
    depth: int = 2
    processors: Literal[1, 2] = 2
    l1_accumulate: bool = True
    shares_output: bool = True
    cores: int = 0


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate costs. ``busy`` has cycles of each resource where it is busiest.

    ``bound`` names the busiest, or ``fixed`` where starting and ending the program takes longer than that.
    ``noc_bytes`` are those delivered to cores: multicasts times receivers, and reads of other cores' L1. ``l1_bytes``
    are the circular buffers of one core, ``steps`` the K steps of the busiest core.
    """

    cycles: int
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
    """Tiles of the busiest core, and of all cores."""

    share: tuple[int, int]
    cores: int
    rounds: tuple[int, int]
    a_core: int
    b_core: int
    a_read: int
    b_read: int
    a_sent: int
    b_sent: int
    a_received: int
    b_received: int


def estimate(candidate: Candidate, arch: str) -> Estimate:
    """Cycles, bound and bytes of a candidate on that architecture. ``KeyError`` where the model has no figures."""
    c, figures, shape = candidate, load_constants(arch), _shape(candidate)
    sizes = (DTYPES[c.a].tile_bytes, DTYPES[c.b].tile_bytes, DTYPES[c.out].tile_bytes)
    outputs = shape.share[0] * shape.share[1] * c.batch
    steps = max(1, -(-c.k // c.k_block)) * c.batch
    steps *= outputs // c.batch if c.algorithm == "streaming" else shape.rounds[0] * shape.rounds[1]
    busy = _compute(c, figures, sizes, outputs) | _movement(c, figures, shape, sizes, outputs, steps)
    read, written, compulsory = _dram_bytes(c, shape, sizes)
    busy["dram"] = _dram_cycles(c, figures, arch, shape, sizes, read, written)
    computing = max(busy["math"], busy["unpack"], busy["pack"])
    moving = max(value for name, value in busy.items() if name not in ("math", "unpack", "pack"))
    drain = _drain(c, figures, shape, sizes)
    cycles = figures.launch_cycles + overlapped(moving, computing, steps, c.depth) + drain
    bound = max(busy, key=lambda name: busy[name])
    if busy[bound] < figures.launch_cycles:
        bound = "fixed"
    matmuls = c.m * c.n * c.k * c.batch
    ideal = matmuls * figures.phase_cycles * PHASES[c.fidelity] / (c.cores or c.grid[0] * c.grid[1])
    return Estimate(
        cycles=round(cycles),
        bound=bound,
        busy={name: round(value) for name, value in busy.items()},
        ideal_cycles=round(ideal),
        dram_read_bytes=read,
        dram_write_bytes=written,
        compulsory_bytes=compulsory,
        noc_bytes=_noc_bytes(c, shape, sizes),
        l1_bytes=_l1_bytes(c, sizes),
        cores=shape.cores,
        steps=steps,
    )


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
    whole = c.m * c.k * c.batch, c.n * c.k * c.batch
    if c.algorithm == "streaming":
        used = min(cores, c.m * c.n * c.batch)
        units = -(-c.m * c.n * c.batch // cores)
        share = units, 1
        moved = units * c.k
        everything = c.m * c.n * c.k * c.batch
        return _Shape((-(-units // c.batch), 1), used, share, moved, moved, everything, everything, 0, 0, 0, 0)
    down = cores if c.algorithm == "mcast_1d_in1" else 1 if c.algorithm == "mcast_1d_in0" else rows
    across = cores if c.algorithm == "mcast_1d_in0" else 1 if c.algorithm == "mcast_1d_in1" else columns
    share = -(-c.m // down), -(-c.n // across)
    used_down, used_across = -(-c.m // share[0]), -(-c.n // share[1])
    rounds = -(-share[0] // c.block[0]), -(-share[1] // c.block[1])
    a_core, b_core = share[0] * c.k * rounds[1] * c.batch, share[1] * c.k * rounds[0] * c.batch
    if c.algorithm == "reuse":
        down_passes, across_passes = _passes(c.m, share[0], c.block[0]), _passes(c.n, share[1], c.block[1])
        reads = whole[0] * across_passes, whole[1] * down_passes
        return _Shape(share, used_down * used_across, rounds, a_core, b_core, *reads, 0, 0, 0, 0)
    reads = whole[0] * rounds[1], whole[1] * rounds[0]
    # Whose operand is the same for several cores comes by multicast; the others read their own.
    a_sent, b_sent = reads[0] if used_across > 1 else 0, reads[1] if used_down > 1 else 0
    received = reads[0] * (used_across - 1), reads[1] * (used_down - 1)
    return _Shape(share, used_down * used_across, rounds, a_core, b_core, *reads, a_sent, b_sent, *received)


def _passes(extent: int, share: int, block: int) -> int:
    """How often all cores along an axis together read what runs across it: once a block."""
    full, rest = divmod(extent, share)
    return full * -(-share // block) + -(-rest // block)


def _compute(c: Candidate, f: Constants, sizes: tuple[int, int, int], outputs: int) -> dict[str, float]:
    """Unpackers, matrix engine and packer of the busiest core."""
    a, b, out = sizes
    matmuls = outputs * c.k
    unpack = (a + b) / f.unpack_joint_rate if c.algorithm == "streaming" else unpacked(f, a, b, c.subblock)
    partial = DTYPES[c.partials].tile_bytes
    spills = outputs * _spills(c)
    packed = outputs * out / f.pack_rate
    packed += spills * partial / f.pack_rate * (f.pack_accumulate if c.l1_accumulate else 1)
    return {
        "math": matmuls * (f.phase_cycles * PHASES[c.fidelity] + f.matmul_overhead),
        "unpack": matmuls * (unpack + f.matmul_overhead) + (0 if c.l1_accumulate else spills * partial / f.unpack_rate),
        "pack": packed,
    }


def unpacked(f: Constants, a: int, b: int, subblock: tuple[int, int]) -> float:
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


def _movement(
    c: Candidate, f: Constants, shape: _Shape, sizes: tuple[int, int, int], outputs: int, steps: int
) -> dict[str, float]:
    """The two data-movement processors and the NoC ports of the busiest core."""
    a, b, out = sizes
    first = _bring(f, c.a_memory, shape.a_core, a, steps, sends=shape.a_sent > 0)
    second = _bring(f, c.b_memory, shape.b_core, b, steps, sends=shape.b_sent > 0)
    write = outputs * (f.write_issue + out / _write_rate(c, f)) if c.out_memory != "local" else 0.0
    into = shape.a_core * a * (c.a_memory != "local" or shape.a_sent > 0), shape.b_core * b
    arriving = max(into) if c.processors == 2 else sum(into)
    if c.processors == 2:
        return {"mover_0": first, "mover_1": second + write, "noc": arriving / f.noc_rate}
    return {"mover_0": first + second, "mover_1": write, "noc": arriving / f.noc_rate}


def _bring(f: Constants, memory: str, tiles: int, size: int, steps: int, *, sends: bool) -> float:
    """Cycles of a processor that brings an operand to the busiest core, and to the others where it ``sends``."""
    if memory == "local" and not sends:
        return 0.0
    if not sends:
        latency, rate = (
            (f.dram_read_latency, f.dram_read_rate)
            if memory.startswith("dram")
            else (f.l1_read_latency, f.l1_read_rate)
        )
        return tiles * max(size / rate, f.read_issue) + steps * latency
    read = 0.0 if memory == "local" else size / (f.sender_read_rate if memory.startswith("dram") else f.l1_read_rate)
    return tiles * (read + size / f.multicast_rate + f.sender_issue) + steps * f.sender_block


def _write_rate(c: Candidate, f: Constants) -> float:
    return f.write_rate if c.out_memory.startswith("dram") else f.l1_write_rate


def _drain(c: Candidate, f: Constants, shape: _Shape, sizes: tuple[int, int, int]) -> float:
    """The results of the last block leave when nothing is left to overlap with."""
    if c.out_memory == "local":
        return 0.0
    tiles = 1 if c.algorithm == "streaming" else min(c.block[0], shape.share[0]) * min(c.block[1], shape.share[1])
    return tiles * max(sizes[2] / _write_rate(c, f), f.write_issue) + f.write_latency


def _dram_bytes(c: Candidate, shape: _Shape, sizes: tuple[int, int, int]) -> tuple[int, int, int]:
    """Read, written and compulsory."""
    tensors = (
        (c.a_memory, shape.a_read * sizes[0], c.m * c.k * c.batch * sizes[0]),
        (c.b_memory, shape.b_read * sizes[1], c.n * c.k * c.batch * sizes[1]),
    )
    read = sum(moved for memory, moved, _ in tensors if memory.startswith("dram"))
    compulsory = sum(once for memory, _, once in tensors if memory.startswith("dram"))
    written = c.m * c.n * c.batch * sizes[2] if c.out_memory.startswith("dram") else 0
    return read, written, compulsory + written


def _dram_cycles(
    c: Candidate,
    f: Constants,
    arch: str,
    shape: _Shape,
    sizes: tuple[int, int, int],
    read: int,
    written: int,
) -> float:
    """All banks together, and one bank's rate of requests, whichever takes longer."""
    placed = sum(
        tiles * size
        for memory, tiles, size in ((c.a_memory, shape.a_read, sizes[0]), (c.b_memory, shape.b_read, sizes[1]))
        if memory == "dram_sharded"
    )
    total = placed / f.dram_placed_rate + (read - placed + written) / f.dram_total_rate
    requests = sum(
        tiles for memory, tiles in ((c.a_memory, shape.a_read), (c.b_memory, shape.b_read)) if memory.startswith("dram")
    )
    return max(total, requests / load_arch(arch).dram_banks * f.dram_bank_request)


def _noc_bytes(c: Candidate, shape: _Shape, sizes: tuple[int, int, int]) -> int:
    """Delivered by multicasts, and read from other cores' L1."""
    delivered = shape.a_received * sizes[0] + shape.b_received * sizes[1]
    fetched = (shape.a_read * sizes[0] if c.a_memory == "l1" else 0) + (
        shape.b_read * sizes[1] if c.b_memory == "l1" else 0
    )
    return delivered + fetched + (c.m * c.n * c.batch * sizes[2] if c.out_memory == "l1" else 0)


def _l1_bytes(c: Candidate, sizes: tuple[int, int, int]) -> int:
    """Circular buffers of one core."""
    rows, columns = (1, 1) if c.algorithm == "streaming" else c.block
    inputs = c.depth * c.k_block * (rows * sizes[0] + columns * sizes[1])
    if c.algorithm == "streaming":
        return inputs + 2 * sizes[2]
    partial = DTYPES[c.partials].tile_bytes if _spills(c) else 0
    if partial and c.shares_output and partial == sizes[2]:
        partial = 0
    return inputs + rows * columns * (sizes[2] + partial)
