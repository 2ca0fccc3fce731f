"""Work where the data lie: a tensor sharded in L1 decides which core computes what (semantics.md, ``Local shards``).

Used by ``infer_schedule``.
"""

from __future__ import annotations

from tt_build.ir.stages import DefaultedKernel, Tensor
from tt_build.ir.work import CoreWork, Grid, tile_ids
from tt_build.passes.common import refuse
from tt_build.passes.pages import tiles_of
from tt_build.passes.shards import shards_of
from tt_build.spec.model import CoreRegion, Sharding
from tt_build.targets import Arch


def placing_tensor(kernel: DefaultedKernel) -> Tensor | None:
    """The first output where it is sharded in L1, else the first input where it is and has the output's tiles."""
    output = kernel.outputs[0]
    if _in_l1(output):
        return output
    for tensor in kernel.inputs[:1]:
        alike = tiles_of(tensor) == tiles_of(output) and tensor.batch == output.batch
        if _in_l1(tensor) and alike and not any(v.op == "matmul" for v in kernel.program.values):
            return tensor
    return None


def _in_l1(tensor: Tensor) -> bool:
    return isinstance(tensor.layout, Sharding) and tensor.layout.memory == "l1"


def shard_work(
    kernel: DefaultedKernel, tensor: Tensor, grid: Grid, scheduled: tuple[CoreWork, ...], arch: Arch
) -> tuple[CoreWork, ...]:
    """Each core's shard as its work, in order of core ids; rejects a stated schedule that says otherwise (TTB211)."""
    shards = shards_of(kernel, tensor, arch)
    (height, width), lines = shards.tiles, grid.y * grid.z
    work: list[CoreWork] = []
    for index, core in enumerate(shards.cores):
        down, across = divmod(index, shards.counts[1])
        x, y = across * width, down * height
        w, h = min(width, grid.x - x), min(height, lines - y)
        work.append(
            CoreWork(
                core=core,
                core_id=core[1] * kernel.core_grid[0] + core[0],
                start=y * grid.x + x,
                count=w * h,
                rect=(x, y, w, h),
                planes=(0, 1) if grid.z == 1 else None,
            )
        )
    work.sort(key=lambda item: item.core_id)
    _check_stated(kernel, tensor, grid, tuple(work), scheduled)
    return tuple(work)


def _check_stated(
    kernel: DefaultedKernel, tensor: Tensor, grid: Grid, work: tuple[CoreWork, ...], scheduled: tuple[CoreWork, ...]
) -> None:
    choice = kernel.choice
    region = choice.cores if "cores" in choice.stated else None
    policy = choice.policy if "policy" in choice.stated else "rectangular"
    if region is None and policy == "rectangular":
        return
    if policy == "rectangular" and region is not None:
        agrees = region == shard_region(work)
    else:
        places = [{i.core: set(tile_ids(i, choice.order, grid)) for i in items} for items in (work, scheduled)]
        agrees = places[0] == places[1]
    if not agrees:
        key = "policy" if "policy" in choice.stated and policy != "rectangular" else "cores"
        stated = f"policy {policy}" if key == "policy" else f"a region of {region.size if region else ()} cores"
        refuse(
            kernel,
            "TTB211",
            f"'{tensor.name}' is sharded in L1, and work is placed where its shards lie; {stated} places it otherwise",
            path=("schedule", key),
            help="leave it out, or use an interleaved layout",
        )


def shard_region(work: tuple[CoreWork, ...]) -> CoreRegion:
    """The smallest rectangle of cores that holds the shards."""
    columns, rows = [item.core[0] for item in work], [item.core[1] for item in work]
    at = (min(columns), min(rows))
    return CoreRegion(at=at, size=(max(columns) - at[0] + 1, max(rows) - at[1] + 1))
