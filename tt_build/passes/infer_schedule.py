"""Pass ``infer_schedule``: DefaultedKernel -> ScheduledKernel.

Needs   a typed program.
Gives   the algorithm, the iteration space (semantics.md, ``Work``) and the positions of each core.
Rejects programs that no algorithm lowers yet (TTB201), policies, orders and algorithms that are not lowered yet
        (TTB202), regions outside the core grid (TTB203), a declared grid or block that does not cover the output
        once (TTB204), a schedule that contradicts the shards that place the work (TTB211), movement that cuts through
        tiles (TTB213), a locked plan that cannot be followed (TTB215).
"""

from __future__ import annotations

import math
from typing import NoReturn

import msgspec
from msgspec.structs import astuple

from tt_build.ir.stages import TILE, DefaultedKernel, MatmulLock, Parts, ScheduledKernel, Tensor
from tt_build.ir.work import Grid, assign
from tt_build.lang.program import Value
from tt_build.passes.blockings import Choice
from tt_build.passes.common import extend, refuse
from tt_build.passes.flash_schedule import schedule_attention
from tt_build.passes.kinds import (
    ELEMENTWISE,
    REDUCTION,
    REDUCTIONS,
    ROWS,
    STREAMING_MATMUL,
    SWEEPS,
    computed_shapes,
    extents,
)
from tt_build.passes.matmul_schedule import choice_of, followed
from tt_build.passes.movement import is_moved_leaf, sunk
from tt_build.passes.parts import parts_of
from tt_build.passes.placement import placing_tensor, shard_region, shard_work
from tt_build.passes.prologues import obstacle
from tt_build.passes.refuse_movement import refuse_movement, refuse_spread_operand
from tt_build.passes.refuse_prologue import refuse_prologue
from tt_build.passes.regions import region_of
from tt_build.targets import Arch


def apply(kernel: DefaultedKernel, arch: Arch, *, any_plan: bool = False) -> ScheduledKernel:
    """Choose the algorithm and give every core its work.

    ``any_plan``: a blocked matmul takes a legal plan, not the best: enough to tell whether the kernel can be built.
    """
    attention = schedule_attention(kernel, arch)
    choice, lock = followed(kernel, arch, _choice(kernel, arch, any_plan=any_plan) if attention is None else None)
    kernel = msgspec.structs.replace(kernel, locked=None)
    if attention is not None:
        _check_declared(kernel, attention.unit_tiles, attention.grid)
        return msgspec.structs.replace(attention, locked=None, lock=lock)
    if choice is not None:
        return _blocked(kernel, arch, choice, lock)
    algorithm = _algorithm(kernel)
    unit, grid, parts = _iteration_space(kernel)
    _check_declared(kernel, unit, grid)
    region, policy = region_of(kernel, arch), kernel.choice.policy
    work = assign(policy, grid, region, kernel.core_grid)
    if parts is not None and kernel.declared_grid is None and kernel.declared_block is None:
        across = Grid(x=parts.count, y=grid.y, z=grid.z)
        spread = across if parts.axis == "columns" else Grid(x=grid.x, y=parts.count, z=grid.z)
        items = assign(policy, spread, region, kernel.core_grid)
        if all(item.count == 1 for item in items):  # all parts of a unit run at the same time
            grid, work, parts = spread, items, msgspec.structs.replace(parts, spread=True)
            unit = _part_of(unit, parts)
    placing = placing_tensor(kernel) if algorithm not in SWEEPS else None
    if placing is not None:
        work = shard_work(kernel, placing, grid, work, arch)
        region, policy = shard_region(work), "rectangular"
    return extend(
        ScheduledKernel,
        kernel,
        algorithm=algorithm,
        policy=policy,
        order=kernel.choice.order,
        grid=grid,
        unit_tiles=unit,
        region=region,
        work=work,
        placed_by=placing.name if placing is not None else "",
        parts=parts,
        lock=lock,
    )


def blocked_choice(kernel: DefaultedKernel, arch: Arch) -> Choice | None:
    """What the planner chooses for a kernel's matmul; None where it has none or it streams. Raises ``Rejected``."""
    return _choice(kernel, arch) if schedule_attention(kernel, arch) is None else None


