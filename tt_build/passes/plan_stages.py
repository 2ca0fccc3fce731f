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
from tt_build.ir.lowered import BroadcastMode
from tt_build.ir.names import Names, identifiers
from tt_build.ir.stages import (
    TILE,
    Intermediate,
    MappedKernel,
    MaskPlan,
    OutputStream,
    StagedKernel,
    Stream,
    Tensor,
    TransposePlan,
)
from tt_build.lang.program import Value
from tt_build.passes import plan_sweeps
from tt_build.passes.common import extend, refuse
from tt_build.passes.cut_sections import SectionCutter
from tt_build.passes.dst_sections import Leaf, MatmulOperands, Store, is_leaf
from tt_build.passes.infer_schedule import REDUCTION
from tt_build.passes.pages import page_of
from tt_build.passes.tile_dtypes import enters_fpu, turned_dtype
from tt_build.targets import Arch


def apply(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """Plan streams and sections."""
    if kernel.algorithm == REDUCTION:
        return plan_sweeps.plan(kernel, arch)
    planner = _Planner(kernel, arch)
    matmuls = {i: planner.matmul(v) for i, v in enumerate(kernel.program.values) if v.op == "matmul"}
    leaves = {i: planner.leaf(i) for i in range(len(kernel.program.values)) if planner.is_loaded(i)}
    cutter = SectionCutter(kernel, planner.capacity, planner.names, planner.masks)
    stores: list[Store] = []
    for binding in kernel.program.outputs:
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
    )


class _Planner:
    def __init__(self, kernel: MappedKernel, arch: Arch) -> None:
        self.kernel = kernel
        self.fp32 = kernel.math.fp32_accumulate
        self.capacity = arch.dst_capacity(fp32=self.fp32)
        self.names = Names()
        self.identifiers = identifiers(tuple(t.name for t in kernel.tensors))
        self.streams: list[Stream] = []
        self.transposes: list[TransposePlan] = []
        self.intermediates: list[Intermediate] = []
        self.results: list[OutputStream] = []
        self.masks: list[MaskPlan] = []

    def is_loaded(self, index: int) -> bool:
        """Whether a value is a leaf that some elementwise value or an output reads."""
        program = self.kernel.program
        if not is_leaf(program, index):
            return False
        # A matmul has streams of its own, and a transposed input is a leaf itself.
        readers = (v for v in program.values if index in v.args and v.op not in ("matmul", "transpose"))
        return any(b.value == index for b in program.outputs) or next(readers, None) is not None

    def leaf(self, index: int) -> Leaf:
        """The stream of a leaf and how it is loaded."""
        program = self.kernel.program
        value = program.values[index]
        transposed = value.op == "transpose"
        source = program.values[value.args[0]] if transposed else value
        tensor = self.kernel.tensor(source.name)
        bcast = self._broadcast(value)
        self._refuse_transposed(index, tensor, transposed=transposed, bcast=bcast)
        row, column = (num(0) if bcast in ("rows", "scalar") else var("by")), var("bx")
        if bcast in ("cols", "scalar"):
            column = num(0)
        if transposed:
            row, column = column, row
        unpack_to_dest = tensor.dtype == "float32" and self.fp32
        cb = self._stream(tensor, row, column, unpack_to_dest=unpack_to_dest, in_k=False)
        return Leaf(cb=cb, bcast=bcast, transpose=transposed, fpu=not transposed and enters_fpu(tensor.dtype))

    def matmul(self, value: Value) -> MatmulOperands:
        """The streams of a matmul's operands."""
        a, b = (self.kernel.tensor(self.kernel.program.values[arg].name) for arg in value.args)
        turn_a, turn_b = value.transpose
        k, by, bx = var("k"), var("by"), var("bx")
        cb_a = self._stream(a, *((k, by) if turn_a else (by, k)), unpack_to_dest=False, in_k=True)
        cb_b = self._stream(b, *((bx, k) if turn_b else (k, bx)), unpack_to_dest=False, in_k=True)
        k_tiles = -(-a.matrix[0 if turn_a else 1] // TILE)
        if turn_a:
            turned = self.names.unique(f"{cb_a}_t")
            self.transposes.append(TransposePlan(source=cb_a, target=turned, k_tiles=k_tiles))
            self.intermediates.append(
                Intermediate(cb=turned, dtype=turned_dtype(a.dtype), tiles=k_tiles, unpack_to_dest=False)
            )
            cb_a = turned
        return MatmulOperands(a=cb_a, b=cb_b, k_tiles=k_tiles, transpose_b=turn_b)

    def result(self, name: str) -> str:
        """The stream of an output; returns its circular buffer."""
        tensor = self.kernel.tensor(name)
        cb = self.names.unique(f"cb_{self.identifiers[name]}")
        page = page_of(tensor, self.identifiers[name], self.kernel.outputs[0], var("by"), var("bx"))
        self.results.append(OutputStream(cb=cb, tensor=name, page=page, bound=self._is_local(name, page)))
        return cb

    def _broadcast(self, value: Value) -> BroadcastMode:
        """How a value of that shape is broadcast to the outputs' shape."""
        rows, columns = self.kernel.outputs[0].matrix
        one_row = value.shape[-2] == 1 and rows > 1
        one_column = value.shape[-1] == 1 and columns > 1
        if one_row and one_column:
            return "scalar"
        return "rows" if one_row else "cols" if one_column else ""

    def _refuse_transposed(self, index: int, tensor: Tensor, *, transposed: bool, bcast: str) -> None:
        if transposed and bcast:
            refuse(
                self.kernel,
                "TTB201",
                f"broadcasting the transposed tensor '{tensor.name}' cannot be lowered yet",
                value=index,
                help="declare the tensor transposed, without .T",
            )
        if transposed and tensor.dtype == "float32" and not self.fp32:
            refuse(
                self.kernel,
                "TTB201",
                f"'.T' of the float32 tensor '{tensor.name}' outside a matmul needs a 32-bit DST",
                value=index,
                help="leave 'fp32_accumulate: false' out, or use bfloat16",
            )

    def _stream(self, tensor: Tensor, row: Index, column: Index, *, unpack_to_dest: bool, in_k: bool) -> str:
        page = page_of(tensor, self.identifiers[tensor.name], self.kernel.outputs[0], row, column)
        key = (tensor.name, page, unpack_to_dest, in_k)
        for stream in self.streams:
            if (stream.tensor, stream.page, stream.unpack_to_dest, stream.per == "k") == key:
                return stream.cb
        cb = self.names.unique(f"cb_{self.identifiers[tensor.name]}")
        self.streams.append(
            Stream(
                cb=cb,
                tensor=tensor.name,
                page=page,
                per=self._per(tensor, page, in_k=in_k),
                unpack_to_dest=unpack_to_dest,
            )
        )
        return cb

    def _per(self, tensor: Tensor, page: Index, *, in_k: bool) -> Literal["unit", "k", "core", "shard"]:
        if in_k:
            return "k"
        if self._is_local(tensor.name, page):
            return "shard"
        return "unit" if names_in(page) else "core"

    def _is_local(self, name: str, page: Index) -> bool:
        """Whether each core's units are the pages of its own shard of that tensor."""
        if not self.kernel.placed_by or page != var("tile_id"):
            return False
        return self.kernel.buffer(name).shards == self.kernel.buffer(self.kernel.placed_by).shards
