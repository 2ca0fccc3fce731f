"""The compute kernel's body of a kernel of sweeps: a section a tile, or a section for all tiles that are reduced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tt_build.ir.index import Index, dim, num, var
from tt_build.ir.lowered import Loop, Pack, Pop, Push, Reserve, Section, Startup, Stmt, TileOp, Wait, When
from tt_build.ir.stages import (
    SECOND,
    SECOND_TURNED,
    Fold,
    FpuStep,
    Intermediate,
    LoadStep,
    MaskStep,
    MatmulStep,
    PaddedKernel,
    SectionPlan,
    StagedKernel,
    Step,
    Stream,
    Sweep,
)
from tt_build.passes import loops
from tt_build.passes.inits import place_inits
from tt_build.passes.places import operand_column, unit_column, unit_row
from tt_build.passes.sfpu_calls import is_integer
from tt_build.passes.sweep_loops import (
    block,
    block_pages,
    block_slot,
    core_tiles,
    each_part,
    is_kept_matrix,
    line,
    lines,
    part,
    place_in,
)
from tt_build.passes.tensorize_steps import COMBINE, fill, sfpu, step_statements
from tt_build.targets import DTYPES


def compute(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``compute.cpp``, inits included."""
    return SweepCompute(kernel).body()


class SweepCompute:
    """Builds the body; blocked matmuls put their contraction in front of the sweeps of a unit."""

    def __init__(self, kernel: PaddedKernel) -> None:
        self.kernel = kernel
        self.streams: dict[str, Stream] = {stream.cb: stream for stream in kernel.streams}
        self.settled: dict[str, Intermediate] = {i.cb: i for i in kernel.intermediates if i.extent is not None}
        self.results = {result.cb for result in kernel.results if not result.bound}
        self.bound = {result.cb for result in kernel.results if result.bound}
        self.patterns = {pattern.cb: pattern for pattern in kernel.patterns}
        self.operands = list(dict.fromkeys(cb for plan in kernel.contractions for cb in plan.computed_cbs))
        self.waited: set[str] = set()
        self.sweep: Sweep | None = None

    def body(self) -> tuple[Stmt, ...]:
        """All statements."""
        kernel = self.kernel
        sent = [s.shard_cb for s in kernel.streams if s.shard_cb]
        shared = [s.cb for s in kernel.streams if s.per in ("core", "shard") and s.cb not in sent]
        shared += [*(mask.cb for mask in kernel.masks), *self.patterns]
        inner = [*loops.definitions(kernel), *core_tiles(kernel), *self.before_sweeps()]
        inner += self.once_a_unit(self.sweeps(before=False))
        body: tuple[Stmt, ...] = (
            self.startup(),
            *(Wait(cb=cb, pages=self.pages(cb)) for cb in shared),
            loops.unit_loop(kernel, [], inner, []),
            *(Pop(cb=cb, pages=self.pages(cb)) for cb in shared),
            *(stmt for cb in sent for stmt in (Wait(cb=cb, pages=self.pages(cb)), Pop(cb=cb, pages=self.pages(cb)))),
        )
        return place_inits(body, kernel)

    def sweeps(self, *, before: bool) -> list[Stmt]:
        """The sweeps before the product of a blocked matmul, or all others; what they hold is free behind them."""
        kernel, inner = self.kernel, list[Stmt]()
        for number, sweep in enumerate(kernel.sweeps):
            if sweep.before != before:
                continue
            self.sweep = sweep
            inner += self._waits(sweep)
            inner.append(block(number, sweep, self._folds(sweep) if sweep.folds else self._tiles(sweep)))
        held = [s.cb for s in kernel.streams if s.per == "unit" and s.is_before_product == before]
        made = {cb for sweep in kernel.sweeps if sweep.before for cb in settled_in(sweep)}
        held += [cb for cb in self.settled if (cb in made) == before and cb not in self.operands]
        return [*inner, *(Pop(cb=cb, pages=self.pages(cb)) for cb in held)]

    def before_sweeps(self) -> list[Stmt]:
        """What each unit does first."""
        return []

    def once_a_unit(self, sweeps: list[Stmt]) -> list[Stmt]:
        """The sweeps, on the cores that do them."""
        return sweeps

    def startup(self) -> Startup:
        """How the engines start: with the circular buffers of the first operation."""
        sweep = self.kernel.sweeps[0]
        section = sweep.sections[0]
        out = sweep.folds[0].cb if not section.stores else section.stores[0][1]
        for step in section.steps:
            if isinstance(step, FpuStep):
                return Startup(a=step.a, b=step.b, out=out)
            if isinstance(step, LoadStep):
                return Startup(a=step.cb, b=step.cb, out=out)
        return Startup(a=out, b=out, out=out)  # constants only: nothing is unpacked

    def pages(self, cb: str) -> Index:
        """A block of a circular buffer."""
        return num(self.kernel.cb(cb).block)

    def _waits(self, sweep: Sweep) -> list[Stmt]:
        """For what the unit holds, in front of the first sweep that reads it."""
        read = [cb for section in sweep.sections for step in section.steps for cb in _read(step)]
        held = [cb for cb in dict.fromkeys(read) if self._is_held(cb) and cb not in self.waited]
        self.waited.update(held)
        return [Wait(cb=cb, pages=self.pages(cb)) for cb in held]

    def _is_held(self, cb: str) -> bool:
        return cb in self.settled or (cb in self.streams and self.streams[cb].per == "unit")

    def _in_operand(self, cb: str) -> Index:
        """Place of the present tile in an operand, whose tiles lie as those of one that is not transposed."""
        if self._now().axes != SECOND_TURNED:
            return self._index(cb)
        extent = self.settled[cb].extent
        assert extent is not None
        return place_in(self.kernel, extent[::-1], row=var("tile_column"), column=var("tile_row"), axes=SECOND)

    def _index(self, cb: str, shift: int = 0) -> Index:
        """Place of the present tile in a circular buffer, or of the one ``shift`` columns further."""
        if cb in self.settled:
            extent = self.settled[cb].extent
            assert extent is not None
            return place_in(self.kernel, extent, column=self._column(extent), axes=self._now().axes)
        if cb in self.patterns:
            return self.patterns[cb].slot
        if cb not in self.streams:
            return num(0)
        stream = self.streams[cb]
        if stream.per == "sweep":
            return block_slot(self.kernel, self._now())
        row = var("by" if is_kept_matrix(self.kernel, stream) else "tile_row")
        column = self._column(stream.extent)
        return place_in(self.kernel, stream.extent, row=row, column=column, shift=shift, axes=self._now().axes)

    def _column(self, extent: tuple[int, int]) -> Index:
        """The column of the present tile in a buffer of that extent: whole rows of what a sweep of a step reads."""
        return operand_column(self.kernel, own=is_step(self.kernel, self._now()) and extent[1] > self._now().extent[1])

    # Sweeps

    def _now(self) -> Sweep:
        assert self.sweep is not None
        return self.sweep

    def _streamed(self) -> list[str]:
        number = self.kernel.sweeps.index(self._now())
        return [s.cb for s in self.kernel.streams if s.per == "sweep" and s.sweep == number]

    def _tiles(self, sweep: Sweep) -> list[Stmt]:
        """A section a tile, or several where one does not suffice."""
        pages = block_pages(self.kernel, sweep)
        streamed, stored = self._streamed(), _stored(sweep.sections)
        results = [cb for cb in stored if cb in self.results]
        settled = [cb for cb in stored if cb in self.settled or cb in self.bound]
        before: list[Stmt] = [Wait(cb=cb, pages=pages) for cb in streamed]
        before += [Reserve(cb=cb, pages=pages) for cb in results]
        after: list[Stmt] = [Pop(cb=cb, pages=pages) for cb in streamed]
        after += [Push(cb=cb, pages=pages) for cb in results]
        return [
            *(Reserve(cb=cb, pages=self.pages(cb)) for cb in settled),
            *lines(self.kernel, sweep, line(self.kernel, sweep, before, self._sections(sweep.sections), after)),
            *(Push(cb=cb, pages=self.pages(cb)) for cb in settled),
        ]

    def _sections(self, sections: Sequence[SectionPlan]) -> list[Stmt]:
        """One tile through all sections; what they hand on lives as long as the tile."""
        found: list[Stmt] = []
        handed: list[str] = []
        for section in sections:
            own = [cb for _, cb in section.stores if cb not in {*self.results, *self.bound, *self.settled}]
            awaited: set[str] = set()
            math: list[Stmt] = []
            for step in section.steps:
                waits = [cb for cb in _read(step) if cb in handed and cb not in awaited]
                awaited.update(waits)
                math += [*(Wait(cb=cb, pages=num(1)) for cb in waits), *self._step(step)]
            packs = tuple(self._pack(slot, cb) for slot, cb in section.stores)
            found += [
                *(Reserve(cb=cb, pages=num(1)) for cb in own),
                Section(math=tuple(math), packs=packs),
                *(Push(cb=cb, pages=num(1)) for cb in own),
            ]
            handed += own
        last_read = [cb for cb in handed if cb not in {s for _, s in sections[-1].stores}]
        return [*found, *(Pop(cb=cb, pages=num(1)) for cb in last_read)]

    def _pack(self, slot: int, cb: str) -> Pack:
        if cb in self.bound:
            return Pack(dst=slot, cb=cb, index=place_in(self.kernel, self.kernel.unit_tiles))
        if cb not in self.settled:
            return Pack(dst=slot, cb=cb)
        index = self._in_operand(cb) if cb in self.operands else self._index(cb)
        return Pack(dst=slot, cb=cb, index=None if index == num(0) else index)

    def _folds(self, sweep: Sweep) -> list[Stmt]:
        """The tiles that are reduced together, line by line; in parts where the reduction is in parts."""
        folds = sweep.folds
        body = self._spilled(sweep) if sweep.spill else self._gathered(sweep)
        body = each_part(self.kernel, sweep, body if len(folds[0].axes) == 2 else lines(self.kernel, sweep, body))
        targets = [_target(fold) for fold in folds]
        return [
            *(Reserve(cb=cb, pages=self.pages(cb)) for cb in targets),
            *body,
            *(Push(cb=cb, pages=self.pages(cb)) for cb in targets),
            *(stmt for fold in folds if fold.parts_cb for stmt in self._combined_fold(fold)),
        ]

    def _combined_fold(self, fold: Fold) -> list[Stmt]:
        """All partial results, in the order of the parts."""
        assert self.kernel.parts is not None
        number = var("part")
        load = TileOp(op="copy", cbs=(fold.parts_cb,), indices=(number,), dst=1)
        add = Loop(var="part", count=dim("parts", self.kernel.parts.count), body=(load, _combine(fold, 0, 1)))
        math = (_start(fold, 0), add, *_scaled(fold, 0))
        pages = self.pages(fold.parts_cb)
        return [
            Wait(cb=fold.parts_cb, pages=pages),
            Reserve(cb=fold.cb, pages=self.pages(fold.cb)),
            Section(math=math, packs=(self._pack(0, fold.cb),)),
            Push(cb=fold.cb, pages=self.pages(fold.cb)),
            Pop(cb=fold.parts_cb, pages=pages),
        ]

    def _pack_fold(self, fold: Fold, slot: int) -> Pack:
        cb = _target(fold)
        return Pack(dst=slot, cb=cb, index=var("part")) if cb == fold.parts_cb else self._pack(slot, cb)

    def _walk(self, sweep: Sweep, inner: list[Stmt]) -> list[Stmt]:
        """``inner`` for the tiles that are reduced together."""
        pages, streamed = block_pages(self.kernel, sweep), self._streamed()
        before: list[Stmt] = [Wait(cb=cb, pages=pages) for cb in streamed]
        after: list[Stmt] = [Pop(cb=cb, pages=pages) for cb in streamed]
        tiles = line(self.kernel, sweep, before, inner, after)
        return lines(self.kernel, sweep, tiles) if len(sweep.folds[0].axes) == 2 else tiles

    def _gathered(self, sweep: Sweep) -> list[Stmt]:
        """One section: accumulators in DST, all tiles, the reduction within the tile."""
        folds = sweep.folds
        math: list[Stmt] = [_start(fold, fold.slot) for fold in folds]
        inner = [stmt for step in sweep.sections[0].steps for stmt in self._step(step)]
        inner += [_combine(fold, fold.slot, fold.source) for fold in folds]
        math += self._walk(sweep, inner)
        math += [stmt for fold in folds for stmt in _finish(fold, fold.slot)]
        return [Section(math=tuple(math), packs=tuple(self._pack_fold(fold, fold.slot) for fold in folds))]

    def _spilled(self, sweep: Sweep) -> list[Stmt]:
        """The accumulator goes through L1 from tile to tile."""
        (fold,), total, one = sweep.folds, sweep.spill, num(1)
        *sections, last = sweep.sections
        ((source, value),) = last.stores
        load = [TileOp(op="copy", cbs=(total,), indices=(num(0),), dst=0)]
        add = Section(
            math=(
                *load,
                TileOp(op="copy", cbs=(value,), indices=(num(0),), dst=source),
                *(stmt for step in last.steps for stmt in self._step(step)),
                _combine(fold, 0, source),
            ),
            packs=(Pack(dst=0, cb=total),),
        )
        inner: list[Stmt] = [
            *self._sections(sections),
            Wait(cb=value, pages=one),
            Wait(cb=total, pages=one),
            Reserve(cb=total, pages=one),
            add,
            Push(cb=total, pages=one),
            Pop(cb=total, pages=one),
            Pop(cb=value, pages=one),
        ]
        return [
            Reserve(cb=total, pages=one),
            Section(math=(_start(fold, 0),), packs=(Pack(dst=0, cb=total),)),
            Push(cb=total, pages=one),
            *self._walk(sweep, inner),
            Wait(cb=total, pages=one),
            Section(math=(*load, *_finish(fold, 0)), packs=(self._pack_fold(fold, 0),)),
            Pop(cb=total, pages=one),
        ]

    def _step(self, step: Step) -> list[Stmt]:
        assert not isinstance(step, MatmulStep)
        statements = step_statements(step, self._index, lambda _: [])
        if not isinstance(step, MaskStep):
            return statements
        return self._in_last_tile(step.axis, statements)

    def _output_tiles(self, axis: Literal["rows", "columns"]) -> int:
        return self.kernel.buffer(self.kernel.outputs[0].name).tiles[0 if axis == "rows" else 1]

    def _in_output(self, axis: Literal["rows", "columns"]) -> Index:
        """The row or column of the present tile in the output."""
        place = unit_row if axis == "rows" else unit_column
        return place(self.kernel, self._output_tiles(axis))

    def _in_last_tile(self, axis: Literal["rows", "columns"], statements: list[Stmt]) -> list[Stmt]:
        """Statements for the unit's last tile along an axis."""
        parts, place = self.kernel.parts, var("tile_row" if axis == "rows" else "tile_column")
        sweep = self._now()
        tiles = sweep.extent[0 if axis == "rows" else 1]
        if self.kernel.blocking is not None and not sweep.before:
            return [When(a=self._in_output(axis), b=num(self._output_tiles(axis) - 1), body=tuple(statements))]
        if axis == "columns" and sweep.one_column:
            return statements
        if is_step(self.kernel, sweep):
            last = num(self.kernel.contractions[0].k_tiles - 1)
            return [When(a=operand_column(self.kernel, own=True), b=last, body=tuple(statements))]
        if parts is not None and parts.spread and parts.axis == axis:
            place = part(parts) * dim("part_tiles", parts.tiles) + (place if parts.tiles > 1 else num(0))
            tiles = parts.total
        elif axis == "columns" and tiles == 1 and not sweep.before:  # the unit is a column of tiles, perhaps the last
            place, tiles = var("bx"), self.kernel.grid.x
        if tiles == 1:
            return statements
        return [When(a=place, b=num(tiles - 1), body=tuple(statements))]


