"""What a plan of a blocked matmul takes: L1, bytes from DRAM and over the NoC, and the time that the model gives it.

Used by ``blockings``. The bytes are exact, the time is that of ``tt_build.model``.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import Blocking, MatmulPlan, Parts
from tt_build.ir.work import Grid
from tt_build.model.constants import Constants, load_constants
from tt_build.model.matmul import Algorithm, Memory, estimate
from tt_build.model.matmul import Candidate as Plan
from tt_build.model.streaming import DEPTH
from tt_build.passes.block_problem import Problem
from tt_build.spec.model import CoreRegion
from tt_build.targets import Arch


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A legal plan. ``cores`` are columns and rows in use; ``placed_by`` is the tensor whose shards place the work.

    ``between_banks`` counts the cores that read columns of a second operand in DRAM shards from several banks.
    """

    algorithm: Algorithm
    cores: tuple[int, int]
    grid: Grid
    policy: str
    order: str
    blocking: Blocking
    l1_bytes: int
    dram_bytes: int
    noc_bytes: int
    cycles: int
    bound: str
    busy: int
    placed_by: str = ""
    parts: Parts | None = None
    between_banks: int = 0

    @property
    def figures(self) -> MatmulPlan:
        """What people are told of it."""
        return MatmulPlan(
            algorithm=self.algorithm,
            cores=self.cores,
            block=self.blocking.block,
            k_block=self.blocking.k_block,
            k_parts=self.blocking.k_parts,
            cycles=self.cycles,
            bound=self.bound,
            dram_bytes=self.dram_bytes,
            noc_bytes=self.noc_bytes,
        )

    def region(self, at: tuple[int, int]) -> CoreRegion:
        """The cores in use."""
        return CoreRegion(at=at, size=self.cores)


def l1_bytes(problem: Problem, blocking: Blocking) -> int:
    """Bytes of circular buffers that the plan needs at least."""
    rows, columns = blocking.block
    row, column, unit = problem.held
    prologue = problem.prologue(blocking)
    in0_bytes = 0 if blocking.local else prologue.first.operand if prologue.columns else problem.in0_bytes
    depths = min(blocking.depth, DEPTH) if prologue.columns else blocking.depth, blocking.depth
    operands = blocking.k_block * (depths[0] * rows * in0_bytes + depths[1] * columns * problem.in1_bytes)
    once = blocking.k_block >= problem.k or blocking.k_parts > 1  # packed once into its last place
    direct = problem.gathered[0 if once else 1]
    on_shard = problem.placement is not None and not problem.placement.by_operand
    product = rows * columns * ((0 if on_shard else problem.out_bytes) if direct else problem.product_bytes)
    behind = 0 if direct else columns * row + rows * column + unit
    partial = (1 + blocking.k_parts) * rows * columns * problem.product_bytes if blocking.k_parts > 1 else 0
    return operands + product + behind + partial + prologue.l1(blocking.block)


_ADDED = 60
"""Cycles of the vector engine in which it adds a tile to another in DST: estimated beside those that are published."""


