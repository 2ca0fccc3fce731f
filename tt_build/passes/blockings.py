"""The ways to block a matmul: every legal plan of a kernel, and which of them is taken.

Used by ``infer_schedule``. A plan is legal where its buffers fit L1, its subblock fits DST, and, where cores share
operands, all of them go through the same number of units in step. Plans are ranked by the cost model
(``tt_build.model``); those that it cannot tell apart by bytes from DRAM, cores with work, bytes over the NoC, L1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import msgspec

from tt_build.ir.stages import Blocking, DefaultedKernel, MatmulChoice, MatmulPlan, Operand, Tensor
from tt_build.ir.work import Grid
from tt_build.model.constants import load_constants
from tt_build.model.matmul import Algorithm, estimate
from tt_build.model.matmul import Candidate as Plan
from tt_build.spec.model import CoreRegion
from tt_build.targets import DTYPES, Arch
from tt_build.targets.arch import load_arch

ALGORITHMS: tuple[Algorithm, ...] = ("reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d")
K_BLOCKS = (1, 2, 4, 8, 16)
DEPTH = 2
SHARES: dict[str, tuple[Operand, ...]] = {
    "reuse": (),
    "mcast_1d_in0": ("in0",),
    "mcast_1d_in1": ("in1",),
    "mcast_2d": ("in0", "in1"),
}


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What the declaration says, in tiles; None and empty where it leaves it to the planner."""

    algorithm: str = ""
    block: tuple[int, int] | None = None
    k_block: int | None = None
    subblock: tuple[int, int] | None = None
    noc: int | None = None
    depth: int | None = None
    order: str = ""
    policy: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A matmul, or several of the same extents, as the planner sees it; extents in tiles, bytes of a tile of each.

    ``held`` are bytes of operands behind the product: of a column of the block's tiles, of a row of them, and a unit.
    ``behind`` are their tile bytes: of operands that are rows, columns, one number a matrix, one number, and all of it.
    ``gathered`` tells whether the output's own buffer can gather the product in one step along K, and in several.
    """

    m: int
    k: int
    n: int
    z: int
    arch: str
    cores: tuple[int, int]
    in0_bytes: int
    in1_bytes: int
    matmuls: int
    out_bytes: int
    written_bytes: int
    product_bytes: int
    phases: int
    dst_tiles: int
    budget: int
    held: tuple[int, int, int]
    behind: tuple[int, int, int, int, int]
    gathered: tuple[bool, bool]
    fixed: Fixed = Fixed()


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A legal plan. ``cores`` are columns and rows in use, ``rounds`` the units of each core across, down, over z."""

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

    @property
    def figures(self) -> MatmulPlan:
        """What people are told of it."""
        return MatmulPlan(
            algorithm=self.algorithm,
            cores=self.cores,
            block=self.blocking.block,
            k_block=self.blocking.k_block,
            cycles=self.cycles,
            bound=self.bound,
            dram_bytes=self.dram_bytes,
            noc_bytes=self.noc_bytes,
        )

    def region(self, at: tuple[int, int]) -> CoreRegion:
        """The cores in use."""
        return CoreRegion(at=at, size=self.cores)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The plan that is taken, the best of another algorithm or block, and how many there were."""

    taken: Candidate
    second: Candidate | None
    legal: int

    @property
    def figures(self) -> MatmulChoice:
        """What people are told of it."""
        second = self.second.figures if self.second is not None else None
        return MatmulChoice(taken=self.taken.figures, second=second, legal=self.legal)


@functools.lru_cache(maxsize=256)
def choose(problem: Problem) -> Choice | None:
    """The best legal plan; None where there is none."""
    arch, found = load_arch(problem.arch), legal(problem)
    if not found:
        return None
    taken = _best(found, arch)
    others = [plan for plan in found if _kind(plan) != _kind(taken)]
    return Choice(taken=taken, second=_best(others, arch) if others else None, legal=len(found))


def cut_down(problem: Problem, plan: Candidate) -> Choice | None:
    """The plan of a larger matmul for a smaller one: the same cores with as many blocks each, smaller ones; None where
    the output cannot be cut so.
    """
    block = -(-problem.m // plan.grid.y), -(-problem.n // plan.grid.x)
    if (-(-problem.m // block[0]), -(-problem.n // block[1])) != (plan.grid.y, plan.grid.x):
        return None
    parts = zip(block, plan.blocking.block, plan.blocking.subblock, strict=True)
    same = all(size % part == 0 and (size > part) == (large > part) for size, large, part in parts)
    blocking = msgspec.structs.replace(
        plan.blocking,
        block=block,
        k_block=min(plan.blocking.k_block, problem.k),
        subblock=plan.blocking.subblock if same else best_subblock(block, problem.dst_tiles),
    )
    grid = Grid(x=plan.grid.x, y=plan.grid.y, z=problem.z)
    arch, l1 = load_arch(problem.arch), l1_bytes(problem, blocking)
    if l1 > problem.budget:
        return None
    taken = _costed(problem, arch, plan.algorithm, plan.cores, grid, plan.policy, plan.order, blocking, l1)
    return Choice(taken=taken, second=None, legal=1)


def best(problem: Problem, count: int) -> list[Candidate]:
    """The best legal plans, best first, no two alike in algorithm, cores, block and step."""
    arch, found = load_arch(problem.arch), legal(problem)
    ranked: list[Candidate] = []
    while found and len(ranked) < count:
        taken = _best(found, arch)
        ranked.append(taken)
        found = [plan for plan in found if _step(plan) != _step(taken)]
    return ranked


def legal(problem: Problem) -> list[Candidate]:
    """Every plan that the planner may choose."""
    return list(_candidates(problem, load_arch(problem.arch)))


def _kind(plan: Candidate) -> tuple[object, ...]:
    return plan.algorithm, plan.blocking.block, plan.cores


def _step(plan: Candidate) -> tuple[object, ...]:
    return *_kind(plan), plan.blocking.k_block


def _best(plans: list[Candidate], arch: Arch) -> Candidate:
    """The first by cost; within the model's error of it by bytes, cores and size."""
    fastest = min(plan.cycles for plan in plans)
    alike = (plan for plan in plans if within_error(plan.cycles, fastest, arch.name))
    return min(
        alike,
        key=lambda plan: (
            plan.dram_bytes,
            -plan.busy,
            plan.noc_bytes,
            -plan.blocking.k_block,
            plan.cycles,
            plan.l1_bytes,
            msgspec.json.encode(plan),
        ),
    )