def _choice(kernel: DefaultedKernel, arch: Arch, *, any_plan: bool = False) -> Choice | None:
    _refuse_unsupported(kernel, arch)
    return choice_of(kernel, arch, any_plan=any_plan) if _algorithm(kernel) == STREAMING_MATMUL else None


def _blocked(kernel: DefaultedKernel, arch: Arch, choice: Choice, lock: MatmulLock | None) -> ScheduledKernel:
    """The schedule of a blocked matmul: a unit is a block of the output."""
    plan = choice.taken
    block, grid = plan.blocking.block, plan.grid
    _check_declared(kernel, block, grid)
    region = plan.region(region_of(kernel, arch).at)
    work = assign(plan.policy, grid, region, kernel.core_grid)
    if plan.placed_by:
        placing = kernel.tensor(plan.placed_by)
        scheduled = assign(kernel.choice.policy, grid, region_of(kernel, arch), kernel.core_grid)
        extent = 1, 1 if placing.role == "output" else grid.x
        work = shard_work(kernel, placing, grid, scheduled, arch, extent)
        region = shard_region(work)
    return extend(
        ScheduledKernel,
        kernel,
        algorithm=f"{plan.algorithm}_matmul",
        policy=plan.policy,
        order=plan.order,
        grid=grid,
        unit_tiles=block,
        region=region,
        work=work,
        placed_by=plan.placed_by,
        parts=plan.parts,
        blocking=plan.blocking,
        matmul_choice=choice.figures,
        lock=lock,
    )


def _refuse_unsupported(kernel: DefaultedKernel, arch: Arch) -> None:
    for tensor in kernel.tensors:
        _refuse_rows(kernel, tensor, ("inputs" if tensor.role == "input" else "outputs", tensor.name))
    _refuse_schedule(kernel)
    refuse_movement(kernel)
    if _algorithm(kernel) not in SWEEPS:
        _refuse_matmuls(kernel, arch)


def _refuse_rows(kernel: DefaultedKernel, tensor: Tensor, place: tuple[str, str]) -> None:
    """Refuse row-major tensors whose shards would part rows."""
    if tensor.format != "row_major":
        return
    if not isinstance(tensor.layout, str):
        refuse(
            kernel,
            "TTB205",
            f"the sharded tensor '{tensor.name}' has format row_major, which cannot be lowered yet",
            path=(*place, "format"),
            help="use format: tile, or an interleaved layout",
        )


def _refuse_schedule(kernel: DefaultedKernel) -> None:
    if kernel.choice.matmul is None or any(value.op == "matmul" for value in kernel.program.values):
        return
    refuse(
        kernel,
        "TTB202",
        "'schedule: {matmul: ...}' on a kernel without a matmul",
        path=("schedule", "matmul"),
        help="leave it out",
    )


def _refuse_matmuls(kernel: DefaultedKernel, arch: Arch) -> None:
    program, origin = astuple(sunk(kernel.program, unturned=True))
    values = program.values
    matmuls = [i for i, value in enumerate(values) if value.op == "matmul"]
    in_the_way = obstacle(program)
    if in_the_way is not None:
        index, message, help_ = in_the_way
        refuse(kernel, "TTB201", message, value=origin[index], help=help_)
    refuse_prologue(kernel, arch, program, origin)
    if len(matmuls) > 1 and choice_of(kernel, arch) is None:
        refuse(
            kernel,
            "TTB201",
            "a second matmul in one kernel cannot be lowered yet where the two cannot go through K together",
            value=origin[matmuls[1]],
            help="declare one kernel for each matmul, or give both the same extents and leave the schedule out",
        )
    full = _full_shape(kernel)
    for index in matmuls:
        value = values[index]
        for operand in value.args:
            if is_moved_leaf(program, operand):
                refuse_spread_operand(kernel, program, operand, origin[operand])
        if value.shape[-2:] != full[-2:] or _batch(value) != _batch_of(full):
            refuse(
                kernel,
                "TTB201",
                f"a matmul of shape {list(value.shape)} that is broadcast to {list(full)} cannot be lowered yet",
                value=origin[index],
                help="make the product as large as the output",
            )


def _batch(value: Value) -> tuple[int, ...]:
    return _batch_of(value.shape)


def _batch_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    batch = list(shape[:-2])
    while batch and batch[0] == 1:
        batch.pop(0)
    return tuple(batch)


