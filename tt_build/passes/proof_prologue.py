"""Proofs about the sweeps in front of a blocked matmul, used by ``proof_blocks``: each tile of a first operand that is
computed lies in its place, once a unit, from the tiles of its own row; its last K tile is masked, and only that.
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.lowered import Block, KernelBody, Pack, Section, TileOp, walk
from tt_build.ir.skeleton import Visit, visits
from tt_build.ir.stages import TILE, LoweredKernel, Stream, Sweep
from tt_build.passes.movement import sunk
from tt_build.passes.prologues import computed_operands
from tt_build.passes.proof import fail
from tt_build.passes.proof_block_places import BlockPlaces, Places
from tt_build.passes.proof_folds import check_folds
from tt_build.passes.proof_padding import masked_slots


class PrologueProof(BlockPlaces):
    """The proof about one kernel."""

    def __init__(self, kernel: LoweredKernel) -> None:
        super().__init__(kernel)
        self.program = sunk(kernel.program).program
        self.operands = {plan.own or plan.a for plan in kernel.contractions if plan.computed}
        self.columns = self.program.values[computed_operands(self.program)[0]].shape[-1]
        self.k_tiles = -(-self.columns // TILE)
        self.mine = self.blocking.k_block if self.blocking.rotates else self.k_tiles  # columns of a core
        self.extents = {i.cb: i.extent for i in kernel.intermediates if i.extent is not None}
        self.spilled = {sweep.spill for sweep in kernel.sweeps} - {""}
        self.masks = {mask.cb: mask for mask in kernel.masks}

    def check(self, compute: KernelBody, reads: dict[str, Visit]) -> set[str]:
        """TTB403 and TTB408, where ``reads`` are those of all streams; gives the circular buffers that sweeps read."""
        self._check_plan()
        for cb, visit in reads.items():
            if self.streams[cb].is_before_product:
                self._check_read(self.streams[cb], visit)
        read, packed = set[str](), list[str]()
        for visit in visits(compute, (TileOp, Pack)):
            if visit.sweep < 0 or not self.kernel.sweeps[visit.sweep].before:
                continue
            if isinstance(visit.stmt, Pack):
                packed += [visit.stmt.cb] if visit.stmt.cb in self.extents else []
                self._check_pack(visit.stmt, visit)
            elif isinstance(visit.stmt, TileOp):
                read |= {*visit.stmt.cbs}
                self._check_tiles(visit.stmt, visit)
        handed = {*packed} - self.operands
        brought = {s.cb for s in self.kernel.streams if s.is_before_product}
        if len(packed) != len({*packed}) or not self.operands <= {*packed} or not handed | brought <= read:
            self._fail(f"the sweeps in front of the product pack {packed} and read {sorted(read)}")
        self._check_sections(compute)
        check_folds(self.kernel)
        return read

    def _check_plan(self) -> None:
        """Each operand has a buffer of its own, with the unit's rows and all of K; sweeps reduce whole rows."""
        computed = [p for p in self.kernel.contractions if p.computed]
        buffers = {(self.program.values[p.value].args[0], p.own or p.a) for p in computed}
        values = {value for value, _ in buffers}
        if values != {*computed_operands(self.program)} or not len(values) == len(buffers) == len(self.operands):
            self._fail(f"operands {sorted(values)} in {sorted(self.operands)}")
        for cb in self.operands:
            if self.extents.get(cb) != (self.block[0], self.mine):
                self._fail(f"{cb} holds {self.extents.get(cb)} tiles, not {self.block[0]} x {self.mine}")
        if any(p.k_tiles != self.k_tiles or bool(p.own) != self.blocking.rotates for p in computed):
            self._fail(f"{self.columns} columns are not those that are multiplied")
        behind = False
        for sweep in self.kernel.sweeps:
            behind |= not sweep.before
            axes = {fold.axes for fold in sweep.folds}
            operands = [self.program.values[self.program.values[f.value].args[0]].shape for f in sweep.folds]
            wrong = any(-(-shape[-1] // TILE) != sweep.extent[1] for shape in operands)
            if sweep.before and (behind or sweep.by_columns or sweep.parts > 1 or axes - {(-1,)} or wrong):
                self._fail(f"sweep '{sweep.what}' in front of the product has other tiles than those of rows")
        if not self.blocking.rotates:
            return
        if self.mine * self.kernel.grid.x != self.k_tiles:
            self._fail(f"{self.kernel.grid.x} cores of a row compute {self.mine} of {self.k_tiles} K tiles each")
        steps = {i.cb: (i.tiles, i.extent) for i in self.kernel.intermediates}
        if any(steps.get(plan.a) != (self.block[0] * self.mine, None) for plan in computed):
            self._fail("what is sent in turn is no step of the operand")

    def _rows(self, rows: int) -> np.ndarray:
        """For each unit of all cores the rows of tiles that there are of what has as many at most."""
        if rows not in (1, self.block[0]):
            self._fail(f"{rows} rows of tiles in a unit of {self.block[0]}")
        return self._valid(0) if rows == self.block[0] else np.ones_like(self.core)

    def _check_read(self, stream: Stream, visit: Visit) -> None:
        """The tiles of a stream, each once, to their places, on the cores that read it."""
        at = self.places(visit)
        (height, width), (rows, columns) = self.kernel.buffer(stream.tensor).tiles, stream.extent
        wide = min(width, self.k_tiles if stream.per == "core" else self.mine)
        if stream.extent != (min(height, self.block[0]), wide) or width not in (1, self.k_tiles):
            self._fail(f"{stream.cb} has {stream.extent} tiles of {height} x {width}")
        row = at["by"] * self.block[0] + at["row"]
        zero = np.zeros_like(row)
        once = stream.per == "core"
        column = at["column"] if once or width == 1 else self._in_operand(at)
        wanted = self.pages(stream.tensor, False, zero if once else at["bz"], zero if once else row, column)
        slot = at["row"] * columns + at["column"]
        if stream.per == "sweep":
            slot = visit.rounds.get("i", zero)
            if visit.sweep != stream.sweep:
                self._fail(f"{stream.cb} comes in sweep {visit.sweep}")
            self._in_order(visit, at, stream.cb)
        elif visit.sweep >= 0 or "i" in visit.rounds:
            self._fail(f"{stream.cb} comes with a sweep")
        self._same(visit, (wanted, slot), stream.cb)
        self._once((at["core"], at["unit"], at["row"], at["column"]), stream.cb)
        if once and (visit.core.any() or at["unit"].any() or rows > 1 or self._changes(stream.tensor)):
            self._fail(f"{stream.cb} is not the same for all units, or not read by the first core alone")
        count = columns if once else int((self._rows(rows) * columns)[self._readers(stream)].sum())
        self._count(visit, count, stream.cb)

    def _is_step(self, sweep: Sweep) -> bool:
        """Whether a sweep computes a step of an operand, the core's own."""
        return self.blocking.rotates and any(cb in self.operands for _, cb in _planned(sweep))

    def _in_operand(self, at: Places) -> np.ndarray:
        """The column of the operand that the present tile is."""
        return np.asarray(at["column"] + at["bx"] * self.mine if self.blocking.rotates else at["column"])

    def _changes(self, tensor: str) -> bool:
        """Whether units have different tiles of a tensor: it has several matrices, or rows of tiles."""
        buffer = self.kernel.buffer(tensor)
        return buffer.batch > 1 or buffer.tiles[0] > 1

    def _check_tiles(self, stmt: TileOp, visit: Visit) -> None:
        """Every tile of the sweep, each taken from where it lies; a mask in the last column alone."""
        sweep, at = self._sweep(visit), self.places(visit)
        rows, columns = sweep.extent
        text = ", ".join(stmt.cbs)
        if self.spilled & {*stmt.cbs}:
            if any(index.any() for index in visit.values):
                self._fail(f"{text} is one tile")
            return
        masked = [cb for cb in stmt.cbs if cb in self.masks]
        own = self._is_step(sweep)
        last = self._in_operand(at) == self.k_tiles - 1 if own else at["column"] == columns - 1
        if masked and not last.all():
            fail(self.kernel, "TTB408", f"{text} is applied elsewhere than in the last tile of a row")
        edge = self._along(self.ids, 1) == self.kernel.grid.x - 1 if own else np.ones_like(self.core)
        self._count(visit, int((self._rows(rows) * (edge if masked else columns)).sum()), text)
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
            rows, columns = self.extents[stmt.cb]
            place = np.zeros_like(visit.core) if stmt.index is None else visit.values[0]
            if not np.array_equal(place, self._slot(stmt.cb, visit, at)):
                self._fail(f"packs a tile of {stmt.cb} at another place than its own")
            self._once((at["core"], at["unit"], at["row"], at["column"]), stmt.cb)
            self._count(visit, int((self._rows(rows) * columns).sum()), stmt.cb)
        elif stmt.index is not None:
            self._fail(f"packs {stmt.cb} at {stmt.index}")
        elif stmt.cb not in self.spilled:
            self._count(visit, int((self._rows(sweep.extent[0]) * sweep.extent[1]).sum()), stmt.cb)

    def _check_sections(self, compute: KernelBody) -> None:
        """Sections pack what is planned; what lies in the padding columns of an operand is zeroed last before that."""
        ragged = self.columns % TILE
        masks = {cb for cb, mask in self.masks.items() if (mask.axis, mask.count) == ("columns", ragged)}
        blocks = [b for b in walk(compute.body) if isinstance(b, Block) and self.kernel.sweeps[b.sweep].before]
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
