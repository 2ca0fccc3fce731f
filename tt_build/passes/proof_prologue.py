"""Proofs about the sweeps in front of a blocked matmul, used by ``proof_blocks``: each tile of an operand that is
computed lies in its place, once a unit, from the tiles of its own line; its last K tile is masked, and only that.

A line has all of K: a row of a first operand, a column of a second one, or a row of that where it is transposed.
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.lowered import Block, KernelBody, Pack, Section, TileOp, walk
from tt_build.ir.skeleton import Visit, visits
from tt_build.ir.stages import SECOND_TURNED, TILE, UNIT, LoweredKernel, Stream, Sweep
from tt_build.passes.movement import MOVES
from tt_build.passes.prologues import axes_of, computed_operands, is_turned_leaf, leaves_before
from tt_build.passes.proof import fail, program_of
from tt_build.passes.proof_block_places import BlockPlaces, Places
from tt_build.passes.proof_padding import masked_slots
from tt_build.passes.proof_views import fields_of, tiles_at


class PrologueProof(BlockPlaces):
    """The proof about one side's operands in one kernel."""

    def __init__(self, kernel: LoweredKernel, side: int) -> None:
        super().__init__(kernel)
        self.program = program_of(kernel)
        self.side = side
        self.plans = [p for p in kernel.contractions if (p.computed, p.computed_b)[side]]
        self.operands = {plan.b if side else plan.own or plan.a for plan in self.plans}
        self.axes = axes_of(self.program, side)
        self.k_axis = self.axes.index("k")
        self.across = 1 - self.k_axis
        self.unit_axis = 0 if self.axes[self.across] == "rows" else 1  # of the output
        self.lines = self.block[self.unit_axis]
        self.computed = computed_operands(self.program, side)
        self.reduced = self.program.values[self.computed[0]].shape[-2 + self.k_axis] if self.computed else 0
        self.k_tiles = -(-self.reduced // TILE)
        self.in_turn = self.blocking.rotates and side == 0
        self.mine = self.blocking.k_block if self.in_turn else self.k_tiles  # tiles of K of a core
        self.extents = {i.cb: i.extent for i in kernel.intermediates if i.extent is not None}
        self.spilled = {sweep.spill for sweep in kernel.sweeps} - {""}
        self.masks = {mask.cb: mask for mask in kernel.masks}

    def check(self, compute: KernelBody, reads: dict[str, Visit]) -> set[str]:
        """TTB403 and TTB408, where ``reads`` are those of all streams; gives the circular buffers that sweeps read."""
        self._check_plan()
        for cb, visit in reads.items():
            if self.streams[cb].axes == self.axes:
                self._check_read(self.streams[cb], visit)
        read, packed = set[str](), list[str]()
        for visit in visits(compute, (TileOp, Pack)):
            if visit.sweep < 0 or self.kernel.sweeps[visit.sweep].axes != self.axes:
                continue
            if isinstance(visit.stmt, Pack):
                packed += [visit.stmt.cb] if visit.stmt.cb in self.extents else []
                self._check_pack(visit.stmt, visit)
            elif isinstance(visit.stmt, TileOp):
                read |= {*visit.stmt.cbs}
                self._check_tiles(visit.stmt, visit)
        handed = {*packed} - self.operands
        brought = {s.cb for s in self.kernel.streams if s.axes == self.axes}
        if len(packed) != len({*packed}) or not self.operands <= {*packed} or not handed | brought <= read:
            self._fail(f"the sweeps in front of the product pack {packed} and read {sorted(read)}")
        self._check_sections(compute)
        return read

    def _check_plan(self) -> None:
        """Each operand has a buffer of its own, with the unit's lines and all of K; sweeps reduce whole lines."""
        cbs = [p.b if self.side else p.own or p.a for p in self.plans]
        operand = (self.program.values[p.value].args[self.side] for p in self.plans)
        buffers = {*zip(operand, cbs, strict=True)}
        values = {value for value, _ in buffers}
        if values != {*self.computed} or not len(values) == len(buffers) == len(self.operands):
            self._fail(f"operands {sorted(values)} in {sorted(self.operands)}")
        for cb in self.operands:
            if self.extents.get(cb) != self._shape(self.lines, self.mine):
                self._fail(f"{cb} holds {self.extents.get(cb)} tiles, not {self._shape(self.lines, self.mine)}")
        own = self.side == 0 and any(bool(p.own) != self.in_turn for p in self.plans)
        if own or any(p.k_tiles != self.k_tiles for p in self.plans):
            self._fail(f"{self.reduced} elements along K are not those that are multiplied")
        behind = False
        for sweep in self.kernel.sweeps:
            behind |= not sweep.before
            if sweep.axes != self.axes:
                continue
            axes = {fold.axes for fold in sweep.folds}
            operands = [self.program.values[self.program.values[f.value].args[0]].shape for f in sweep.folds]
            wrong = any(-(-shape[-2 + self.k_axis] // TILE) != sweep.extent[self.k_axis] for shape in operands)
            walked = sweep.by_columns == (self.k_axis == 0) and sweep.parts == 1
            if behind or not walked or axes - {(-2 + self.k_axis,)} or wrong:
                self._fail(f"sweep '{sweep.what}' in front of the product has other tiles than those of its lines")
        self._check_leaves()
        if not self.in_turn:
            return
        if self.mine * self.kernel.grid.x != self.k_tiles:
            self._fail(f"{self.kernel.grid.x} cores of a row compute {self.mine} of {self.k_tiles} K tiles each")
        steps = {i.cb: (i.tiles, i.extent) for i in self.kernel.intermediates}
        if any(steps.get(plan.a) != (self.block[0] * self.mine, None) for plan in self.plans):
            self._fail("what is sent in turn is no step of the operand")

    def _check_leaves(self) -> None:
        """What is brought is what the operands are computed from, transposed or not."""
        leaves = leaves_before(self.program, self.side)
        wanted = {(self._tensor(leaf), is_turned_leaf(self.program, leaf)) for leaf in leaves}
        found = {(s.tensor, s.transpose) for s in self.kernel.streams if s.axes == self.axes}
        numbers = {(s.tensor, s.transpose) for s in self.kernel.streams if s.per == "core" and s.axes == UNIT}
        if not found <= wanted <= found | numbers:
            self._fail(f"{sorted(found)} are brought for what is computed from {sorted(wanted)}")

    def _tensor(self, leaf: int) -> str:
        """The tensor that a leaf moves, or is."""
        value = self.program.values[leaf]
        return self._tensor(value.args[0]) if value.op in MOVES else value.name

    def _shape(self, lines: int, tiles: int) -> tuple[int, int]:
        """Rows and columns of so many lines of so many tiles."""
        return (lines, tiles) if self.k_axis else (tiles, lines)

    def _tiles_in(self, extent: tuple[int, int]) -> np.ndarray:
        """For each unit of all cores the tiles that there are of what has that extent at most."""
        lines = extent[self.across]
        if lines not in (1, self.lines):
            self._fail(f"{lines} lines of tiles in a unit of {self.lines}")
        there = self._valid(self.unit_axis) if lines == self.lines else np.ones_like(self.core)
        return np.asarray(there * extent[self.k_axis])

    def _line_and_k(self, at: Places) -> tuple[np.ndarray, np.ndarray]:
        """The present tile's line in the unit, and its place along that."""
        return (at["row"], at["column"]) if self.k_axis else (at["column"], at["row"])

    def _check_read(self, stream: Stream, visit: Visit) -> None:
        """The tiles of a stream, each once, to their places, on the cores that read it."""
        at, once = self.places(visit), stream.per == "core"
        tiles = self._leaf_tiles(stream)
        lines, along = tiles[self.across], tiles[self.k_axis]
        expected = self._shape(min(lines, self.lines), min(along, self.k_tiles if once else self.mine))
        if stream.extent != expected or along not in (1, self.k_tiles):
            self._fail(f"{stream.cb} has {stream.extent} tiles of {tiles}")
        line, k = self._line_and_k(at)
        zero = np.zeros_like(line)
        line = zero if once or lines == 1 else at["bx" if self.unit_axis else "by"] * self.lines + line
        k = k if once or along == 1 else self._in_operand(at)
        row, column = (line, k) if self.k_axis else (k, line)
        wanted = self._leaf_pages(stream, zero if once else at["bz"], row, column)
        slot = at["row"] * stream.extent[1] + at["column"]
        if stream.per == "sweep":
            slot = visit.rounds.get("i", zero)
            if visit.sweep != stream.sweep:
                self._fail(f"{stream.cb} comes in sweep {visit.sweep}")
            self._in_order(visit, at, stream.cb)
        elif visit.sweep >= 0 or "i" in visit.rounds:
            self._fail(f"{stream.cb} comes with a sweep")
        self._same(visit, (wanted, slot), stream.cb)
        self._once((at["core"], at["unit"], at["row"], at["column"]), stream.cb)
        alike = lines == 1 and self._is_same_for_all(stream)
        if once and (visit.core.any() or at["unit"].any() or not alike):
            self._fail(f"{stream.cb} is not the same for all units, or not read by the first core alone")
        there = self._tiles_in(stream.extent)
        count = stream.extent[self.k_axis] if once else int(there[self._readers(stream)].sum())
        self._count(visit, count, stream.cb)

    def _leaf_tiles(self, stream: Stream) -> tuple[int, int]:
        """Rows and columns of tiles of what a stream brings, as the operand has it."""
        if stream.view >= 0:
            rows, columns = (-(-extent // TILE) for extent in self.program.values[stream.view].shape[-2:])
            return rows, columns
        tiles = self.kernel.buffer(stream.tensor).tiles
        return tiles[::-1] if stream.transpose else tiles

    def _leaf_pages(self, stream: Stream, bz: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Pages of the tiles at these rows and columns of what a stream brings."""
        if stream.view < 0:
            return self.pages(stream.tensor, stream.transpose, bz, row, column)
        if stream.view not in leaves_before(self.program, self.side) or self._tensor(stream.view) != stream.tensor:
            self._fail(f"{stream.cb} brings '{stream.tensor}', from which no operand is computed so")
        rows, columns = self._leaf_tiles(stream)
        self._within(row, rows, "row")
        self._within(column, columns, "column")
        place = bz, row, column
        tiles = tiles_at(
            self.kernel, stream.view, *place, transposed=stream.transpose, spread=False, unturned=True
        )  # fmt: skip
        return fields_of(self.kernel, stream.tensor, tiles)[0]

    def _is_same_for_all(self, stream: Stream) -> bool:
        """Whether each matrix of the output needs the same line of tiles of what a stream brings."""
        if stream.view < 0:
            return self.kernel.buffer(stream.tensor).batch == 1
        along = self._leaf_tiles(stream)[self.k_axis]
        bz, k = (index.ravel() for index in np.meshgrid(np.arange(self.kernel.grid.z), np.arange(along)))
        zero = np.zeros_like(k)
        row, column = (zero, k) if self.k_axis else (k, zero)
        first = self._leaf_pages(stream, zero, row, column)
        return np.array_equal(self._leaf_pages(stream, bz, row, column), first)

    def _is_step(self, sweep: Sweep) -> bool:
        """Whether a sweep computes a step of an operand, the core's own."""
        return self.in_turn and any(cb in self.operands for _, cb in _planned(sweep))

    def _in_operand(self, at: Places) -> np.ndarray:
        """The present tile's place along K in the operand."""
        _, k = self._line_and_k(at)
        return np.asarray(k + at["bx"] * self.mine if self.in_turn else k)

    def _check_tiles(self, stmt: TileOp, visit: Visit) -> None:
        """Every tile of the sweep, each taken from where it lies; a mask in the last tile of a line alone."""
        sweep, at = self._sweep(visit), self.places(visit)
        text = ", ".join(stmt.cbs)
        if self.spilled & {*stmt.cbs}:
            if any(index.any() for index in visit.values):
                self._fail(f"{text} is one tile")
            return
        masked = [cb for cb in stmt.cbs if cb in self.masks]
        own = self._is_step(sweep)
        along = sweep.extent[self.k_axis]
        last = self._in_operand(at) == self.k_tiles - 1 if own else self._line_and_k(at)[1] == along - 1
        if masked and not last.all():
            fail(self.kernel, "TTB408", f"{text} is applied elsewhere than in the last tile of a line")
        edge = self._along(self.ids, 1) == self.kernel.grid.x - 1 if own else np.ones_like(self.core)
        there = self._tiles_in(sweep.extent)
        self._count(visit, int((there // along * edge if masked else there).sum()), text)
        turned = [self.streams[cb].transpose for cb in stmt.cbs if cb in self.streams]
        if any(turned) != (stmt.op == "transpose" or stmt.transpose):
            self._fail(f"{stmt.op} of {text} transposes tiles, or not, against the program")
        self._in_order(visit, at, text)
        for cb, index in zip(stmt.cbs, visit.values, strict=True):
            if not np.array_equal(index, np.broadcast_to(self._slot(cb, visit, at), index.shape)):
                self._fail(f"{stmt.op} takes another tile of {cb} than that of its place")

    def _slot(self, cb: str, visit: Visit, at: Places) -> np.ndarray:
        """Where the tile of the present place lies."""
        zero, stream = np.zeros_like(visit.core), self.streams.get(cb)
        if stream is not None and stream.per == "sweep":
            if stream.sweep != visit.sweep:
                self._fail(f"{cb} is read in sweep {visit.sweep}, not {stream.sweep}")
            return visit.rounds.get("i", zero)
        rows, columns = stream.extent if stream is not None else self.extents.get(cb, (1, 1))
        whole = self._is_step(self._sweep(visit)) and columns == self.k_tiles
        column = self._in_operand(at) if whole else at["column"]
        return np.asarray((at["row"] if rows > 1 else zero) * columns + (column if columns > 1 else zero))

    def _check_pack(self, stmt: Pack, visit: Visit) -> None:
        """What is settled lies at its place, each tile once; what only the tile's next section needs comes in order."""
        sweep, at = self._sweep(visit), self.places(visit)
        if stmt.cb in self.extents:
            place = np.zeros_like(visit.core) if stmt.index is None else visit.values[0]
            line, k = self._line_and_k(at)
            swapped = stmt.cb in self.operands and self.axes == SECOND_TURNED
            wanted = k * self.lines + line if swapped else self._slot(stmt.cb, visit, at)
            if not np.array_equal(place, wanted):
                self._fail(f"packs a tile of {stmt.cb} at another place than its own")
            self._once((at["core"], at["unit"], at["row"], at["column"]), stmt.cb)
            self._count(visit, int(self._tiles_in(self.extents[stmt.cb]).sum()), stmt.cb)
        elif stmt.index is not None:
            self._fail(f"packs {stmt.cb} at {stmt.index}")
        elif stmt.cb not in self.spilled:
            self._count(visit, int(self._tiles_in(sweep.extent).sum()), stmt.cb)

    def _check_sections(self, compute: KernelBody) -> None:
        """Sections pack what is planned; what lies in the padding of an operand's K is zeroed last before that."""
        ragged, axis = self.reduced % TILE, "columns" if self.k_axis else "rows"
        masks = {cb for cb, mask in self.masks.items() if (mask.axis, mask.count) == (axis, ragged)}
        numbers = {number for number, sweep in enumerate(self.kernel.sweeps) if sweep.axes == self.axes}
        blocks = [b for b in walk(compute.body) if isinstance(b, Block) and b.sweep in numbers]
        for block in blocks:
            sections = [s for s in walk(block.body) if isinstance(s, Section)]
            packs = [(p.dst, p.cb) for s in sections for p in walk(s.packs) if isinstance(p, Pack)]
            if {*packs} != _planned(self.kernel.sweeps[block.sweep]):
                self._fail(f"sweep {block.sweep + 1} packs {packs}")
            for section in sections:
                packed = {p.dst for p in walk(section.packs) if isinstance(p, Pack) and p.cb in self.operands}
                if ragged and not packed <= masked_slots(section.math, masks):
                    fail(self.kernel, "TTB408", f"DST slots {sorted(packed)} become operands with their padding")

    def _sweep(self, visit: Visit) -> Sweep:
        return self.kernel.sweeps[visit.sweep]


def _planned(sweep: Sweep) -> set[tuple[int, str]]:
    """DST slots that a sweep packs, and where they go."""
    found = {store for section in sweep.sections for store in section.stores}
    found |= {(fold.slot, fold.cb) for fold in sweep.folds}
    return found | ({(0, sweep.spill)} if sweep.spill else set())
