"""What the planners of single tiles (``plan_stages``) and of sweeps (``plan_sweeps``) share: streams and patterns."""

from __future__ import annotations

from msgspec.structs import replace

from tt_build.ir.index import Index
from tt_build.ir.lowered import BroadcastMode
from tt_build.ir.names import Names, identifiers
from tt_build.ir.stages import (
    Intermediate,
    MappedKernel,
    MaskPlan,
    OutputStream,
    PatternPlan,
    Rows,
    Source,
    Stream,
    Tensor,
)
from tt_build.passes.cut_sections import SectionCutter
from tt_build.passes.movement import sunk
from tt_build.passes.pages import goes_through_scratch, page_at, rows_of
from tt_build.passes.views import PATTERN_TILES, Piece, View, batch_place, pattern_tile, view
from tt_build.targets import Arch


class StagePlanner:
    """Collects what a kernel's stage consists of. Leading axes of the units are those of the tensor ``output``."""

    unturned = False
    """Whether first operands of matmuls are transposed by values of their own."""

    def __init__(self, kernel: MappedKernel, arch: Arch, output: Tensor) -> None:
        self.kernel, self.output, self.arch = kernel, output, arch
        self.scratch = ""
        self.sunk = sunk(kernel.program, unturned=self.unturned)
        self.program, self.origin = self.sunk.program, self.sunk.origin
        self.fp32 = kernel.math.fp32_accumulate
        self.capacity = arch.dst_capacity(fp32=self.fp32)
        self.names = Names()
        self.identifiers = identifiers(tuple(t.name for t in kernel.tensors))
        self.streams: list[Stream] = []
        self.intermediates: list[Intermediate] = []
        self.results: list[OutputStream] = []
        self.masks: list[MaskPlan] = []
        self.patterns: list[PatternPlan] = []
        self.cutter = SectionCutter(kernel, self.sunk, self.capacity, self.names, self.masks)

    def view_at(self, index: int, row: Index, column: Index) -> View:
        """Which tile of which tensor a moved leaf is at that row and column of the unit's matrix."""
        found = view(self.program, index, {**batch_place(self.output.batch), -2: row, -1: column})
        assert isinstance(found, View), found  # infer_schedule has refused the others
        return found

    def is_plain(self, index: int) -> bool:
        """Whether a leaf is an input as it is, or transposed as a whole."""
        value = self.program.values[index]
        return value.op == "input" or (value.op == "transpose" and self.program.values[value.args[0]].op == "input")

    def source(self, piece: Piece) -> Source:
        """The page of a tensor that a piece of a view is."""
        name = self.program.values[piece.source].name
        tensor = self.kernel.tensor(name)
        page = page_at(tensor, self.identifiers[name], self.output, piece.place)
        return Source(tensor=name, page=page, when=piece.when, rows=self.rows_read(tensor, *piece.place[2:]))

    def rows_read(self, tensor: Tensor, row: Index, column: Index) -> Rows | None:
        """The rows of a row-major input that are its tile at that row and column, and the way that they take."""
        rows = rows_of(tensor, row, column)
        if rows is None or not goes_through_scratch(tensor, self.arch):
            return rows
        self.scratch = self.scratch or self.names.unique("cb_scratch")
        return replace(rows, scratch=self.scratch)

    def shared_stream(self, stream: Stream) -> str:
        """The circular buffer of the stream, or of one that brings the same tiles."""
        for other in self.streams:
            if replace(other, cb=stream.cb, view=stream.view) == stream:
                return other.cb
        self.streams.append(replace(stream, cb=self.names.unique(stream.cb)))
        return self.streams[-1].cb

    def pattern(self, index: int, look: View) -> str:
        """The circular buffer of a pattern's tiles."""
        (piece,) = look.pieces
        value = self.program.values[piece.source]
        plan = PatternPlan(
            cb=f"cb_{value.name}",
            name=value.name,
            ints=value.ints,
            tiles=PATTERN_TILES[value.name],
            slot=pattern_tile(value, piece.place),
            value=index,
        )
        for other in self.patterns:
            if replace(other, cb=plan.cb, value=index) == plan:
                return other.cb
        self.patterns.append(replace(plan, cb=self.names.unique(plan.cb)))
        return self.patterns[-1].cb


def broadcast_of(matrix: tuple[int, ...], target: tuple[int, ...], look: View | None = None) -> BroadcastMode:
    """How rows and columns of a value are broadcast to those of ``target``, where ``look`` repeats one of them too."""
    spread = look.spread if look is not None else frozenset[int]()
    rows = target[-2] > 1 and (matrix[-2] == 1 or -2 in spread)
    columns = target[-1] > 1 and (matrix[-1] == 1 or -1 in spread)
    return "scalar" if rows and columns else "rows" if rows else "cols" if columns else ""
