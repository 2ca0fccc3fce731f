"""The schedule of attention: how many queries a unit has, how many keys a step, and which cores go together, or share
the keys of a unit.

Used by ``infer_schedule``.
"""

from __future__ import annotations

import math

import msgspec

from tt_build.ir.index import evaluate, num
from tt_build.ir.stages import TILE, DefaultedKernel, Flash, Parts, ScheduledKernel
from tt_build.ir.work import Grid, assign
from tt_build.lang.program import Program
from tt_build.passes.attention import Attention, find, is_causal
from tt_build.passes.block_steps import best_subblock
from tt_build.passes.common import extend, refuse
from tt_build.passes.flash_groups import share
from tt_build.passes.flash_parts import MOST_ROWS, Problem, split_keys
from tt_build.passes.infer_shard import buffer_of
from tt_build.passes.l1_tensors import bytes_in_l1
from tt_build.passes.movement import is_moved_leaf, sunk
from tt_build.passes.regions import region_of
from tt_build.passes.tile_dtypes import masked_columns
from tt_build.passes.views import View, batch_place, view
from tt_build.spec.model import CoreRegion
from tt_build.targets import DTYPES, Arch

ALGORITHM = "flash_attention"
_ROWS = (4, 2, 1)
_KEYS = (16, 8, 4, 2, 1)


