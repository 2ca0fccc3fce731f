"""What a prologue takes of L1, memory and time, as the planner of a matmul's blocks needs it.

The figures are those of the sweeps themselves: ``plan_prologue`` plans them for a stand-in of the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from tt_build.ir.stages import (
    TILE,
    Blocking,
    DefaultedKernel,
    MappedKernel,
    PersistentLoop,
    StagedKernel,
    Stream,
    memory_of,
)
from tt_build.ir.work import Grid
from tt_build.model.constants import has_figures, vector_cycles
from tt_build.model.streaming import swept_cycles
from tt_build.passes.common import extend
from tt_build.passes.kinds import REDUCTIONS
from tt_build.passes.movement import sunk
from tt_build.passes.plan_prologue import PROLOGUE_CHOICES, ProloguePlanner
from tt_build.passes.prologues import SIDES, before_products, behind_products, computed_operands
from tt_build.passes.sweep_planner import Choice
from tt_build.passes.tensorize_steps import COMBINE
from tt_build.spec.model import CoreRegion
from tt_build.targets import DTYPES, Arch

_LINES = 2
"""Rows and columns of the stand-in's blocks: what has as many is as large as a block, all else the same for all."""

_BLOCKS = 2  # that a buffer of what is streamed holds


class Share(msgspec.Struct, frozen=True):
    """A quantity of a line of tiles of the unit, of all of K, and one of the unit: lines are rows of a first operand,
    columns of a second.
    """

    line: int = 0
    unit: int = 0

    def of(self, lines: int) -> int:
        """Of a unit of so many lines."""
        return lines * self.line + self.unit

    def __add__(self, other: Share) -> Share:
        return Share(self.line + other.line, self.unit + other.unit)


class SideCost(msgspec.Struct, frozen=True, kw_only=True):
    """What computes the operands of one side; bytes, and cycles of a core. Nothing where none is computed.

    ``l1`` are the circular buffers at their smallest. Of what a unit brings ``held`` comes in one piece, ``streamed``
    is brought by lines; ``in_dram`` is that part of both that lies in DRAM. ``once`` is brought once a core, of which
    ``once_in_dram`` lies in DRAM. ``cycles`` are those of the engines. ``operand`` is a tile of the operands.
    """

    l1: Share = Share()
    held: Share = Share()
    streamed: Share = Share()
    in_dram: Share = Share()
    once: int = 0
    once_in_dram: int = 0
    cycles: Share = Share()
    operand: int = 0


class PrologueCost(msgspec.Struct, frozen=True, kw_only=True):
    """A prologue under the ``choice`` of what stays in L1.

    The figures of the ``first`` operand are those of ``columns`` tiles of K where cores of a row compute a step each,
    which its ``l1`` holds beside, else of all.
    """

    choice: str
    columns: int = 0
    first: SideCost = SideCost()
    second: SideCost = SideCost()

    def cycles(self, block: tuple[int, int]) -> int:
        """Those of a unit of so many rows and columns of tiles."""
        return self.first.cycles.of(block[0]) + self.second.cycles.of(block[1])

    def l1(self, block: tuple[int, int]) -> int:
        """Bytes of circular buffers that such a unit needs at least."""
        return self.first.l1.of(block[0]) + self.second.l1.of(block[1])

    def streamed(self, block: tuple[int, int]) -> int:
        """Bytes that such a unit brings by lines."""
        return self.first.streamed.of(block[0]) + self.second.streamed.of(block[1])

    @property
    def once(self) -> int:
        """Bytes that come once a core."""
        return self.first.once + self.second.once

    @property
    def once_in_dram(self) -> int:
        """Those of them that lie in DRAM."""
        return self.first.once_in_dram + self.second.once_in_dram


