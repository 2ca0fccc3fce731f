"""Pass ``plan_stages``: MappedKernel -> StagedKernel.

Needs   the typed program and the iteration space.
Gives   the tile dataflow of one unit: which tile of which tensor comes through which circular buffer, and the DST
        sections that compute the outputs. A section whose values do not fit DST is cut: the value at the cut goes
        through an intermediate circular buffer in L1.
Rejects operands that no load can bring into place yet (TTB201).
"""

from __future__ import annotations

from typing import Literal

from tt_build.ir.index import Index, names_in, num, var
from tt_build.ir.stages import (
    TILE,
    Intermediate,
    MappedKernel,
    OutputStream,
    Rows,
    StagedKernel,
    Stream,
    Tensor,
    TransposePlan,
)
from tt_build.lang.program import Program, Value
from tt_build.passes import plan_blocks, plan_flash, plan_sweeps
from tt_build.passes.common import extend, refuse
from tt_build.passes.dst_sections import Leaf, MatmulOperands, Store
from tt_build.passes.kinds import SWEEPS
from tt_build.passes.movement import MOVES, is_moved_leaf
from tt_build.passes.pages import names_read, page_in_unit, page_of, rows_of, tiles_of, unit_place
from tt_build.passes.stage_planner import StagePlanner, broadcast_of
from tt_build.passes.tile_dtypes import enters_fpu, turned_dtype
from tt_build.passes.views import View
from tt_build.targets import DTYPES, Arch


