"""The sweeps in front of a blocked matmul, used by ``plan_blocks``: its first operand is computed, and stays in L1.

A unit of the matmul is a block of the output. The sweeps walk its rows of tiles and all of K, as those of a reduction
do, and leave the operand in a circular buffer of the block's rows, from which the matrix engine takes it step by step.
Padding of its last K tile is zero. What is as large as the operand comes like a first operand that is not computed: one
core of a row of the grid of units may read it for all. Rows that all units share come once a core.

Where each core has one unit, the cores of a row may compute a step along K each (the blocking ``rotates``): the last
sweep walks the core's own columns, which the core reads itself, and sends in its turn. What is reduced all cores reduce
alike, from rows that they all hold: only where all of them have the same row of tiles.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from tt_build.ir.index import Index, names_in
from tt_build.ir.stages import TILE, Intermediate, MappedKernel, Stream, Sweep
from tt_build.lang.program import Binding, Program, Value
from tt_build.passes.dst_sections import Store
from tt_build.passes.pages import tiles_of
from tt_build.passes.places import operand_column, unit_row
from tt_build.passes.prologues import before_products, computed_operands
from tt_build.passes.stage_planner import StagePlanner
from tt_build.passes.sweep_planner import CHOICES, Choice, Job, SweepPlanner
from tt_build.passes.tile_dtypes import cut_dtype
from tt_build.targets import DTYPES, Arch

PROLOGUE_CHOICES = tuple(choice for choice in CHOICES if choice.share and not choice.keep)
"""What may stay in L1 of what the operand is computed from, the best first; operands of all units do in each."""

_NOTHING = Value(op="const", shape=(1, 1), dtype="float32", params=(0.0,))


class ProloguePlanner(SweepPlanner):
    """Plans the sweeps under one choice; ``operands`` has the circular buffer of each operand, by its value.

    Names, streams and masks are shared with the planner of the product ``beside`` it, where there is one.
    """

    def __init__(self, kernel: MappedKernel, arch: Arch, choice: Choice, beside: StagePlanner | None = None) -> None:
        super().__init__(kernel, arch, choice)
        self.output = kernel.outputs[0]
        self.height = tiles_of(self.output)[0]
        self.operands: dict[int, str] = {}
        if beside is not None:
            self.names, self.streams, self.masks = beside.names, beside.streams, beside.masks
            self.intermediates, self.cutter = beside.intermediates, beside.cutter
        own, whole = before_products(self.program), self.program
        self.computed = computed_operands(whole)
        self.columns = whole.values[self.computed[0]].shape[-1]
        blocking = kernel.blocking
        self.step = blocking.k_block if blocking is not None and blocking.rotates else 0
        self.is_own = False  # whether the present sweep walks the core's own columns
        self.whole: set[int] = set()  # leaves of which all cores hold whole rows
        values = tuple(value if index in own else _NOTHING for index, value in enumerate(whole.values))
        outputs = tuple(Binding(tensor=str(index), value=self._stored(whole, index)) for index in self.computed)
        self.program = Program(values=values, outputs=outputs, ops=whole.ops)

    def _stored(self, program: Program, operand: int) -> int:
        """The value that is packed: where the operand is a cast of a float the packer rounds."""
        value = program.values[operand]
        floats = value.op == "cast" and DTYPES[program.values[value.args[0]].dtype].is_float
        return value.args[0] if floats and self._operand_dtype(value) == value.dtype else operand

    def _operand_dtype(self, value: Value) -> str:
        """What the operand's buffer holds: DST's precision, or that to which the operand is cast."""
        narrow = value.op == "cast" and value.dtype != "float32"
        return value.dtype if narrow else cut_dtype(value, fp32=self.fp32)

    def _result(self, binding: Binding) -> Store:
        operand = int(binding.tensor)
        cb, dtype = self.names.unique("cb_operand"), self._operand_dtype(self.program.values[operand])
        self.operands[operand] = cb
        self.cutter.dtypes[cb] = dtype
        rows, columns = extent = self._extent_of(self._matrix(operand), own=self.step > 0)
        self.intermediates.append(
            Intermediate(cb=cb, dtype=dtype, tiles=rows * columns, unpack_to_dest=False, extent=extent)
        )
        ragged = self.columns % TILE
        return Store(value=binding.value, cb=cb, mask=self.cutter.mask("columns", ragged) if ragged else "")

    def _makes_operand(self, group: list[Job]) -> bool:
        return any(store.cb in self.operands.values() for job in group for store in job.stores)

    def _joins(self, group: list[Job], job: Job) -> bool:
        return self._makes_operand(group) == self._makes_operand([job]) and super()._joins(group, job)

    def _readers(self, groups: list[list[Job]]) -> dict[int, int]:
        others = (group for group in groups if not self._makes_operand(group))
        self.whole = {leaf for group in others for leaf in super(ProloguePlanner, self)._readers([group])}
        return super()._readers(groups)

    def _sweep(self, number: int, group: list[Job]) -> Sweep:
        self.is_own = self.step > 0 and self._makes_operand(group)
        return replace(super()._sweep(number, group), before=True)

    def _stream(self, index: int, target: tuple[int, int], sweep: int) -> str:
        own, self.is_own = self.is_own, self.is_own and index not in self.whole
        try:
            return self._brought(index, target, sweep)
        finally:
            self.is_own = own

    def _brought(self, index: int, target: tuple[int, int], sweep: int) -> str:
        (piece,) = self._view(index).pieces
        source = self.source(piece)
        matrix = self._matrix(index)
        extent = self._extent(matrix)
        fixed = not names_in(source.page) & {"bx", "by", "bz"}
        alike = matrix[0] == 1 < self.output.matrix[0] or (self.step > 0 and not self.is_own)
        per: Literal["core", "unit", "sweep"] = "unit"
        if fixed and (extent == (1, 1) or alike):
            per = "core"
        elif extent[1] > 1 and extent == self._extent(target) and not self._is_held(index):
            per = "sweep"
        return self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[source.tensor]}",
                tensor=source.tensor,
                page=source.page,
                per=per,
                unpack_to_dest=self.kernel.tensor(source.tensor).dtype == "float32" and self.fp32,
                extent=extent,
                sweep=sweep if per == "sweep" else -1,
                operand="" if per == "core" or self.step else "in0",
                reduced=0 if per == "core" and extent == (1, 1) else self.columns,
            )
        )

    def _place(self) -> tuple[Index, Index]:
        return unit_row(self.kernel, self.height), operand_column(self.kernel, own=self.is_own)

    def _extent(self, matrix: tuple[int, int]) -> tuple[int, int]:
        return self._extent_of(matrix, own=self.is_own)

    def _extent_of(self, matrix: tuple[int, int], *, own: bool) -> tuple[int, int]:
        rows, columns = (-(-extent // TILE) for extent in matrix)
        return min(rows, self.kernel.unit_tiles[0]), min(columns, self.step) if own else columns
