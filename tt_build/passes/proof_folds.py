"""Proofs about what a sweep gathers, used by ``proof_sweeps``: from which number it starts, how each tile is added,
what of an edge tile counts, how the tile that is left becomes the result.

What is expected comes from the reductions of the program and the shapes of their operands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tt_build.ir.lowered import Block, FillTile, Loop, Pack, Section, SfpuOp, Stmt, TileOp, When, walk
from tt_build.ir.stages import TILE, Fold, LoweredKernel, Sweep
from tt_build.passes.prologues import SIDES, axes_of, computed_operands
from tt_build.passes.proof import fail, program_of
from tt_build.passes.tensorize_steps import FILL
from tt_build.targets import DTYPES

_ONE_BFLOAT16 = 0x3F80
_COMBINE = {"sum": "add", "max": "maximum", "min": "minimum"}
_LEAST = {"int32": -(2**31), "uint32": 0, "uint16": 0}
_LARGEST = {"int32": 2**31 - 1, "uint32": 2**32 - 1, "uint16": 2**16 - 1}
_SIDES = ((-2, "rows", "columns"), (-1, "columns", "rows"))
"""Axis, the side that its last tile is ragged on, the lines that are reduced along it."""

Operation = SfpuOp | TileOp
Told = tuple[str, tuple[int, ...], tuple[int, ...]]
"""An operation in short: name, slots and parameters of the vector engine."""
Placed = tuple[tuple[int, ...], Operation]
"""The loops and conditions around an operation, by number, and the operation."""


def check_folds(kernel: LoweredKernel) -> None:
    """Each reduction of the program is planned as it is (TTB403) and done as planned, each tile once (TTB403), with
    masks of the tensor's own size, of ones, and the reduction's identity beside them (TTB408).
    """
    _check_masks(kernel)
    compute = next(body for body in kernel.bodies if body.role == "compute")
    blocks = [stmt for stmt in walk(compute.body) if isinstance(stmt, Block)]
    for number, sweep in enumerate(kernel.sweeps):
        for fold in sweep.folds:
            _check_plan(kernel, fold)
        if sweep.folds:
            for block in blocks:
                if block.sweep == number:
                    _check_block(kernel, sweep, block)


def _check_masks(kernel: LoweredKernel) -> None:
    """A mask tile is of ones, and of a size that an operand of a reduction is ragged by."""
    program = program_of(kernel)
    values = program.values
    operands = [
        (values[values[fold.value].args[0]].shape, fold.axes) for sweep in kernel.sweeps for fold in sweep.folds
    ]
    ragged = {(side, shape[axis] % TILE) for shape, axes in operands for axis, side, _ in _SIDES if axis in axes}
    if kernel.contractions:
        for side in SIDES:
            axis, lines, _ = _SIDES[axes_of(program, side).index("k")]
            ragged |= {(lines, values[index].shape[axis] % TILE) for index in computed_operands(program, side)}
    widths = {value.shape[-1] for value in values}  # block-float tiles are masked beside any ragged row
    ragged |= {
        ("columns", width % TILE)
        for width in widths
        if any(DTYPES[cb.dtype].is_block for cb in kernel.circular_buffers)
    }
    for mask in kernel.masks:
        if (mask.axis, mask.count) not in ragged:
            fail(kernel, "TTB408", f"{mask.cb} keeps {mask.count} {mask.axis}")
    for body in kernel.bodies:
        for stmt in walk(body.body):
            if isinstance(stmt, FillTile) and stmt.value_bits != _ONE_BFLOAT16:
                fail(kernel, "TTB408", f"{stmt.cb} is filled with 0x{stmt.value_bits:08x}")


def _check_plan(kernel: LoweredKernel, fold: Fold) -> None:
    values = program_of(kernel).values
    reduction = values[fold.value]
    shape = values[reduction.args[0]].shape
    op = "sum" if reduction.op == "mean" else reduction.op
    count = (shape[-2] if -2 in reduction.axes else 1) * (shape[-1] if -1 in reduction.axes else 1)
    scale = _bits(1.0 / count) if reduction.op == "mean" and count > 1 else None
    expected = op, reduction.dtype, reduction.axes, _identity(op, reduction.dtype), scale
    if (fold.op, fold.dtype, fold.axes, fold.bits, fold.scale) != expected:
        fail(kernel, "TTB403", f"{fold.cb} is planned as {fold.op} over {fold.axes}, not as {reduction.op}")


def _check_block(kernel: LoweredKernel, sweep: Sweep, block: Block) -> None:
    ends = {sweep.spill} if sweep.spill else set()
    for fold in sweep.folds:
        found: list[Placed] = []
        for section in (s for s in walk(block.body) if isinstance(s, Section)):
            packed = {(s.dst, s.cb) for s in walk(section.packs) if isinstance(s, Pack)}
            if packed & {(fold.slot, cb) for cb in (*ends, fold.part_cb or fold.parts_cb or fold.cb)}:
                found += list(_operations(section.math, ()))
        _check_sequence(kernel, sweep, fold, [entry for entry in found if _touches(entry[1], fold.slot)])
        _check_last_word(kernel, fold, found)
        _check_identities(kernel, fold, found)
        if fold.parts_cb:
            _check_parts(kernel, fold, block)


def _check_parts(kernel: LoweredKernel, fold: Fold, block: Block) -> None:
    """Partial results are combined one by one, from the identity on, and scaled in the end."""
    sections = [s for s in walk(block.body) if isinstance(s, Section)]
    combining = [s for s in sections if any(isinstance(p, Pack) and p.cb == fold.cb for p in s.packs)]
    operations = [entry for section in combining for entry in _operations(section.math, ())]
    told = [((s.op, s.cbs) if isinstance(s, TileOp) else (s.function, s.slots)) for _, s in operations]
    expected = [(FILL, ()), ("copy", (fold.parts_cb,)), (_COMBINE[fold.op], (0, 1))]
    expected += [("mul", (0,))] if fold.scale is not None else []
    params = [s.params for _, s in operations if isinstance(s, SfpuOp) and s.params]
    if told != expected or params != [(fold.bits,), *([(fold.scale,)] if fold.scale is not None else [])]:
        fail(kernel, "TTB403", f"the parts of {fold.cb} are combined by {told}")


def _operations(statements: tuple[Stmt, ...], path: tuple[int, ...]) -> Iterator[Placed]:
    for number, stmt in enumerate(statements):
        if isinstance(stmt, Loop | When | Block):
            yield from _operations(stmt.body, (*path, number))
        elif isinstance(stmt, SfpuOp | TileOp):
            yield path, stmt


def _out(operation: Operation) -> int:
    return operation.dst if isinstance(operation, TileOp) else operation.out


def _touches(operation: Operation, slot: int) -> bool:
    return _out(operation) == slot or (isinstance(operation, SfpuOp) and slot in operation.slots)


def _check_sequence(kernel: LoweredKernel, sweep: Sweep, fold: Fold, found: list[Placed]) -> None:
    """All that happens to the accumulator: it starts, each tile is added, it is reduced and scaled."""
    start: Told = (FILL, (), (fold.bits,))
    add: Told = (_COMBINE[fold.op], (fold.slot, fold.source), ())
    finish: list[Told] = [
        (f"reduce_{fold.op}_{lines}", (fold.slot,), ()) for axis, _, lines in _SIDES if axis in fold.axes
    ]
    if fold.scale is not None and not fold.parts_cb:
        finish.append(("mul", (fold.slot,), (fold.scale,)))
    load: Told = ("copy", (), ())
    expected = [start, load, add, load, *finish] if sweep.spill else [start, add, *finish]
    told = [(s.op, (), ()) if isinstance(s, TileOp) else (s.function, s.slots, s.params) for _, s in found]
    loads = [s for _, s in found if isinstance(s, TileOp)]
    if told != expected or any(s.cbs != (sweep.spill,) for s in loads) or any(_out(s) != fold.slot for _, s in found):
        fail(kernel, "TTB403", f"{fold.cb} is gathered by {[name for name, _, _ in told]}")


def _check_last_word(kernel: LoweredKernel, fold: Fold, found: list[Placed]) -> None:
    """A tile is added where it is loaded, each time, after all else was done to it."""
    at = next(i for i, (_, s) in enumerate(found) if isinstance(s, SfpuOp) and s.slots == (fold.slot, fold.source))
    path = found[at][0]
    masks = {mask.cb for mask in kernel.masks}
    loaded = {place for place, s in found if isinstance(s, TileOp) and not masks & {*s.cbs} and _out(s) != fold.slot}
    later = [s for place, s in found[at + 1 :] if place[: len(path)] == path and _out(s) == fold.source]
    if (loaded and path not in loaded) or (path and later):
        fail(kernel, "TTB403", f"{fold.cb} does not gather each tile as it is loaded")


def _check_identities(kernel: LoweredKernel, fold: Fold, found: list[Placed]) -> None:
    """Behind each mask tile that goes over the fold's tile: the identity, and the choice between the two.

    Where the identity is zero, the mask's own zeros serve.
    """
    masks = {mask.cb for mask in kernel.masks}
    applied = 0
    operations = [operation for _, operation in found]
    for at, load in enumerate(operations):
        if not isinstance(load, TileOp) or not masks & {*load.cbs}:
            continue
        number, choice = (
            (load.dst, operations[at + 1]) if fold.bits == 0 else (_out(operations[at + 1]), operations[at + 2])
        )
        if _out(choice) != fold.source:
            continue
        applied += 1
        filled = operations[at + 1]
        right = fold.bits == 0 or (
            isinstance(filled, SfpuOp) and (filled.function, filled.params) == (FILL, (fold.bits,))
        )
        wanted = ("where", (load.dst, fold.source, number))
        if not right or not isinstance(choice, SfpuOp) or (choice.function, choice.slots) != wanted:
            fail(kernel, "TTB408", f"what {load.cbs[0]} leaves out of {fold.cb} is not its identity")
    values = program_of(kernel).values
    shape = values[values[fold.value].args[0]].shape
    if applied != sum(axis in fold.axes and shape[axis] % TILE != 0 for axis, _, _ in _SIDES):
        fail(kernel, "TTB408", f"{applied} masks over the tiles of {fold.cb}")


def _identity(op: str, dtype: str) -> int:
    """The bits of the number that changes no result."""
    if op == "sum":
        return 0
    if DTYPES[dtype].is_float:
        return _bits(float("-inf") if op == "max" else float("inf"))
    return (_LEAST if op == "max" else _LARGEST)[dtype] & 0xFFFFFFFF


def _bits(number: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", number))[0])
