"""Where the statements of a blocked matmul are each time that they run, used by its proofs.

The expected pages come from shapes by NumPy's broadcasting and from the counters of the loops, not from the page
expressions that the passes made.
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.skeleton import Visit
from tt_build.ir.stages import LoweredKernel, Stream
from tt_build.ir.work import tile_ids
from tt_build.passes.memory_space_lower import swept_block
from tt_build.passes.proof_exchange import senders
from tt_build.passes.proof_visits import VisitProof, keys

Places = dict[str, np.ndarray]
"""For each time: core, unit of the core, row and column of tiles in the unit, and the block's bx, by, bz."""


class BlockPlaces(VisitProof):
    """Base of the proofs about one kernel: its units on all cores, one after the other."""

    def __init__(self, kernel: LoweredKernel) -> None:
        super().__init__(kernel)
        assert kernel.blocking is not None
        self.blocking = kernel.blocking
        self.block = kernel.blocking.block
        self.parts = kernel.parts
        self.tiles = kernel.buffer(kernel.outputs[0].name).tiles
        walks = [np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64) for item in kernel.work]
        self.ids = np.concatenate(walks)
        sizes = np.asarray([walk_.size for walk_ in walks])
        self.first = np.cumsum(sizes) - sizes
        self.core = np.repeat(np.arange(len(walks)), sizes)
        self.streams = {stream.cb: stream for stream in kernel.streams}

    def _along(self, ids: np.ndarray, axis: int) -> np.ndarray:
        """Number of the units' block along an axis (0: rows); 0 where parts of K lie along it."""
        if self.parts is not None and self.parts.axis == ("columns" if axis else "rows"):
            return np.zeros_like(ids)
        return np.asarray(ids % self.kernel.grid.x if axis else ids // self.kernel.grid.x % self.kernel.grid.y)

    def _part(self, ids: np.ndarray) -> np.ndarray:
        """Number of the units' part of K."""
        if self.parts is None:
            return np.zeros_like(ids)
        grid = self.kernel.grid
        return np.asarray(ids % grid.x if self.parts.axis == "columns" else ids // grid.x % grid.y)

    def places(self, visit: Visit) -> Places:
        """Where each time of a statement is."""
        zero = np.zeros_like(visit.core)
        unit = visit.rounds.get("unit", zero)
        grid = self.kernel.grid
        ids = self.ids[self.first[visit.core] + unit]
        place = {"row": visit.rounds.get("tile_row", zero), "column": visit.rounds.get("tile_column", zero)}
        if "i" in visit.rounds:  # blocks of what is streamed
            inner = "row" if self._by_columns(visit) else "column"
            place[inner] = visit.rounds.get("block", zero) * self._swept(visit.sweep) + visit.rounds["i"]
        return {
            "core": visit.core,
            "unit": unit,
            **place,
            "bx": self._along(ids, 1),
            "by": self._along(ids, 0),
            "bz": ids // (grid.x * grid.y),
            "part": self._part(ids),
        }

    def _by_columns(self, visit: Visit) -> bool:
        return visit.sweep >= 0 and self.kernel.sweeps[visit.sweep].by_columns

    def _swept(self, sweep: int) -> int:
        """Tiles of a block of what that sweep streams."""
        if sweep >= 0 and self.kernel.sweeps[sweep].before:
            return swept_block(self.kernel.sweeps[sweep], self.kernel.sweep_block, None)
        return min(self.kernel.sweep_block, self.block[1])

    def pages(self, tensor: str, turned: bool, bz: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Pages of a tensor's tiles as the program uses it, broadcast to the output's leading dimensions."""
        own, batch = self.kernel.tensor(tensor), self.kernel.outputs[0].batch
        height, width = self.kernel.buffer(tensor).tiles
        pages = np.arange(self.kernel.buffer(tensor).pages).reshape(*own.batch, height, width)
        if turned:
            pages = np.swapaxes(pages, -1, -2)
        extra = len(batch) - len(own.batch)
        pages = pages.reshape((1,) * max(extra, 0) + pages.shape)
        if extra < 0:
            pages = pages.reshape(*batch, *pages.shape[-2:])
        whole = np.broadcast_to(pages, (*batch, *pages.shape[-2:])).reshape(-1, *pages.shape[-2:])
        rows, columns = whole.shape[-2:]
        self._within(row, self.tiles[0] if rows == 1 else rows, "row")
        self._within(column, self.tiles[1] if columns == 1 else columns, "column")
        row, column = (row if rows > 1 else np.zeros_like(row)), (column if columns > 1 else np.zeros_like(column))
        return np.asarray(whole[bz, row, column])

    def _within(self, index: np.ndarray, extent: int, what: str) -> None:
        if index.size and int(index.max()) >= extent:
            self._fail(f"{what} {int(index.max())} of {extent} tiles")

    def _valid(self, axis: int) -> np.ndarray:
        """For each unit of all cores: its rows, or columns, that the output has."""
        size, total = self.block[axis], self.tiles[axis]
        return np.asarray(np.minimum(size, total - self._along(self.ids, axis) * size))

    def _readers(self, stream: Stream) -> np.ndarray:
        """A mask of the units whose cores read the stream themselves."""
        if stream.per == "core":
            return np.asarray(self.core == 0)
        reads = np.ones_like(self.core, dtype=bool) if stream.per == "k" else self._part(self.ids) == 0
        if stream.operand and self.blocking.is_shared(stream):
            channel = "row" if stream.operand == "in0" else "column"
            reads = reads & np.isin(self.core, senders(self.kernel, channel))
        return reads

    def _on_first_part(self, at: Places, cb: str) -> None:
        if at["part"].any():
            self._fail(f"tiles of {cb} are moved on a core that has not the whole product")

    def _in_order(self, visit: Visit, at: Places, cb: str) -> None:
        """Units one after the other, line by line: all kernels walk a block alike."""
        inner = ("column", "row") if self._by_columns(visit) else ("row", "column")
        if (np.diff(keys(at, at["core"], "core", "unit", *inner)) <= 0).any():
            self._fail(f"tiles of {cb} are not met {inner[0]} by {inner[0]}")
