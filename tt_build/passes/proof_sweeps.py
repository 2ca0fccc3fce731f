"""Proofs about kernels of sweeps, used by ``verify_ir``: which tile of which tensor meets which step.

The expected pages come from shapes by NumPy's broadcasting and from the counters of the loops, not from the page
expressions that the passes made.
"""

from __future__ import annotations

import math
from typing import NoReturn

import numpy as np

from tt_build.ir.lowered import FillTile, Pack, ReadPage, TileOp, WritePage, walk
from tt_build.ir.stages import TILE, LoweredKernel, Sweep, Tensor
from tt_build.ir.work import tile_ids
from tt_build.passes.infer_schedule import extents
from tt_build.passes.memory_space_lower import line_tiles
from tt_build.passes.proof import fail
from tt_build.passes.proof_folds import check_folds
from tt_build.passes.skeleton import Visit, visits

Places = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Tile id of the unit, row and column in the unit."""


def check_sweeps(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    """Pages that the bodies read and write on all cores together, by tensor.

    Every sweep meets each tile of its extent once a unit, in the same order in all kernels, takes it from its place in
    the circular buffer, and each output page is written exactly once (TTB403). What is reduced over a ragged axis is
    masked in the last tile, and only there (TTB408).
    """
    proof = _Proof(kernel)
    moved: dict[str, dict[str, int]] = {"read": {}, "written": {}}
    for body in kernel.bodies:
        for visit in visits(body):
            stmt = visit.stmt
            if isinstance(stmt, ReadPage):
                proof.check_read(stmt, visit)
            elif isinstance(stmt, WritePage):
                proof.check_write(stmt, visit)
            elif isinstance(stmt, TileOp):
                proof.check_tiles(stmt, visit)
            else:
                proof.check_pack(stmt, visit)
            if isinstance(stmt, ReadPage | WritePage):
                kind = "read" if isinstance(stmt, ReadPage) else "written"
                moved[kind][stmt.tensor] = moved[kind].get(stmt.tensor, 0) + int(visit.core.size)
    proof.check_complete()
    check_folds(kernel)
    return moved["read"], moved["written"]


class _Proof:
    def __init__(self, kernel: LoweredKernel) -> None:
        self.kernel = kernel
        walks = [np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64) for item in kernel.work]
        self.units = np.asarray([walk_.size for walk_ in walks])
        self.tiles = np.concatenate(walks)
        self.first = np.cumsum(self.units) - self.units
        rows, columns = (-(-extent // TILE) for extent in extents(kernel))
        self.unit = rows // kernel.grid.y, columns // kernel.grid.x
        self.space = kernel.grid.z, rows, columns
        self.batch = max((t.batch for t in kernel.outputs), key=len)
        self.streams = {stream.cb: stream for stream in kernel.streams}
        self.results = {result.cb: result for result in kernel.results}
        self.held = {i.cb: i.extent for i in kernel.intermediates if i.extent is not None}
        self.masks = {mask.cb: mask for mask in kernel.masks}
        self.read: dict[str, list[np.ndarray]] = {}
        self.used: set[str] = set()
        self.masked: dict[int, list[str]] = {}
        self.written: dict[str, np.ndarray] = {}

    # Statements

    def check_read(self, stmt: ReadPage, visit: Visit) -> None:
        """A stream's tiles, each once for the core, the unit or the sweep."""
        stream = self.streams.get(stmt.cb)
        if stream is None or stream.tensor != stmt.tensor or stmt.cb in self.read:
            self._fail(f"reads '{stmt.tensor}' into {stmt.cb}")
        if stream.per == "sweep":
            self._check_sweep(visit, stream.sweep, stmt.cb)
            places, slot = self._places(visit, self._sweep(visit)), self._block_slot(visit)
            self.read[stmt.cb] = [visit.core, *places]
        else:
            places = self._places(visit, None)
            slot = places[1] * stream.extent[1] + places[2]
            self.read[stmt.cb] = []
        units = np.ones_like(self.units) if stream.per == "core" else self.units
        self._check_count(visit, units * stream.extent[0] * stream.extent[1], stmt.cb)
        self._check_once(visit, places, stmt.cb)
        self._same(visit.values[0], self.pages(stream.tensor, places, turned=stream.transpose), stmt.cb)
        self._same(visit.values[1], slot, stmt.cb)

    def check_write(self, stmt: WritePage, visit: Visit) -> None:
        """Output pages, each once on all cores together."""
        result = self.results.get(stmt.cb)
        if result is None or result.tensor != stmt.tensor or stmt.cb in self.written:
            self._fail(f"writes '{stmt.tensor}' from {stmt.cb}")
        self._check_sweep(visit, result.sweep, stmt.cb)
        places = self._places(visit, self._sweep(visit))
        self._same(visit.values[0], self.pages(result.tensor, places), stmt.cb)
        self._same(visit.values[1], self._block_slot(visit), stmt.cb)
        self.written[stmt.cb] = np.sort(visit.values[0])

    def check_tiles(self, stmt: TileOp, visit: Visit) -> None:
        """Each circular buffer is read where the tile of the present place lies."""
        if visit.sweep < 0:
            self._fail(f"{stmt.op} of {', '.join(stmt.cbs)} outside the sweeps")
        sweep = self._sweep(visit)
        places = self._places(visit, sweep)
        for cb, index in zip(stmt.cbs, visit.values, strict=True):
            self.used.add(cb)
            if cb in self.masks:
                self._check_mask(visit, sweep, cb, places)
            self._same(index, self._slot(visit, cb, places), cb)
            if cb in self.streams and self.streams[cb].per == "sweep":
                found = [visit.core, *places]
                if self.streams[cb].sweep != visit.sweep or not all(map(np.array_equal, found, self.read.get(cb, []))):
                    self._fail(f"{cb} is not read in the order in which it comes")
            if cb not in self.masks and (cb in self.streams or cb in self.held):
                self._check_count(visit, self._rounds(sweep), cb)

    def check_pack(self, stmt: Pack, visit: Visit) -> None:
        """Values that later sweeps need lie at their place, all others come in order."""
        sweep = self._sweep(visit)
        extent = self.held.get(stmt.cb)
        if extent is None:
            if stmt.index is not None:
                self._fail(f"packs {stmt.cb} at {stmt.index}")
            if stmt.cb in self.results:
                self._check_sweep(visit, self.results[stmt.cb].sweep, stmt.cb)
                self._check_count(visit, self._rounds(sweep), stmt.cb)
            return
        places = self._places(visit, sweep)
        expected = np.broadcast_to(_place(extent, places), visit.core.shape)
        self._same(np.zeros_like(expected) if stmt.index is None else visit.values[0], expected, stmt.cb)
        self._check_count(visit, self.units * extent[0] * extent[1], stmt.cb)
        self._check_once(visit, places, stmt.cb)

    def check_complete(self) -> None:
        """Everything that was planned happens; output pages are written exactly once; edges are masked."""
        flat = [stmt for body in self.kernel.bodies for stmt in walk(body.body)]
        fills = [(stmt.cb, stmt.pattern, stmt.count) for stmt in flat if isinstance(stmt, FillTile)]
        if fills != [(m.cb, m.axis, m.count) for m in self.kernel.masks]:
            self._fail(f"mask tiles {fills}", "TTB408")
        for number, sweep in enumerate(self.kernel.sweeps):
            if sorted(self.masked.get(number, [])) != self._ragged(sweep):
                self._fail(f"sweep {number + 1} masks {self.masked.get(number, [])}", "TTB408")
        planned = {*self.streams, *self.held, *self.masks}
        if set(self.read) != set(self.streams) or not planned <= self.used or set(self.written) != set(self.results):
            missing = sorted(planned - self.used | set(self.streams) - set(self.read))
            self._fail(f"nothing reads or brings {missing}")
        for cb, pages in self.written.items():
            if not np.array_equal(pages, np.arange(self.kernel.buffer(self.results[cb].tensor).pages)):
                self._fail(f"the pages of '{self.results[cb].tensor}' are not written exactly once")

    # What is expected

    def pages(self, name: str, places: Places, *, turned: bool = False) -> np.ndarray:
        """Pages of the tensor's tiles at these places, by NumPy's broadcasting of the whole tensor."""
        tensor = self.kernel.tensor(name)
        tile, row, column = places
        grid = self.kernel.grid
        table = self._table(tensor, turned=turned)
        bx, by, bz = tile % grid.x, tile // grid.x % grid.y, tile // (grid.x * grid.y)
        rows = np.minimum(by * self.unit[0] + row, table.shape[1] - 1)
        columns = np.minimum(bx * self.unit[1] + column, table.shape[2] - 1)
        return np.asarray(table[bz, rows, columns])

    def _table(self, tensor: Tensor, *, turned: bool) -> np.ndarray:
        """Page of every tile, [matrices, rows, columns] of the space or 1 where the tensor has one."""
        rows, columns = (-(-extent // TILE) for extent in tensor.matrix)
        pages = np.arange(math.prod(tensor.batch) * rows * columns).reshape(*tensor.batch, rows, columns)
        if turned:
            pages = np.swapaxes(pages, -1, -2)
        whole = np.broadcast_to(pages, (*self.batch, *pages.shape[-2:]))
        return whole.reshape(self.space[0], *pages.shape[-2:])

    def _places(self, visit: Visit, sweep: Sweep | None) -> Places:
        """Where a statement is at each time: tile id of the unit, row and column from the loops' counters."""
        zero = np.zeros_like(visit.core)
        unit = visit.rounds.get("unit", zero)
        tile = self.tiles[self.first[visit.core] + unit]
        counted = dict(visit.rounds)
        if sweep is not None and "block" in counted:
            counted["tile_row" if sweep.by_columns else "tile_column"] = (
                counted["block"] * self._block(sweep) + counted["i"]
            )
        return tile, counted.get("tile_row", zero), counted.get("tile_column", zero)

    def _block(self, sweep: Sweep) -> int:
        return min(self.kernel.sweep_block, line_tiles(sweep))

    def _block_slot(self, visit: Visit) -> np.ndarray:
        sweep = self._sweep(visit)
        _, row, column = self._places(visit, sweep)
        return np.asarray((row if sweep.by_columns else column) % self._block(sweep))

    def _slot(self, visit: Visit, cb: str, places: Places) -> np.ndarray:
        if cb in self.held:
            extent = self.held[cb]
            assert extent is not None
            return _place(extent, places)
        stream = self.streams.get(cb)
        if stream is None:
            return np.asarray(0)
        return self._block_slot(visit) if stream.per == "sweep" else _place(stream.extent, places)

    def _rounds(self, sweep: Sweep) -> np.ndarray:
        """Tiles of the sweep on each core."""
        return self.units * sweep.extent[0] * sweep.extent[1]

    def _sweep(self, visit: Visit) -> Sweep:
        if not 0 <= visit.sweep < len(self.kernel.sweeps):
            self._fail(f"{type(visit.stmt).__name__} outside the sweeps")
        return self.kernel.sweeps[visit.sweep]

    def _ragged(self, sweep: Sweep) -> list[str]:
        """For each value that the sweep gathers, the axes on which its last tile holds padding."""
        found = set[tuple[int, str]]()
        values = self.kernel.program.values
        for fold in sweep.folds:
            reduction = values[fold.value]
            shape = values[reduction.args[0]].shape
            if reduction.axes != fold.axes:
                self._fail(f"{fold.cb} is reduced over {fold.axes}")
            for side, axis, tiles in (("rows", -2, sweep.extent[0]), ("columns", -1, sweep.extent[1])):
                if axis not in fold.axes:
                    continue
                if tiles != -(-shape[axis] // TILE):
                    self._fail(f"{fold.cb} is reduced over {tiles} tiles of {shape[axis]} {side}")
                if shape[axis] % TILE:
                    found.add((fold.source, side))
        return sorted(side for _, side in found)

    def _operand(self, sweep: Sweep) -> tuple[int, ...]:
        """Shape of what the sweep gathers: all its folds walk the same tiles."""
        values = self.kernel.program.values
        if not sweep.folds:
            self._fail(f"a mask in the sweep '{sweep.what}'", "TTB408")
        return values[values[sweep.folds[0].value].args[0]].shape

    # Comparisons

    def _check_mask(self, visit: Visit, sweep: Sweep, cb: str, places: Places) -> None:
        """A mask is applied in the last tile of its axis, once for each."""
        mask = self.masks[cb]
        place, tiles = (places[1], sweep.extent[0]) if mask.axis == "rows" else (places[2], sweep.extent[1])
        if not np.array_equal(place, np.full_like(place, tiles - 1)):
            self._fail(f"{cb} is applied elsewhere than in the last tile", "TTB408")
        shape = self._operand(sweep)
        if mask.count != (shape[-2] if mask.axis == "rows" else shape[-1]) % TILE:
            self._fail(f"{cb} keeps {mask.count} {mask.axis}", "TTB408")
        self._check_count(visit, self._rounds(sweep) // tiles, cb)
        self.masked.setdefault(visit.sweep, []).append(mask.axis)

    def _check_sweep(self, visit: Visit, number: int, cb: str) -> None:
        if visit.sweep != number:
            self._fail(f"{cb} in sweep {visit.sweep}, not {number}")

    def _check_count(self, visit: Visit, counts: np.ndarray, cb: str) -> None:
        found = np.bincount(visit.core, minlength=len(self.units))
        if not np.array_equal(found, np.broadcast_to(counts, found.shape)):
            self._fail(f"{type(visit.stmt).__name__} of {cb} runs {visit.core.size} times, not {int(counts.sum())}")

    def _check_once(self, visit: Visit, places: Places, cb: str) -> None:
        """No place of a unit twice."""
        unit = visit.rounds.get("unit", np.zeros_like(visit.core))
        keys = self.first[visit.core] + unit
        for place in places[1:]:
            keys = keys * (1 + place.max(initial=0)) + place
        if np.unique(keys).size != visit.core.size:
            self._fail(f"{cb} meets a place twice")

    def _same(self, found: np.ndarray, expected: np.ndarray, cb: str) -> None:
        if not np.array_equal(found, np.broadcast_to(expected, found.shape)):
            self._fail(f"{cb} is not touched where the tile lies")

    def _fail(self, message: str, code: str = "TTB403") -> NoReturn:
        fail(self.kernel, code, message)


def _place(extent: tuple[int, int], places: Places) -> np.ndarray:
    row = places[1] if extent[0] > 1 else np.zeros_like(places[1])
    column = places[2] if extent[1] > 1 else np.zeros_like(places[2])
    return np.asarray(row * extent[1] + column)
