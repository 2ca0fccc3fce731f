"""Steps along K, subblocks and buffers of a block of a matmul, and what is computed in front of them.

Used by ``blockings``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from tt_build.ir.stages import Blocking, Operand, Parts
from tt_build.model.streaming import DEPTH, MAX_BLOCK
from tt_build.passes.block_costs import l1_bytes
from tt_build.passes.block_problem import Problem

SHARES: dict[str, tuple[Operand, ...]] = {
    "reuse": (),
    "mcast_1d_in0": ("in0",),
    "mcast_1d_in1": ("in1",),
    "mcast_2d": ("in0", "in1"),
}


K_BLOCKS = (1, 2, 4, 8, 16)


def least(problem: Problem, block: tuple[int, int], k_block: int) -> Blocking:
    """The blocking with the smallest buffers."""
    return with_prologue(
        problem, Blocking(block=block, k_block=k_block, subblock=(1, 1), depth=problem.fixed.depth or DEPTH)
    )


def fits_in_turn(problem: Problem, block: tuple[int, int]) -> bool:
    """Whether such blocks fit L1 where cores of a row compute a step of the first operand each."""
    size = problem.steps_in_turn(-(-problem.n // block[1]))
    if not size:
        return False
    blocking = msgspec.structs.replace(least(problem, block, size), rotates=True, prologue=problem.prologues[0].choice)
    return l1_bytes(problem, blocking) <= problem.budget


def with_prologue(problem: Problem, blocking: Blocking) -> Blocking:
    """The blocking with the best choice of what stays in L1 in front of it: the first that fits, or the smallest."""
    whole = (cost for cost in problem.prologues if not cost.columns)
    found = [msgspec.structs.replace(blocking, prologue=cost.choice) for cost in whole]
    fitting = (one for one in found if l1_bytes(problem, one) <= problem.budget)
    return next(fitting, min(found, key=lambda one: l1_bytes(problem, one), default=blocking))


def deepened(problem: Problem, blocking: Blocking) -> Blocking:
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
    count = -(-problem.k // blocking.k_block)
    deeper = min(max(0, left) // max(step, 1), max(0, count - blocking.depth))
    return msgspec.structs.replace(blocking, depth=blocking.depth + deeper)


def steps(problem: Problem, algorithm: str, block: tuple[int, int], parts: Parts | None = None) -> Iterator[Blocking]:
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


def turns(problem: Problem, algorithm: str, block: tuple[int, int], cores: tuple[int, int]) -> Iterator[Blocking]:
    """Steps that are the columns of each core of a row, which sends them in its turn; each core has one unit."""
    placement, fixed = problem.placement, problem.fixed
    across, down = -(-problem.n // block[1]), -(-problem.m // block[0]) * problem.z
    if "in0" not in SHARES[algorithm] or (placement is None and across * down != cores[0] * cores[1]):
        return
    size = problem.steps_in_turn(across)
    if size and fixed.k_block in (None, size):
        only = msgspec.structs.replace(problem, fixed=msgspec.structs.replace(fixed, k_block=size))
        choice = problem.prologues[0].choice if problem.prologues else ""
        for blocking in steps(only, algorithm, block):
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


def least_bytes(problem: Problem) -> int:
    """Bytes of circular buffers that the smallest blocks need."""
    return l1_bytes(problem, least(msgspec.structs.replace(problem, budget=0), (1, 1), 1))
