"""Proofs about kernels of sweeps, used by ``verify_ir``: which tile of which tensor meets which step.

The expected pages come from shapes by NumPy's broadcasting and from the counters of the loops, not from the page
expressions that the passes made.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import msgspec
import numpy as np

from tt_build.ir.lowered import FillTile, Pack, ReadPage, TileOp, WritePage, walk
from tt_build.ir.skeleton import Visit, in_order, visits
from tt_build.ir.stages import TILE, LoweredKernel, Stream, Sweep, Tensor
from tt_build.ir.work import tile_ids
from tt_build.passes.kinds import extents
from tt_build.passes.memory_space_lower import line_tiles
from tt_build.passes.movement import sunk
from tt_build.passes.proof import fail
from tt_build.passes.proof_folds import check_folds
from tt_build.passes.proof_padding import columns_of
from tt_build.passes.proof_rows import check_form, pages_moved, tile_fields, with_parts
from tt_build.passes.proof_views import Tiles, check_patterns, fields_of, pattern_slots, tiles_at

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
        if body.role != "reader":
            proof.check_views()
        for visit in visits(body):
            stmt = visit.stmt
            if isinstance(stmt, ReadPage):
                proof.read_page(stmt, visit)
            elif isinstance(stmt, WritePage):
                proof.check_write(stmt, visit)
            elif isinstance(stmt, TileOp):
                proof.check_tiles(stmt, visit)
            elif isinstance(stmt, Pack):
                proof.check_pack(stmt, visit)
            if isinstance(stmt, ReadPage | WritePage):
                kind = "read" if isinstance(stmt, ReadPage) else "written"
                moved[kind][stmt.tensor] = moved[kind].get(stmt.tensor, 0) + pages_moved(stmt, visit)
    proof.check_complete()
    check_patterns(kernel)
    check_folds(kernel)
    return moved["read"], moved["written"]


class _Proof:
    def __init__(self, kernel: LoweredKernel) -> None:
        self.kernel = kernel
        self.walks = [np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64) for item in kernel.work]
        self.tiles = np.concatenate(self.walks)
        units = np.asarray([walk_.size for walk_ in self.walks])
        self.first = np.cumsum(units) - units
        self.space = tuple(-(-extent // TILE) for extent in extents(kernel))
        parts = kernel.parts
        self.spread = parts if parts is not None and parts.spread else None
        rows = parts.tiles if parts is not None and self._spread_over("rows") else self.space[0] // kernel.grid.y
        columns = parts.tiles if parts is not None and self._spread_over("columns") else self.space[1] // kernel.grid.x
        self.unit = rows, columns
        self.batch = max((t.batch for t in kernel.outputs), key=len)
        self.streams = {stream.cb: stream for stream in kernel.streams}
        self.results = {result.cb: result for result in kernel.results}
        self.held = {i.cb: i.extent for i in kernel.intermediates if i.extent is not None}
        self.partial = {fold.parts_cb for sweep in kernel.sweeps for fold in sweep.folds} - {""}
        self.masks = {mask.cb: mask for mask in kernel.masks}
        self.patterns = {pattern.cb: pattern for pattern in kernel.patterns}
        self.program = sunk(kernel.program).program
        self.moved: dict[str, list[Visit]] = {}
        self.outputs = {binding.value for binding in self.program.outputs}
        self.rolls = {cb: self._rolls_of(stream) for cb, stream in self.streams.items()}
        self.met = set[tuple[str, int]]()
        self.read: dict[str, list[np.ndarray]] = {}
        self.used: set[str] = set()
        self.masked: dict[int, list[str]] = {}
        self.written: dict[str, np.ndarray] = {}

    # Statements

    def read_page(self, stmt: ReadPage, visit: Visit) -> None:
        """A read of a plain tensor is checked at once, those of a view when all its statements are known."""
        stream = self.streams.get(stmt.cb)
        if stream is None or (stream.view < 0 and stream.tensor != stmt.tensor):
            self._fail(f"reads '{stmt.tensor}' into {stmt.cb}")
        if stream.view >= 0:
            self.moved.setdefault(stmt.cb, []).append(visit)
            return
        check_form(self.kernel, stmt)
        self._check_read(stream, visit, functools.partial(self.fields, stream.tensor, turned=stream.transpose))

    def check_views(self) -> None:
        """The statements of each view, in the order in which they run, read the tiles in which its elements lie."""
        moved, self.moved = self.moved, {}
        for cb, parts in moved.items():
            stream = self.streams[cb]
            for part in parts:
                assert isinstance(part.stmt, ReadPage)
                check_form(self.kernel, part.stmt)
            whole, names = in_order([msgspec.structs.replace(part, values=with_parts(part)) for part in parts])
            self._check_read(stream, whole, functools.partial(self._moved_fields, stream, names))

    def _moved_fields(self, stream: Stream, names: np.ndarray, places: Places) -> tuple[np.ndarray, ...]:
        """Pages of a view and the parts of them, found element by element; each comes from the tensor that the
        statement reads.
        """
        tiles = tiles_at(
            self.kernel, stream.view, *self._matrix_place(places), transposed=stream.transpose, spread=True
        )
        if not np.array_equal(names, np.array([self.program.values[source].name for source in tiles.source])):
            self._fail(f"{stream.cb} reads other tensors than its view")
        found = tuple(np.zeros(names.size, dtype=np.int64) for _ in range(4))
        for tensor in dict.fromkeys(names.tolist()):
            fields = fields_of(self.kernel, tensor, tiles)
            found = tuple(np.where(names == tensor, new, old) for new, old in zip(_padded(fields), found, strict=True))
        return found

    def _check_read(self, stream: Stream, visit: Visit, fields: Callable[[Places], tuple[np.ndarray, ...]]) -> None:
        """A stream's tiles, each once for the core, the unit or the sweep."""
        cb = stream.cb
        if cb in self.read:
            self._fail(f"reads into {cb} twice")
        if stream.per == "sweep":
            self._check_sweep(visit, stream.sweep, cb)
            places, slot = self._places(visit, self._sweep(visit)), self._block_slot(visit)
            self.read[cb] = [visit.core, *places]
        else:
            places = self._places(visit, None)
            slot = places[1] * stream.extent[1] + places[2]
            if stream.per == "core":  # in front of all units: the place counts from the matrix' first tile
                places = np.zeros_like(places[0]), *places[1:]
            self.read[cb] = []
        once = np.zeros(len(self.walks), dtype=np.int64)  # the first core reads for all
        once[0] = stream.extent[0] * stream.extent[1]
        self._check_count(visit, once if stream.per == "core" else self._tiles(stream.extent), cb)
        self._check_once(visit, places, cb)
        self._check_fields(visit, fields(places), cb)
        self._same(visit.values[1], slot, cb)

    def _check_fields(self, visit: Visit, fields: tuple[np.ndarray, ...], cb: str) -> None:
        """Page, and where that is a row the rows, the first column and the columns of the tile."""
        page, _, *parts = with_parts(visit)
        for found, expected in zip((page, *parts), _padded(fields), strict=True):
            self._same(found, expected, cb)

    def check_write(self, stmt: WritePage, visit: Visit) -> None:
        """Output pages, each once on all cores together."""
        result = self.results.get(stmt.cb)
        if result is None or result.tensor != stmt.tensor or stmt.cb in self.written:
            self._fail(f"writes '{stmt.tensor}' from {stmt.cb}")
        self._check_sweep(visit, result.sweep, stmt.cb)
        places = self._places(visit, self._sweep(visit))
        if result.first_part_only:
            self._same(self._part(places[0]), np.asarray(0), stmt.cb)
        check_form(self.kernel, stmt)
        self._check_fields(visit, self.fields(result.tensor, places), stmt.cb)
        self._same(visit.values[1], self._block_slot(visit), stmt.cb)
        self.written[stmt.cb] = np.sort(self.tile_numbers(result.tensor, places))

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
            self._check_slot(index, visit, cb, places)
            if cb in self.streams and self.streams[cb].per == "sweep":
                found = [visit.core, *places]
                if self.streams[cb].sweep != visit.sweep or not all(map(np.array_equal, found, self.read.get(cb, []))):
                    self._fail(f"{cb} is not read in the order in which it comes")
            if cb not in self.masks and (cb in self.streams or cb in self.held):
                self._check_count(visit, self._tiles(sweep.extent), cb)
            if cb in self.partial:
                self._check_count(visit, self._parts_of_units(), cb)

    def _check_slot(self, index: np.ndarray, visit: Visit, cb: str, places: Places) -> None:
        """The tile of the place itself, or the one that a value of the program turns there."""
        slot, turned = self._slot(visit, cb, places), set[tuple[str, int]]()
        matrix, row, column = self._matrix_place(places)
        touched = column + index - slot  # the column of what the stream carries that lies there
        for roll, base in self.rolls.get(cb, {}).items():
            stream = self.streams[cb]
            look = functools.partial(tiles_at, self.kernel, transposed=stream.transpose, spread=True)
            if np.any((touched < 0) | (touched * TILE >= self.program.values[base].shape[-1])):
                continue
            carried = stream.view if stream.view >= 0 else base
            if _same_tiles(look(carried, matrix, row, touched), look(roll, matrix, row, column)):
                turned.add((cb, roll))
        self.met |= turned
        if not turned:
            self._same(index, slot, cb)

    def _rolls_of(self, stream: Stream) -> dict[int, int]:
        """Values that turn what the stream carries in its rows, perhaps several times, and are computed with: by value
        the one that they turn. Not those that have a stream of their own.
        """
        values, own = self.program.values, {other.view for other in self.streams.values()}
        plain = [i for i in range(len(values)) if self._is_plain(i, stream)]
        carried = plain if stream.view < 0 else [stream.view, *(i for i in plain if not stream.transpose)]
        base = {index: index for index in carried}
        found: dict[int, int] = {}
        for index, value in enumerate(values):
            if value.op != "roll" or value.ints[0] != -1 or value.args[0] not in base or index in own:
                continue
            base[index] = base[value.args[0]]
            if any(index in v.args and v.op != "roll" for v in values) or index in self.outputs:
                found[index] = base[index]
        return found

    def _is_plain(self, index: int, stream: Stream) -> bool:
        """Whether a value is the stream's tensor, or its transpose where the stream is transposed."""
        value = self.program.values[index]
        if stream.transpose:
            return value.op == "transpose" and self.program.values[value.args[0]].name == stream.tensor
        return value.op == "input" and value.name == stream.tensor

    def check_pack(self, stmt: Pack, visit: Visit) -> None:
        """Values that later sweeps need lie at their place, all others come in order."""
        sweep = self._sweep(visit)
        extent = self.held.get(stmt.cb)
        if stmt.cb in self.partial:
            place = visit.values[0] if stmt.index is not None else np.zeros_like(visit.rounds["part"])
            self._same(place, visit.rounds["part"], stmt.cb)
            self._check_count(visit, self._parts_of_units(), stmt.cb)
            return
        if extent is None:
            if stmt.index is not None:
                self._fail(f"packs {stmt.cb} at {stmt.index}")
            if stmt.cb in self.results:
                self._check_sweep(visit, self.results[stmt.cb].sweep, stmt.cb)
                self._check_count(visit, self._tiles(sweep.extent), stmt.cb)
            return
        places = self._places(visit, sweep)
        expected = np.broadcast_to(_place(extent, places), visit.core.shape)
        self._same(np.zeros_like(expected) if stmt.index is None else visit.values[0], expected, stmt.cb)
        self._check_count(visit, self._tiles(extent), stmt.cb)
        self._check_once(visit, places, stmt.cb)

    def check_complete(self) -> None:
        """Everything that was planned happens; output pages are written exactly once; edges are masked."""
        flat = [stmt for body in self.kernel.bodies for stmt in walk(body.body)]
        fills = [(stmt.cb, stmt.pattern, stmt.count) for stmt in flat if isinstance(stmt, FillTile)]
        if fills != [(m.cb, m.axis, m.count) for m in self.kernel.masks]:
            self._fail(f"mask tiles {fills}", "TTB408")
        for number, sweep in enumerate(self.kernel.sweeps):
            if Counter(self._ragged(sweep)) - Counter(self.masked.get(number, [])):
                self._fail(f"sweep {number + 1} masks {self.masked.get(number, [])}", "TTB408")
        planned = {*self.streams, *self.held, *self.masks, *self.partial, *self.patterns}
        if set(self.read) != set(self.streams) or not planned <= self.used or set(self.written) != set(self.results):
            missing = sorted(planned - self.used | set(self.streams) - set(self.read))
            self._fail(f"nothing reads or brings {missing}")
        met = {roll for _, roll in self.met}
        for cb, rolls in self.rolls.items():
            if not met.issuperset(rolls):
                self._fail(f"{cb} is not turned as the program does")
        for cb, tiles in self.written.items():
            if not np.array_equal(tiles, np.arange(tile_fields(self.kernel, self.results[cb].tensor)[0].size)):
                self._fail(f"the pages of '{self.results[cb].tensor}' are not written exactly once")

    # What is expected

    def fields(self, name: str, places: Places, *, turned: bool = False) -> tuple[np.ndarray, ...]:
        """Pages of the tensor's tiles at these places, and the parts of them (``proof_rows.tile_fields``)."""
        numbers = self.tile_numbers(name, places, turned=turned)
        return tuple(field.reshape(-1)[numbers] for field in tile_fields(self.kernel, name))

    def tile_numbers(self, name: str, places: Places, *, turned: bool = False) -> np.ndarray:
        """Which tiles of the tensor these are, by NumPy's broadcasting of the whole tensor."""
        tensor = self.kernel.tensor(name)
        table = self._table(tensor, turned=turned)
        matrix, row, column = self._matrix_place(places)
        return np.asarray(table[matrix, np.minimum(row, table.shape[1] - 1), np.minimum(column, table.shape[2] - 1)])

    def _matrix_place(self, places: Places) -> Places:
        """Matrix, row and column in tiles."""
        tile, row, column = places
        grid = self.kernel.grid
        bx, by, bz = tile % grid.x, tile // grid.x % grid.y, tile // (grid.x * grid.y)
        return bz, by * self.unit[0] + row, bx * self.unit[1] + column

    def _table(self, tensor: Tensor, *, turned: bool) -> np.ndarray:
        """Number of every tile, [matrices, rows, columns]; one row or column where the tensor has one."""
        rows, columns = (-(-extent // TILE) for extent in tensor.matrix)
        pages = np.arange(math.prod(tensor.batch) * rows * columns).reshape(*tensor.batch, rows, columns)
        if turned:
            pages = np.swapaxes(pages, -1, -2)
        whole = np.broadcast_to(pages, (*self.batch, *pages.shape[-2:]))
        return whole.reshape(self.kernel.grid.z, *pages.shape[-2:])

    def _places(self, visit: Visit, sweep: Sweep | None) -> Places:
        """Where a statement is at each time: tile id of the unit, row and column in what the core has of it."""
        zero = np.zeros_like(visit.core)
        unit = visit.rounds.get("unit", zero)
        tile = self.tiles[self.first[visit.core] + unit]
        found = {}
        for axis, name in (("rows", "row"), ("columns", "column")):
            place = visit.rounds.get(f"tile_{name}", visit.rounds.get(f"{name}_of_part", zero))
            if sweep is not None and "i" in visit.rounds and sweep.by_columns == (axis == "rows"):
                place = visit.rounds.get("block", zero) * self._block(sweep) + visit.rounds["i"]
            parts = self.kernel.parts
            if sweep is not None and sweep.parts > 1 and parts is not None and parts.axis == axis:
                place = place + visit.rounds.get("part", zero) * parts.tiles
            found[axis] = place
        return tile, found["rows"], found["columns"]

    def _block(self, sweep: Sweep) -> int:
        return min(self.kernel.sweep_block, line_tiles(sweep, self.kernel.parts))

    def _block_slot(self, visit: Visit) -> np.ndarray:
        return visit.rounds.get("i", np.zeros_like(visit.core))

    def _part(self, tile: np.ndarray) -> np.ndarray:
        """The part of a spread unit that a tile id stands for."""
        grid = self.kernel.grid
        return np.asarray(tile // grid.x % grid.y if self._spread_over("rows") else tile % grid.x)

    def _spread_over(self, axis: str) -> bool:
        return self.spread is not None and self.spread.axis == axis

    def _tiles(self, extent: tuple[int, int], units: list[np.ndarray] | None = None) -> np.ndarray:
        """Tiles that each core meets in its units, or in these of them, of what has that extent."""
        counts = []
        for walk_ in self.walks if units is None else units:
            sizes = [np.full(len(walk_), size) for size in extent]
            for at, axis in enumerate(("rows", "columns")):
                if self._spread_over(axis) and extent[at] > 1 and self.spread is not None:
                    left = self.spread.total - self._part(walk_) * self.spread.tiles
                    sizes[at] = np.minimum(sizes[at], left)
            counts.append(int((sizes[0] * sizes[1]).sum()))
        return np.asarray(counts)

    def _parts_of_units(self) -> np.ndarray:
        assert self.kernel.parts is not None
        return np.asarray([len(walk_) for walk_ in self.walks]) * self.kernel.parts.count

    def _slot(self, visit: Visit, cb: str, places: Places) -> np.ndarray:
        if cb in self.held:
            extent = self.held[cb]
            assert extent is not None
            return _place(extent, places)
        stream = self.streams.get(cb)
        if cb in self.partial:
            return visit.rounds["part"]
        if stream is not None and stream.per == "core" and stream.extent[0] > self.unit[0]:
            if stream.extent[0] != self.kernel.grid.y:
                self._fail(f"{cb} has {stream.extent[0]} rows of {self.kernel.grid.y}")
            _, row, column = self._matrix_place(places)
            return np.asarray(row * stream.extent[1] + (column if stream.extent[1] > 1 else 0))
        if cb in self.patterns:
            plan = self.patterns[cb]
            tiles = tiles_at(self.kernel, plan.value, *self._matrix_place(places), transposed=False, spread=True)
            return pattern_slots(self.program.values[int(tiles.source[0])], tiles)
        if stream is None:
            return np.asarray(0)
        return self._block_slot(visit) if stream.per == "sweep" else _place(stream.extent, places)

    def _sweep(self, visit: Visit) -> Sweep:
        if not 0 <= visit.sweep < len(self.kernel.sweeps):
            self._fail(f"{type(visit.stmt).__name__} outside the sweeps")
        return self.kernel.sweeps[visit.sweep]

    def _ragged(self, sweep: Sweep) -> list[str]:
        """For each value that the sweep gathers, the axes on which its last tile holds padding."""
        found = set[tuple[int, str]]()
        values = self.program.values
        for fold in sweep.folds:
            reduction = values[fold.value]
            shape = values[reduction.args[0]].shape
            if reduction.axes != fold.axes:
                self._fail(f"{fold.cb} is reduced over {fold.axes}")
            for side, axis, tiles in (("rows", -2, sweep.extent[0]), ("columns", -1, sweep.extent[1])):
                if axis not in fold.axes:
                    continue
                whole = -(-shape[axis] // TILE)
                if tiles != (min(whole, self.spread.tiles) if self.spread and self.spread.axis == side else whole):
                    self._fail(f"{fold.cb} is reduced over {tiles} tiles of {shape[axis]} {side}")
                if shape[axis] % TILE:
                    found.add((fold.source, side))
        return sorted(side for _, side in found)

    def _operand(self, sweep: Sweep) -> tuple[int, ...] | None:
        """Shape of what the sweep gathers: all its folds walk the same tiles. None where it gathers nothing."""
        values = self.program.values
        return values[values[sweep.folds[0].value].args[0]].shape if sweep.folds else None

    # Comparisons

    def _check_mask(self, visit: Visit, sweep: Sweep, cb: str, places: Places) -> None:
        """A mask is applied in the last tile of its axis, once for each."""
        mask = self.masks[cb]
        at = 0 if mask.axis == "rows" else 1
        place, tiles, across = places[1 + at], sweep.extent[at], list(sweep.extent)
        across[at] = 1
        counts = self._tiles((across[0], across[1]))
        if mask.axis == "columns" and sweep.one_column:
            if 1 not in columns_of(self.kernel, visit.sweep):
                self._fail(f"sweep {visit.sweep + 1} has more than one column")
        elif self.spread is not None and self.spread.axis == mask.axis:
            place, tiles = place + self._part(places[0]) * self.spread.tiles, self.spread.total
            last = [w[self._part(w) == self.spread.count - 1] for w in self.walks]
            counts = self._tiles((across[0], across[1]), last)
        elif mask.axis == "columns" and tiles == 1:  # the unit is a column of tiles
            place, tiles = places[0] % self.kernel.grid.x, self.kernel.grid.x
            last = [w[w % tiles == tiles - 1] for w in self.walks]
            counts = self._tiles((across[0], across[1]), last)
        if not np.array_equal(place, np.full_like(place, tiles - 1)):
            self._fail(f"{cb} is applied elsewhere than in the last tile", "TTB408")
        self._check_count(visit, counts, cb)
        shape = self._operand(sweep)
        if shape is not None and mask.count != (shape[-2] if mask.axis == "rows" else shape[-1]) % TILE:
            self._fail(f"{cb} keeps {mask.count} {mask.axis}", "TTB408")
        self.masked.setdefault(visit.sweep, []).append(mask.axis)

    def _check_sweep(self, visit: Visit, number: int, cb: str) -> None:
        if visit.sweep != number:
            self._fail(f"{cb} in sweep {visit.sweep}, not {number}")

    def _check_count(self, visit: Visit, counts: np.ndarray, cb: str) -> None:
        found = np.bincount(visit.core, minlength=len(self.walks))
        if not np.array_equal(found, np.broadcast_to(counts, found.shape)):
            self._fail(f"{type(visit.stmt).__name__} of {cb} runs {visit.core.size} times, not {int(counts.sum())}")

    def _check_once(self, visit: Visit, places: Places, cb: str) -> None:
        """No place of a unit twice."""
        unit = visit.rounds.get("unit", np.zeros_like(visit.core))
        keys = np.stack([visit.core, unit, places[1], places[2]])
        if np.unique(keys, axis=1).shape[1] != visit.core.size:
            self._fail(f"{cb} meets a place twice")

    def _same(self, found: np.ndarray, expected: np.ndarray, cb: str) -> None:
        if not np.array_equal(found, np.broadcast_to(expected, found.shape)):
            self._fail(f"{cb} is not touched where the tile lies")

    def _fail(self, message: str, code: str = "TTB403") -> NoReturn:
        fail(self.kernel, code, message)


def _padded(fields: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Page, rows, column and columns; the last three 0 where the page is a tile."""
    zero = np.zeros_like(fields[0])
    return (*fields, zero, zero, zero)[:4]


def _same_tiles(one: Tiles, two: Tiles) -> bool:
    return all(map(np.array_equal, (one.source, *one.place), (two.source, *two.place)))


def _place(extent: tuple[int, int], places: Places) -> np.ndarray:
    row = places[1] if extent[0] > 1 else np.zeros_like(places[1])
    column = places[2] if extent[1] > 1 else np.zeros_like(places[2])
    return np.asarray(row * extent[1] + column)
