"""The sweeps in front of a blocked matmul, used by ``plan_blocks``: an operand is computed, and stays in L1.

A unit of the matmul is a block of the output. The sweeps walk its rows of tiles, or its columns, and all of K, as those
of a reduction do, and leave the operand in a circular buffer, from which the matrix engine takes it step by step.
Padding of its last K tile is zero. What is as large as the operand comes like an operand that is not computed: one core
of a row of the grid of units, or of a column, may read it for all. What all units share comes once a core.

Where each core has one unit, the cores of a row may compute a step along K of the first operand each (the blocking
``rotates``): the last sweep walks the core's own columns, which the core reads itself, and sends in its turn. What is
reduced all cores reduce alike, from rows that they all hold: only where all of them have the same row of tiles.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from tt_build.ir.index import Index, names_in, var
from tt_build.ir.stages import TILE, UNIT, Intermediate, MappedKernel, Operand, Stream, Sweep
from tt_build.lang.program import Binding, Program, Value
from tt_build.passes.dst_sections import Store
from tt_build.passes.places import along_unit, operand_column
from tt_build.passes.prologues import axes_of, before_products, computed_operands
from tt_build.passes.stage_planner import StagePlanner
from tt_build.passes.sweep_planner import CHOICES, Choice, Job, SweepPlanner
from tt_build.passes.tile_dtypes import cut_dtype, turned_dtype
from tt_build.targets import DTYPES, Arch

PROLOGUE_CHOICES = tuple(choice for choice in CHOICES if choice.share and not choice.keep)
"""What may stay in L1 of what the operand is computed from, the best first; operands of all units do in each."""

_NOTHING = Value(op="const", shape=(1, 1), dtype="float32", params=(0.0,))


class ProloguePlanner(SweepPlanner):
    """Plans the sweeps of one side's operands under one choice; ``operands`` has the circular buffer of each, by its
    value.

    Names, streams and masks are shared with the planner of the product ``beside`` it, where there is one; ``first`` is
    the number of the first sweep.
    """

    unturned = True

    def __init__(
        self,
        kernel: MappedKernel,
        arch: Arch,
        choice: Choice,
        side: int,
        beside: StagePlanner | None = None,
        first: int = 0,
    ) -> None:
        super().__init__(kernel, arch, choice)
        self.output = kernel.outputs[0]
        self.first = first
        self.operands: dict[int, str] = {}
        if beside is not None:
            self.names, self.streams, self.masks = beside.names, beside.streams, beside.masks
            self.intermediates, self.cutter = beside.intermediates, beside.cutter
        own, whole = before_products(self.program, side), self.program
        self.computed = computed_operands(whole, side)
        self.side: Operand = "in1" if side else "in0"
        self.axes = axes_of(whole, side)
        self.k_axis = self.axes.index("k")
        self.rows, self.columns = whole.values[self.computed[0]].shape[-2:]
        self.reduced = (self.rows, self.columns)[self.k_axis]
        blocking = kernel.blocking
        self.step = blocking.k_block if blocking is not None and blocking.rotates and side == 0 else 0
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
        """What the operand's buffer holds: DST's precision, or that to which the operand is cast, or exactly what a
        tensor has that is only transposed.
        """
        if value.op == "transpose":
            return turned_dtype(value.dtype)
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
        ragged = self.reduced % TILE
        axis: Literal["rows", "columns"] = "columns" if self.k_axis else "rows"
        return Store(value=binding.value, cb=cb, mask=self.cutter.mask(axis, ragged) if ragged else "", axis=axis)

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
        return replace(super()._sweep(self.first + number, group), axes=self.axes, by_columns=self.k_axis == 0)

    def _stream(self, index: int, target: tuple[int, int], sweep: int) -> str:
        own, self.is_own = self.is_own, self.is_own and index not in self.whole
        try:
            return self._brought(index, target, sweep)
        finally:
            self.is_own = own

    def _brought(self, index: int, target: tuple[int, int], sweep: int) -> str:
        look = self._view(index)
        (piece,) = look.pieces
        source = self.source(piece)
        matrix = self._matrix(index)
        extent = self._extent(matrix)
        fixed = not names_in(source.page) & {"bx", "by", "bz"}
        across = 1 - self.k_axis
        alike = matrix[across] == 1 < (self.rows, self.columns)[across] or (self.step > 0 and not self.is_own)
        per: Literal["core", "unit", "sweep"] = "unit"
        if fixed and (extent == (1, 1) or alike):
            per = "core"
        elif extent[self.k_axis] > 1 and extent == self._extent(target) and not self._is_held(index):
            per = "sweep"
        plain = self.is_plain(index)
        one = per == "core" and extent == (1, 1) and plain
        return self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[source.tensor]}",
                tensor=source.tensor,
                page=source.page,
                per=per,
                unpack_to_dest=self.kernel.tensor(source.tensor).dtype == "float32" and self.fp32,
                transpose=look.transposed,
                extent=extent,
                sweep=sweep if per == "sweep" else -1,
                view=-1 if plain else index,
                operand="" if per == "core" or self.step else self.side,
                axes=UNIT if one else self.axes,
            )
        )

    def _place(self) -> tuple[Index, Index]:
        along_k = var("tile_row") if self.k_axis == 0 else operand_column(self.kernel, own=self.is_own)
        across = self.axes[1 - self.k_axis]
        assert across != "k"
        in_unit = along_unit(self.kernel, across, "tile_row" if self.k_axis else "tile_column")
        return (in_unit, along_k) if self.k_axis else (along_k, in_unit)

    def _extent(self, matrix: tuple[int, int]) -> tuple[int, int]:
        return self._extent_of(matrix, own=self.is_own)

    def _extent_of(self, matrix: tuple[int, int], *, own: bool) -> tuple[int, int]:
        rows, columns = (-(-extent // TILE) for extent in matrix)
        height, width = self.kernel.unit_tiles
        if self.k_axis == 0:
            return rows, min(columns, width)
        return min(rows, height if self.axes[0] == "rows" else width), min(columns, self.step) if own else columns
