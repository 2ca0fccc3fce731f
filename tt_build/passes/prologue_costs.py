"""What a prologue takes of L1, memory and time, as the planner of a matmul's blocks needs it.

The figures are those of the sweeps themselves: ``plan_prologue`` plans them for a stand-in of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import msgspec

from tt_build.ir.stages import (
    TILE,
    Blocking,
    DefaultedKernel,
    MappedKernel,
    PersistentLoop,
    StagedKernel,
    memory_of,
)
from tt_build.ir.work import Grid
from tt_build.model.constants import has_figures, vector_cycles
from tt_build.model.streaming import swept_cycles
from tt_build.passes.common import extend
from tt_build.passes.kinds import REDUCTIONS
from tt_build.passes.movement import sunk
from tt_build.passes.plan_prologue import PROLOGUE_CHOICES, ProloguePlanner
from tt_build.passes.prologues import before_products, behind_products, computed_operands
from tt_build.passes.sweep_planner import Choice
from tt_build.passes.tensorize_steps import COMBINE
from tt_build.spec.model import CoreRegion
from tt_build.targets import DTYPES, Arch

_ROWS = 2
"""Rows of the stand-in's blocks: what has as many is as high as a block, all else is the same for all rows."""

_BLOCKS = 2  # that a buffer of what is streamed holds


class Share(msgspec.Struct, frozen=True):
    """A quantity of a row of tiles of the unit, and one of the unit."""

    row: int = 0
    unit: int = 0

    def of(self, rows: int) -> int:
        """Of a unit of so many rows."""
        return rows * self.row + self.unit

    def __add__(self, other: Share) -> Share:
        return Share(self.row + other.row, self.unit + other.unit)


class PrologueCost(msgspec.Struct, frozen=True, kw_only=True):
    """A prologue under the ``choice`` of what stays in L1; bytes, and cycles of a core.

    ``l1`` are the circular buffers at their smallest. Of what a unit brings ``held`` comes in one piece, ``streamed``
    is brought by rows; ``in_dram`` is that part of both that lies in DRAM. ``once`` is brought once a core, of which
    ``once_in_dram`` lies in DRAM. ``cycles`` are those of the engines. ``operand`` is a tile of the operands. All are
    those of ``columns`` tiles of K where cores of a row compute a step each, which ``l1`` holds beside, else of all.
    """

    choice: str
    columns: int = 0
    l1: Share = Share()
    held: Share = Share()
    streamed: Share = Share()
    in_dram: Share = Share()
    once: int = 0
    once_in_dram: int = 0
    cycles: Share = Share()
    operand: int = 0


def prologue_costs(kernel: DefaultedKernel, arch: Arch) -> tuple[PrologueCost, ...]:
    """The figures under each choice, the best first; none where no first operand is computed.

    Where cores may compute a step each, also those of every step of which all of K is a whole number. For that all
    cores must have the same row of tiles where something is reduced.
    """
    program = kernel.program
    if not computed_operands(program):
        return ()
    found = [_cost(kernel, arch, choice) for choice in PROLOGUE_CHOICES]
    firsts = {value.args[0] for value in program.values if value.op == "matmul"}
    reduced = any(program.values[index].op in REDUCTIONS for index in before_products(program))
    output = kernel.outputs[0]
    if len(firsts) > 1 or (reduced and (output.matrix[0] > TILE or math.prod(output.batch) > 1)):
        return tuple(found)
    tiles = -(-program.values[firsts.pop()].shape[-1] // TILE)
    steps = [columns for columns in range(1, tiles) if tiles % columns == 0]
    return (*found, *(_cost(kernel, arch, PROLOGUE_CHOICES[0], columns) for columns in steps))


def _stand_in(kernel: DefaultedKernel, columns: int) -> MappedKernel:
    """The kernel with blocks of ``_ROWS`` rows, and nothing of where they lie. ``columns`` as in ``PrologueCost``."""
    block = _ROWS, 1
    return extend(
        MappedKernel,
        kernel,
        algorithm="",
        policy="",
        order="",
        grid=Grid(x=1, y=1, z=1),
        unit_tiles=block,
        region=CoreRegion(at=(0, 0), size=(1, 1)),
        work=(),
        buffers=(),
        loop=PersistentLoop(args=(), body=()),
        core_ranges=(),
        blocking=Blocking(block=block, k_block=columns, subblock=(1, 1), depth=1, rotates=columns > 0),
    )


def _cost(kernel: DefaultedKernel, arch: Arch, choice: Choice, columns: int = 0) -> PrologueCost:
    planner = ProloguePlanner(_stand_in(kernel, columns), arch, choice)
    staged = planner.staged("")
    numbers = _numbers_behind(staged)
    once, once_in_dram = _brought(staged, "core", but=numbers)
    held, held_in_dram = _brought(staged, "unit")
    streamed, streamed_in_dram = _brought(staged, "sweep")
    cycles = Share()
    for sweep in staged.sweeps if has_figures(arch.name) else ():
        gathered = sum(vector_cycles(arch.name, COMBINE[fold.op]) for fold in sweep.folds)
        cycles += _share(sweep.extent, round(swept_cycles(staged, sweep) + gathered))
    sizes = {item.cb: DTYPES[item.dtype].tile_bytes for item in staged.intermediates}
    return PrologueCost(
        choice=choice.name,
        columns=columns,
        l1=held + _buffered(staged) + Share(0, once.unit),
        held=held,
        streamed=streamed,
        in_dram=held_in_dram + streamed_in_dram,
        once=once.unit,
        once_in_dram=once_in_dram.unit,
        cycles=cycles,
        operand=sum(sizes[cb] for cb in planner.operands.values()),
    )


def _share(extent: tuple[int, int], size: int) -> Share:
    """``size`` for each of so many rows and columns of tiles."""
    return Share(extent[1] * size, 0) if extent[0] == _ROWS else Share(0, extent[0] * extent[1] * size)


def _numbers_behind(staged: StagedKernel) -> frozenset[str]:
    """Tensors of one number that the sweep behind the product reads, too: they come once for both."""
    program = sunk(staged.program).program
    tensors = [staged.tensor(program.values[i].name) for i in behind_products(program) if program.values[i].name]
    found = {tensor.name for tensor in tensors if math.prod(tensor.shape) == 1}
    return frozenset(found if min(staged.outputs[0].matrix) > 1 else ())


def _brought(staged: StagedKernel, per: str, but: Collection[str] = ()) -> tuple[Share, Share]:
    """Bytes that come so often, and those of them that lie in DRAM; not those of these tensors."""
    found, in_dram = Share(), Share()
    for stream in staged.streams:
        if stream.per == per and stream.tensor not in but:
            tensor = staged.tensor(stream.tensor)
            size = _share(stream.extent, DTYPES[tensor.dtype].tile_bytes)
            found += size
            in_dram += size if memory_of(tensor.layout) == "dram" else Share()
    return found, in_dram


def _buffered(staged: StagedKernel) -> Share:
    """Circular buffers of what is streamed, at their smallest, of what sweeps hand on, and of masks."""
    spilled = {sweep.spill for sweep in staged.sweeps}
    found = Share(0, len(staged.masks) * DTYPES["bfloat16"].tile_bytes)
    for stream in staged.streams:
        if stream.per == "sweep":
            found += Share(0, 2 * DTYPES[staged.tensor(stream.tensor).dtype].tile_bytes)
    for item in staged.intermediates:
        size, blocks = DTYPES[item.dtype].tile_bytes, 2 if item.cb in spilled else 1
        found += _share(item.extent, size) if item.extent is not None else Share(0, blocks * item.tiles * size)
    return found
