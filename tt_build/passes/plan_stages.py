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
    MaskTile,
    OutputStream,
    SectionPlan,
    StagedKernel,
    Stream,
    Tensor,
    TransposePlan,
)
from tt_build.lang.program import Value
from tt_build.passes.common import extend, refuse
from tt_build.passes.dst_sections import (
    BadNumber,
    Leaf,
    MatmulOperands,
    NoForm,
    Overflow,
    SectionBuilder,
    Store,
    evaluated,
    is_leaf,
)
from tt_build.passes.pages import page_of
from tt_build.passes.tile_dtypes import block_casts, cut_dtype, enters_fpu, masked_columns, turned_dtype
from tt_build.targets import Arch


def apply(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """Plan streams and sections."""
    planner = _Planner(kernel, arch)
    matmuls = {i: planner.matmul(v) for i, v in enumerate(kernel.program.values) if v.op == "matmul"}
    leaves = {i: planner.leaf(i) for i in range(len(kernel.program.values)) if planner.is_loaded(i)}
    outputs = kernel.program.outputs
    stores = [planner.store(b.value, planner.result(b.tensor), kernel.tensor(b.tensor).dtype) for b in outputs]
    sections = planner.sections(stores, leaves, matmuls)
    return extend(
        StagedKernel,
        kernel,
        streams=tuple(planner.streams),
        transposes=tuple(planner.transposes),
        sections=sections,
        intermediates=tuple(planner.intermediates),
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
        self.masks: list[MaskTile] = []

    def store(self, value: int, cb: str, dtype: str) -> Store:
        """A store into a buffer of that dtype, with the mask that a block-float format needs on ragged rows."""
        columns = masked_columns(self.kernel, dtype)
        if columns and not self.masks:
            self.masks.append(MaskTile(cb=self.names.unique("cb_mask"), columns=columns))
        return Store(value=value, cb=cb, mask=self.masks[0].cb if columns else "")

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

    def sections(
        self, stores: list[Store], leaves: dict[int, Leaf], matmuls: dict[int, MatmulOperands]
    ) -> tuple[SectionPlan, ...]:
        """Sections in order: one for each cut, then the outputs, as many together as fit.

        A section that overflows DST loses a value to a cut, or its outputs are parted, until every section fits. An
        output whose value is cut is packed where that value is computed.
        """
        casts = block_casts(self.kernel.program, {t.name: t.dtype for t in self.kernel.tensors})
        cuts = {value: self.names.unique("cb_t") for value in casts}
        # What is stored from a block-float cast in another dtype has been through the packer before.
        apart = {s.cb for s in stores if s.value in casts and self._result_dtype(s.cb) != self._cut_dtype(s.value)}
        groups = [stores]
        while True:
            own = {value: [self.store(value, cb, self._cut_dtype(value))] for value, cb in cuts.items()}
            for store in stores:
                if store.value in cuts and store.cb not in apart:
                    own[store.value].append(store)
            rest = [[s for s in group if s.value not in cuts or s.cb in apart] for group in groups]
            sections = [*(own[value] for value in sorted(own)), *(group for group in rest if group)]
            again = self._repeated_matmul(sections, set(leaves), set(cuts))
            if again is not None:
                cuts[again] = self.names.unique("cb_t")
                continue
            known = dict(leaves)
            plans: list[SectionPlan] = []
            try:
                for group in sections:
                    builder = SectionBuilder(self.kernel.program, self.kernel.math, self.capacity, known, matmuls)
                    plans.append(builder.build(group))
                    if group[0].value in cuts:
                        known[group[0].value] = self._cut_leaf(group[0].value, cuts[group[0].value])
            except Overflow as overflow:
                cut = self._cut(overflow, set(known))
                if cut is not None:
                    cuts[cut] = self.names.unique("cb_t")
                else:
                    groups = _parted(groups, overflow.group)
                continue
            except NoForm as missing:
                refuse(
                    self.kernel,
                    "TTB205",
                    f"the SDK has no '{missing.function}' on {missing.dtype}",
                    value=missing.value,
                    help="cast the operands, as in cast(x, int32) or cast(x, float32)",
                )
            except BadNumber as error:
                refuse(
                    self.kernel,
                    "TTB210",
                    str(error),
                    value=error.value,
                    help="write another number, or pass it as a tensor of shape [1, 1]",
                )
            for value in sorted(cuts):
                dtype = self._cut_dtype(value)
                exact = dtype == "float32" and self.fp32
                self.intermediates.append(Intermediate(cb=cuts[value], dtype=dtype, tiles=1, unpack_to_dest=exact))
            return tuple(plans)

    def _result_dtype(self, cb: str) -> str:
        return self.kernel.tensor(next(r.tensor for r in self.results if r.cb == cb)).dtype

    def _cut_dtype(self, value: int) -> str:
        return cut_dtype(self.kernel.program.values[value], fp32=self.fp32)

    def _repeated_matmul(self, groups: list[list[Store]], known: set[int], cuts: set[int]) -> int | None:
        """A matmul that several sections would compute: its operands come only once, so it is cut off first."""
        program, seen = self.kernel.program, set[int]()
        for group in groups:
            values = [s.value for s in group]
            for value in evaluated(program, values, known):
                if program.values[value].op == "matmul":
                    if value in seen:
                        return value
                    seen.add(value)
            known = known | (cuts & set(values))
        return None

    def _cut_leaf(self, value: int, cb: str) -> Leaf:
        return Leaf(cb=cb, bcast="", transpose=False, fpu=enters_fpu(self._cut_dtype(value)))

    def _cut(self, overflow: Overflow, known: set[int]) -> int | None:
        """The value to cut at, None where the outputs of the section are better parted.

        A value that several others read first, the one with the most work behind it; in a section of one output else
        the value that halves it.
        """
        program = self.kernel.program
        roots = {store.value for store in overflow.group}
        inside = evaluated(program, [store.value for store in overflow.group], known)
        work = {v: len(evaluated(program, [v], known)) for v in inside}
        readers = {v: sum(program.values[r].args.count(v) for r in inside) for v in inside}
        shared = [v for v in inside if readers[v] + (v in roots) > 1 and (v not in roots or len(roots) > 1)]
        if shared:
            return max(shared, key=lambda v: ((readers[v] - 1) * work[v], -v))
        if len(roots) > 1:
            return None
        return min((v for v in inside if v not in roots), key=lambda v: (abs(len(inside) - 2 * work[v]), v))

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


def _parted(groups: list[list[Store]], overflowing: list[Store]) -> list[list[Store]]:
    """The groups with the one that holds these stores cut in two."""
    found: list[list[Store]] = []
    for group in groups:
        if group and overflowing[0] in group:
            kept = [store for store in group if store in overflowing]
            half = len(kept) // 2
            found += [[s for s in group if s not in kept[half:]], kept[half:]]
        else:
            found.append(group)
    return found