def apply(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """Plan streams and sections."""
    if kernel.algorithm in SWEEPS:
        return plan_sweeps.plan(kernel, arch)
    if kernel.blocking is not None:
        return plan_blocks.plan(kernel, arch)
    if kernel.flash is not None:
        return plan_flash.plan(kernel, arch)
    planner = _Planner(kernel, arch)
    matmuls = {i: planner.matmul(v) for i, v in enumerate(planner.program.values) if v.op == "matmul"}
    leaves = {i: planner.leaf(i) for i in range(len(planner.program.values)) if planner.is_loaded(i)}
    cutter = planner.cutter
    stores: list[Store] = []
    for binding in planner.program.outputs:
        cb, dtype = planner.result(binding.tensor), kernel.tensor(binding.tensor).dtype
        cutter.dtypes[cb] = dtype
        stores.append(cutter.store(binding.value, cb, dtype))
    sections = cutter.sections(stores, leaves, matmuls)
    return extend(
        StagedKernel,
        kernel,
        streams=tuple(planner.streams),
        transposes=tuple(planner.transposes),
        sections=sections,
        intermediates=(*planner.intermediates, *cutter.intermediates),
        results=tuple(planner.results),
        masks=tuple(planner.masks),
        patterns=tuple(planner.patterns),
        scratch=planner.scratch,
    )


class _Planner(StagePlanner):
    def __init__(self, kernel: MappedKernel, arch: Arch) -> None:
        super().__init__(kernel, arch, kernel.outputs[0])
        self.kept_bytes = 0
        self.transposes: list[TransposePlan] = []

    def is_loaded(self, index: int) -> bool:
        """Whether a value is a leaf that some elementwise value or an output reads."""
        program = self.program
        if not is_moved_leaf(program, index):
            return False
        # A matmul has streams of its own, and what only moves an input is a leaf itself.
        readers = (v for v in program.values if index in v.args and v.op not in ("matmul", *MOVES))
        return any(b.value == index for b in program.outputs) or next(readers, None) is not None

    def leaf(self, index: int) -> Leaf:
        """The stream of a leaf and how it is loaded."""
        program = self.program
        value = program.values[index]
        if not _is_plain(program, index):
            return self._moved_leaf(index)
        transposed = value.op == "transpose"
        source = program.values[value.args[0]] if transposed else value
        tensor = self.kernel.tensor(source.name)
        bcast = broadcast_of(value.shape, self.output.matrix)
        self._refuse_transposed(index, tensor, transposed=transposed, bcast=bcast)
        row, column = (num(0) if bcast in ("rows", "scalar") else var("by")), var("bx")
        if bcast in ("cols", "scalar"):
            column = num(0)
        if transposed:
            row, column = column, row
        unpack_to_dest = tensor.dtype == "float32" and self.fp32
        cb = self._stream(tensor, row, column, unpack_to_dest=unpack_to_dest, in_k=False)
        return Leaf(cb=cb, bcast=bcast, transpose=transposed, fpu=not transposed and enters_fpu(tensor.dtype))

    def _moved_leaf(self, index: int) -> Leaf:
        """A leaf that is a view of inputs, or a pattern."""
        value = self.program.values[index]
        look = self.view_at(index, var("by"), var("bx"))
        bcast = broadcast_of(value.shape, self.output.matrix, look)
        source = self.program.values[look.pieces[0].source]
        if source.op == "pattern":
            return Leaf(cb=self.pattern(index, look), bcast=bcast, transpose=look.transposed, fpu=False)
        tensor = self.kernel.tensor(source.name)
        self._refuse_transposed(index, tensor, transposed=look.transposed, bcast=bcast)
        unpack_to_dest = tensor.dtype == "float32" and self.fp32
        cb = self._view_stream(index, look, unpack_to_dest=unpack_to_dest, reduced=0)
        fpu = not look.transposed and enters_fpu(tensor.dtype)
        return Leaf(cb=cb, bcast=bcast, transpose=look.transposed, fpu=fpu)

    def matmul(self, value: Value) -> MatmulOperands:
        """The streams of a matmul's operands."""
        k, by, bx = var("k"), var("by"), var("bx")
        reduced = self.program.values[value.args[0]].shape[-2 if value.transpose[0] else -1]
        cb_a, turn_a = self._operand(value.args[0], by, k, turned=value.transpose[0], reduced=reduced)
        cb_b, turn_b = self._operand(value.args[1], k, bx, turned=value.transpose[1], reduced=reduced)
        k_tiles = -(-reduced // TILE)
        if turn_a:
            dtype = self.kernel.tensor(next(s.tensor for s in self.streams if s.cb == cb_a)).dtype
            turned = self.names.unique(f"{cb_a}_t")
            self.transposes.append(TransposePlan(source=cb_a, target=turned, k_tiles=k_tiles))
            self.intermediates.append(
                Intermediate(cb=turned, dtype=turned_dtype(dtype), tiles=k_tiles, unpack_to_dest=False)
            )
            cb_a = turned
        return MatmulOperands(a=cb_a, b=cb_b, k_tiles=k_tiles, transpose_b=turn_b)

    def _operand(self, index: int, row: Index, column: Index, *, turned: bool, reduced: int) -> tuple[str, bool]:
        """The stream of an operand of a matmul, and whether its tiles are transposed."""
        value = self.program.values[index]
        place = (column, row) if turned else (row, column)
        if value.op == "input":
            tensor = self.kernel.tensor(value.name)
            return self._stream(tensor, *place, unpack_to_dest=False, in_k=True, reduced=reduced), turned
        look = self.view_at(index, *place)
        return self._view_stream(index, look, unpack_to_dest=False, reduced=reduced), turned != look.transposed

    def _view_stream(self, index: int, look: View, *, unpack_to_dest: bool, reduced: int) -> str:
        """The stream of a view; ``reduced`` is 0 outside matmuls."""
        sources = [self.source(piece) for piece in look.pieces]
        first = sources[0]
        fixed = not any(names_read(s.page, s.rows) for s in sources) and not first.when
        per: Literal["unit", "k", "core"] = "k" if reduced else "core" if fixed else "unit"
        stream = Stream(
            cb=f"cb_{self.identifiers[first.tensor]}",
            tensor=first.tensor,
            page=first.page,
            per=per,
            unpack_to_dest=unpack_to_dest,
            view=index,
            sources=tuple(sources) if len(sources) > 1 else (),
            reduced=reduced,
            rows=first.rows,
        )
        return self.shared_stream(stream)

    def result(self, name: str) -> str:
        """The stream of an output; returns its circular buffer."""
        tensor = self.kernel.tensor(name)
        cb = self.names.unique(f"cb_{self.identifiers[name]}")
        page = page_of(tensor, self.identifiers[name], self.output, var("by"), var("bx"))
        rows = rows_of(tensor, var("by"), var("bx"))
        self.results.append(OutputStream(cb=cb, tensor=name, page=page, bound=self._is_local(name, page), rows=rows))
        return cb

    def _refuse_transposed(self, index: int, tensor: Tensor, *, transposed: bool, bcast: str) -> None:
        if transposed and bcast:
            refuse(
                self.kernel,
                "TTB201",
                f"broadcasting the transposed tensor '{tensor.name}' cannot be lowered yet",
                value=self.origin[index],
                help="declare the tensor transposed, without .T",
            )
        if transposed and tensor.dtype == "float32" and not self.fp32:
            refuse(
                self.kernel,
                "TTB201",
                f"'.T' of the float32 tensor '{tensor.name}' outside a matmul needs a 32-bit DST",
                value=self.origin[index],
                help="leave 'fp32_accumulate: false' out, or use bfloat16",
            )

    def _stream(
        self, tensor: Tensor, row: Index, column: Index, *, unpack_to_dest: bool, in_k: bool, reduced: int = 0
    ) -> str:
        page = page_of(tensor, self.identifiers[tensor.name], self.output, row, column)
        extent = (1, 1) if in_k or tensor.format == "row_major" else self._kept(tensor, page)
        if extent != (1, 1):
            place = (num(0), var("tile_column")) if extent[1] > 1 else (var("tile_row"), num(0))
            page = page_in_unit(tensor, self.identifiers[tensor.name], self.output.batch, *place)
        rows = self.rows_read(tensor, *unit_place(tensor, self.output, row, column)[2:])
        return self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[tensor.name]}",
                tensor=tensor.name,
                page=page,
                per="core" if extent != (1, 1) else self._per(tensor, page, rows, in_k=in_k),
                extent=extent,
                unpack_to_dest=unpack_to_dest,
                reduced=reduced,
                rows=rows,
            )
        )

    def _kept(self, tensor: Tensor, page: Index) -> tuple[int, int]:
        """Rows and columns of tiles of an operand that stays on the core: one row or column, which units share.

        (1, 1) where each unit brings its tile: it is needed once, depends on the matrix, or takes too much of L1.
        """
        (height, width), grid = tiles_of(tensor), self.kernel.grid
        names = names_in(page) & {"bx", "by", "bz", "tile_id"}
        tiles, times = (width, grid.y * grid.z) if names == {"bx"} else (height, grid.x * grid.z)
        if names not in ({"bx"}, {"by"}) or 1 not in (height, width) or tiles == 1 or times == 1:
            return 1, 1
        size = tiles * DTYPES[tensor.dtype].tile_bytes
        if self.kept_bytes + size > self.arch.l1_allocatable // 2:
            return 1, 1
        if not any(s.tensor == tensor.name and s.extent == (height, width) for s in self.streams):
            self.kept_bytes += size
        return height, width

    def _per(
        self, tensor: Tensor, page: Index, rows: Rows | None, *, in_k: bool
    ) -> Literal["unit", "k", "core", "shard"]:
        if in_k:
            return "k"
        if self._is_local(tensor.name, page):
            return "shard"
        return "unit" if names_read(page, rows) else "core"

    def _is_local(self, name: str, page: Index) -> bool:
        """Whether each core's units are the pages of its own shard of that tensor."""
        if not self.kernel.placed_by or page != var("tile_id"):
            return False
        return self.kernel.buffer(name).shards == self.kernel.buffer(self.kernel.placed_by).shards


def _is_plain(program: Program, index: int) -> bool:
    """Whether the value is an input, or the transpose of one."""
    value = program.values[index]
    return value.op == "input" or (value.op == "transpose" and program.values[value.args[0]].op == "input")