def _full_shape(kernel: DefaultedKernel) -> tuple[int, ...]:
    """The shape of the iteration: that of the outputs, which agree where nothing is reduced."""
    first = kernel.outputs[0]
    for other in kernel.outputs[1:]:
        if (other.batch, other.matrix) != (first.batch, first.matrix):
            _refuse_shapes(kernel, first, other)
    return (*first.batch, *first.matrix)


def _refuse_shapes(kernel: DefaultedKernel, one: Tensor, other: Tensor) -> NoReturn:
    refuse(
        kernel,
        "TTB201",
        f"outputs of different shapes, '{one.name}' {list(one.shape)} and '{other.name}' "
        f"{list(other.shape)}, cannot be lowered in one kernel yet",
        path=("outputs", other.name),
        help="declare one kernel for each shape",
    )


def _algorithm(kernel: DefaultedKernel) -> str:
    """What kind of kernel it is."""
    ops = {value.op for value in kernel.program.values}
    if "matmul" in ops:
        return STREAMING_MATMUL
    if ops & {*REDUCTIONS}:
        return REDUCTION
    return ROWS if _has_row_units(kernel) else ELEMENTWISE


def _has_row_units(kernel: DefaultedKernel) -> bool:
    """Whether a tile meets another one of its row, so that a unit that is the row reads each of them once.

    Not where the declaration cuts the output into tiles, or shards decide who computes what.
    """
    if kernel.declared_grid is not None or kernel.declared_block is not None or placing_tensor(kernel) is not None:
        return False
    values = sunk(kernel.program).program.values
    return any(value.op == "roll" and value.ints[0] == -1 for value in values)


def _iteration_space(kernel: DefaultedKernel) -> tuple[tuple[int, int], Grid, Parts | None]:
    """Output tiles of a unit (rows, columns), the grid of units, and the parts of a long reduction.

    A unit is a tile, or the tiles that are reduced together.
    """
    output = max(kernel.outputs, key=lambda tensor: math.prod(tensor.shape))
    z = math.prod(output.batch)
    program = sunk(kernel.program).program
    axes = {axis for value in program.values if value.op in REDUCTIONS for axis in value.axes}
    axes |= {-1} if _algorithm(kernel) == ROWS else set()
    out_rows, out_columns = (-(-extent // TILE) for extent in output.matrix)
    if not axes:
        return (1, 1), Grid(x=out_columns, y=out_rows, z=z), None
    height, width = (-(-extent // TILE) for extent in extents(kernel))
    for other in kernel.outputs:  # each unit writes its own part of each output
        if any(axis not in axes and other.matrix[axis] != output.matrix[axis] for axis in (-2, -1)):
            _refuse_shapes(kernel, output, other)
    unit = height if -2 in axes else 1, width if -1 in axes else 1
    grid = Grid(x=width // unit[1], y=height // unit[0], z=z)
    parts = parts_of(program, REDUCTIONS, computed_shapes(program), unit, grid.units)
    return (min(unit[0], out_rows), min(unit[1], out_columns)), grid, parts


def _part_of(unit: tuple[int, int], parts: Parts) -> tuple[int, int]:
    """The output tiles of a part of a unit."""
    rows, columns = unit
    return (min(rows, parts.tiles), columns) if parts.axis == "rows" else (rows, min(columns, parts.tiles))


def _check_declared(kernel: DefaultedKernel, unit: tuple[int, int], grid: Grid) -> None:
    block, natural = kernel.declared_block, (unit[0] * TILE, unit[1] * TILE)
    if block is not None and block != natural:
        refuse(
            kernel,
            "TTB204",
            f"block {list(block)} cannot be lowered yet",
            path=("block",),
            help=f"use {list(natural)} or leave it out",
        )
    declared = kernel.declared_grid
    actual = (grid.x, grid.y, grid.z)
    if declared is not None and (*declared, *(1,) * (3 - len(declared))) != actual:
        shown = list(actual if grid.z > 1 else actual[:2])
        refuse(
            kernel,
            "TTB204",
            f"grid {list(declared)} does not cover the output once: it has {grid.y} x {grid.x} blocks of "
            + ("one tile" if unit == (1, 1) else f"{unit[0]} x {unit[1]} tiles")
            + (f" in each of {grid.z} matrices" if grid.z > 1 else ""),
            path=("grid",),
            help=f"write grid: {shown}, or leave it out",
        )