def _candidates(problem: Problem, arch: Arch) -> Iterator[Candidate]:
    """Every legal plan that the declaration allows."""
    fixed = problem.fixed
    for algorithm in ALGORITHMS:
        if fixed.algorithm and fixed.algorithm != algorithm:
            continue
        for cores, block, policy, order in _shapes(problem, algorithm):
            if (fixed.policy and fixed.policy != policy) or (fixed.order and fixed.order != order):
                continue
            grid = Grid(x=-(-problem.n // block[1]), y=-(-problem.m // block[0]), z=problem.z)
            for blocking in _steps(problem, algorithm, block):
                l1 = l1_bytes(problem, blocking)
                if l1 <= problem.budget:
                    yield _costed(problem, arch, algorithm, cores, grid, policy, order, blocking, l1)


def _shapes(problem: Problem, algorithm: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Cores in use, block, policy and order."""
    if algorithm == "reuse":
        yield from _independent(problem)
    elif algorithm == "mcast_2d":
        yield from _planes(problem)
    else:
        yield from _lines(problem, algorithm)


def _independent(problem: Problem) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    fixed, (width, height) = problem.fixed, problem.cores
    most = 2 * width * height
    rows = [fixed.block[0]] if fixed.block else _parts_of(problem.m, most)
    columns = [fixed.block[1]] if fixed.block else _parts_of(problem.n, most)
    for m in rows:
        for n in columns:
            yield (width, height), (m, n), fixed.policy or "contiguous", fixed.order or "row_major"


def _parts_of(extent: int, most: int) -> list[int]:
    """Sizes of the blocks of an axis that is cut into 1, 2, ... parts, each size once."""
    return sorted({-(-extent // parts) for parts in range(1, min(extent, most) + 1)})


def _planes(problem: Problem) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Rectangles of at least 2 x 2 cores, each with as many blocks across and down."""
    order = problem.fixed.order or "row_major"
    useful = min(problem.cores[0], problem.n) * min(problem.cores[1], problem.m) if problem.fixed.block is None else 0
    for across, down in _rectangles(problem.cores):
        if across < 2 or down < 2 or 2 * across * down < useful:
            continue
        for rows, columns in _blocks(problem, down, across):
            yield (across, down), (rows, columns), "rectangular", order


def _lines(problem: Problem, algorithm: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Cores side by side along the operand that they do not share."""
    along_columns = algorithm == "mcast_1d_in0"
    for across, down in _rectangles(problem.cores):
        count = across * down
        if count < 2:
            continue
        parts = (1, count) if along_columns else (count, 1)
        for rows, columns in _blocks(problem, *parts):
            yield (across, down), (rows, columns), "strided", "row_major" if along_columns else "column_major"


def _rectangles(cores: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for across in range(cores[0], 0, -1):
        for down in range(cores[1], 0, -1):
            yield across, down


def _blocks(problem: Problem, down: int, across: int) -> Iterator[tuple[int, int]]:
    """Blocks of which each core has as many rows and columns of blocks as the others; the largest that fit L1.

    Where the output does not fit L1 in one block a core, several follow each other: smaller blocks would let results
    leave earlier, and read operands again.
    """
    fixed = problem.fixed.block
    if fixed is not None:
        if -(-problem.m // fixed[0]) % down == 0 and -(-problem.n // fixed[1]) % across == 0:
            yield fixed
        return
    deepest, widest = problem.m // down, problem.n // across  # more blocks a core than tiles are none
    for rounds in range(1, min(_MOST_ROUNDS, deepest * widest) + 1):
        fits = False
        for below in range(1, min(rounds, deepest) + 1):
            if rounds % below or rounds // below > widest:
                continue
            parts = down * below, across * (rounds // below)
            block = -(-problem.m // parts[0]), -(-problem.n // parts[1])
            if (-(-problem.m // block[0]), -(-problem.n // block[1])) != parts:
                continue
            smallest = Blocking(block=block, k_block=1, subblock=(1, 1), depth=problem.fixed.depth or DEPTH)
            if l1_bytes(problem, smallest) <= problem.budget:
                fits = True
                yield block
        if fits:
            return


_MOST_ROUNDS = 64
"""Blocks of a core at most."""


def _steps(problem: Problem, algorithm: str, block: tuple[int, int]) -> Iterator[Blocking]:
    """Steps along K and subblocks of a block."""
    fixed = problem.fixed
    sizes = {size for size in (*K_BLOCKS, problem.k) if size <= problem.k and size <= max(K_BLOCKS)}
    subblock = fixed.subblock or best_subblock(block, problem.dst_tiles)
    if math.prod(subblock) > problem.dst_tiles or block[0] % subblock[0] or block[1] % subblock[1]:
        return
    nocs = (0, 1) if algorithm == "mcast_1d_in0" else (0,)  # a shared first operand is small; NoC 1 reads DRAM slowly
    for size in [min(fixed.k_block, problem.k)] if fixed.k_block else sorted(sizes):
        for noc in nocs if fixed.noc is None else (fixed.noc,):
            yield Blocking(
                block=block,
                k_block=size,
                subblock=subblock,
                depth=fixed.depth or DEPTH,
                noc=noc,
                shares=SHARES[algorithm],
            )


def best_subblock(block: tuple[int, int], dst_tiles: int) -> tuple[int, int]:
    """The largest subblock that divides the block and fits DST; the squarest, then the widest of these."""
    pairs = (
        (rows, columns)
        for rows in range(1, min(block[0], dst_tiles) + 1)
        for columns in range(1, dst_tiles // rows + 1)
        if block[0] % rows == 0 and block[1] % columns == 0
    )
    return max(pairs, key=lambda pair: (pair[0] * pair[1], min(pair), pair[1]))


def l1_bytes(problem: Problem, blocking: Blocking) -> int:
    """Bytes of circular buffers that the plan needs at least."""
    rows, columns = blocking.block
    row, column, unit = problem.held
    operands = blocking.depth * blocking.k_block * (rows * problem.in0_bytes + columns * problem.in1_bytes)
    direct = problem.gathered[0 if blocking.k_block >= problem.k else 1]
    product = rows * columns * (problem.out_bytes if direct else problem.product_bytes)
    behind = 0 if direct else columns * row + rows * column + unit
    return operands + product + behind


def _costed(
    problem: Problem,
    arch: Arch,
    algorithm: Algorithm,
    cores: tuple[int, int],
    grid: Grid,
    policy: str,
    order: str,
    blocking: Blocking,
    l1: int,
) -> Candidate:
    """The plan with its bytes and its time."""
    (rows, columns), shares = blocking.block, blocking.shares
    count = cores[0] * cores[1]
    busy = min(count, grid.units)
    in0, in1 = problem.k * problem.in0_bytes, problem.k * problem.in1_bytes
    reads0, reads1 = problem.m * grid.x * grid.z, problem.n * grid.y * grid.z
    across, down = (cores if algorithm == "mcast_2d" else (count, count)) if shares else (1, 1)
    across, down = (across if "in0" in shares else 1), (down if "in1" in shares else 1)
    row, column, number, once, full = problem.behind
    beside = (reads0 * column + grid.units * number) // across + reads1 * row // down + once
    beside += problem.m * problem.n * problem.z * full
    dram = reads0 * in0 // across + reads1 * in1 // down + beside
    dram += problem.m * problem.n * problem.z * problem.written_bytes
    parcel0 = -(-problem.k // blocking.k_block) * blocking.k_block * problem.in0_bytes
    parcel1 = -(-problem.k // blocking.k_block) * blocking.k_block * problem.in1_bytes
    received0 = grid.units * (across - 1) // across * (rows * (parcel0 + column) + number)
    received1 = grid.units * (down - 1) // down * columns * (parcel1 + row)
    received = received0 + received1 + (busy - 1) * once
    found = estimate(
        Plan(
            m=problem.m,
            n=problem.n,
            k=problem.k,
            algorithm=algorithm,
            grid=cores,
            block=(rows, columns),
            k_block=blocking.k_block,
            subblock=blocking.subblock,
            batch=problem.z,
            a=problem.in0_bytes,
            b=problem.in1_bytes,
            out=problem.written_bytes,
            partials=problem.product_bytes,
            phases=problem.phases,
            depth=blocking.depth,
            processors=2 if blocking.noc == 1 else 1,
            products=problem.matmuls,
            beside=beside,
        ),
        arch.name,
    )
    return Candidate(
        algorithm=algorithm,
        cores=cores,
        grid=grid,
        policy=policy,
        order=order,
        blocking=blocking,
        l1_bytes=l1,
        dram_bytes=dram,
        noc_bytes=received,
        cycles=found.cycles,
        bound=found.bound,
        busy=busy,
    )


def within_error(cycles: int, fastest: int, arch: str) -> bool:
    """Whether the model cannot tell a time from the fastest."""
    return cycles * 100 <= fastest * (100 + load_constants(arch).tie_percent)


def problem_of(kernel: DefaultedKernel, arch: Arch, *, budget: int, cores: tuple[int, int], fixed: Fixed) -> Problem:
    """The kernel's matmuls, which have the same extents; their operands are plain inputs."""
    program = kernel.program
    matmuls = [v for v in program.values if v.op == "matmul"]
    firsts, seconds = (
        {(v.args[side], v.transpose[side]): kernel.tensor(program.values[v.args[side]].name) for v in matmuls}
        for side in (0, 1)
    )
    first = next(iter(firsts.values()))
    output = kernel.outputs[0]
    rows, columns = output.matrix
    inner = first.matrix[1]
    wide = kernel.math.fp32_accumulate
    bound = program.outputs[0]
    alone = len(matmuls) == len(program.outputs) == 1 and program.values[bound.value].op == "matmul"
    alone = alone and not (DTYPES[output.dtype].is_block and columns % 32)
    return Problem(
        m=-(-rows // 32),
        k=-(-inner // 32),
        n=-(-columns // 32),
        z=math.prod(output.batch),
        arch=arch.name,
        cores=cores,
        in0_bytes=sum(DTYPES[t.dtype].tile_bytes for t in firsts.values()),
        in1_bytes=sum(DTYPES[t.dtype].tile_bytes for t in seconds.values()),
        matmuls=len(matmuls),
        out_bytes=DTYPES[output.dtype].tile_bytes,
        written_bytes=sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs),
        product_bytes=(4096 if wide else 2048) * len(matmuls),
        phases={"LoFi": 1, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}[kernel.math.fidelity],
        dst_tiles=arch.dst_capacity(fp32=wide),
        budget=budget,
        held=_held(kernel),
        behind=_behind(kernel),
        gathered=(alone, alone and output.dtype == ("float32" if wide else "bfloat16")),
        fixed=fixed,
    )


def _behind(kernel: DefaultedKernel) -> tuple[int, int, int, int, int]:
    """Tile bytes of what the outputs need beside the product, by kind: ``Problem.behind``."""
    output = kernel.outputs[0]
    row = column = number = once = full = 0
    for tensor in _read_behind(kernel):
        size = DTYPES[tensor.dtype].tile_bytes
        rows, columns = tensor.matrix[0] == 1 < output.matrix[0], tensor.matrix[1] == 1 < output.matrix[1]
        if rows and columns:
            number, once = (number, once + size) if math.prod(tensor.batch) == 1 else (number + size, once)
        elif rows:
            row += size
        elif columns:
            column += size
        else:
            full += size
    return row, column, number, once, full


def _read_behind(kernel: DefaultedKernel) -> list[Tensor]:
    """Inputs that something else than the matmul reads."""
    program = kernel.program
    found: list[Tensor] = []
    for index, value in enumerate(program.values):
        readers = (v for v in program.values if index in v.args and v.op != "matmul")
        bound = any(b.value == index for b in program.outputs)
        if value.op == "input" and (bound or next(readers, None) is not None):
            found.append(kernel.tensor(value.name))
    return found


def _held(kernel: DefaultedKernel) -> tuple[int, int, int]:
    """Bytes of the buffers behind the product; what sections hand on is counted as a tile a value."""
    row, column, number, once, full = _behind(kernel)
    handed = 4096 * sum(value.op != "input" for value in kernel.program.values)
    results = sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs)
    return row, column, 2 * (number + once + full + results) + handed