def costed(
    problem: Problem,
    arch: Arch,
    algorithm: Algorithm,
    cores: tuple[int, int],
    grid: Grid,
    policy: str,
    order: str,
    blocking: Blocking,
    l1: int,
    parts: Parts | None = None,
) -> Candidate:
    """The plan with its bytes and its time."""
    (rows, columns), shares = blocking.block, blocking.shares
    placed = problem.placement
    count = _cores(problem, cores)
    units = -(-grid.units // count)
    busy = min(count, grid.units)
    blocks = -(-problem.n // columns), -(-problem.m // rows)
    reads0, reads1 = problem.m * blocks[0] * grid.z, problem.n * blocks[1] * grid.z
    across, down = cores if algorithm == "mcast_2d" else (count, count)
    if parts is not None:
        across, down = blocks
    if placed is not None:
        across, down = placed.across, -(-problem.m // placed.rows) * problem.z
    across, down = (across if "in0" in shares else 1), (down if "in1" in shares else 1)
    row, column, number, once, full = problem.behind_in_dram
    in0_dram, in1_dram, written = problem.in_dram
    done, among = grid.units // blocking.k_parts, 1 if blocking.rotates else across
    operands = reads0 * problem.k * in0_dram // across + reads1 * problem.k * in1_dram // down
    beside = (reads0 * column + done * number) // among + reads1 * row // down + once
    beside += problem.m * problem.n * problem.z * full
    prologue = problem.prologue(blocking)
    first, second = prologue.first, prologue.second
    beside += (reads0 * first.in_dram.line + done * first.in_dram.unit) // among + prologue.once_in_dram
    earlier = (reads1 * second.in_dram.line + done * second.in_dram.unit) // down
    beside += earlier
    dram = operands + beside + problem.m * problem.n * problem.z * written
    row, column, number, once, _ = problem.behind
    parcel = blocking.k_block * sum(-(-left // blocking.k_block) for left in _parts_of_k(problem.k, parts))
    received0 = done * (among - 1) // among * (rows * (parcel * problem.in0_bytes + column) + number)
    received0 += done * (among - 1) // among * (first.held.of(rows) + first.streamed.unit)
    received0 += reads0 * (among - 1) // among * first.streamed.line
    if blocking.rotates:  # who sends gets its own shard, too
        received0 = done * rows * parcel * (problem.in0_bytes or first.operand)
    received1 = done * (down - 1) // down * columns * (parcel * problem.in1_bytes + row)
    received1 += done * (down - 1) // down * (second.held.of(columns) + second.streamed.unit)
    received1 += reads1 * (down - 1) // down * second.streamed.line
    sent = (grid.units - done) * rows * columns * problem.product_bytes
    plan = _modelled(problem, algorithm, cores, grid, blocking, parts)
    own = estimate(plan, arch.name)
    others = operands + problem.m * problem.n * problem.z * written - own.dram_bytes
    found = estimate(msgspec.structs.replace(plan, beside=beside + max(others, 0), earlier=earlier), arch.name)
    combining = _combining(problem, blocking, load_constants(arch.name)) if parts is not None else 0
    return Candidate(
        algorithm=algorithm,
        cores=cores,
        grid=grid,
        policy=policy,
        order=order,
        blocking=blocking,
        l1_bytes=l1,
        dram_bytes=dram,
        noc_bytes=received0 + received1 + (busy - 1) * (once + prologue.once) + sent,
        cycles=found.cycles + combining,
        bound=found.bound,
        busy=busy,
        placed_by=placed.tensor if placed is not None else "",
        parts=parts,
        between_banks=_between_banks(problem, columns, busy, one=units == 1),
    )


def within_error(cycles: int, fastest: int, arch: str) -> bool:
    """Whether the model cannot tell a time from the fastest."""
    return cycles * 100 <= fastest * (100 + load_constants(arch).tie_percent)


def _modelled(
    problem: Problem,
    algorithm: Algorithm,
    cores: tuple[int, int],
    grid: Grid,
    blocking: Blocking,
    parts: Parts | None,
) -> Plan:
    """The candidate as the cost model takes it: with parts of K the cores of one part; shards of all matrices are rows
    of one.
    """
    (rows, columns), placed = blocking.block, problem.placement
    prologue, units = problem.prologue(blocking), -(-grid.units // _cores(problem, cores))
    m, batch, k = problem.m, problem.z, problem.k
    if parts is not None:
        blocks = -(-problem.n // columns), -(-problem.m // rows)
        cores, k = (blocks if algorithm != "reuse" else (blocks[0] * blocks[1] * batch, 1)), parts.tiles
    if placed is not None:
        m, batch, cores = m * batch, 1, (placed.across, -(-m * batch // placed.rows))
    a_memory: Memory = "local" if blocking.local or blocking.rotates else "dram" if problem.in_dram[0] else "l1"
    b_memory: Memory = "dram" if problem.in_dram[1] else "l1"
    on_shards = placed is not None and not placed.by_operand
    return Plan(
        m=m,
        n=problem.n,
        k=k,
        algorithm=algorithm,
        grid=cores,
        block=(rows, columns),
        k_block=blocking.k_block,
        subblock=blocking.subblock,
        batch=batch,
        a=problem.in0_bytes or prologue.first.operand,
        b=problem.in1_bytes or prologue.second.operand,
        out=problem.written_bytes,
        partials=problem.product_bytes,
        a_memory=a_memory,
        b_memory=b_memory,
        out_memory="local" if on_shards else "dram" if problem.in_dram[2] else "l1",
        phases=problem.phases,
        depth=blocking.depth,
        processors=2 if blocking.noc == 1 else 1,
        linked=("in0" in blocking.linked, "in1" in blocking.linked),
        products=problem.matmuls,
        behind=problem.behind_cycles,
        computed=(not problem.in0_bytes and not blocking.rotates, not problem.in1_bytes),
        before=units * prologue.cycles(blocking.block),
        fetched=_fetched(problem, blocking, algorithm, cores, grid.units),
        ahead=not prologue.streamed(blocking.block) or blocking.noc == 1,
    )


def _cores(problem: Problem, cores: tuple[int, int]) -> int:
    """Cores with work: of a rectangle of so many columns and rows, or those of the shards."""
    return len(problem.placement.cores) if problem.placement is not None else cores[0] * cores[1]


def _fetched(problem: Problem, blocking: Blocking, algorithm: str, cores: tuple[int, int], count: int) -> float:
    """Cycles in which a core waits for what it computes operands from: until that has come where it is held, and
    where it comes slower than it is used where it is streamed. Steps in turn are short, and have a barrier each.
    There are ``count`` units.
    """
    busy = min(_cores(problem, cores), count)
    units = -(-count // busy)
    f, prologue, shares = load_constants(problem.arch), problem.prologue(blocking), blocking.shares
    parcels = 2 if algorithm != "mcast_2d" and min(cores) > 1 else 1  # the rest of the sender's row, the rows below it
    sent = 1 / f.sender_read_rate + parcels / f.multicast_rate
    alone = 1 / min(f.dram_read_rate, f.dram_total_rate / busy)
    late = 0.0
    for side, shared, lines in (
        (prologue.first, "in0" in shares and not blocking.rotates, blocking.block[0]),
        (prologue.second, "in1" in shares, blocking.block[1]),
    ):
        rate = sent if shared else alone
        held, streamed = side.held.of(lines) * rate, side.streamed.of(lines) * rate
        late += held + max(0.0, streamed - side.cycles.of(lines)) + (f.dram_read_latency if held or streamed else 0.0)
    barriers = problem.k // prologue.columns * problem.matmuls if prologue.columns else 0
    return units * late + prologue.once * sent + barriers * f.dram_read_latency


def _combining(problem: Problem, blocking: Blocking, f: Constants) -> int:
    """Cycles in which the first core of a unit gets all parts of its block and adds them."""
    tiles = blocking.k_parts * blocking.block[0] * blocking.block[1]
    size = problem.product_bytes
    return round(tiles * (size / f.noc_rate + max(size / f.unpack_rate, f.copy_cycles + _ADDED)) + f.write_latency)


def _between_banks(problem: Problem, columns: int, cores: int, *, one: bool) -> int:
    """How many of the cores have columns in several banks: with several blocks all, with ``one`` those that cross."""
    size = problem.bank_columns
    if not size:
        return 0
    starts = range(0, problem.n, columns)
    crossing = sum(start // size != (min(start + columns, problem.n) - 1) // size for start in starts)
    return cores * crossing // len(starts) if one else cores


def _parts_of_k(k: int, parts: Parts | None) -> list[int]:
    """K tiles of each part."""
    return [k] if parts is None else [min(parts.tiles, k - n * parts.tiles) for n in range(parts.count)]
