"""Blocked matmuls: MappedKernel -> StagedKernel. Used by ``plan_stages`` where ``infer_schedule`` chose blocks.

A unit is a block of output tiles. Sweeps compute its rows of the first operand, and its columns of the second, where
those are no inputs (``plan_prologue``). The contraction gathers the product of the two, step by step along K; what else
the outputs need is one sweep over the block, which reads the product from L1. Where an output is the product itself,
and its buffer can gather it, there is no sweep. Several matmuls of the same extents go through K together: an operand
that they share comes once, or is computed once.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.index import Index, num, var
from tt_build.ir.stages import (
    TILE,
    Contraction,
    Intermediate,
    MappedKernel,
    Operand,
    OutputStream,
    Residency,
    StagedKernel,
    Stream,
    Sweep,
    Tensor,
)
from tt_build.lang.program import Value
from tt_build.passes.common import extend
from tt_build.passes.dst_sections import Leaf, Store
from tt_build.passes.pages import page_in_unit, tiles_of
from tt_build.passes.places import unit_column, unit_row
from tt_build.passes.plan_prologue import PROLOGUE_CHOICES, ProloguePlanner
from tt_build.passes.prologues import SIDES, behind_products, computed_operands
from tt_build.passes.stage_planner import StagePlanner, broadcast_of
from tt_build.passes.tile_dtypes import enters_fpu, masked_columns
from tt_build.targets import Arch


def plan(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """Plan the contraction and the sweep behind it."""
    planner = _Planner(kernel, arch)
    matmuls = [i for i, value in enumerate(planner.program.values) if value.op == "matmul"]
    before = planner.prologue()
    contractions = tuple(planner.contraction(index, alone=len(matmuls) == 1) for index in matmuls)
    behind = () if contractions[0].is_output else (planner.sweep(contractions, number=len(before)),)
    return extend(
        StagedKernel,
        kernel,
        streams=tuple(planner.streams),
        transposes=(),
        sections=(),
        intermediates=(*planner.intermediates, *planner.cutter.intermediates),
        results=tuple(planner.results),
        masks=tuple(planner.masks),
        sweeps=(*before, *behind),
        contractions=contractions,
        residency=planner.residency,
    )


class _Planner(StagePlanner):
    unturned = True

    def __init__(self, kernel: MappedKernel, arch: Arch) -> None:
        super().__init__(kernel, arch, kernel.outputs[0])
        assert kernel.blocking is not None
        self.blocking = kernel.blocking
        self.rows, self.columns = tiles_of(self.output)
        self.behind = behind_products(self.program)
        self.number = 0
        self.operands: tuple[dict[int, str], dict[int, str]] = {}, {}
        self.steps: dict[str, str] = {}
        self.residency: Residency | None = None

    def prologue(self) -> tuple[Sweep, ...]:
        """The sweeps that compute operands, as the blocking says; none where none is computed."""
        names = [choice.name for choice in PROLOGUE_CHOICES]
        if not self.blocking.prologue:
            return ()
        at = names.index(self.blocking.prologue)
        sweeps: tuple[Sweep, ...] = ()
        for side in SIDES:
            if computed_operands(self.program, side):
                choice = PROLOGUE_CHOICES[at]
                planner = ProloguePlanner(self.kernel, self.arch, choice, side, self, first=len(sweeps))
                sweeps += planner.sweeps()
                self.operands[side].update(planner.operands)
        reason = f"'{names[0]}' leaves too little of L1" if at else "in front of the product"
        if self.blocking.rotates and self.operands[0]:
            reason = "in front of the product; each core of a row computes a step along K, and sends it in its turn"
        self.residency = Residency(choice=self.blocking.prologue, reason=reason)
        return sweeps

    def contraction(self, index: int, *, alone: bool) -> Contraction:
        """The matmul, and where its result goes."""
        value = self.program.values[index]
        reduced = self.program.values[value.args[0]].shape[-1]
        k_tiles = -(-reduced // TILE)
        rows, columns = self.blocking.block
        in_step = k_tiles if self.blocking.local else self.blocking.k_block
        computed, own = self.operands[0].get(value.args[0]), ""
        second = self.operands[1].get(value.args[1])
        computed_b = second is not None
        if computed is not None and self.blocking.rotates:
            own, computed = computed, self._sent(computed)
        first = self._operand(value, 0, (rows, in_step), reduced) if computed is None else computed
        second = second or self._operand(value, 1, (self.blocking.k_block, columns), reduced)
        parts = self._parts() if self.blocking.k_parts > 1 else ("", "")
        output = self._direct_output(index, k_tiles) if alone else None
        if output is not None:
            cb = self._result(output, sweep=-1)
        else:
            cb = self.names.unique("cb_product")
            dtype = "float32" if self.fp32 else "bfloat16"
            exact = self.fp32
            self.intermediates.append(
                Intermediate(cb=cb, dtype=dtype, tiles=rows * columns, unpack_to_dest=exact, extent=self.blocking.block)
            )
        return Contraction(
            value=index,
            a=first,
            b=second,
            cb=cb,
            k_tiles=k_tiles,
            is_output=output is not None,
            transpose_b=value.transpose[1],
            part_cb=parts[0],
            parts_cb=parts[1],
            computed=computed is not None,
            computed_b=computed_b,
            own=own,
        )

    def _sent(self, own: str) -> str:
        """The circular buffer of a step of the operand that the cores of a row compute, as ``own`` has it."""
        if own not in self.steps:
            (mine,) = (item for item in self.intermediates if item.cb == own)
            self.steps[own] = self.names.unique("cb_step")
            self.intermediates.append(msgspec.structs.replace(mine, cb=self.steps[own], extent=None))
        return self.steps[own]

    def _parts(self) -> tuple[str, str]:
        """Circular buffers of a core's own partial product, and of all of a unit."""
        rows, columns = self.blocking.block
        found: list[str] = []
        for name, count in (("cb_part", 1), ("cb_parts", self.blocking.k_parts)):
            found.append(self.names.unique(name))
            self.intermediates.append(
                Intermediate(
                    cb=found[-1],
                    dtype="float32" if self.fp32 else "bfloat16",
                    tiles=count * rows * columns,
                    unpack_to_dest=self.fp32 and name == "cb_parts",
                )
            )
        return found[0], found[1]

    def _direct_output(self, index: int, k_tiles: int) -> Tensor | None:
        """The output that is the product itself, where the packer can gather it in the output's own buffer.

        With one step along K, or parts of it that are added behind, any dtype will do; with several steps the packer
        adds in the dtype of the buffer, which must be as wide as DST.
        """
        if len(self.program.outputs) != 1 or self.program.outputs[0].value != index:
            return None
        tensor = self.kernel.tensor(self.program.outputs[0].tensor)
        wide = "float32" if self.fp32 else "bfloat16"
        if masked_columns(tensor.matrix[1], tensor.dtype):
            return None
        once = k_tiles <= self.blocking.k_block or self.blocking.k_parts > 1
        return tensor if once or tensor.dtype == wide else None

    def _operand(self, value: Value, number: int, extent: tuple[int, int], reduced: int) -> str:
        operand: Operand = "in0" if number == 0 else "in1"
        tensor = self.kernel.tensor(self.program.values[value.args[number]].name)
        place = (unit_row(self.kernel, self.rows), var("k"))
        if operand == "in1":
            place = (var("k"), unit_column(self.kernel, self.columns))
        row, column = place[::-1] if value.transpose[number] else place
        local = operand == "in0" and self.blocking.local
        shard_cb = ""
        if operand == "in0" and self.blocking.rotates:
            shard_cb = self._shard(tensor, page_in_unit(tensor, self.identifiers[tensor.name], (), row, column), extent)
        return self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[tensor.name]}",
                tensor=tensor.name,
                page=page_in_unit(tensor, self.identifiers[tensor.name], self.output.batch, row, column),
                per="shard" if local else "k",
                extent=extent,
                reduced=reduced,
                operand="" if local else operand,
                shard_cb=shard_cb,
            )
        )

    def _shard(self, tensor: Tensor, page: Index, extent: tuple[int, int]) -> str:
        """The circular buffer on the core's own shard, from which it sends."""
        name = f"cb_{self.identifiers[tensor.name]}_shard"
        return self.shared_stream(Stream(cb=name, tensor=tensor.name, page=page, per="shard", extent=extent))

    def sweep(self, contractions: tuple[Contraction, ...], *, number: int) -> Sweep:
        """What the outputs need beside the products, tile by tile; the sweep of that number."""
        self.number = number
        leaves = {i: self._leaf(i) for i in range(len(self.program.values)) if self._is_loaded(i)}
        fpu = enters_fpu("float32" if self.fp32 else "bfloat16")
        leaves |= {plan.value: Leaf(cb=plan.cb, bcast="", transpose=False, fpu=fpu) for plan in contractions}
        stores: list[Store] = []
        for binding in self.program.outputs:
            tensor = self.kernel.tensor(binding.tensor)
            cb = self._result(tensor, sweep=number)
            self.cutter.dtypes[cb] = tensor.dtype
            stores.append(self.cutter.store(binding.value, cb, tensor.dtype))
        sections = self.cutter.sections(stores, leaves, {})
        what = (
            ", ".join(self.identifiers[b.tensor] for b in self.program.outputs)
            + " from the product"
            + "s" * (len(contractions) > 1)
        )
        return Sweep(what=what, extent=self.blocking.block, by_columns=False, sections=sections)

    def _is_loaded(self, index: int) -> bool:
        return self.program.values[index].op == "input" and index in self.behind

    def _leaf(self, index: int) -> Leaf:
        """An operand of the sweep: a tile of each place, or a row, a column or a tile that the unit holds."""
        value = self.program.values[index]
        tensor = self.kernel.tensor(value.name)
        bcast = broadcast_of(value.shape, self.output.matrix)
        row = num(0) if bcast in ("rows", "scalar") else unit_row(self.kernel, self.rows)
        column = num(0) if bcast in ("cols", "scalar") else unit_column(self.kernel, self.columns)
        page = page_in_unit(tensor, self.identifiers[tensor.name], self.output.batch, row, column)
        height, width = self.blocking.block
        unpack_to_dest = tensor.dtype == "float32" and self.fp32
        stream = Stream(
            cb=f"cb_{self.identifiers[tensor.name]}",
            tensor=tensor.name,
            page=page,
            per="sweep",
            sweep=self.number,
            unpack_to_dest=unpack_to_dest,
        )
        if bcast == "scalar" and page == num(0):
            held = Stream(cb=stream.cb, tensor=tensor.name, page=page, per="core", unpack_to_dest=unpack_to_dest)
        elif self._is_bound(tensor):
            held = msgspec.structs.replace(stream, per="shard", sweep=-1, extent=self.blocking.block)
        elif bcast:
            extent = (1 if bcast in ("rows", "scalar") else height, 1 if bcast in ("cols", "scalar") else width)
            operand: Operand = "in1" if bcast == "rows" else "in0"
            held = Stream(
                cb=stream.cb,
                tensor=tensor.name,
                page=page,
                per="unit",
                extent=extent,
                unpack_to_dest=unpack_to_dest,
                operand=operand,
            )
        else:
            held = stream
        return Leaf(cb=self.shared_stream(held), bcast=bcast, transpose=False, fpu=enters_fpu(tensor.dtype))

    def _result(self, tensor: Tensor, *, sweep: int) -> str:
        cb = self.names.unique(f"cb_{self.identifiers[tensor.name]}")
        place = unit_row(self.kernel, self.rows), unit_column(self.kernel, self.columns)
        page = page_in_unit(tensor, self.identifiers[tensor.name], self.output.batch, *place)
        bound = self._is_bound(tensor)
        self.results.append(OutputStream(cb=cb, tensor=tensor.name, page=page, sweep=sweep, bound=bound))
        return cb

    def _is_bound(self, tensor: Tensor) -> bool:
        """Whether the core's shard of the tensor is its block of the output."""
        if not self.kernel.placed_by or self.kernel.tensor(self.kernel.placed_by).role != "output":
            return False
        same_tiles = tiles_of(tensor) == (self.rows, self.columns) and tensor.batch == self.output.batch
        mine, placing = (self.kernel.buffer(name).shards for name in (tensor.name, self.kernel.placed_by))
        return mine == placing and same_tiles
