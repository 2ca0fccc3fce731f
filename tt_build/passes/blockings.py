"""The ways to block a matmul: every legal plan of a kernel, and which of them is taken.

Used by ``infer_schedule``. A plan is legal where its buffers fit L1, its subblock fits DST, and, where cores share
operands, all of them go through the same number of units in step. Plans are ranked by the cost model
(``tt_build.model``); those that it cannot tell apart by bytes from DRAM, cores with work, bytes over the NoC, L1.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import msgspec

from tt_build.ir.stages import MatmulChoice
from tt_build.ir.work import Grid
from tt_build.model.matmul import Algorithm
from tt_build.passes.block_costs import Candidate, costed, l1_bytes, within_error
from tt_build.passes.block_problem import Problem
from tt_build.passes.block_shapes import shapes, splits
from tt_build.passes.block_steps import best_subblock, deepened, steps, turns, with_prologue
from tt_build.targets import Arch
from tt_build.targets.arch import load_arch

ALGORITHMS: tuple[Algorithm, ...] = ("reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d")


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
    taken = costed(problem, arch, plan.algorithm, plan.cores, grid, plan.policy, plan.order, blocking, l1, parts)
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
        for cores, block, policy, order in shapes(problem, algorithm):
            if (fixed.policy and fixed.policy != policy) or (fixed.order and fixed.order != order):
                continue
            grid = Grid(x=-(-problem.n // block[1]), y=-(-problem.m // block[0]), z=problem.z)
            whole = (fixed.k_split or 1) == 1
            in_turn = [b for b in turns(problem, algorithm, block, cores) if l1_bytes(problem, b) <= problem.budget]
            others = steps(problem, algorithm, block) if problem.prologues or not in_turn else ()
            taken = {b.k_block for b in in_turn}  # a step is one or the other, so that its size tells which
            for step in (*in_turn, *(b for b in others if b.k_block not in taken)) if whole else ():
                blocking = deepened(problem, step if step.rotates else with_prologue(problem, step))
                l1 = l1_bytes(problem, blocking)
                if l1 <= problem.budget:
                    yield costed(problem, arch, algorithm, cores, grid, policy, order, blocking, l1)
        for split in splits(problem, algorithm):
            if (fixed.policy and fixed.policy != split.policy) or (fixed.order and fixed.order != split.order):
                continue
            for blocking in steps(problem, algorithm, split.block, split.parts):
                l1 = l1_bytes(problem, blocking)
                if l1 <= problem.budget and not blocking.noc:
                    yield costed(
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
