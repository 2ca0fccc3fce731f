"""What the compute kernel of attention is written with: blocks of circular buffers, and tiles at their places."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import BroadcastMode, Pack, Pop, Push, Reserve, Stmt, TileOp, Wait
from tt_build.ir.stages import PaddedKernel
from tt_build.passes.flash_loops import attention_of, flash_of, over, place


class FlashTiles:
    """Base of what writes statements of one kernel."""

    def __init__(self, kernel: PaddedKernel) -> None:
        self.kernel, self.plan, self.flash = kernel, attention_of(kernel), flash_of(kernel)

    def _pages(self, cb: str) -> Index:
        return num(self.kernel.cb(cb).block)

    def _wait(self, *cbs: str) -> list[Stmt]:
        return [Wait(cb=cb, pages=self._pages(cb)) for cb in cbs]

    def _making(self, cbs: Sequence[str], inside: Sequence[Stmt]) -> list[Stmt]:
        """``inside``, which fills a block of each."""
        reserved: list[Stmt] = [Reserve(cb=cb, pages=self._pages(cb)) for cb in cbs]
        return [*reserved, *inside, *(Push(cb=cb, pages=self._pages(cb)) for cb in cbs)]

    def _pop(self, *cbs: str) -> list[Stmt]:
        return [Pop(cb=cb, pages=self._pages(cb)) for cb in cbs]

    def _tiles(self, inside: Sequence[Stmt]) -> list[Stmt]:
        return over(self.kernel, "tile_row", over(self.kernel, "tile_column", inside))

    def _block(self, inside: Sequence[Stmt]) -> list[Stmt]:
        return over(self.kernel, "tile_row", over(self.kernel, "value_column", inside))

    def _row(self) -> Index:
        return var("tile_row") if self.flash.rows > 1 else num(0)

    def _at(self, cb: str) -> Index:
        """The place of the present tile in a block of scores, or of values."""
        if cb in (self.plan.part, self.plan.gathered):
            return place("tile_row", "value_column", (self.flash.rows, self.plan.width), "value_tiles")
        return place("tile_row", "tile_column", (self.flash.rows, self.flash.keys), "keys_per_step")

    def _load(self, cb: str, index: Index, slot: int, mode: BroadcastMode = "") -> Stmt:
        return TileOp(op="unary_bcast" if mode else "copy", cbs=(cb,), indices=(index,), dst=slot, mode=mode)

    def _pack(self, slot: int, cb: str, index: Index) -> Pack:
        return Pack(dst=slot, cb=cb, index=index)
