"""Proofs about pages, used by ``verify_ir``: which tile of which tensor meets which unit of work.

The expected pages come from shapes by NumPy's broadcasting, not from the page expressions that the passes made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from msgspec.structs import replace

from tt_build.ir.lowered import Pack, ReadPage, TileOp, WritePage, ZeroPadding, walk
from tt_build.ir.skeleton import Visit, in_order, visits
from tt_build.ir.stages import TILE, LoadStep, LoweredKernel, MatmulStep, PatternPlan, Stream
from tt_build.ir.work import tile_ids
from tt_build.passes.movement import sunk
from tt_build.passes.proof import fail
from tt_build.passes.proof_rows import check_form, pages_moved, tile_fields, with_parts
from tt_build.passes.proof_views import (
    check_patterns,
    fields_of,
    pattern_slots,
    tiles_at,
)


def check_pages(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    """Pages that the bodies read and write on all cores together, by tensor.

    Each unit gets the tiles that belong to it, through the slots where compute looks for them, and each output page
    is written or packed into its shard exactly once (TTB403).
    """
    proof = _Proof(kernel)
    moved: dict[str, dict[str, int]] = {"read": {}, "written": {}}
    seen: list[tuple[str, str]] = []
    for body in kernel.bodies:
        for visit in visits(body):
            stmt = visit.stmt
            assert isinstance(stmt, ReadPage | WritePage | TileOp | Pack)
            proof.check(stmt, visit)
            if isinstance(stmt, ReadPage | WritePage):
                kind = "read" if isinstance(stmt, ReadPage) else "written"
                moved[kind][stmt.tensor] = moved[kind].get(stmt.tensor, 0) + pages_moved(stmt, visit)
            seen += [(cb, type(stmt).__name__) for cb in (stmt.cbs if isinstance(stmt, TileOp) else (stmt.cb,))]
    wanted = [(s.cb, "TileOp") for s in kernel.streams] + [(p.cb, "TileOp") for p in kernel.patterns]
    wanted += [(s.cb, "ReadPage") for s in kernel.streams if s.per != "shard"]
    wanted += [(r.cb, "Pack") for r in kernel.results]
    wanted += [(r.cb, "WritePage") for r in kernel.results if not r.bound]
    for cb, name in wanted:
        times = max(len(proof.streams[cb].sources), 1) if name == "ReadPage" else 1
        if (cb, name) not in seen or (name != "TileOp" and seen.count((cb, name)) != times):
            fail(kernel, "TTB403", f"{cb}: {seen.count((cb, name))} statements {name}")
    _check_zero_fills(kernel)
    proof.check_views()
    check_patterns(kernel)
    return moved["read"], moved["written"]


class _Proof:
    """What each statement must touch; arrays run over cores, their units and, for operands of a matmul, K tiles."""

    def __init__(self, kernel: LoweredKernel) -> None:
        self.kernel = kernel
        walks = [np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64) for item in kernel.work]
        self.tiles = np.concatenate(walks)
        self.core = np.repeat(np.arange(len(walks)), [len(tiles) for tiles in walks])
        self.unit = np.concatenate([np.arange(len(tiles)) for tiles in walks])
        self.streams = {stream.cb: stream for stream in kernel.streams}
        self.results = {result.cb: result for result in kernel.results}
        matmuls = [s for section in kernel.sections for s in section.steps if isinstance(s, MatmulStep)]
        self.k_tiles = matmuls[0].k_tiles if matmuls else 1
        self.turned = {turn.target: turn.source for turn in kernel.transposes}
        self.matmul = matmuls[0] if matmuls else None
        self.masks = {mask.cb for mask in kernel.masks}
        self.patterns = {pattern.cb: pattern for pattern in kernel.patterns}
        self.views: dict[str, list[Visit]] = {}

    def check(self, stmt: ReadPage | WritePage | TileOp | Pack, visit: Visit) -> None:
        """Compare one statement's pages, slots and indices with what they must be."""
        if isinstance(stmt, ReadPage | WritePage):
            check_form(self.kernel, stmt)
        if isinstance(stmt, ReadPage):
            stream = self.streams.get(stmt.cb)
            if stream is not None and stream.view >= 0:
                self._check_view(visit, stream)
                return
            if stream is None or stream.tensor != stmt.tensor or stream.per == "shard":
                fail(self.kernel, "TTB403", f"reads '{stmt.tensor}' into {stmt.cb}")
            if stream.extent != (1, 1):
                self._check_kept(visit, stream)
                return
            page, *parts = self.fields(stream)
            self._same(visit, (page, self.slots(stmt.cb), *parts))
        elif isinstance(stmt, WritePage):
            result = self.results.get(stmt.cb)
            if result is None or result.tensor != stmt.tensor or result.bound:
                fail(self.kernel, "TTB403", f"writes '{stmt.tensor}' from {stmt.cb}")
            wanted = [field.reshape(-1)[self.tiles] for field in tile_fields(self.kernel, stmt.tensor)]
            first, *others = (partial(np.asarray, field) for field in wanted)
            self._same(visit, (first, self.slots(stmt.cb), *others))
        elif isinstance(stmt, TileOp) and self.masks & {*stmt.cbs}:
            self._masks_last_column(visit)
        elif isinstance(stmt, TileOp):
            self._same(visit, tuple(self.slots(cb) for cb in stmt.cbs))
        else:
            bound = stmt.cb in self.results and self.results[stmt.cb].bound
            if bound != (stmt.index is not None):
                self._fail(f"packs {stmt.cb} at {stmt.index}")
            self._same(visit, (self.slots(stmt.cb),) if bound else ())

    def _masks_last_column(self, visit: Visit) -> None:
        """A mask is loaded in the units of the last tile column, and nowhere else."""
        last = self.tiles % self.kernel.grid.x == self.kernel.grid.x - 1
        if not np.array_equal(visit.core, self.core[last]) or any(index.any() for index in visit.values):
            self._fail(f"a mask is applied in {visit.core.size} units, not the {int(last.sum())} of the last column")

    def _check_kept(self, visit: Visit, stream: Stream) -> None:
        """A row or column of tiles that stays on the cores is the whole tensor, read by the first of them."""
        count = self.kernel.buffer(stream.tensor).pages
        if stream.extent[0] * stream.extent[1] != count or 1 not in stream.extent:
            self._fail(f"{stream.cb} keeps {stream.extent} tiles of {count}")
        if visit.core.any() or any(not np.array_equal(found, np.arange(count)) for found in visit.values):
            self._fail(f"ReadPage of {stream.cb} does not touch all pages of '{stream.tensor}' in order")

    def _check_view(self, visit: Visit, stream: Stream) -> None:
        """Put the statement aside: together those of a view read the right tile in each round."""
        self.views.setdefault(stream.cb, []).append(visit)

    def check_views(self) -> None:
        """The statements of each view, in the order in which they run, read the tiles that its elements lie in."""
        program = sunk(self.kernel.program).program
        for cb, visits_ in self.views.items():
            stream = self.streams[cb]
            whole, names = in_order([replace(visit, values=with_parts(visit)) for visit in visits_])
            core, (page, slot, *parts) = whole.core, whole.values
            wanted = self._cores(cb, once=True)
            if not np.array_equal(core, wanted):
                self._fail(f"ReadPage of {cb} runs {core.size} times, not {wanted.size}")
            tiles = tiles_at(
                self.kernel,
                stream.view,
                *self._places(stream),
                transposed=self._is_transposed(stream),
                spread=stream.per != "k",
            )
            sources = np.array([program.values[source].name for source in tiles.source])
            if not np.array_equal(names, sources):
                self._fail(f"ReadPage of {cb} reads other tensors than its view")
            for tensor in dict.fromkeys(names.tolist()):
                here = names == tensor
                expected = fields_of(self.kernel, tensor, tiles)  # of a tiled tensor the page alone
                if any(not np.array_equal(x[here], y[here]) for x, y in zip((page, *parts), expected, strict=False)):
                    self._fail(f"ReadPage of {cb} does not touch the pages of its units")
            if not np.array_equal(slot, np.broadcast_to(self.slots(cb)(), slot.shape)):
                self._fail(f"ReadPage of {cb} does not fill the slots of its units")

    def _places(self, stream: Stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Matrix of the output, row and column in tiles of each tile of a view, in the order in which it is read."""
        grid = self.kernel.grid
        tiles = np.zeros(1, dtype=np.int64) if stream.per == "core" else self.tiles
        bx, by, bz = tiles % grid.x, tiles // grid.x % grid.y, tiles // (grid.x * grid.y)
        if stream.per != "k":
            return bz, by, bx
        k = np.tile(np.arange(self.k_tiles), tiles.size)
        bx, by, bz = (np.repeat(axis, self.k_tiles) for axis in (bx, by, bz))
        row, column = (by, k) if self._is_first(stream) else (k, bx)
        turned = self._turned_in_program()[0 if self._is_first(stream) else 1]
        return (bz, column, row) if turned else (bz, row, column)

    def _is_first(self, stream: Stream) -> bool:
        assert self.matmul is not None
        return self.turned.get(self.matmul.a, self.matmul.a) == stream.cb

    def _turned_in_program(self) -> tuple[bool, bool]:
        return next(v.transpose for v in sunk(self.kernel.program).program.values if v.op == "matmul")

    def _same(self, visit: Visit, expected: tuple[Callable[[], np.ndarray], ...]) -> None:
        stmt = visit.stmt
        assert isinstance(stmt, ReadPage | WritePage | TileOp | Pack)
        cbs = stmt.cbs if isinstance(stmt, TileOp) else (stmt.cb,)
        core = self._cores(cbs[0], once=isinstance(stmt, ReadPage))
        if not np.array_equal(visit.core, core):
            self._fail(f"{type(stmt).__name__} of {', '.join(cbs)} runs {visit.core.size} times, not {core.size}")
        for found, wanted in zip(visit.values, expected, strict=True):
            if not np.array_equal(found, np.broadcast_to(wanted(), found.shape)):
                self._fail(f"{type(stmt).__name__} of {', '.join(cbs)} does not touch the pages of its units")

    def _cores(self, cb: str, *, once: bool) -> np.ndarray:
        """The core of each time that a statement on that circular buffer runs."""
        if once and self._per(cb) == "core":
            return np.arange(1)  # the first core reads for all
        return np.repeat(self.core, self.k_tiles) if self._per(cb) == "k" else self.core

    def _per(self, cb: str) -> str:
        stream = self.streams.get(self.turned.get(cb, cb))
        return stream.per if stream is not None else "unit"

    def slots(self, cb: str) -> Callable[[], np.ndarray]:
        """The place of each tile in its block, or in the core's shard."""
        if cb in self.patterns:
            return lambda: self._pattern_slots(self.patterns[cb])
        per = self._per(cb)
        bound = per == "shard" or (cb in self.results and self.results[cb].bound)
        if bound:
            return self._shard_pages
        if per == "k":
            return lambda: np.tile(np.arange(self.k_tiles) % self.kernel.k_block, self.tiles.size)
        if per == "core" and self.streams[cb].extent != (1, 1):
            along = self.tiles % self.kernel.grid.x
            down = self.tiles // self.kernel.grid.x % self.kernel.grid.y
            return lambda: along if self.streams[cb].extent[1] > 1 else down
        if per == "core" or (cb not in self.streams and cb not in self.results):
            return lambda: np.asarray(0)
        return lambda: self.unit % self.kernel.batch

    def _pattern_slots(self, plan: PatternPlan) -> np.ndarray:
        grid, program = self.kernel.grid, sunk(self.kernel.program).program
        bx, by, bz = self.tiles % grid.x, self.tiles // grid.x % grid.y, self.tiles // (grid.x * grid.y)
        tiles = tiles_at(self.kernel, plan.value, bz, by, bx, transposed=self._loads_transposed(plan.cb), spread=True)
        (source,) = set(tiles.source.tolist())
        return pattern_slots(program.values[source], tiles)

    def _shard_pages(self) -> np.ndarray:
        shards = self.kernel.buffer(self.kernel.placed_by).shards
        assert shards is not None
        line, column = np.divmod(self.tiles, self.kernel.grid.x)
        index = line // shards.tiles[0] * shards.counts[1] + column // shards.tiles[1]
        cores = [item.core for item in self.kernel.work]
        if [shards.cores[i] for i in index] != [cores[c] for c in self.core]:
            self._fail(f"work is not where the shards of '{self.kernel.placed_by}' lie")
        return np.asarray(line % shards.tiles[0] * shards.tiles[1] + column % shards.tiles[1])

    def fields(self, stream: Stream) -> tuple[Callable[[], np.ndarray], ...]:
        """The pages of a stream's tensor in the order of the units, and the parts of them."""
        return tuple(partial(self._of_units, stream, field) for field in tile_fields(self.kernel, stream.tensor))

    def _of_units(self, stream: Stream, pages: np.ndarray) -> np.ndarray:
        """What belongs to each unit, of an array over the tensor's tiles."""
        kernel, grid = self.kernel, self.kernel.grid
        tensor, batch = kernel.tensor(stream.tensor), kernel.outputs[0].batch
        if self._is_transposed(stream):
            pages = np.swapaxes(pages, -1, -2)
        extra = len(batch) - len(tensor.batch)
        pages = pages.reshape((1,) * max(extra, 0) + pages.shape)
        if extra < 0:  # the output has fewer leading dimensions: these are 1
            pages = pages.reshape(*batch, *pages.shape[-2:])
        if stream.per == "core":
            return np.asarray(pages.reshape(-1)[0])
        if stream.per == "unit":
            whole = np.broadcast_to(pages, (*batch, grid.y, grid.x))
            return np.asarray(whole.reshape(-1)[self.tiles])
        whole = np.broadcast_to(pages, (*batch, *pages.shape[-2:])).reshape(grid.z, *pages.shape[-2:])
        bx, by, bz = self.tiles % grid.x, self.tiles // grid.x % grid.y, self.tiles // (grid.x * grid.y)
        first = self.matmul is not None and self.turned.get(self.matmul.a, self.matmul.a) == stream.cb
        return np.asarray((whole[bz, by, :] if first else whole[bz, :, bx]).reshape(-1))

    def _is_transposed(self, stream: Stream) -> bool:
        """Whether the program uses the stream's tensor with its last axes swapped."""
        if stream.per == "k":
            assert self.matmul is not None
            first = self._is_first(stream)
            turned = stream.cb in self.turned.values() if first else self.matmul.transpose_b
            # A view is proven before the matmul's own transposition, an input after it.
            return turned != self._turned_in_program()[0 if first else 1] if stream.view >= 0 else turned
        return self._loads_transposed(stream.cb)

    def _loads_transposed(self, cb: str) -> bool:
        steps = [s for section in self.kernel.sections for s in section.steps]
        return any(isinstance(s, LoadStep) and s.cb == cb and s.transpose for s in steps)

    def _fail(self, message: str) -> None:
        fail(self.kernel, "TTB403", message)


def _reduced(kernel: LoweredKernel) -> int:
    """Elements of the dimension that the matmul reduces."""
    values = sunk(kernel.program).program.values
    matmul = next(value for value in values if value.op == "matmul")
    return values[matmul.args[0]].shape[-2 if matmul.transpose[0] else -1]


def _check_zero_fills(kernel: LoweredKernel) -> None:
    """A ragged reduced dimension is zeroed on the first operand's last K tile, nothing else is (TTB408)."""
    found = [s for body in kernel.bodies for s in walk(body.body) if isinstance(s, ZeroPadding)]
    wanted: list[tuple[str, str, int]] = []
    turned = {turn.target: turn.source for turn in kernel.transposes}
    for section in kernel.sections:
        for step in section.steps:
            if not isinstance(step, MatmulStep):
                continue
            source = turned.get(step.a, step.a)
            length = _reduced(kernel)
            if math.ceil(length / TILE) != step.k_tiles:
                fail(kernel, "TTB403", f"{step.k_tiles} K tiles for {length} elements")
            if length % TILE:
                wanted.append((source, "rows" if step.a in turned else "columns", length % TILE))
    if [(s.cb, s.axis, s.first) for s in found] != wanted:
        fail(kernel, "TTB408", f"padding zeroed by {len(found)} statements, needed by {len(wanted)}")
