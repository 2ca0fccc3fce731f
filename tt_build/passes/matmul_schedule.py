"""``schedule: {matmul: ...}``: what the declaration fixes of a blocked matmul, and the plan that is taken.

Used by ``infer_schedule``. A matmul for which neither a policy nor an algorithm is stated is the planner's choice.
Where blocks cannot be lowered, it streams, or, where a blocked algorithm is asked for, it is refused (TTB202).
"""

from __future__ import annotations

import math
from typing import NoReturn

import msgspec

from tt_build.ir.stages import TILE, DefaultedKernel, Kernel, MatmulLock
from tt_build.passes.block_problem import Fixed, Problem, problem_of
from tt_build.passes.block_steps import best_subblock
from tt_build.passes.blockings import Choice, choose, cut_down, first
from tt_build.passes.common import refuse
from tt_build.passes.infer_shard import buffer_of
from tt_build.passes.l1_tensors import bytes_in_l1
from tt_build.passes.locked_plans import follow_lock
from tt_build.passes.movement import MOVES, sunk
from tt_build.passes.operands import Hindrance, leaf_hindrance, operand_hindrance
from tt_build.passes.placement import block_placement, placing_tensor, spans_matrices
from tt_build.passes.prologues import before_products, behind_products, is_turned_leaf, needs_blocks, obstacle
from tt_build.passes.regions import region_of
from tt_build.passes.shards import shards_of
from tt_build.spec.model import MatmulSchedule
from tt_build.targets import Arch

_KEYS = ("block", "k_block", "k_split", "subblock", "noc", "depth", "linked", "order")
Paths = tuple[tuple[str, ...], ...]


def choice_of(kernel: DefaultedKernel, arch: Arch, *, any_plan: bool = False) -> Choice | None:
    """The plan and what else there was; None where the matmul streams. ``any_plan``: one that may be built will do."""
    stated = kernel.choice.matmul or MatmulSchedule()
    asked = _asks_for_blocks(stated)
    if not asked and (stated.algorithm == "streaming" or _is_streamed(kernel)):
        return None
    if stated.algorithm == "streaming":
        key = next(key for key in _KEYS if getattr(stated, key) is not None)
        _refuse(kernel, key, f"'matmul: {{{key}: ...}}' belongs to a blocked algorithm", "leave it out")
    hindrance = _hindrance(kernel, arch)
    if hindrance is not None:
        if asked:
            what = f"this matmul cannot be blocked yet: {hindrance[0]}"
            _refuse(kernel, "algorithm", what, "use algorithm: streaming")
        return None
    problem = matmul_problem(kernel, arch)
    larger = kernel.full_size
    full = followed(larger, arch, choice_of(larger, arch))[0] if larger is not None else None
    alike = cut_down(problem, full.taken) if full is not None else None
    if alike is not None:
        return alike
    if larger is not None and full is None and not asked:
        return None
    _check_block(kernel, problem)
    found = first(problem) if any_plan else choose(problem)
    if found is None and asked:
        _refuse_key(kernel, problem)
        if not needs_blocks(sunk(kernel.program, unturned=True).program):
            what = f"no blocks of this matmul fit the {problem.budget} B of L1 that are left"
            _refuse(kernel, "algorithm", what, "use streaming")
    return found


def _asks_for_blocks(stated: MatmulSchedule) -> bool:
    return stated.algorithm not in ("auto", "streaming") or any(getattr(stated, key) is not None for key in _KEYS)


def streams_because(kernel: DefaultedKernel, arch: Arch) -> tuple[str, Paths, int] | None:
    """Why the matmul is not blocked whatever fits L1, and the keys of the declaration that say so, or the value of
    ``sunk(program, unturned=True)`` (-1: none alone).

    None where nothing but L1 decides.
    """
    stated = kernel.choice.matmul or MatmulSchedule()
    if stated.algorithm == "streaming":
        return "the schedule's algorithm asks for single tiles", (("schedule", "matmul", "algorithm"),), -1
    if not _asks_for_blocks(stated) and _is_streamed(kernel):
        keys = [key for key in ("policy", "order") if key in kernel.choice.stated]
        if not keys:
            key = "block" if kernel.declared_block is not None else "grid"
            return f"the kernel's {key} asks for single tiles", ((key,),), -1
        asks = "asks" if len(keys) == 1 else "ask"
        paths = tuple(("schedule", key) for key in keys)
        return f"the schedule's {' and '.join(keys)} {asks} for single tiles", paths, -1
    hindrance = _hindrance(kernel, arch)
    return (hindrance[0], (), hindrance[1]) if hindrance is not None else None


def followed(kernel: DefaultedKernel, arch: Arch, choice: Choice | None) -> tuple[Choice | None, MatmulLock | None]:
    """The planner's choice or the locked plan, and what became of that."""
    return follow_lock(kernel, choice, lambda: matmul_problem(kernel, arch))