def is_step(kernel: StagedKernel, sweep: Sweep) -> bool:
    """Whether a sweep computes the core's own step of a first operand."""
    own = {plan.own for plan in kernel.contractions} - {""}
    return any(cb in own for cb in settled_in(sweep))


def settled_in(sweep: Sweep) -> list[str]:
    """The circular buffers of what a sweep computes."""
    return [*(fold.cb for fold in sweep.folds), *_stored(sweep.sections)]


def _target(fold: Fold) -> str:
    """Where the reduced tile goes first."""
    return fold.part_cb or fold.parts_cb or fold.cb


def _start(fold: Fold, slot: int) -> Stmt:
    return fill(slot, fold.bits, _data_format(fold))


def _combine(fold: Fold, slot: int, source: int) -> Stmt:
    return sfpu(COMBINE[fold.op], fold.dtype if _data_format(fold) else "float", (slot, source), slot)


def _finish(fold: Fold, slot: int) -> list[Stmt]:
    """What the tile holds becomes one column, one row or one number; a mean that is whole is divided."""
    names = [name for axis, name in ((-2, "columns"), (-1, "rows")) if axis in fold.axes]
    form = _data_format(fold) or "float"
    found: list[Stmt] = [sfpu(f"reduce_{fold.op}_{name}", form, (slot,), slot) for name in names]
    return found if fold.parts_cb else [*found, *_scaled(fold, slot)]


def _data_format(fold: Fold) -> str:
    """The DataFormat of integers, empty for floats."""
    return DTYPES[fold.dtype].data_format if is_integer(fold.dtype) else ""


def _scaled(fold: Fold, slot: int) -> list[Stmt]:
    return [] if fold.scale is None else [sfpu("mul", "scalar", (slot,), slot, (fold.scale,))]


def _stored(sections: Sequence[SectionPlan]) -> list[str]:
    return list(dict.fromkeys(cb for section in sections for _, cb in section.stores))


def _read(step: Step) -> tuple[str, ...]:
    """Circular buffers that a step reads, masks left out."""
    if isinstance(step, LoadStep):
        return (step.cb,)
    if isinstance(step, FpuStep):
        return (step.a, step.b)
    return ()
