"""Corruptions of kernels of sweeps: reductions, softmax, norms. As those of ``corruptions``."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.passes.corruptions import (
    Corruptions,
    Kernel,
    change,
    columns_beyond_the_row,
    columns_of_another_tile,
    elements_of_another_size,
    first_page_again,
    item,
    page_beside,
    registry,
    replace,
    row_beside,
    row_major_read_as_tiles,
    rows_beyond_the_tensor,
    slot_beside,
    tile_index_beside,
)
from tt_build.ir.index import Bin, num, var
from tt_build.ir.lowered import (
    Block,
    FillTile,
    Loop,
    Pack,
    ReadPage,
    Section,
    SfpuOp,
    Stmt,
    TileOp,
    Wait,
    When,
    walk,
)
from tt_build.passes.tensorize_steps import FILL

SWEEP_CORRUPTIONS: Corruptions = {}
corruption = registry(SWEEP_CORRUPTIONS)


def _is_mask(stmt: Any) -> bool:
    return isinstance(stmt, When) and any(isinstance(s, TileOp) and "mask" in s.cbs[0] for s in stmt.body)


def _masks(kernel: Kernel) -> set[str]:
    return {mask.cb for mask in kernel.masks}


def _in_body(kernel: Kernel, role: str, edit: Callable[[tuple[Stmt, ...]], tuple[Stmt, ...]]) -> Kernel | None:
    index = next(i for i, body in enumerate(kernel.bodies) if body.role == role)
    changed = edit(kernel.bodies[index].body)
    return None if changed == kernel.bodies[index].body else item(kernel, "bodies", index, body=changed)


# Pages and places

for _shared in (
    page_beside,
    slot_beside,
    tile_index_beside,
    row_beside,
    rows_beyond_the_tensor,
    columns_of_another_tile,
    columns_beyond_the_row,
    elements_of_another_size,
    row_major_read_as_tiles,
):
    corruption("TTB403")(_shared)


@corruption("TTB403")
def not_turned(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A tile that meets itself in place of the one half a row away."""

    def is_turned(stmt: TileOp) -> bool:
        return isinstance(stmt.indices[0], Bin) and stmt.indices[0].op == "%"

    return change(kernel, rng, TileOp, lambda s: replace(s, indices=(s.indices[0].a.a,)), is_turned)


corruption("TTB403")(first_page_again)


@corruption("TTB403", "TTB405")
def page_of_the_other_matrix(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ReadPage, lambda s: replace(s, page=s.page + var("bz")), lambda s: kernel.grid.z > 1)


@corruption("TTB403")
def handed_on_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=num(1) if s.index is None else s.index + 1))


@corruption("TTB403")
def handed_on_in_one_place(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=None), lambda s: s.index is not None)


@corruption("TTB403", "TTB405")
def stream_of_another_tensor(kernel: Kernel, rng: random.Random) -> Kernel | None:
    names = [t.name for t in kernel.inputs]
    if len(names) < 2:
        return None
    return change(kernel, rng, ReadPage, lambda s: replace(s, tensor=next(n for n in names if n != s.tensor)))


# Sweeps


@corruption("TTB402", "TTB403")
def stream_in_another_sweep(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Block, lambda s: replace(s, sweep=(s.sweep + 1) % len(kernel.sweeps)))


@corruption("TTB403")
def outside_the_sweeps(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Block, lambda s: replace(s, sweep=-1))


@corruption("TTB402", "TTB403", "TTB405")
def one_line_less(kernel: Kernel, rng: random.Random) -> Kernel | None:
    counters = ("tile_row", "tile_column", "block")
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count - 1), lambda s: s.var in counters)


@corruption("TTB403")
def sweep_over_fewer_tiles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = [i for i, sweep in enumerate(kernel.sweeps) if max(sweep.extent) > 1]
    index = rng.choice(found)
    rows, columns = kernel.sweeps[index].extent
    extent = (rows, columns - 1) if columns > 1 else (rows - 1, columns)
    return item(kernel, "sweeps", index, extent=extent)