def _is_streamed(kernel: DefaultedKernel) -> bool:
    """Whether the declaration says so without the word: a policy, an order, or a grid of single tiles."""
    if {"policy", "order"} & {*kernel.choice.stated}:
        return True
    tiles = [-(-extent // TILE) for extent in reversed(kernel.outputs[0].matrix)]
    return kernel.declared_block == (TILE, TILE) or list((kernel.declared_grid or ())[:2]) == tiles


def _hindrance(kernel: DefaultedKernel, arch: Arch) -> Hindrance | None:
    """Why the matmul cannot be blocked yet; None where it can."""
    program = sunk(kernel.program, unturned=True).program
    values = program.values
    matmuls = [value for value in values if value.op == "matmul"]
    batch = kernel.outputs[0].batch
    moved_operand = next(filter(None, (operand_hindrance(program, matmul, batch) for matmul in matmuls)), None)
    if moved_operand is not None:
        return moved_operand
    in_the_way = obstacle(program)
    if in_the_way is not None:
        return in_the_way[1], in_the_way[0]
    turned = {index for index in range(len(values)) if is_turned_leaf(program, index)}
    if len({(m.shape, values[m.args[0]].shape[-1]) for m in matmuls}) > 1:
        return "the kernel has matmuls of different extents", -1
    moved = {index for index, value in enumerate(values) if value.op in MOVES or value.op == "pattern"}
    behind = behind_products(program)
    if turned & behind:
        return "a tensor behind it is transposed", max(turned & behind)
    narrow = [i for i in sorted(turned & before_products(program)) if values[i].dtype == "float32"]
    if narrow and not kernel.math.fp32_accumulate:
        return "a float32 tensor would be transposed in DST, which has 16 bits", narrow[0]
    before = leaf_hindrance(program, batch)
    if before is not None:
        return before
    if moved & behind:
        return "a tensor behind it is moved", max(moved & behind)
    rows = next((tensor.name for tensor in kernel.tensors if tensor.format == "row_major"), "")
    if rows:
        return f"'{rows}' is row_major", -1
    placing = placing_tensor(kernel)
    if placing is not None and spans_matrices(placing, shards_of(kernel, placing, arch).tiles[0]):
        return f"a shard of '{placing.name}' has rows of two matrices", -1
    return None


def matmul_problem(kernel: DefaultedKernel, arch: Arch) -> Problem:
    """The kernel's matmul as the planner sees it, with what the declaration fixes."""
    stated = kernel.choice.matmul or MatmulSchedule()
    region = region_of(kernel, arch)
    taken = sum(bytes_in_l1(buffer_of(kernel, tensor, arch), arch) for tensor in kernel.tensors)
    program = sunk(kernel.program, unturned=True).program
    firsts = {v.args[0] for v in program.values if v.op == "matmul"}
    plain = [program.values[index].name for index in firsts if program.values[index].op == "input"]
    first = kernel.tensor(plain[0]) if len(plain) == len(firsts) == 1 else None
    return problem_of(
        msgspec.structs.replace(kernel, program=program),
        arch,
        budget=arch.l1_allocatable - taken,
        cores=region.size,
        fixed=_fixed(kernel, stated),
        placement=block_placement(kernel, first, arch),
    )


def _fixed(kernel: DefaultedKernel, stated: MatmulSchedule) -> Fixed:
    choice = kernel.choice
    return Fixed(
        algorithm="" if stated.algorithm == "auto" else stated.algorithm,
        block=_pair(_tiles(kernel, "block", stated.block)) or _declared_block(kernel),
        k_block=_k_block(kernel, stated.k_block),
        k_split=stated.k_split,
        subblock=_pair(_tiles(kernel, "subblock", stated.subblock)),
        noc=stated.noc,
        depth=stated.depth,
        linked=stated.linked,
        order=stated.order or (choice.order if "order" in choice.stated else ""),
        policy=choice.policy if "policy" in choice.stated else "",
    )


def _tiles(kernel: DefaultedKernel, key: str, elements: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if elements is None:
        return None
    if any(size % TILE for size in elements):
        shown = list(elements) if len(elements) > 1 else elements[0]
        better = [-(-size // TILE) * TILE for size in elements]
        _refuse(
            kernel,
            key,
            f"'{key}: {shown}' is no multiple of a tile",
            f"write {key}: {better if len(better) > 1 else better[0]}",
        )
    return tuple(size // TILE for size in elements)


def _pair(tiles: tuple[int, ...] | None) -> tuple[int, int] | None:
    return (tiles[0], tiles[1]) if tiles is not None else None


def _k_block(kernel: DefaultedKernel, stated: int | None) -> int | None:
    if stated is None:
        return None
    tiles = _tiles(kernel, "k_block", (stated,))
    assert tiles is not None
    return tiles[0]


def _declared_block(kernel: DefaultedKernel) -> tuple[int, int] | None:
    if kernel.declared_block is not None and not any(size % TILE for size in kernel.declared_block):
        return kernel.declared_block[0] // TILE, kernel.declared_block[1] // TILE
    if kernel.declared_grid is None:
        return None
    columns, rows = kernel.declared_grid[:2]
    height, width = (-(-extent // TILE) for extent in kernel.outputs[0].matrix)
    return -(-height // rows), -(-width // columns)


def _refuse_key(kernel: DefaultedKernel, problem: Problem) -> None:
    """Where no plan is left: refuse the key without which there would be one."""
    fixed = problem.fixed
    if fixed.subblock is not None:
        _check_subblock(kernel, problem, fixed)
    taken = Fixed()
    for key in ("algorithm", "k_split", "block", "policy", "order", "noc", "linked", "depth", "k_block", "subblock"):
        value = getattr(fixed, key)
        if value == getattr(taken, key):
            continue
        before = choose(msgspec.structs.replace(problem, fixed=taken))
        taken = msgspec.structs.replace(taken, **{key: value})
        if choose(msgspec.structs.replace(problem, fixed=taken)) is None and before is not None:
            plan, blocking = before.taken, before.taken.blocking
            legal = f"{plan.algorithm} of blocks [{blocking.block[0] * TILE}, {blocking.block[1] * TILE}]"
            if key in ("policy", "order"):
                path: tuple[str, ...] = ("schedule", key)
                if key == "order" and kernel.choice.matmul is not None and kernel.choice.matmul.order is not None:
                    path = ("schedule", "matmul", "order")
                refuse(
                    kernel,
                    "TTB202",
                    f"{taken.algorithm or 'a blocked matmul'} has {key} {getattr(plan, key)} here, not '{value}'",
                    path=path,
                    help="leave it out, or use algorithm: reuse, which has any",
                )
            _refuse(
                kernel,
                key,
                f"no plan on {problem.cores[0]} x {problem.cores[1]} cores has that {key}{_why(problem, taken, key)}",
                f"leave it out; the planner would take {legal}, k_block {blocking.k_block * TILE}",
            )


def _why(problem: Problem, taken: Fixed, key: str) -> str:
    placement = problem.placement
    if key in ("algorithm", "block") and placement is not None and not placement.by_operand:
        return f": the shards of '{placement.tensor}' are its blocks, {placement.across} of them in a row"
    if key == "k_split" and problem.prologues:
        return ": an operand is computed, which each core does whole"
    if key == "k_split":
        return f": {problem.m} x {problem.k} x {problem.n} tiles cannot be cut so on as many cores"
    if key == "algorithm" and min(problem.cores) < 2 and taken.algorithm == "mcast_2d":
        return ": it needs at least 2 x 2 cores"
    if key == "algorithm":
        return f": {problem.m} x {problem.n} output tiles give its cores no equal number of blocks"
    if key == "linked":
        return ": nothing is sent" if taken.algorithm == "reuse" else ": multicasts would cross on NoC 0"
    if key in ("depth", "k_block"):
        return f" within {problem.budget} B of L1"
    return ": its cores would not all have as many blocks, or L1 would not hold them"


def _check_block(kernel: DefaultedKernel, problem: Problem) -> None:
    """Refuse a block that is larger than the output: what is beyond it would take L1 for nothing."""
    block, output = problem.fixed.block, (problem.m, problem.n)
    if block is None or (block[0] <= output[0] and block[1] <= output[1]):
        return
    stated = kernel.choice.matmul is not None and kernel.choice.matmul.block is not None
    better = [min(size, whole) * TILE for size, whole in zip(block, output, strict=True)]
    refuse(
        kernel,
        "TTB202",
        f"a block of {block[0]} x {block[1]} tiles is larger than the output of {output[0]} x {output[1]}",
        path=("schedule", "matmul", "block") if stated else ("block",),
        help=f"write block: {better}, or leave it out",
    )


def _check_subblock(kernel: DefaultedKernel, problem: Problem, fixed: Fixed) -> None:
    assert fixed.subblock is not None
    if math.prod(fixed.subblock) > problem.dst_tiles:
        _refuse(
            kernel,
            "subblock",
            f"a subblock of {fixed.subblock[0]} x {fixed.subblock[1]} tiles needs {math.prod(fixed.subblock)} of "
            f"{problem.dst_tiles} tiles of DST",
            f"use at most {problem.dst_tiles} tiles" + (", or fp32_accumulate: false" if problem.dst_tiles < 8 else ""),
        )
    if fixed.block is not None and any(b % s for b, s in zip(fixed.block, fixed.subblock, strict=True)):
        better = best_subblock(fixed.block, problem.dst_tiles)
        _refuse(
            kernel,
            "subblock",
            f"a subblock of {fixed.subblock[0]} x {fixed.subblock[1]} tiles does not divide a block of "
            f"{fixed.block[0]} x {fixed.block[1]}",
            f"write subblock: [{better[0] * TILE}, {better[1] * TILE}], or leave it out",
        )


def _refuse(kernel: Kernel, key: str, message: str, help_: str) -> NoReturn:
    refuse(kernel, "TTB202", message, path=("schedule", "matmul", key), help=help_)
