"""Pass ``source_schedule``: DefaultedSources -> ScheduledSources.

Needs   tensors, the declared grid and schedule.
Gives   the iteration space (the declared grid; else one unit a tile of the largest output) and the positions of each
        core. The policy alone places work: what the sources do with a shard is theirs.
Rejects a ``matmul`` schedule (TTB202), regions outside the core grid (TTB203), row-major tensors (TTB205).
"""

from __future__ import annotations

import math

from tt_build.ir.handwritten import DefaultedSources, ScheduledSources
from tt_build.ir.work import Grid, assign
from tt_build.passes.common import extend, refuse
from tt_build.passes.pages import tiles_of
from tt_build.passes.regions import region_of
from tt_build.passes.shard_to_core_map import cover
from tt_build.targets import Arch


def apply(kernel: DefaultedSources, arch: Arch) -> ScheduledSources:
    """Give every core its work."""
    _refuse_formats(kernel)
    if kernel.choice.matmul is not None and "matmul" in kernel.choice.stated:
        refuse(
            kernel,
            "TTB202",
            "'schedule: {matmul: ...}' on a kernel whose sources are written by hand",
            path=("schedule", "matmul"),
            help="leave it out: the sources are the algorithm",
        )
    grid, region = _grid(kernel), region_of(kernel, arch)
    work = assign(kernel.choice.policy, grid, region, kernel.core_grid)
    return extend(
        ScheduledSources,
        kernel,
        policy=kernel.choice.policy,
        order=kernel.choice.order,
        grid=grid,
        region=region,
        work=work,
        core_ranges=cover(tuple(item.core for item in work)),
    )


def _refuse_formats(kernel: DefaultedSources) -> None:
    """Refuse tensors that are not tiled."""
    for tensor in kernel.tensors:
        place = ("inputs" if tensor.role == "input" else "outputs", tensor.name)
        if tensor.format != "tile":
            refuse(
                kernel,
                "TTB205",
                f"tensor '{tensor.name}' has format {tensor.format}, which cannot be lowered yet",
                path=(*place, "format"),
                help="use format: tile",
            )


def _grid(kernel: DefaultedSources) -> Grid:
    if kernel.declared_grid is not None:
        x, y, z = (*kernel.declared_grid, 1)[:3]
        return Grid(x=x, y=y, z=z)
    output = max(kernel.outputs, key=lambda tensor: math.prod(tensor.shape))
    height, width = tiles_of(output)
    return Grid(x=width, y=height, z=math.prod(output.batch))