def schedule_attention(kernel: DefaultedKernel, arch: Arch) -> ScheduledKernel | None:
    """The kernel scheduled; None where it is no attention. Rejects what cannot be lowered yet (TTB201, TTB205)."""
    found = sunk(kernel.program)
    attention = find(found.program)
    if attention is None:
        return None
    _refuse_unsupported(kernel, found.program, attention, found.origin)
    causal = is_causal(found.program, attention)
    output = kernel.outputs[0]
    rows, width = (-(-extent // TILE) for extent in output.matrix)
    sequence = -(-found.program.values[attention.keys].shape[-2] // TILE)
    region, matrices = region_of(kernel, arch), math.prod(output.batch)
    cores = region.size[0] * region.size[1]
    budget = arch.l1_allocatable - sum(bytes_in_l1(buffer_of(kernel, t, arch), arch) for t in kernel.tensors)
    room = _room(kernel, found.program, attention)
    parts = None
    split = None if causal else _split(kernel, room, rows, sequence, budget, cores)
    if split is not None:
        high, (parts, keys) = rows, split
        grid = Grid(x=parts.count, y=1, z=matrices)
    else:
        high, keys = _block(room, rows, sequence, matrices, causal, budget, cores)
        grid = Grid(x=1, y=-(-rows // high), z=matrices)
    stated = bool({"policy", "order", "cores"} & {*kernel.choice.stated})
    policy = kernel.choice.policy if "policy" in kernel.choice.stated else "strided"
    flash = Flash(
        rows=high,
        keys=keys,
        scores=best_subblock((high, min(keys, sequence)), arch.dst_capacity(fp32=kernel.math.fp32_accumulate)),
        output=best_subblock((high, width), arch.dst_capacity(fp32=kernel.math.fp32_accumulate)),
        steps=-(-sequence // keys),
        causal=causal,
        shared=False,
        turn=max(1, cores // grid.y) if causal and policy == "strided" else 1,
    )
    alone = _scheduled(kernel, policy, grid, region, flash, parts)
    if stated or parts is not None:
        return alone
    heads = _heads(found.program, attention, output.batch)
    shared = share(alone, heads)
    together = None if causal or shared is not None else _together(region, grid)
    if together is not None:
        flash = msgspec.structs.replace(flash, shared=True)
        shared = _scheduled(kernel, policy, grid, together, flash, parts)
    return shared or alone


def _scheduled(
    kernel: DefaultedKernel, policy: str, grid: Grid, region: CoreRegion, flash: Flash, parts: Parts | None
) -> ScheduledKernel:
    return extend(
        ScheduledKernel,
        kernel,
        algorithm=ALGORITHM,
        policy=policy,
        order=kernel.choice.order,
        grid=grid,
        unit_tiles=(flash.rows, -(-kernel.outputs[0].matrix[1] // TILE)),
        region=region,
        work=assign(policy, grid, region, kernel.core_grid),
        parts=parts,
        flash=flash,
    )


def _refuse_unsupported(
    kernel: DefaultedKernel, program: Program, attention: Attention, origin: tuple[int, ...]
) -> None:
    for tensor in kernel.tensors:
        if tensor.format == "row_major":
            refuse(
                kernel,
                "TTB205",
                f"the tensor '{tensor.name}' of an attention has format row_major, which cannot be lowered yet",
                path=("inputs" if tensor.role == "input" else "outputs", tensor.name, "format"),
                help="use format: tile",
            )
    output = kernel.outputs[0]
    if masked_columns(output.matrix[1], output.dtype):
        refuse(
            kernel,
            "TTB205",
            f"the attention's output '{output.name}' is {output.dtype} and {output.matrix[1]} columns wide: its "
            "padding cannot be zeroed yet",
            path=("outputs", output.name, "dtype"),
            help="make it bfloat16",
        )
    for index, value in enumerate(program.values):
        if not is_moved_leaf(program, index) or value.op == "pattern":
            continue
        look = view(program, index, {**batch_place(output.batch), -2: 0, -1: 0})  # type: ignore[dict-item]
        if not isinstance(look, View) or len(look.pieces) > 1 or look.transposed:
            refuse(
                kernel,
                "TTB201",
                "a tensor of an attention that is joined of several, or transposed, cannot be lowered yet",
                value=origin[index],
                help="pass it as an input of its own",
            )
    first = program.values[attention.queries]
    if first.shape[-1] % TILE and any(
        DTYPES[kernel.tensor(program.values[i].name).dtype].is_block for i in _sources(program, attention.queries)
    ):
        refuse(
            kernel,
            "TTB205",
            f"queries in a block-float format of {first.shape[-1]} columns: their padding cannot be zeroed yet",
            value=origin[attention.queries],
            help=f"make the head size a multiple of {TILE}, or the queries bfloat16",
        )


def _sources(program: Program, index: int) -> list[int]:
    value = program.values[index]
    return [index] if value.op == "input" else [s for arg in value.args for s in _sources(program, arg)]


class _Room(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit needs of L1: its extents in tiles, and bytes of a tile of a tensor, and of one of its own."""

    inner: int
    width: int
    masks: int
    tensor: int
    own: int

    def unit(self, high: int) -> int:
        """Bytes that do not depend on how many keys a step has."""
        mine = self.own * high * (3 * self.width + 5)
        return 2 * self.tensor * high * (self.inner + self.width) + mine + 16 * self.own

    def key(self, high: int) -> int:
        """Bytes of each tile of keys of a step."""
        return 2 * self.tensor * (self.inner + self.width + self.masks * high) + 3 * self.own * high

    def part(self, high: int) -> int:
        """Bytes of what a part of the keys hands over, and is scaled by."""
        return self.own * high * (self.width + 3)


def _room(kernel: DefaultedKernel, program: Program, attention: Attention) -> _Room:
    return _Room(
        inner=-(-program.values[attention.queries].shape[-1] // TILE),
        width=-(-kernel.outputs[0].matrix[1] // TILE),
        masks=sum(1 for i, v in enumerate(program.values) if v.op == "input" and _is_mask(program, attention, i)),
        tensor=max(DTYPES[t.dtype].tile_bytes for t in kernel.tensors),
        own=4096 if kernel.math.fp32_accumulate else 2048,
    )


def _split(
    kernel: DefaultedKernel, room: _Room, rows: int, sequence: int, budget: int, cores: int
) -> tuple[Parts, int] | None:
    """Parts of the keys and tiles of keys a step, for few queries; not where the declaration says who does what."""
    declared = kernel.declared_grid is not None or kernel.declared_block is not None
    if rows > MOST_ROWS or declared or {"policy", "order"} & {*kernel.choice.stated}:
        return None
    return split_keys(
        Problem(
            sequence=sequence,
            units=math.prod(kernel.outputs[0].batch),
            cores=cores,
            budget=budget,
            unit=room.unit(rows) + room.part(rows),
            key=room.key(rows),
            part=room.part(rows),
        )
    )


def _block(
    room: _Room, rows: int, sequence: int, matrices: int, causal: bool, budget: int, cores: int
) -> tuple[int, int]:
    """Rows of queries and of keys, in tiles: as many as fit L1, and leave no core without work that could have some."""
    for high in _ROWS:
        if high > rows or (high > 1 and -(-rows // high) * matrices < cores):
            continue
        for keys in _KEYS:
            if causal and keys > max(1, sequence // 8):
                continue  # what lies behind a unit's last query is left out in whole steps
            keys = min(keys, sequence)
            if room.unit(high) + room.key(high) * keys <= budget:
                return high, keys
    return 1, 1


def _heads(program: Program, attention: Attention, batch: tuple[int, ...]) -> int:
    """How many matrices, one after the other, have the same keys and values."""
    places: list[tuple[int, ...]] = []
    for bz in range(math.prod(batch)):
        at = {**batch_place(batch), -2: num(0), -1: num(0)}
        looks = [view(program, index, at) for index in (attention.keys, attention.values)]
        found = [index for look in looks if isinstance(look, View) for index in look.pieces[0].place]
        places.append(tuple(evaluate(index, {"bz": bz}) for index in found))
    run = next((bz for bz, place in enumerate(places) if place != places[0]), len(places))
    return run if all(place == places[bz // run * run] for bz, place in enumerate(places)) else 1


def _is_mask(program: Program, attention: Attention, index: int) -> bool:
    operands = {s for i in (attention.queries, attention.keys, attention.values) for s in _sources(program, i)}
    return index not in operands


def _together(region: CoreRegion, grid: Grid) -> CoreRegion | None:
    """The largest part of the region whose cores go through the matrices in step; None where that is one core."""
    best: tuple[int, int, int] | None = None
    for columns in range(1, region.size[0] + 1):
        for rows in range(1, region.size[1] + 1):
            count = columns * rows
            fits = count <= grid.y * grid.z and (
                grid.y % count == 0 or (count % grid.y == 0 and grid.z % (count // grid.y) == 0)
            )
            if fits and min(count, grid.y) > 1 and _is_even(columns, rows, min(count, grid.y)):
                best = max(best or (0, 0, 0), (count, columns, rows))
    busy = min(region.size[0] * region.size[1], grid.units)
    if best is None or 2 * best[0] < busy:
        return None
    return CoreRegion(at=region.at, size=best[1:])


def _is_even(columns: int, rows: int, group: int) -> bool:
    """Whether groups of so many cores, row by row, have rectangles alike: each whole rows, or a part of one."""
    return group % columns == 0 or columns % group == 0
