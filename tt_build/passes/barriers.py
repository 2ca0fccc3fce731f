"""Kernels of single tiles: how many tiles move a barrier, how many blocks a buffer holds, how many tiles a DST section.

Used by ``memory_space_lower``. The cost model chooses between what fits L1 and DST (``model.streaming``): the largest
block that is as fast as the fastest, then the fewest tiles in DST, then the fewest blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tt_build.ir.stages import FillStep, FpuStep, LoadStep, MatmulStep, MoveStep, SectionPlan, SfpuStep, StagedKernel
from tt_build.model.constants import has_figures
from tt_build.model.streaming import (
    BLOCKS,
    DEPTH,
    DEPTHS,
    MAX_BLOCK,
    Share,
    choose,
    cycles,
    fewest,
    product_cycles,
    products_of,
    row_cycles,
    rows_of,
    share_of,
)
from tt_build.passes import infer_schedule
from tt_build.targets import Arch


class Barriers(msgspec.Struct, frozen=True, kw_only=True):
    """``batch`` units and ``k_block`` tiles of K a barrier, ``depth`` blocks a buffer, ``in_dst`` units a DST section.

    ``costs`` are the blocks between which the model chose: (tiles, cycles).
    """

    batch: int = 1
    k_block: int = 1
    depth: int = DEPTH
    in_dst: int = 1
    costs: tuple[tuple[int, int], ...] = ()


SMALLEST = Barriers(depth=1)


def plan_barriers(
    kernel: StagedKernel, arch: Arch, fits: Callable[[Barriers], bool], *, any_plan: bool = False
) -> Barriers | None:
    """The best of what ``fits`` L1, or with ``any_plan`` any of it; None where nothing does."""
    if any(stream.per == "k" for stream in kernel.streams):
        return _of_products(kernel, arch, fits, any_plan=any_plan)
    longest, modelled = max(item.count for item in kernel.work), has_figures(arch.name)
    if not any(stream.per == "unit" for stream in kernel.streams) and all(r.bound for r in kernel.results):
        if not fits(Barriers()):
            return None
        return _in_place(kernel, arch, longest) if modelled else Barriers()
    largest = min(MAX_BLOCK, longest)
    fitting = (plan for plan in _all(largest, Barriers(), "batch") if fits(plan))
    if any_plan or not modelled:
        return next(fitting, None)
    legal = [*fitting]
    if not legal:
        return None
    share = _share(kernel, arch)

    def cost(plan: Barriers) -> int:
        return cycles(share, plan.batch, kernel.arch, plan.depth, plan.in_dst)

    wider = [
        msgspec.structs.replace(plan, in_dst=size)
        for plan in legal
        for size in sorted({min(size, plan.batch) for size in _sections(kernel, arch)})
    ]
    costs = _by_block(legal, lambda plan: plan.batch, cost)
    taken = [plan for plan in wider if plan.batch == choose(costs)]
    shallow = [plan for plan in taken if plan.depth == _usual(taken)]
    in_dst = fewest(tuple((plan.in_dst, cost(plan)) for plan in shallow))
    return _shallowest([plan for plan in taken if plan.in_dst == in_dst], cost, costs)


def _share(kernel: StagedKernel, arch: Arch) -> Share:
    """The share of the busiest core. At ``verify.sizes`` that of the kernel that is built, whose form is to be run."""
    share = share_of(kernel)
    if kernel.full_size is None:
        return share
    work = infer_schedule.apply(kernel.full_size, arch).work
    return msgspec.structs.replace(share, tiles=max(item.count for item in work), cores=len(work))


def _of_products(
    kernel: StagedKernel, arch: Arch, fits: Callable[[Barriers], bool], *, any_plan: bool
) -> Barriers | None:
    """Tiles of K a barrier of a streaming matmul. One whose first operand is transposed first has a step of its own."""
    k_tiles = max(s.k_tiles for section in kernel.sections for s in section.steps if isinstance(s, MatmulStep))
    largest = min(MAX_BLOCK, k_tiles)
    fitting = (plan for plan in _all(largest, Barriers(), "k_block") if fits(plan))
    if any_plan or kernel.transposes or not has_figures(arch.name):
        return next(fitting, None)
    legal = [*fitting]
    if not legal:
        return None
    products = msgspec.structs.replace(products_of(kernel), share=_share(kernel, arch))

    def cost(plan: Barriers) -> int:
        return product_cycles(products, plan.k_block, kernel.arch, plan.depth)

    costs = _by_block(legal, lambda plan: plan.k_block, cost)
    return _shallowest([plan for plan in legal if plan.k_block == choose(costs)], cost, costs)


def _in_place(kernel: StagedKernel, arch: Arch, longest: int) -> Barriers:
    """All tensors are shards: nothing moves, and a block is what a DST section takes."""
    share = _share(kernel, arch)
    sizes = sorted({min(size, longest) for size in _sections(kernel, arch)})
    size = fewest(tuple((size, cycles(share, size, kernel.arch, DEPTH, size)) for size in sizes))
    return Barriers(batch=size, in_dst=size)


def block_of_sweeps(
    kernel: StagedKernel, arch: Arch, lines: tuple[int, ...], largest: int, depth: int
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Tiles a barrier of what sweeps over lines of so many tiles stream, and the costs between which that is chosen.

    Blocks that fit have at most ``largest`` tiles, and where there are several none has one: that is another loop.
    """
    if largest == 1 or kernel.contractions or kernel.attention is not None or not has_figures(arch.name):
        return largest, ()
    share = rows_of(kernel, lines)
    sizes = sorted({min(size, largest) for size in BLOCKS if size > 1})
    costs = tuple((size, row_cycles(share, size, kernel.arch, depth)) for size in sizes)
    return choose(costs), costs if len(costs) > 1 else ()


