"""Stores -> DST sections that fit, used by ``plan_stages`` and ``plan_sweeps``.

A section whose values do not fit DST is cut in two: the value at the cut goes through a circular buffer in L1. Where
several outputs overflow together they are parted first.
"""

from __future__ import annotations

from typing import Literal, NoReturn

from tt_build.ir.names import Names
from tt_build.ir.stages import Intermediate, MappedKernel, MaskPlan, SectionPlan
from tt_build.passes.common import refuse
from tt_build.passes.dst_sections import (
    BadNumber,
    Leaf,
    MatmulOperands,
    NoForm,
    Overflow,
    SectionBuilder,
    Store,
    evaluated,
)
from tt_build.passes.kinds import SWEEPS
from tt_build.passes.movement import Sunk
from tt_build.passes.tile_dtypes import block_casts, cut_dtype, enters_fpu, masked_columns


class SectionCutter:
    """Makes sections of ``kernel``'s program, with movement pushed down.

    ``intermediates`` gathers the tiles that sections hand on, ``masks`` the tiles that zero what lies beside a tensor's
    elements. ``dtypes`` has those of the circular buffers that take outputs.
    """

    def __init__(self, kernel: MappedKernel, sunk: Sunk, capacity: int, names: Names, masks: list[MaskPlan]) -> None:
        self.kernel, self.program, self.origin = kernel, sunk.program, sunk.origin
        self.fp32 = kernel.math.fp32_accumulate
        self.capacity = capacity
        self.names = names
        self.intermediates: list[Intermediate] = []
        self.masks = masks
        self.dtypes: dict[str, str] = {}

    def store(self, value: int, cb: str, dtype: str, columns: int = 0) -> Store:
        """A store into a buffer of that dtype, with the mask that a block-float format needs on ragged rows.

        ``columns`` are those of what is computed with the value where it is broadcast on the way, else 0.
        """
        count = masked_columns(columns or self._columns(value), dtype)
        return Store(value=value, cb=cb, mask=self.mask("columns", count) if count else "")

    def mask(self, axis: Literal["columns", "rows"], count: int) -> str:
        """The circular buffer of the mask with ones in so many columns or rows."""
        for mask in self.masks:
            if (mask.axis, mask.count) == (axis, count):
                return mask.cb
        cb = self.names.unique(f"cb_{axis}_mask")
        self.masks.append(MaskPlan(cb=cb, axis=axis, count=count))
        return cb

    def _columns(self, value: int) -> int:
        """Columns of what is computed with that value: those of the outputs where it is broadcast to them."""
        whole = self.kernel.outputs[0].matrix[1]
        return self.program.values[value].shape[-1] if self.kernel.algorithm in SWEEPS else whole

    def sections(
        self,
        stores: list[Store],
        leaves: dict[int, Leaf],
        matmuls: dict[int, MatmulOperands],
        columns: int = 0,
    ) -> tuple[SectionPlan, ...]:
        """Sections in order: one for each cut, then the outputs, as many together as fit. ``columns`` as in ``store``.

        A section that overflows DST loses a value to a cut, or its outputs are parted, until every section fits. An
        output whose value is cut is packed where that value is computed.
        """
        casts = [value for value in sorted(self._casts()) if self._is_inside(value, stores, leaves)]
        cuts = {value: self.names.unique("cb_t") for value in casts}
        # What is stored from a block-float cast in another dtype has been through the packer before.
        apart = {s.cb for s in stores if s.value in casts and self.dtypes.get(s.cb) != self._cut_dtype(s.value)}
        groups = [stores]
        while True:
            own = {value: [self.store(value, cb, self._cut_dtype(value), columns)] for value, cb in cuts.items()}
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
                    builder = SectionBuilder(self.program, self.kernel.math, self.capacity, known, matmuls)
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
            except (NoForm, BadNumber) as error:
                refuse_call(self.kernel, error, self.origin)
            for value in sorted(cuts):
                dtype = self._cut_dtype(value)
                exact = dtype == "float32" and self.fp32
                self.intermediates.append(Intermediate(cb=cuts[value], dtype=dtype, tiles=1, unpack_to_dest=exact))
            return tuple(plans)

    def _casts(self) -> set[int]:
        return set(block_casts(self.program, {t.name: t.dtype for t in self.kernel.tensors}))

    def _is_inside(self, value: int, stores: list[Store], leaves: dict[int, Leaf]) -> bool:
        return value in evaluated(self.program, [store.value for store in stores], set(leaves))

    def _cut_dtype(self, value: int) -> str:
        return cut_dtype(self.program.values[value], fp32=self.fp32)

    def _repeated_matmul(self, groups: list[list[Store]], known: set[int], cuts: set[int]) -> int | None:
        """A matmul that several sections would compute: its operands come only once, so it is cut off first."""
        program, seen = self.program, set[int]()
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
        program = self.program
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


def refuse_call(kernel: MappedKernel, error: NoForm | BadNumber, origin: tuple[int, ...]) -> NoReturn:
    """Reject a call that the SDK does not have, or a number that it cannot take; ``origin`` as in ``Sunk``."""
    if isinstance(error, NoForm):
        refuse(
            kernel,
            "TTB205",
            f"the SDK has no '{error.function}' on {error.dtype}",
            value=origin[error.value],
            help="cast the operands, as in cast(x, int32) or cast(x, float32)",
        )
    refuse(
        kernel,
        "TTB210",
        str(error),
        value=origin[error.value],
        help="write another number, or pass it as a tensor of shape [1, 1]",
    )


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