def prologue_costs(kernel: DefaultedKernel, arch: Arch) -> tuple[PrologueCost, ...]:
    """The figures under each choice, the best first; none where no operand is computed.

    Where cores may compute a step of the first operand each, also those of every step of which all of K is a whole
    number. For that all cores must have the same row of tiles where something is reduced.
    """
    program = sunk(kernel.program, unturned=True).program
    if not computed_operands(program):
        return ()
    found = [_cost(kernel, arch, choice) for choice in PROLOGUE_CHOICES]
    firsts = {value.args[0] for value in program.values if value.op == "matmul"}
    reduced = any(program.values[index].op in REDUCTIONS for index in before_products(program, 0))
    output = kernel.outputs[0]
    if (
        not computed_operands(program, 0)
        or len(firsts) > 1
        or (reduced and (output.matrix[0] > TILE or math.prod(output.batch) > 1))
    ):
        return tuple(found)
    tiles = -(-program.values[firsts.pop()].shape[-1] // TILE)
    steps = [columns for columns in range(1, tiles) if tiles % columns == 0]
    return (*found, *(_in_turn(kernel, arch, found[0], columns) for columns in steps))


def _in_turn(kernel: DefaultedKernel, arch: Arch, whole: PrologueCost, columns: int) -> PrologueCost:
    planned = _planned(kernel, arch, PROLOGUE_CHOICES[0], 0, columns)
    return replace(whole, columns=columns, first=_side_cost(planned))


def _stand_in(kernel: DefaultedKernel, columns: int) -> MappedKernel:
    """The kernel with blocks of so many lines, and nothing of where they lie. ``columns`` as in ``PrologueCost``."""
    block = _LINES, _LINES
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


class _Planned(NamedTuple):
    """The sweeps of one side's operands; ``axis`` is that of their lines, ``operand`` as in ``SideCost``."""

    staged: StagedKernel
    axis: int
    operand: int

    @property
    def once(self) -> list[Stream]:
        """What comes once a core, but for what comes for the sweep behind the product, too."""
        numbers = _numbers_behind(self.staged)
        return [s for s in self.staged.streams if s.per == "core" and s.tensor not in numbers]


def _cost(kernel: DefaultedKernel, arch: Arch, choice: Choice) -> PrologueCost:
    first, second = (_planned(kernel, arch, choice, side) for side in SIDES)
    return PrologueCost(choice=choice.name, first=_side_cost(first), second=_side_cost(second, beside=first))


def _planned(kernel: DefaultedKernel, arch: Arch, choice: Choice, side: int, columns: int = 0) -> _Planned | None:
    """None where no operand of that side is computed."""
    if not computed_operands(sunk(kernel.program, unturned=True).program, side):
        return None
    planner = ProloguePlanner(_stand_in(kernel, columns), arch, choice, side)
    staged = planner.staged("")
    sizes = {item.cb: DTYPES[item.dtype].tile_bytes for item in staged.intermediates}
    operand = sum(sizes[cb] for cb in planner.operands.values())
    return _Planned(staged, 1 - planner.k_axis, operand)


def _side_cost(planned: _Planned | None, beside: _Planned | None = None) -> SideCost:
    """``beside`` are the sweeps of the other side, with which comes what both read."""
    if planned is None:
        return SideCost()
    staged, axis, operand = planned
    known = {replace(stream, cb="") for stream in beside.once} if beside is not None else set[Stream]()
    own = [stream for stream in planned.once if replace(stream, cb="") not in known]
    once, once_in_dram = _brought(staged, axis, own)
    held, held_in_dram = _brought(staged, axis, [s for s in staged.streams if s.per == "unit"])
    streamed, streamed_in_dram = _brought(staged, axis, [s for s in staged.streams if s.per == "sweep"])
    cycles = Share()
    for sweep in staged.sweeps if has_figures(staged.arch) else ():
        gathered = sum(vector_cycles(staged.arch, COMBINE[fold.op]) for fold in sweep.folds)
        cycles += _share(sweep.extent, axis, round(swept_cycles(staged, sweep) + gathered))
    return SideCost(
        l1=held + _buffered(staged, axis) + Share(0, once.unit),
        held=held,
        streamed=streamed,
        in_dram=held_in_dram + streamed_in_dram,
        once=once.unit,
        once_in_dram=once_in_dram.unit,
        cycles=cycles,
        operand=operand,
    )


def _share(extent: tuple[int, int], axis: int, size: int) -> Share:
    """``size`` for each of so many rows and columns of tiles, of which those along ``axis`` may be the unit's."""
    return Share(extent[1 - axis] * size, 0) if extent[axis] == _LINES else Share(0, extent[0] * extent[1] * size)


def _numbers_behind(staged: StagedKernel) -> frozenset[str]:
    """Tensors of one number that the sweep behind the product reads, too: they come once for both."""
    program = sunk(staged.program, unturned=True).program
    tensors = [staged.tensor(program.values[i].name) for i in behind_products(program) if program.values[i].name]
    found = {tensor.name for tensor in tensors if math.prod(tensor.shape) == 1}
    return frozenset(found if min(staged.outputs[0].matrix) > 1 else ())


def _brought(staged: StagedKernel, axis: int, streams: Iterable[Stream]) -> tuple[Share, Share]:
    """Bytes of the streams, and those of them that lie in DRAM."""
    found, in_dram = Share(), Share()
    for stream in streams:
        tensor = staged.tensor(stream.tensor)
        size = _share(stream.extent, axis, DTYPES[tensor.dtype].tile_bytes)
        found += size
        in_dram += size if memory_of(tensor.layout) == "dram" else Share()
    return found, in_dram


def _buffered(staged: StagedKernel, axis: int) -> Share:
    """Circular buffers of what is streamed, at their smallest, of what sweeps hand on, and of masks."""
    spilled = {sweep.spill for sweep in staged.sweeps}
    found = Share(0, len(staged.masks) * DTYPES["bfloat16"].tile_bytes)
    for stream in staged.streams:
        if stream.per == "sweep":
            found += Share(0, 2 * DTYPES[staged.tensor(stream.tensor).dtype].tile_bytes)
    for item in staged.intermediates:
        size, blocks = DTYPES[item.dtype].tile_bytes, 2 if item.cb in spilled else 1
        found += _share(item.extent, axis, size) if item.extent is not None else Share(0, blocks * item.tiles * size)
    return found