@corruption("TTB402", "TTB403")
def sweeps_swapped(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def swap(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        found: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Loop):
                found.append(replace(stmt, body=swap(stmt.body)))
            else:
                found.append(stmt)
        places = [i for i, stmt in enumerate(found) if isinstance(stmt, Block)]
        if len(places) > 1:
            first, last = places[0], places[-1]
            found[first], found[last] = found[last], found[first]
        return tuple(found)

    return _in_body(kernel, "compute", swap)


# Masks


@corruption("TTB408")
def mask_left_out(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, When, lambda s: None, _is_mask)


@corruption("TTB408")
def mask_in_another_tile(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, When, lambda s: replace(s, b=num(0)), _is_mask)


@corruption("TTB408")
def mask_in_every_tile(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, When, lambda s: replace(s, a=s.b), _is_mask)


@corruption("TTB408")
def mask_one_longer(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, FillTile, lambda s: replace(s, count=s.count + 1))


@corruption("TTB408")
def mask_of_another_axis(kernel: Kernel, rng: random.Random) -> Kernel | None:
    other = {"rows": "columns", "columns": "rows"}
    return change(kernel, rng, FillTile, lambda s: replace(s, pattern=other[s.pattern]))


@corruption("TTB408")
def mask_planned_and_filled_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Plan and kernel agree, but not with the tensor's shape."""
    if not kernel.masks:
        return None
    index = rng.randrange(len(kernel.masks))
    mask = kernel.masks[index]
    planned = item(kernel, "masks", index, count=mask.count - 1 or 2)
    return change(planned, rng, FillTile, lambda s: replace(s, count=mask.count - 1 or 2), lambda s: s.cb == mask.cb)


@corruption("TTB408")
def mask_of_twos(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, FillTile, lambda s: replace(s, value_bits=0x4000))


@corruption("TTB402")
def mask_not_awaited(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Wait, lambda s: None, lambda s: s.cb in _masks(kernel))


# Folds


def _folds(kernel: Kernel) -> list[tuple[int, int]]:
    return [(n, f) for n, sweep in enumerate(kernel.sweeps) for f in range(len(sweep.folds))]


def _fold(kernel: Kernel, rng: random.Random, where: Callable[[Any], bool] = lambda f: True, **values: Any) -> Any:
    places = [(n, f) for n, f in _folds(kernel) if where(kernel.sweeps[n].folds[f])]
    if not places:
        return None
    n, f = rng.choice(places)
    folds = list(kernel.sweeps[n].folds)
    folds[f] = replace(folds[f], **values)
    return item(kernel, "sweeps", n, folds=tuple(folds))


@corruption("TTB403")
def fold_over_another_axis(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found: Kernel | None = _fold(kernel, rng, lambda f: f.axes == (-1,), axes=(-2,))
    return found


@corruption("TTB403")
def identity_planned_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found: Kernel | None = _fold(kernel, rng, lambda f: f.op != "sum", bits=0)
    return found


def _starts(kernel: Kernel) -> list[Stmt]:
    """The fills of accumulators: the first of a section, of a slot that a fold gathers in."""
    compute = next(body for body in kernel.bodies if body.role == "compute")
    found: list[Stmt] = []
    for block in walk(compute.body):
        if isinstance(block, Block) and kernel.sweeps[block.sweep].folds:
            for section in walk(block.body):
                if isinstance(section, Section):
                    found += [s for s in section.math if isinstance(s, SfpuOp) and s.function == FILL]
    return found


@corruption("TTB403")
def identity_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    starts = _starts(kernel)
    return change(
        kernel, rng, SfpuOp, lambda s: replace(s, params=(0x3F800000,)), lambda s: any(s is start for start in starts)
    )


@corruption("TTB408")
def masked_with_another_number(kernel: Kernel, rng: random.Random) -> Kernel | None:
    masks = [s for body in kernel.bodies for when in walk(body.body) if _is_mask(when) for s in walk((when,))]
    fills = [s for s in masks if isinstance(s, SfpuOp) and s.function == FILL]
    return change(
        kernel, rng, SfpuOp, lambda s: replace(s, params=(0x3F800000,)), lambda s: any(s is fill for fill in fills)
    )


def _combines(kernel: Kernel) -> list[Stmt]:
    """Where a tile is added to an accumulator."""
    compute = next(body for body in kernel.bodies if body.role == "compute")
    found: list[Stmt] = []
    for block in walk(compute.body):
        if isinstance(block, Block):
            slots = {(fold.slot, fold.source) for fold in kernel.sweeps[block.sweep].folds}
            functions = ("maximum", "minimum", "add")
            found += [s for s in walk(block.body) if isinstance(s, SfpuOp) and s.slots in slots and s.out == s.slots[0]
                      and s.function in functions]  # fmt: skip
    return found


@corruption("TTB403")
def combined_otherwise(kernel: Kernel, rng: random.Random) -> Kernel | None:
    other = {"maximum": "minimum", "minimum": "maximum", "add": "maximum"}
    found = _combines(kernel)
    return change(
        kernel, rng, SfpuOp, lambda s: replace(s, function=other[s.function]), lambda s: any(s is f for f in found)
    )


@corruption("TTB403")
def not_combined(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = _combines(kernel)
    return change(kernel, rng, SfpuOp, lambda s: None, lambda s: any(s is f for f in found))


@corruption("TTB403")
def combined_twice(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = _combines(kernel)
    return change(
        kernel, rng, SfpuOp, lambda s: Loop(var="again", count=num(2), body=(s,)), lambda s: any(s is f for f in found)
    )


@corruption("TTB403", "TTB408")
def changed_after_it_is_combined(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The mask comes too late."""
    found = _combines(kernel)

    def late(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        masks = [s for s in body if _is_mask(s)]
        if masks and any(s is f for s in body for f in found):
            return (*(s for s in body if not _is_mask(s)), *masks)
        return tuple(
            replace(s, body=late(s.body)) if isinstance(s, Loop | Block)
            else replace(s, math=late(s.math)) if isinstance(s, Section) else s
            for s in body
        )  # fmt: skip

    return _in_body(kernel, "compute", late)


@corruption("TTB403")
def reduced_along_the_other_side(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def other(stmt: SfpuOp) -> SfpuOp:
        turned = stmt.function.replace("rows", "side").replace("columns", "rows").replace("side", "columns")
        return replace(stmt, function=turned)

    return change(kernel, rng, SfpuOp, other, lambda s: s.function.startswith("reduce_"))


@corruption("TTB403")
def not_reduced(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, SfpuOp, lambda s: None, lambda s: s.function.startswith("reduce_"))


@corruption("TTB403")
def mean_of_another_count(kernel: Kernel, rng: random.Random) -> Kernel | None:
    scales = {f.scale for sweep in kernel.sweeps for f in sweep.folds if f.scale is not None}
    return change(kernel, rng, SfpuOp, lambda s: replace(s, params=(s.params[0] + 1,)), lambda s: scales & {*s.params})


@corruption("TTB403")
def mean_planned_of_another_count(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found: Kernel | None = _fold(kernel, rng, lambda f: f.scale is not None, scale=0x3F800000)
    return found
