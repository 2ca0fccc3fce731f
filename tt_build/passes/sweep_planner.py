"""A program -> sweeps over the tiles of a unit, used by ``plan_sweeps`` and ``plan_prologue``.

A unit is what a reduction needs at once: a row of tiles, a column, or a matrix. Values are *settled* one after the
other: every reduction, every value that a larger one broadcasts, the outputs. Each settling is a job; jobs over the
same tiles that do not wait for each other share a sweep, and inside a sweep elementwise chains are fused into DST
sections. What a sweep settles stays in L1 for the later sweeps of the unit.

These choices decide about bytes and space, in this order, the first that fits L1:

choice                          inputs read by several sweeps   costly values that several sweeps need
matrices kept, held, handed on  once, held for the unit         computed once, held for the unit
held, handed on                 once, held for the unit         computed once, held for the unit
held, computed again            once, held for the unit         computed by each sweep
streamed, shared operands held  by each sweep, in blocks        computed by each sweep
streamed                        by each sweep, in blocks        computed by each sweep

Operands that all units of a core share (a row of gammas) are read once a core in all but the last. The first also keeps
whole matrices of which each unit reads a row (the cosines that all heads share), and is tried where there are any.

A tile that meets another one of its row (``rotate_half``) is loaded from the row that is held.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec
from msgspec.structs import replace

from tt_build.ir.index import Index, dim, names_in, var
from tt_build.ir.stages import (
    TILE,
    Fold,
    Intermediate,
    MappedKernel,
    MaskStep,
    OutputStream,
    Residency,
    Rows,
    SectionPlan,
    StagedKernel,
    Stream,
    Sweep,
    Tensor,
)
from tt_build.lang.functions import FUNCTIONS
from tt_build.lang.program import Binding, Program, Value
from tt_build.passes.common import extend, refuse
from tt_build.passes.cut_sections import refuse_call
from tt_build.passes.dst_sections import BadNumber, Leaf, NoForm, Overflow, SectionBuilder, Store, evaluated
from tt_build.passes.kinds import REDUCTIONS, ROWS, extents
from tt_build.passes.movement import is_moved_leaf
from tt_build.passes.pages import first_row, names_read, page_in_unit, rows_of, unit_place
from tt_build.passes.sfpu_calls import is_integer
from tt_build.passes.stage_planner import StagePlanner, broadcast_of
from tt_build.passes.tensorize_steps import COMBINE
from tt_build.passes.tile_dtypes import block_casts, cut_dtype, enters_fpu
from tt_build.passes.views import View
from tt_build.targets import DTYPES, Arch

_CHEAP = frozenset(
    (
        "add",
        "sub",
        "mul",
        "neg",
        "abs",
        "square",
        "maximum",
        "minimum",
        "relu",
        "clip",
        "sign",
        "where",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
        "transpose",
    )
)
"""What the vector engine does in less time than a tile takes to L1 and back: not worth handing on."""


Side = Literal["rows", "columns"]


class Choice(msgspec.Struct, frozen=True):
    """What stays in L1: ``hold`` inputs, ``hand_on`` costly values, ``share`` operands of all units.

    ``keep`` matrices that all matrices of the output share.
    """

    name: str
    hold: bool
    hand_on: bool
    share: bool
    keep: bool = False


CHOICES = (
    Choice("matrices kept, held, handed on", hold=True, hand_on=True, share=True, keep=True),
    Choice("held, handed on", hold=True, hand_on=True, share=True),
    Choice("held, computed again", hold=True, hand_on=False, share=True),
    Choice("streamed, shared operands held", hold=False, hand_on=False, share=True),
    Choice("streamed", hold=False, hand_on=False, share=False),
)


class Job(msgspec.Struct, frozen=True):
    """Something to settle: a reduction ``fold``, or ``stores`` of values of one shape."""

    fold: int | None
    stores: tuple[Store, ...]


class SweepPlanner(StagePlanner):
    """Plans the sweeps of a unit under one choice of what stays in L1."""

    def __init__(self, kernel: MappedKernel, arch: Arch, choice: Choice) -> None:
        super().__init__(kernel, arch, max(kernel.outputs, key=lambda tensor: len(tensor.batch)))
        self.choice = choice
        self.rows, self.columns = extents(kernel)
        self.tall = any(-2 in v.axes for v in self.program.values if v.op in REDUCTIONS)
        self.wide = kernel.algorithm == ROWS or any(-1 in v.axes for v in self.program.values if v.op in REDUCTIONS)
        self.kept: set[str] = set()
        self.settled: dict[int, str] = {}
        self.parts = kernel.parts
        self.casts = set(block_casts(self.program, {t.name: t.dtype for t in kernel.tensors}))

    def staged(self, reason: str) -> StagedKernel:
        """The stage; ``reason`` says why no better choice was made."""
        sweeps = self.sweeps()
        return extend(
            StagedKernel,
            self.kernel,
            streams=tuple(self.streams),
            transposes=(),
            sections=(),
            intermediates=(*self.intermediates, *self.cutter.intermediates),
            results=tuple(self.results),
            masks=tuple(self.masks),
            patterns=tuple(self.patterns),
            sweeps=sweeps,
            residency=Residency(choice=self.choice.name, reason=reason or "each input is read once"),
            scratch=self.scratch,
        )

    def sweeps(self) -> tuple[Sweep, ...]:
        """The sweeps, in order."""
        cuts = _cuts(self.program, hand_on=self.choice.hand_on)
        groups = self._grouped(self._jobs(cuts))
        self.readers = self._readers(groups)
        return tuple(self._sweep(number, group) for number, group in enumerate(groups))

    def _jobs(self, cuts: list[int]) -> list[Job]:
        """What is settled, operands before readers; outputs with the value that they are."""
        jobs: list[Job] = []
        stored: dict[int, list[Store]] = {}
        for binding in self.program.outputs:
            stored.setdefault(binding.value, []).append(self._result(binding))
        for value in cuts:
            cb = self._settle(value)
            if self.program.values[value].op in REDUCTIONS:
                jobs.append(Job(value, (Store(value=value, cb=cb),)))
            else:
                own = self.cutter.store(value, cb, self._dtype(value), self._matrix(value)[1])
                jobs.append(Job(None, (own, *stored.pop(value, []))))
        by_shape: dict[tuple[int, int], list[Store]] = {}
        for value, stores in stored.items():
            by_shape.setdefault(self._matrix(value), []).extend(stores)
        return [*jobs, *(Job(None, tuple(stores)) for stores in by_shape.values())]

    def _settle(self, value: int) -> str:
        """The circular buffer for a settled value."""
        cb = self.settled[value] = self.names.unique(f"cb_{self.program.values[value].op}")
        rows, columns = extent = self._extent(self._matrix(value))
        self._hand_on(cb, value, rows * columns, extent)
        return cb

    def _hand_on(self, cb: str, value: int, tiles: int, extent: tuple[int, int] | None = None) -> None:
        """Tiles of that value, or of partial results of it, lie in ``cb``."""
        dtype = self._dtype(value)
        exact = dtype == "float32" and self.fp32
        self.intermediates.append(Intermediate(cb=cb, dtype=dtype, tiles=tiles, unpack_to_dest=exact, extent=extent))

    def _dtype(self, value: int) -> str:
        """What a circular buffer holds of a value."""
        return cut_dtype(self.program.values[value], fp32=self.fp32)

    def _result(self, binding: Binding) -> Store:
        tensor = binding.tensor
        cb, dtype = self.names.unique(f"cb_{self.identifiers[tensor]}"), self.kernel.tensor(tensor).dtype
        self.cutter.dtypes[cb] = dtype
        page, rows = self._page(self.kernel.tensor(tensor))
        same = self._is_spread() and self.kernel.tensor(tensor).matrix[0 if self._axis() == -2 else 1] == 1
        self.results.append(OutputStream(cb=cb, tensor=tensor, page=page, first_part_only=same, rows=rows))
        return self.cutter.store(binding.value, cb, dtype)

    def _is_spread(self) -> bool:
        return self.parts is not None and self.parts.spread

    def _axis(self) -> int:
        """The axis of the parts."""
        return -2 if self.parts is not None and self.parts.axis == "rows" else -1

    def _readers(self, groups: list[list[Job]]) -> dict[int, int]:
        """By leaf: how many sweeps read it."""
        found: dict[int, int] = {}
        for group in groups:
            for leaf in _leaves_of(self.program, group, self.settled):
                found[leaf] = found.get(leaf, 0) + 1
        return found

    def _grouped(self, jobs: list[Job]) -> list[list[Job]]:
        """Jobs by sweep: a job joins the first sweep over the same tiles that comes after all that it waits for."""
        groups: list[list[Job]] = []
        settled_in: dict[int, int] = {}
        for job in jobs:
            waits_for = _leaves_of(self.program, [job], self.settled)
            after = 1 + max((settled_in.get(v, -1) for v in waits_for), default=-1)
            place = next((n for n in range(after, len(groups)) if self._joins(groups[n], job)), len(groups))
            if place == len(groups):
                groups.append([])
            groups[place].append(job)
            for store in job.stores:
                settled_in.setdefault(store.value, place)
        return groups

    def _joins(self, group: list[Job], job: Job) -> bool:
        """Whether a job walks the tiles of the group in its way, and its accumulator fits DST beside theirs."""
        first = group[0]
        if (first.fold is None) != (job.fold is None) or self._target(group) != self._target([job]):
            return False
        if first.fold is None or job.fold is None:
            return True
        both = [*group, job]
        target = self._target(both)
        leaves = {v: self._loaded(v, target, str(v)) for v in _leaves_of(self.program, both, self.settled)}
        try:
            self._fold_steps(both, leaves, "stand-in")
        except Overflow:
            return False
        return self._value(first.fold).axes == self._value(job.fold).axes

    # Sweeps

    def _sweep(self, number: int, group: list[Job]) -> Sweep:
        target = self._target(group)
        leaves = {v: self._leaf(v, target, number) for v in _leaves_of(self.program, group, self.settled)}
        one_column = target[1] == 1 < self.columns
        if group[0].fold is None:
            stores = [store for job in group for store in job.stores]
            self.results = [replace(r, sweep=number) if r.cb in {s.cb for s in stores} else r for r in self.results]
            sections = self.cutter.sections(stores, leaves, {}, target[1])
            return Sweep(
                what=", ".join(s.cb.removeprefix("cb_") for s in stores),
                extent=self._extent(target),
                by_columns=False,
                sections=sections,
                one_column=one_column,
            )
        axes = self._value(group[0].fold).axes
        ops = [self._value(job.fold).op for job in group]
        line = "each row" if axes == (-1,) else "each column" if axes == (-2,) else "the matrix"
        what = f"{' and '.join(ops)} of {line}"
        by_columns = axes == (-2,) or (len(axes) == 2 and self.parts is not None and self.parts.axis == "columns")
        parts = self.parts.count if self.parts is not None and not self.parts.spread else 1
        sweep = Sweep(
            what=what,
            extent=self._extent(target),
            by_columns=by_columns,
            sections=(),
            parts=parts,
            one_column=one_column,
        )
        try:
            steps, folds = self._fold_steps(group, leaves, "")
        except Overflow:  # only a job alone: others join where they fit
            return self._spilled(group[0], leaves, sweep)
        folds = tuple(self._in_parts(fold) for fold in folds)
        return replace(sweep, sections=(steps,), folds=folds)

    def _in_parts(self, fold: Fold) -> Fold:
        """The fold with circular buffers for its partial results, where it has such."""
        if self.parts is None:
            return fold
        parts_cb = self.names.unique(f"{fold.cb}_parts")
        self._hand_on(parts_cb, fold.value, self.parts.count)
        part_cb = self.names.unique(f"{fold.cb}_part") if self.parts.spread else ""
        if part_cb:
            self._hand_on(part_cb, fold.value, 1)
        return replace(fold, parts_cb=parts_cb, part_cb=part_cb)

    def _fold_steps(self, group: list[Job], leaves: dict[int, Leaf], cb: str) -> tuple[SectionPlan, tuple[Fold, ...]]:
        """Steps of one tile and the accumulators, which are DST's first slots. Raises ``Overflow``."""
        count = len(group)
        operands = [self._value(job.fold).args[0] for job in group]
        if self.casts & set(evaluated(self.program, operands, set(leaves))):
            raise Overflow([])  # the packer rounds to block-float formats, so such a value goes through L1
        builder = SectionBuilder(self.program, self.kernel.math, self.capacity, leaves, {}, reserved=count, looped=True)
        try:
            section = builder.build([Store(value=operand, cb="") for operand in operands])
        except (NoForm, BadNumber) as error:
            refuse_call(self.kernel, error, self.origin)
        steps = list(section.steps)
        folds: list[Fold] = []
        masked: dict[int, int] = {}
        for slot, (job, (source, _)) in enumerate(zip(group, section.stores, strict=True)):
            assert job.fold is not None
            bits, masks = self._masking(job.fold, source, builder.free, cb)
            if masked.setdefault(source, bits) != bits:  # one tile cannot be masked with two numbers
                raise Overflow(builder.group)
            steps += [mask for mask in masks if mask not in steps]
            folds.append(self._fold(job, slot, source, bits))
        return SectionPlan(steps=tuple(steps), stores=()), tuple(folds)

    def _fold(self, job: Job, slot: int, source: int, bits: int) -> Fold:
        assert job.fold is not None
        value = self._value(job.fold)
        op: Literal["sum", "max", "min"] = "max" if value.op == "max" else "min" if value.op == "min" else "sum"
        if is_integer(value.dtype) and value.dtype not in FUNCTIONS[COMBINE[op]].int_calls:
            refuse_call(self.kernel, NoForm(job.fold, value.op, value.dtype), self.origin)
        rows, columns = self._matrix(value.args[0])
        count = (rows if -2 in value.axes else 1) * (columns if -1 in value.axes else 1)
        return Fold(
            value=job.fold,
            dtype=value.dtype,
            op=op,
            axes=value.axes,
            slot=slot,
            source=source,
            bits=bits,
            cb=job.stores[0].cb,
            scale=_bits(1.0 / count) if value.op == "mean" and count > 1 else None,
        )

    def _masking(self, fold: int, source: int, free: list[int], cb: str) -> tuple[int, list[MaskStep]]:
        """The fold's identity, and the steps that put it where an edge tile's padding is. Raises ``Overflow``."""
        value = self._value(fold)
        bits = _identity(value)
        data_format = DTYPES[value.dtype].data_format if is_integer(value.dtype) else ""
        rows, columns = self._matrix(value.args[0])
        slots = free[: 2 if bits else 1]
        steps: list[MaskStep] = []
        sides: tuple[tuple[int, int, Side], ...] = ((-2, rows, "rows"), (-1, columns, "columns"))
        for axis, size, side in sides:
            if axis in value.axes and size % TILE:
                if data_format and value.dtype not in FUNCTIONS["where"].int_calls:
                    refuse(
                        self.kernel,
                        "TTB205",
                        f"'{value.op}' over {size} {side} of {value.dtype}: the SDK has no way to mask the last tile",
                        value=self.origin[fold],
                        help="cast the operand first, as in cast(x, int32)",
                    )
                if len(slots) < (2 if bits else 1):
                    raise Overflow([])
                mask = cb or self.cutter.mask(side, size % TILE)
                steps.append(
                    MaskStep(cb=mask, axis=side, out=source, slots=tuple(slots), bits=bits, data_format=data_format)
                )
        return bits, steps

    def _spilled(self, job: Job, leaves: dict[int, Leaf], sweep: Sweep) -> Sweep:
        """A fold whose values need all of DST: the accumulator lies in L1 between tiles."""
        assert job.fold is not None
        cb = self.names.unique("cb_tile")
        operand = self._value(job.fold).args[0]
        store = self.cutter.store(operand, cb, self._dtype(operand), self._matrix(operand)[1])
        sections = self.cutter.sections([store], leaves, {}, self._matrix(operand)[1])
        bits, masks = self._masking(job.fold, 1, list(range(2, self.capacity)), "")
        spill = self.names.unique("cb_total")
        self._hand_on(cb, operand, 1)
        self._hand_on(spill, job.fold, 1)
        last = SectionPlan(steps=tuple(masks), stores=((1, cb),))
        fold = self._in_parts(self._fold(job, 0, 1, bits))
        return replace(sweep, sections=(*sections, last), folds=(fold,), spill=spill)

    # Leaves

    def _leaf(self, index: int, target: tuple[int, int], sweep: int) -> Leaf:
        """How sweep ``sweep`` loads a value that lies in a circular buffer."""
        cb = self.settled.get(index)
        if cb is None and self._turns_in_row(index):
            (_, shift), (row,) = self.program.values[index].ints, self.program.values[index].args
            held = self._leaf(row, target, sweep)  # perhaps turned itself
            return replace(held, fpu=False, shift=(held.shift + shift // TILE) % self._extent(self._matrix(index))[1])
        return self._loaded(index, target, self._stream(index, target, sweep) if cb is None else cb)

    def _turns_in_row(self, index: int) -> bool:
        """Whether the value is a row of tiles that begins elsewhere, and the row is held as a whole."""
        value = self.program.values[index]
        if value.op != "roll" or value.ints[0] != -1 or not self.wide or not self.choice.hold:
            return False
        whole = self._extent(self._matrix(index))[1] * TILE == value.shape[-1]  # also where parts are spread
        look = self._view(value.args[0])
        return whole and not look.spread and self.program.values[look.pieces[0].source].op == "input"

    def _loaded(self, index: int, target: tuple[int, int], cb: str) -> Leaf:
        if index in self.settled:
            bcast = broadcast_of(self._matrix(index), target)
            return Leaf(cb=cb, bcast=bcast, transpose=False, fpu=enters_fpu(self._dtype(index)))
        look = self._view(index)
        source = self.program.values[look.pieces[0].source]
        bcast = broadcast_of(self._matrix(index), target, look)
        if source.op == "pattern":
            return Leaf(cb=cb, bcast=bcast, transpose=look.transposed, fpu=False)
        tensor = self.kernel.tensor(source.name)
        if look.transposed and (bcast or (tensor.dtype == "float32" and not self.fp32)):
            refuse(
                self.kernel,
                "TTB201",
                f"'.T' of '{tensor.name}', which is {'broadcast' if bcast else 'float32'}, cannot be lowered beside a "
                "reduction, or in front of a matmul, yet",
                value=self.origin[index],
                help="declare the tensor transposed, without .T",
            )
        fpu = not look.transposed and enters_fpu(tensor.dtype)
        return Leaf(cb=cb, bcast=bcast, transpose=look.transposed, fpu=fpu)

    def _view(self, index: int) -> View:
        """Which tile of which tensor a leaf is, at the present place of the unit."""
        return self.view_at(index, *self._place())

    def _stream(self, index: int, target: tuple[int, int], sweep: int) -> str:
        """The circular buffer through which a leaf comes to a sweep over tiles of ``target``."""
        look = self._view(index)
        if self.program.values[look.pieces[0].source].op == "pattern":
            return self.pattern(index, look)
        sources = tuple(self.source(piece) for piece in look.pieces)
        first = sources[0]
        extent = self._extent(self._matrix(index))
        tiles = extent[0] * extent[1]
        names = frozenset[str]().union(*(names_read(source.page, source.rows) for source in sources))
        names |= frozenset[str]().union(*(names_in(c.index) for source in sources for c in source.when))
        shared = not names - {"tile_row", "tile_column"} and self.kernel.grid.units > 1
        per: Literal["core", "unit", "sweep"] = "unit"
        if shared and (tiles == 1 or self.choice.share):
            per = "core"
        elif self.choice.keep and "bz" not in names and self._has_rows_of_all():
            per, extent = "core", (self.kernel.grid.y, extent[1])
            sources = tuple(
                self.source(piece) for piece in self.view_at(index, var("tile_row"), self._place()[1]).pieces
            )
            first = sources[0]
            self.kept.add(first.tensor)
        elif tiles > 1 and extent == self._extent(target) and not self._is_held(index):
            per = "sweep"
        plain = self.is_plain(index) and not first.when
        stream = Stream(
            cb=f"cb_{self.identifiers[first.tensor]}",
            tensor=first.tensor,
            page=first.page,
            per=per,
            unpack_to_dest=self.kernel.tensor(first.tensor).dtype == "float32" and self.fp32,
            transpose=look.transposed,
            extent=extent,
            sweep=sweep if per == "sweep" else -1,
            view=-1 if plain else index,
            sources=sources if len(sources) > 1 else (),
            rows=first.rows,
        )
        return self.shared_stream(stream)

    def _is_held(self, index: int) -> bool:
        """Whether the tiles of a leaf stay on the core for the unit: several sweeps need them, or they meet others."""
        met = any(index in v.args and self._turns_in_row(n) for n, v in enumerate(self.program.values))
        return met or (self.choice.hold and self.readers[index] > 1)

    def _has_rows_of_all(self) -> bool:
        """Whether units are rows of tiles, of several matrices with several rows, none of them in parts."""
        grid = self.kernel.grid
        return self.wide and not self.tall and self.parts is None and grid.z > 1 and grid.y > 1

    def _place(self) -> tuple[Index, Index]:
        """Row and column, in tiles of the matrix, of the tile at (tile_row, tile_column) of what the core has."""
        row, column = var("tile_row") if self.tall else var("by"), var("tile_column") if self.wide else var("bx")
        if self.parts is not None and self.parts.spread:
            tiles = dim("part_tiles", self.parts.tiles)
            if self.parts.axis == "rows":
                row = var("by") * tiles + row
            else:
                column = var("bx") * tiles + column
        return row, column

    def _page(self, tensor: Tensor) -> tuple[Index, Rows | None]:
        """Page of an output's tile there, and the part of the rows that it is in a row-major one."""
        ident, place = self.identifiers[tensor.name], unit_place(tensor, self.output, *self._place())
        if tensor.format == "row_major":
            return first_row(tensor, ident, self.output, place), rows_of(tensor, *place[2:])
        return page_in_unit(tensor, ident, self.output.batch, *self._place()), None

    # Shapes

    def _value(self, index: int | None) -> Value:
        assert index is not None
        return self.program.values[index]

    def _matrix(self, index: int) -> tuple[int, int]:
        shape = self.program.values[index].shape
        return shape[-2], shape[-1]

    def _target(self, group: list[Job]) -> tuple[int, int]:
        """Rows and columns of what a sweep computes tile by tile."""
        job = group[0]
        return self._matrix(job.stores[0].value if job.fold is None else self._value(job.fold).args[0])

    def _extent(self, matrix: tuple[int, int]) -> tuple[int, int]:
        """Tiles that a core has at once of a value of these rows and columns."""
        rows, columns = (-(-matrix[0] // TILE) if self.tall else 1), (-(-matrix[1] // TILE) if self.wide else 1)
        if self.parts is None or not self.parts.spread:
            return rows, columns
        most = self.parts.tiles
        return (min(rows, most), columns) if self.parts.axis == "rows" else (rows, min(columns, most))


def _cuts(program: Program, *, hand_on: bool) -> list[int]:
    """Values that are settled for others, in order: reductions, what is broadcast behind one, costly shared values."""
    behind: set[int] = set()
    for index, value in enumerate(program.values):
        if value.op in REDUCTIONS or any(arg in behind for arg in value.args):
            behind.add(index)
    cuts = {i for i, value in enumerate(program.values) if value.op in REDUCTIONS}
    for value in program.values:
        if value.op in REDUCTIONS:
            continue
        cuts |= {arg for arg in value.args if arg in behind and program.values[arg].shape[-2:] != value.shape[-2:]}
    while hand_on:
        shared = [v for v in _computed_twice(program, cuts) if _costly(program, v, cuts)]
        if not shared:
            break
        cuts.add(max(shared))
    return sorted(cuts)


def _roots(program: Program, cuts: set[int]) -> list[int]:
    """What each job evaluates first: operands of reductions, cut values, outputs."""
    roots = [program.values[v].args[0] if program.values[v].op in REDUCTIONS else v for v in sorted(cuts)]
    return [*roots, *dict.fromkeys(b.value for b in program.outputs if b.value not in cuts)]


def _inner(program: Program, root: int, cuts: set[int]) -> list[int]:
    known = {v for v in cuts if v != root} | {i for i in range(len(program.values)) if is_moved_leaf(program, i)}
    return [v for v in evaluated(program, [root], known) if program.values[v].op not in REDUCTIONS]


def _computed_twice(program: Program, cuts: set[int]) -> list[int]:
    counts: dict[int, int] = {}
    for root in _roots(program, cuts):
        for value in _inner(program, root, cuts):
            if value not in cuts:
                counts[value] = counts.get(value, 0) + 1
    return [value for value, count in counts.items() if count > 1]


def _costly(program: Program, root: int, cuts: set[int]) -> bool:
    return any(program.values[v].op not in _CHEAP for v in _inner(program, root, cuts))


def _leaves_of(program: Program, group: list[Job], settled: dict[int, str]) -> list[int]:
    """Values that the jobs load from circular buffers, in order."""
    found: set[int] = set()
    for job in group:
        roots = [program.values[job.fold].args[0]] if job.fold is not None else [s.value for s in job.stores]
        own = {s.value for s in job.stores} if job.fold is None else set()
        todo = list(roots)
        while todo:
            index = todo.pop()
            if (
                (index in settled and index not in own)
                or is_moved_leaf(program, index)
                or program.values[index].op in REDUCTIONS
            ):
                found.add(index)
            elif program.values[index].op != "const":
                todo += program.values[index].args
    return sorted(found)


def _identity(reduction: Value) -> int:
    """The bits of what changes no result: of fp32, or of the integer."""
    if reduction.op not in ("max", "min"):
        return 0
    least = reduction.op == "max"
    if not is_integer(reduction.dtype):
        return _bits(float("-inf") if least else float("inf"))
    if reduction.dtype == "int32":
        return 0x80000000 if least else 0x7FFFFFFF
    return 0 if least else 0xFFFF if reduction.dtype == "uint16" else 0xFFFFFFFF


def _bits(number: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", number))[0])