def _all(largest: int, plan: Barriers, key: str) -> list[Barriers]:
    """All blocks and depths, the usual depth and the largest block first: what is taken without a model."""
    sizes = sorted({*(min(size, largest) for size in BLOCKS)}, reverse=True)
    depths = (DEPTH, *(depth for depth in DEPTHS if depth != DEPTH))
    return [msgspec.structs.replace(plan, depth=depth, **{key: size}) for depth in depths for size in sizes]


def _usual(plans: list[Barriers]) -> int:
    """The depth at which blocks are compared."""
    return DEPTH if any(plan.depth == DEPTH for plan in plans) else plans[0].depth


def _by_block(
    plans: list[Barriers], size: Callable[[Barriers], int], cost: Callable[[Barriers], int]
) -> tuple[tuple[int, int], ...]:
    """Each block at the usual depth, or at the best that fits, with its cycles."""
    found: dict[int, list[Barriers]] = {}
    for plan in plans:
        found.setdefault(size(plan), []).append(plan)
    return tuple(
        (block, min(cost(p) for p in same if p.depth == _usual(same))) for block, same in sorted(found.items())
    )


def _shallowest(plans: list[Barriers], cost: Callable[[Barriers], int], costs: tuple[tuple[int, int], ...]) -> Barriers:
    """Fewer blocks than usual where nothing is lost, more where much is won."""
    by_depth = {plan.depth: plan for plan in plans}
    usual = by_depth[_usual(plans)]
    same = [d for d, plan in by_depth.items() if d < usual.depth and cost(plan) <= cost(usual)]
    deeper = fewest(tuple((d, cost(plan)) for d, plan in by_depth.items() if d >= usual.depth))
    return msgspec.structs.replace(by_depth[min(same) if same else deeper], costs=costs if len(costs) > 1 else ())


def _sections(kernel: StagedKernel, arch: Arch) -> list[int]:
    """How many units a DST section may take: 1, 2, 4, 8, as many as have slots.

    One where a unit takes several sections, where only some units are masked, and where a user's C++ is called, which
    may want its slots to be constants.
    """
    if len(kernel.sections) != 1 or kernel.masks or kernel.intermediates or kernel.program.ops:
        return [1]
    most = arch.dst_capacity(fp32=kernel.math.fp32_accumulate) // slots_of(kernel.sections[0])
    return [size for size in (1, 2, 4, 8) if size <= max(most, 1)]


def slots_of(section: SectionPlan) -> int:
    """The DST slots that a section takes for a tile."""
    taken = [slot for slot, _ in section.stores]
    for step in section.steps:
        if isinstance(step, SfpuStep):
            taken += [*step.slots, step.out]
        elif isinstance(step, LoadStep | FpuStep | MoveStep | FillStep):
            taken.append(step.out)
    return 1 + max(taken)
