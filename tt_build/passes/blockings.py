"""The ways to block a matmul: every legal plan of a kernel, and which of them is taken.

Used by ``infer_schedule``. A plan is legal where its buffers fit L1, its subblock fits DST, and, where cores share
operands, all of them go through the same number of units in step. Plans are ranked by the cost model
(``tt_build.model``); those that it cannot tell apart by bytes from DRAM, cores with work, bytes over the NoC, L1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from tt_build.ir.stages import (
    Blocking,
    DefaultedKernel,
    MatmulChoice,
    MatmulPlan,
    Operand,
    Parts,
    Tensor,
    memory_of,
)
from tt_build.ir.work import Grid
from tt_build.lang.program import Value
from tt_build.model.constants import Constants, load_constants, vector_cycles
from tt_build.model.matmul import PHASES, Algorithm, Memory, estimate
from tt_build.model.matmul import Candidate as Plan
from tt_build.model.streaming import DEPTH, MAX_BLOCK
from tt_build.passes.operands import operand_tensors
from tt_build.passes.placement import Placement
from tt_build.passes.prologue_costs import PrologueCost, prologue_costs
from tt_build.passes.prologues import behind_products, beside_prologue
from tt_build.passes.shards import shards_of
from tt_build.spec.model import CoreRegion, Sharding
from tt_build.targets import DTYPES, Arch
from tt_build.targets.arch import load_arch

ALGORITHMS: tuple[Algorithm, ...] = ("reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d")
K_BLOCKS = (1, 2, 4, 8, 16)
FEWEST_TILES = 8
"""Of K in a part, unless parts are declared: less is done faster than sent."""

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
    k_split: int | None = None
    subblock: tuple[int, int] | None = None
    noc: int | None = None
    depth: int | None = None
    linked: bool | None = None
    order: str = ""
    policy: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A matmul, or several of the same extents, as the planner sees it; extents in tiles, bytes of a tile of each.

    ``held`` are bytes of operands behind the product: of a column of the block's tiles, of a row of them, and a unit.
    ``behind`` are their tile bytes: of operands that are rows, columns, one number a matrix, one number, and all of it.
    ``behind_cycles`` are those of the vector engine for a tile behind the product. ``gathered`` tells whether the
    output's own buffer can gather the product in one step along K, and in several. ``in_dram`` and ``behind_in_dram``
    are tile bytes of tensors in DRAM alone: of first operands, second, and outputs, and of what ``behind`` lists.
    ``placement`` are the shards in L1 that place the work. ``bank_columns`` are those of the second operand in a DRAM
    bank, over which it is sharded by columns; else 0. ``prologues`` are the ways to compute operands, the best first;
    ``in0_bytes``, ``in1_bytes`` and ``in_dram`` are those of operands that are not computed.
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
    behind_in_dram: tuple[int, int, int, int, int]
    in_dram: tuple[int, int, int]
    behind_cycles: float = 0.0
    placement: Placement | None = None
    bank_columns: int = 0
    prologues: tuple[PrologueCost, ...] = ()
    fixed: Fixed = Fixed()

    def prologue(self, blocking: Blocking) -> PrologueCost:
        """The prologue as the blocking has it; nothing where there is none."""
        key = blocking.prologue, blocking.k_block if blocking.rotates and self.in_turn else 0
        return next((c for c in self.prologues if (c.choice, c.columns) == key), PrologueCost(choice=""))

    @property
    def in_turn(self) -> bool:
        """Whether cores of a row may compute a step of the first operand each."""
        return any(cost.columns for cost in self.prologues)

    def steps_in_turn(self, across: int) -> int:
        """Tiles of K that each of so many cores of a row has of a first operand, or computes of it, and sends in its
        turn; 0 where they may not.
        """
        if self.placement is not None:
            return self.placement.k_tiles
        size = self.k // across if self.k % across == 0 else 0
        return size if across > 1 and any(cost.columns == size for cost in self.prologues) else 0


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


def first(problem: Problem) -> Choice | None:
    """A legal plan, the first that is found; None where there is none. It says that ``choose`` has one."""
    taken = next(_legal(problem), None)
    return Choice(taken=taken, second=None, legal=1) if taken is not None else None


def is_faster_streamed(problem: Problem, plan: Candidate) -> bool:
    """Whether single tiles are estimated to be a fifth faster than a plan that transposes the first operand in front
    of the product: where few cores have blocks, and K is long. The estimate of single tiles leaves their transposition
    out, and is as rough as that.
    """
    singles = Plan(
        m=problem.m,
        n=problem.n,
        k=problem.k,
        batch=problem.z,
        algorithm="streaming",
        grid=problem.cores,
        block=(1, 1),
        subblock=(1, 1),
        k_block=min(problem.k, MAX_BLOCK),
        a=problem.prologues[0].first.operand,
        b=problem.in1_bytes,
        out=problem.written_bytes,
        phases=problem.phases,
    )
    return estimate(singles, problem.arch).cycles * 5 < plan.cycles * 4


def cut_down(problem: Problem, plan: Candidate) -> Choice | None:
    """The plan of a larger matmul for a smaller one: the same cores with as many blocks each, smaller ones; None where
    the output cannot be cut so.
    """
    parts, across, down = plan.parts, plan.grid.x, plan.grid.y
    if parts is not None:
        across, down = (across, 1) if parts.axis == "rows" else (1, down)
        tiles = -(-problem.k // parts.count)
        parts = msgspec.structs.replace(parts, tiles=tiles, total=problem.k)
        if -(-problem.k // tiles) != parts.count:
            return None
    block = -(-problem.m // down), -(-problem.n // across)
    placed = problem.placement.tensor if problem.placement is not None else ""
    if (-(-problem.m // block[0]), -(-problem.n // block[1])) != (down, across) or placed != plan.placed_by:
        return None
    sizes = zip(block, plan.blocking.block, plan.blocking.subblock, strict=True)
    same = all(size % part == 0 and (size > part) == (large > part) for size, large, part in sizes)
    k_block = min(plan.blocking.k_block, parts.tiles if parts is not None else problem.k)
    if plan.blocking.rotates:
        k_block = problem.steps_in_turn(across)
    blocking = msgspec.structs.replace(
        plan.blocking,
        block=block,
        k_block=k_block,
        subblock=plan.blocking.subblock if same else best_subblock(block, problem.dst_tiles),
    )
    grid = Grid(x=plan.grid.x, y=plan.grid.y, z=problem.z)
    arch, l1 = load_arch(problem.arch), l1_bytes(problem, blocking)
    if l1 > problem.budget or (plan.blocking.rotates and not k_block):
        return None
    taken = _costed(problem, arch, plan.algorithm, plan.cores, grid, plan.policy, plan.order, blocking, l1, parts)
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
    """Every plan that the planner may choose; rows of the first operand place the work where there is such a plan."""
    return list(_legal(problem))


def _legal(problem: Problem) -> Iterator[Candidate]:
    arch, found = load_arch(problem.arch), False
    for plan in _candidates(problem, arch):
        found = True
        yield plan
    if not found and problem.placement is not None and problem.placement.by_operand:
        yield from _candidates(msgspec.structs.replace(problem, placement=None), arch)


def _kind(plan: Candidate) -> tuple[object, ...]:
    return plan.algorithm, plan.blocking.block, plan.cores


def _step(plan: Candidate) -> tuple[object, ...]:
    return *_kind(plan), plan.blocking.k_block, plan.blocking.k_parts


def _best(plans: list[Candidate], arch: Arch) -> Candidate:
    """The first by cost; within the model's error of it by bytes, cores and size."""
    fastest = min(plan.cycles for plan in plans)
    alike = (plan for plan in plans if within_error(plan.cycles, fastest, arch.name))
    return min(
        alike,
        key=lambda plan: (
            plan.dram_bytes,
            plan.between_banks,
            -plan.busy,
            plan.blocking.k_parts,
            not plan.blocking.rotates,
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
            whole = (fixed.k_split or 1) == 1
            in_turn = [b for b in _turns(problem, algorithm, block, cores) if l1_bytes(problem, b) <= problem.budget]
            others = _steps(problem, algorithm, block) if problem.prologues or not in_turn else ()
            taken = {b.k_block for b in in_turn}  # a step is one or the other, so that its size tells which
            for step in (*in_turn, *(b for b in others if b.k_block not in taken)) if whole else ():
                blocking = _deepened(problem, step if step.rotates else _with_prologue(problem, step))
                l1 = l1_bytes(problem, blocking)
                if l1 <= problem.budget:
                    yield _costed(problem, arch, algorithm, cores, grid, policy, order, blocking, l1)
        for split in _splits(problem, algorithm):
            if (fixed.policy and fixed.policy != split.policy) or (fixed.order and fixed.order != split.order):
                continue
            for blocking in _steps(problem, algorithm, split.block, split.parts):
                l1 = l1_bytes(problem, blocking)
                if l1 <= problem.budget and not blocking.noc:
                    yield _costed(
                        problem,
                        arch,
                        algorithm,
                        split.cores,
                        split.grid,
                        split.policy,
                        split.order,
                        blocking,
                        l1,
                        split.parts,
                    )


class _Split(msgspec.Struct, frozen=True):
    """Blocks of which several cores have a part of K each."""

    cores: tuple[int, int]
    block: tuple[int, int]
    grid: Grid
    policy: str
    order: str
    parts: Parts


def _splits(problem: Problem, algorithm: Algorithm) -> Iterator[_Split]:
    """Where fewer than half of the cores have blocks: rows of cores, or columns, with the parts of K.

    The output is one block along the axis of the parts. How many there are follows from the shape, or is declared.
    """
    fixed, (width, height) = problem.fixed, problem.cores
    if problem.placement is not None or fixed.k_split == 1 or algorithm == "mcast_2d":
        return
    if problem.matmuls > 1 or problem.prologues:
        return
    for axis in ("rows", "columns"):
        whole, cut = (problem.m, problem.n) if axis == "rows" else (problem.n, problem.m)
        for size in _parts_of(cut, width * height // 2):
            block = (whole, size) if axis == "rows" else (size, whole)
            blocks = -(-cut // size)
            if fixed.block not in (None, block) or (axis == "columns" and problem.m == size):
                continue
            for parts in _k_parts(problem, axis):
                across, down = (blocks, parts.count) if axis == "rows" else (parts.count, blocks)
                grid = Grid(x=across, y=down, z=problem.z)
                if grid.units > width * height:
                    continue
                if algorithm == "reuse":
                    policy = fixed.policy or "contiguous"
                    yield _Split((width, height), block, grid, policy, fixed.order or "row_major", parts)
                elif SHARES[algorithm] == (("in0",) if axis == "rows" else ("in1",)) and blocks > 1 and problem.z == 1:
                    order = "row_major" if axis == "rows" else "column_major"
                    if width % blocks == 0 or blocks % width == 0:  # cores with the same part lie side by side
                        yield _Split((width, height), block, grid, "contiguous", order, parts)
                    elif across <= width and down <= height:
                        yield _Split((across, down), block, grid, "rectangular", "row_major", parts)


def _k_parts(problem: Problem, axis: Literal["rows", "columns"]) -> Iterator[Parts]:
    """Parts of K of equal size but the last, none of which is empty."""
    wished = [problem.fixed.k_split] if problem.fixed.k_split else [2, 4, 8, 16, 32, 64]
    for count in wished:
        tiles = -(-problem.k // count)
        if -(-problem.k // tiles) == count and (problem.fixed.k_split or tiles >= FEWEST_TILES):
            yield Parts(axis=axis, count=count, tiles=tiles, total=problem.k, spread=True)


def _shapes(problem: Problem, algorithm: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Cores in use, block, policy and order."""
    if problem.placement is not None:
        yield from _on_shards(problem, problem.placement, algorithm)
    elif algorithm == "reuse":
        yield from _independent(problem)
    elif algorithm == "mcast_2d":
        yield from _planes(problem)
    else:
        yield from _lines(problem, algorithm)


def _on_shards(
    problem: Problem, placement: Placement, algorithm: str
) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """A block for each shard; cores share what is the same in a row or a column of the grid of units."""
    cores, fixed = _extent(placement.cores), problem.fixed
    if problem.z > 1 and problem.m % placement.rows:  # a shard that spans two matrices
        return
    across, down = placement.across, -(-problem.m // placement.rows)
    lines = {"mcast_1d_in0": down * problem.z, "mcast_1d_in1": across}  # one line of cores
    shares = SHARES[algorithm]
    if ("in0" in shares and (across < 2 or placement.local)) or ("in1" in shares and (down < 2 or problem.z > 1)):
        return
    if lines.get(algorithm, 1) > 1:
        return
    widths = [placement.columns] if placement.columns else _parts_of(problem.n, _MOST_ROUNDS)
    for columns in widths:
        if fixed.block is None or fixed.block == (placement.rows, columns):
            yield cores, (placement.rows, columns), "rectangular", fixed.order or "row_major"


def _extent(cores: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Columns and rows of the smallest rectangle that holds the cores."""
    columns, rows = zip(*cores, strict=True)
    return max(columns) - min(columns) + 1, max(rows) - min(rows) + 1


def _independent(problem: Problem) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    fixed, (width, height) = problem.fixed, problem.cores
    most = 2 * width * height
    rows = [fixed.block[0]] if fixed.block else _parts_of(problem.m, most)
    columns = [fixed.block[1]] if fixed.block else sorted({*_parts_of(problem.n, most), *_bank_blocks(problem)})
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
    for columns in _bank_blocks(problem) if along_columns else ():
        count = -(-problem.n // columns)
        fits = [cores for cores in _rectangles(problem.cores) if cores[0] * cores[1] == count > 1]
        known = -(-problem.n // count) == columns or problem.fixed.block not in (None, (problem.m, columns))
        if fits and not known:
            yield fits[0], (problem.m, columns), "strided", "row_major"


def _bank_blocks(problem: Problem) -> list[int]:
    """Columns of blocks that lie in one bank each."""
    return [size for size in range(1, problem.bank_columns + 1) if problem.bank_columns % size == 0]


def _rectangles(cores: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for across in range(cores[0], 0, -1):
        for down in range(cores[1], 0, -1):
            yield across, down


def _blocks(problem: Problem, down: int, across: int) -> Iterator[tuple[int, int]]:
    """Blocks of which each core has as many rows and columns of blocks as the others; the largest that fit L1.

    Where the output does not fit L1 in one block a core, several follow each other: smaller blocks would let results
    leave earlier, and read operands again. Where blocks of all cores fit beside short steps along K alone, there are
    smaller ones, too: in each step the packer adds to the whole product.
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
            whole = l1_bytes(problem, _least(problem, block, 1)) <= problem.budget
            if not whole and rounds == 1 and problem.prologues:
                yield from [block] if _fits_in_turn(problem, block) else []
            if whole:
                wide = min(WIDE_STEP, problem.k) if across * down == problem.cores[0] * problem.cores[1] else 1
                fits |= l1_bytes(problem, _least(problem, block, wide)) <= problem.budget
                yield block
        if fits:
            return


def _least(problem: Problem, block: tuple[int, int], k_block: int) -> Blocking:
    """The blocking with the smallest buffers."""
    return _with_prologue(
        problem, Blocking(block=block, k_block=k_block, subblock=(1, 1), depth=problem.fixed.depth or DEPTH)
    )


def _fits_in_turn(problem: Problem, block: tuple[int, int]) -> bool:
    """Whether such blocks fit L1 where cores of a row compute a step of the first operand each."""
    size = problem.steps_in_turn(-(-problem.n // block[1]))
    if not size:
        return False
    blocking = msgspec.structs.replace(_least(problem, block, size), rotates=True, prologue=problem.prologues[0].choice)
    return l1_bytes(problem, blocking) <= problem.budget


def _with_prologue(problem: Problem, blocking: Blocking) -> Blocking:
    """The blocking with the best choice of what stays in L1 in front of it: the first that fits, or the smallest."""
    whole = (cost for cost in problem.prologues if not cost.columns)
    found = [msgspec.structs.replace(blocking, prologue=cost.choice) for cost in whole]
    fitting = (one for one in found if l1_bytes(problem, one) <= problem.budget)
    return next(fitting, min(found, key=lambda one: l1_bytes(problem, one), default=blocking))


def _deepened(problem: Problem, blocking: Blocking) -> Blocking:
    """Where an operand is computed: with as many steps of the other in buffers as fit L1, since they come meanwhile.

    Whole blocks of what sweeps stream have room beside them.
    """
    if not blocking.prologue or problem.fixed.depth is not None:
        return blocking
    prologue = problem.prologue(blocking)
    lines = prologue.first.streamed.line + prologue.second.streamed.line
    streamed = lines // problem.k + problem.behind[4] + problem.written_bytes
    left = problem.budget - l1_bytes(problem, blocking) - 2 * MAX_BLOCK * streamed
    step = l1_bytes(problem, msgspec.structs.replace(blocking, depth=blocking.depth + 1)) - l1_bytes(problem, blocking)
    steps = -(-problem.k // blocking.k_block)
    deeper = min(max(0, left) // max(step, 1), max(0, steps - blocking.depth))
    return msgspec.structs.replace(blocking, depth=blocking.depth + deeper)


_MOST_ROUNDS = 64
"""Blocks of a core at most."""

WIDE_STEP = 4
"""K tiles of a step in which the matrix engine takes longer than the packer."""


def _steps(problem: Problem, algorithm: str, block: tuple[int, int], parts: Parts | None = None) -> Iterator[Blocking]:
    """Steps along K, or along a part of it, and subblocks of a block."""
    fixed, k = problem.fixed, parts.tiles if parts is not None else problem.k
    sizes = {size for size in (*K_BLOCKS, k) if size <= k and size <= max(K_BLOCKS)}
    subblock = fixed.subblock or best_subblock(block, problem.dst_tiles)
    if math.prod(subblock) > problem.dst_tiles or block[0] % subblock[0] or block[1] % subblock[1]:
        return
    # a shared first operand is small, and NoC 1 reads DRAM slowly; with parts of K it has the exchange
    nocs = (0, 1) if algorithm in ("mcast_1d_in0", "mcast_2d") and parts is None else (0,)
    for size in [min(fixed.k_block, k)] if fixed.k_block else sorted(sizes):
        for noc in nocs if fixed.noc is None else (fixed.noc,):
            linked = _linked(problem, SHARES[algorithm], noc) if parts is None and fixed.linked is not False else ()
            if fixed.linked and (not linked or linked != SHARES[algorithm]):
                continue
            yield Blocking(
                block=block,
                k_block=size,
                subblock=subblock,
                depth=fixed.depth or DEPTH,
                noc=noc,
                shares=SHARES[algorithm],
                local=problem.placement is not None and problem.placement.local,
                k_parts=parts.count if parts is not None else 1,
                linked=linked,
            )


def _linked(problem: Problem, shares: tuple[Operand, ...], noc: int) -> tuple[Operand, ...]:
    """The operands whose multicasts are alone on their NoC (``passes.links``): rows and columns of cores cross, and so
    does what all cores share.
    """
    nocs: list[int] = [noc if operand == "in0" else 0 for operand in shares]
    once = problem.behind[3] or any(cost.once for cost in problem.prologues)
    taken = [*nocs, *([0] if once else [])]
    return tuple(operand for operand, own in zip(shares, nocs, strict=True) if taken.count(own) == 1)


def _turns(problem: Problem, algorithm: str, block: tuple[int, int], cores: tuple[int, int]) -> Iterator[Blocking]:
    """Steps that are the columns of each core of a row, which sends them in its turn; each core has one unit."""
    placement, fixed = problem.placement, problem.fixed
    across, down = -(-problem.n // block[1]), -(-problem.m // block[0]) * problem.z
    if "in0" not in SHARES[algorithm] or (placement is None and across * down != cores[0] * cores[1]):
        return
    size = problem.steps_in_turn(across)
    if size and fixed.k_block in (None, size):
        only = msgspec.structs.replace(problem, fixed=msgspec.structs.replace(fixed, k_block=size))
        choice = problem.prologues[0].choice if problem.prologues else ""
        for blocking in _steps(only, algorithm, block):
            yield msgspec.structs.replace(blocking, rotates=True, prologue=choice)


def best_subblock(block: tuple[int, int], dst_tiles: int) -> tuple[int, int]:
    """The largest subblock that divides the block and fits DST; the squarest, then the widest of these."""
    pairs = (
        (rows, columns)
        for rows in range(1, min(block[0], dst_tiles) + 1)
        for columns in range(1, dst_tiles // rows + 1)
        if block[0] % rows == 0 and block[1] % columns == 0
    )
    return max(pairs, key=lambda pair: (pair[0] * pair[1], min(pair), pair[1]))


_ADDED = 60
"""Cycles of the vector engine in which it adds a tile to another in DST: estimated beside those that are published."""


def least_bytes(problem: Problem) -> int:
    """Bytes of circular buffers that the smallest blocks need."""
    return l1_bytes(problem, _least(msgspec.structs.replace(problem, budget=0), (1, 1), 1))


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
    beside += (reads1 * second.in_dram.line + done * second.in_dram.unit) // down
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
    found = estimate(msgspec.structs.replace(plan, beside=beside + max(others, 0)), arch.name)
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
        fetched=_fetched(problem, blocking, algorithm, cores, units),
        ahead=not prologue.streamed(blocking.block) or blocking.noc == 1,
    )


def _cores(problem: Problem, cores: tuple[int, int]) -> int:
    """Cores with work: of a rectangle of so many columns and rows, or those of the shards."""
    return len(problem.placement.cores) if problem.placement is not None else cores[0] * cores[1]


def _fetched(problem: Problem, blocking: Blocking, algorithm: str, cores: tuple[int, int], units: int) -> float:
    """Cycles in which a core waits for what it computes operands from: until that has come where it is held, and
    where it comes slower than it is used where it is streamed. Steps in turn are short, and have a barrier each.
    """
    f, prologue, shares = load_constants(problem.arch), problem.prologue(blocking), blocking.shares
    parcels = 2 if algorithm != "mcast_2d" and min(cores) > 1 else 1  # the rest of the sender's row, the rows below it
    sent = 1 / f.sender_read_rate + parcels / f.multicast_rate
    alone = 1 / min(f.dram_read_rate, f.dram_total_rate / _cores(problem, cores))
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


def problem_of(
    kernel: DefaultedKernel,
    arch: Arch,
    *,
    budget: int,
    cores: tuple[int, int],
    fixed: Fixed,
    placement: Placement | None,
) -> Problem:
    """The kernel's matmuls, which have the same extents; operands are inputs, moved or not, or computed."""
    program = kernel.program
    matmuls = [v for v in program.values if v.op == "matmul"]
    firsts, seconds = (operand_tensors(kernel, program, side) for side in (0, 1))
    output = kernel.outputs[0]
    rows, columns = output.matrix
    inner = program.values[matmuls[0].args[0]].shape[-1]
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
        in0_bytes=sum(DTYPES[t.dtype].tile_bytes for t in firsts),
        in1_bytes=sum(DTYPES[t.dtype].tile_bytes for t in seconds),
        matmuls=len(matmuls),
        out_bytes=DTYPES[output.dtype].tile_bytes,
        written_bytes=sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs),
        product_bytes=(4096 if wide else 2048) * len(matmuls),
        phases=PHASES[kernel.math.fidelity],
        dst_tiles=arch.dst_capacity(fp32=wide),
        budget=budget,
        held=_held(kernel),
        behind=_behind(kernel, _read_behind(kernel)),
        behind_in_dram=_behind(kernel, _in_dram(_read_behind(kernel))),
        gathered=(alone, alone and output.dtype == ("float32" if wide else "bfloat16")),
        in_dram=(
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(firsts)),
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(seconds)),
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(kernel.outputs)),
        ),
        behind_cycles=_behind_cycles(kernel, arch),
        placement=placement,
        bank_columns=_bank_columns(kernel, matmuls, arch),
        prologues=prologue_costs(kernel, arch),
        fixed=fixed,
    )


def _behind_cycles(kernel: DefaultedKernel, arch: Arch) -> float:
    """Cycles of the vector engine for a tile of the output, of what is as large as that."""
    program, output = kernel.program, kernel.outputs[0]
    behind = (program.values[index] for index in sorted(beside_prologue(program)))
    values = [v for v in behind if v.args and v.op not in ("matmul", "cast") and v.shape[-2:] == output.matrix]
    return sum(vector_cycles(arch.name, v.op, approximate=kernel.math.approximate) for v in values)


def _bank_columns(kernel: DefaultedKernel, matmuls: list[Value], arch: Arch) -> int:
    """Columns in tiles that a DRAM bank has of all second operands, 0 where they are moved, or not sharded so."""
    found: set[int] = set()
    for matmul in matmuls:
        operand, turned = kernel.program.values[matmul.args[1]], matmul.transpose[1]
        if operand.op != "input":
            return 0
        tensor = kernel.tensor(operand.name)
        layout, cut = tensor.layout, "height" if turned else "width"
        if not isinstance(layout, Sharding) or (layout.memory, layout.sharding) != ("dram", cut) or tensor.batch:
            return 0
        found.add(shards_of(kernel, tensor, arch).tiles[0 if turned else 1])
    return found.pop() if len(found) == 1 else 0


def _in_dram(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor for tensor in tensors if memory_of(tensor.layout) == "dram"]


def _behind(kernel: DefaultedKernel, tensors: list[Tensor]) -> tuple[int, int, int, int, int]:
    """Tile bytes of what the outputs need beside the product, by kind: ``Problem.behind``."""
    output = kernel.outputs[0]
    row = column = number = once = full = 0
    for tensor in tensors:
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
    """Inputs that something behind the matmul reads."""
    values = kernel.program.values
    found = (values[index] for index in sorted(behind_products(kernel.program)))
    return [kernel.tensor(value.name) for value in found if value.op == "input"]


def _held(kernel: DefaultedKernel) -> tuple[int, int, int]:
    """Bytes of the buffers behind the product; what sections hand on is counted as a tile a value."""
    row, column, number, once, full = _behind(kernel, _read_behind(kernel))
    values = kernel.program.values
    handed = 4096 * sum(values[index].op != "input" for index in beside_prologue(kernel.program))
    results = sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs)
    return row, column, 2 * (number + once + full + results) + handed
