"""Attention: MappedKernel -> StagedKernel. Used by ``plan_stages`` where ``infer_schedule`` found one.

A unit is a block of queries. It meets the keys and values of its matrix step by step and keeps, for each query, the
largest logit so far, the sum of the weights, and the weighted sum of the values; where a step brings a larger logit,
both sums are scaled down to it (Milakov and Gimelshein 2018; Dao et al. 2022). No score leaves the core.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.index import Index, var
from tt_build.ir.stages import (
    TILE,
    AttentionPlan,
    Intermediate,
    MappedKernel,
    MaskStep,
    OutputStream,
    SectionPlan,
    StagedKernel,
    Stream,
)
from tt_build.passes.attention import find
from tt_build.passes.common import extend
from tt_build.passes.dst_sections import Leaf
from tt_build.passes.movement import is_moved_leaf
from tt_build.passes.pages import page_in_unit
from tt_build.passes.places import key_row, query_row
from tt_build.passes.stage_planner import StagePlanner, broadcast_of
from tt_build.passes.tile_dtypes import enters_fpu
from tt_build.targets import Arch

MINUS_INFINITY = 0xFF800000


def plan(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """Plan the streams, what is kept, and the sections that make logits of scores."""
    planner = _Planner(kernel, arch)
    attention = planner.attention_plan()
    return extend(
        StagedKernel,
        kernel,
        streams=tuple(planner.streams),
        transposes=(),
        sections=(),
        intermediates=(*planner.intermediates, *planner.cutter.intermediates),
        results=tuple(planner.results),
        masks=tuple(planner.masks),
        patterns=tuple(planner.patterns),
        attention=attention,
    )


class _Planner(StagePlanner):
    def __init__(self, kernel: MappedKernel, arch: Arch) -> None:
        super().__init__(kernel, arch, kernel.outputs[0])
        found = find(self.program)
        assert found is not None
        assert kernel.flash is not None
        self.attention, self.flash = found, kernel.flash
        self.dtype = "float32" if self.fp32 else "bfloat16"

    def attention_plan(self) -> AttentionPlan:
        """Everything; streams, buffers and results are gathered on the way."""
        flash, values, found = self.flash, self.program.values, self.attention
        inner = -(-values[found.queries].shape[-1] // TILE)
        sequence = -(-values[found.keys].shape[-2] // TILE)
        width = -(-values[found.values].shape[-1] // TILE)
        queries = self._operand(found.queries, query_row(self.kernel), var("k"), (flash.rows, inner), per="unit")
        keys = self._operand(found.keys, key_row(self.kernel, "tile_column"), var("k"), (inner, flash.keys), per="step")
        held = self._operand(
            found.values, key_row(self.kernel, "kk"), var("tile_column"), (flash.keys, width), per="step"
        )
        square, block = (flash.rows, flash.keys), (flash.rows, width)
        scores = self._kept("scores", square)
        sections: tuple[SectionPlan, ...] = ()
        logits = scores
        if found.logits != found.scores or self._ragged():
            logits = self._kept("logits", square)
            sections = self._logits(scores, logits)
        attention = AttentionPlan(
            queries=queries,
            keys=keys,
            values=held,
            scores=scores,
            logits=logits,
            weights=self._kept("weights", square),
            change=self._kept("change", (flash.rows, 1)),
            part=self._kept("part", block),
            peak=self._kept("peak", (flash.rows, 1)),
            total=self._kept("total", (flash.rows, 1)),
            gathered=self._kept("gathered", block),
            inner=inner,
            sequence=sequence,
            width=width,
            sections=sections,
        )
        self._result()
        return attention if self.kernel.parts is None else self._in_parts(attention, self.kernel.parts.count)

    def _in_parts(self, attention: AttentionPlan, count: int) -> AttentionPlan:
        """With what cores send that have parts of the keys, and what the first of them puts together."""
        rows, wide = self.flash.rows, attention.width + 2
        return msgspec.structs.replace(
            attention,
            state=self._kept("state", (rows, wide)),
            states=self._kept("states", (count * rows, wide)),
            shrink=self._kept("shrink", (count * rows, 1)),
        )

    def _ragged(self) -> int:
        """Keys in the last tile, where it is not full."""
        return self.program.values[self.attention.keys].shape[-2] % TILE

    def _kept(self, what: str, extent: tuple[int, int]) -> str:
        cb = self.names.unique(f"cb_{what}")
        self.intermediates.append(
            Intermediate(
                cb=cb, dtype=self.dtype, tiles=extent[0] * extent[1], unpack_to_dest=self.fp32 and what not in _FPU,
                extent=extent,
            )
        )  # fmt: skip
        return cb

    def _operand(self, index: int, row: Index, column: Index, extent: tuple[int, int], *, per: str) -> str:
        look = self.view_at(index, row, column)
        source = self.source(look.pieces[0])
        reduced = self.program.values[index].shape[-1] if index == self.attention.queries else 0
        return self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[source.tensor]}",
                tensor=source.tensor,
                page=source.page,
                per="unit" if per == "unit" else "step",
                extent=extent,
                view=index,
                reduced=reduced,
                operand="" if per == "unit" else "in1",
            )
        )

    def _logits(self, scores: str, logits: str) -> tuple[SectionPlan, ...]:
        """The sections from scores to logits, tile by tile; keys beyond the sequence are masked with minus infinity."""
        found = self.attention
        leaves = {i: self._leaf(i) for i in range(len(self.program.values)) if self._is_loaded(i)}
        leaves[found.scores] = Leaf(cb=scores, bcast="", transpose=False, fpu=False)
        self.cutter.dtypes[logits] = self.dtype
        store = self.cutter.store(found.logits, logits, self.dtype)
        *others, last = self.cutter.sections([store], leaves, {})
        return (*others, self._masked(last)) if self._ragged() else (*others, last)

    def _masked(self, section: SectionPlan) -> SectionPlan:
        """The section with what lies beyond the sequence masked in its last tile."""
        ((slot, _),) = section.stores
        spare = tuple(number for number in range(3) if number != slot)[:2]
        mask = self.cutter.mask("columns", self._ragged())
        step = MaskStep(cb=mask, axis="columns", out=slot, slots=spare, bits=MINUS_INFINITY)
        return SectionPlan(steps=(*section.steps, step), stores=section.stores)

    def _is_loaded(self, index: int) -> bool:
        """Whether a leaf stands between scores and logits."""
        if not is_moved_leaf(self.program, index):
            return False
        inside: set[int] = set()
        todo = [self.attention.logits]
        while todo:
            at = todo.pop()
            inside.add(at)
            if at != self.attention.scores and not is_moved_leaf(self.program, at):
                todo += self.program.values[at].args
        return index in inside

    def _leaf(self, index: int) -> Leaf:
        """An operand between scores and logits."""
        value = self.program.values[index]
        row, column = query_row(self.kernel), key_row(self.kernel, "tile_column")
        look = self.view_at(index, row, column)
        shape = self.program.values[self.attention.scores].shape
        bcast = broadcast_of(value.shape, shape, look)
        (piece,) = look.pieces
        if self.program.values[piece.source].op == "pattern":
            return Leaf(cb=self.pattern(index, look), bcast=bcast, transpose=False, fpu=False)
        source = self.source(piece)
        dtype = self.kernel.tensor(source.tensor).dtype
        extent = (
            1 if bcast in ("rows", "scalar") else self.flash.rows,
            1 if bcast in ("cols", "scalar") else self.flash.keys,
        )
        cb = self.shared_stream(
            Stream(
                cb=f"cb_{self.identifiers[source.tensor]}",
                tensor=source.tensor,
                page=source.page,
                per="step",
                extent=extent,
                unpack_to_dest=dtype == "float32" and self.fp32,
                view=index,
            )
        )
        return Leaf(cb=cb, bcast=bcast, transpose=False, fpu=enters_fpu(dtype))

    def _result(self) -> None:
        tensor = self.output
        cb = self.names.unique(f"cb_{self.identifiers[tensor.name]}")
        page = page_in_unit(
            tensor, self.identifiers[tensor.name], tensor.batch, query_row(self.kernel), var("tile_column")
        )
        self.results.append(OutputStream(cb=cb, tensor=tensor.name, page=page, sweep=-1))


_FPU = ("weights", "state")
"""What the matrix engine reads, or another core: never unpacked straight into DST."""
