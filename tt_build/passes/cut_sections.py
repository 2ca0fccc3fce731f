"""Stores -> DST sections that fit, used by ``plan_stages`` and ``plan_sweeps``.

A section whose values do not fit DST is cut in two: the value at the cut goes through a circular buffer in L1. Where
several outputs overflow together they are parted first.
"""

from __future__ import annotations

from tt_build.ir.names import Names
from tt_build.ir.stages import Intermediate, MappedKernel, SectionPlan
from tt_build.passes.common import refuse
from tt_build.passes.dst_sections import (
    BadNumber,
    Leaf,
    MatmulOperands,
    Overflow,
    SectionBuilder,
    Store,
    evaluated,
)


class SectionCutter:
    """Makes sections of ``kernel``'s program; ``intermediates`` gathers the tiles that they hand on."""

    def __init__(self, kernel: MappedKernel, capacity: int, names: Names) -> None:
        self.kernel = kernel
        self.fp32 = kernel.math.fp32_accumulate
        self.capacity = capacity
        self.names = names
        self.intermediates: list[Intermediate] = []

    def sections(
        self, stores: list[Store], leaves: dict[int, Leaf], matmuls: dict[int, MatmulOperands]
    ) -> tuple[SectionPlan, ...]:
        """Sections in order: one for each cut, then the outputs, as many together as fit.

        A section that overflows DST loses a value to a cut, or its outputs are parted, until every section fits. An
        output whose value is cut is packed where that value is computed.
        """
        cuts: dict[int, str] = {}
        groups = [stores]
        while True:
            own = {value: [Store(value=value, cb=cb)] for value, cb in cuts.items()}
            for store in stores:
                if store.value in cuts:
                    own[store.value].append(store)
            rest = [[store for store in group if store.value not in cuts] for group in groups]
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
                        known[group[0].value] = self._cut_leaf(cuts[group[0].value])
            except Overflow as overflow:
                cut = self._cut(overflow, set(known))
                if cut is not None:
                    cuts[cut] = self.names.unique("cb_t")
                else:
                    groups = _parted(groups, overflow.group)
                continue
            except BadNumber as error:
                refuse(
                    self.kernel,
                    "TTB210",
                    str(error),
                    value=error.value,
                    help="write another number, or pass it as a tensor of shape [1, 1]",
                )
            dtype = "float32" if self.fp32 else "bfloat16"
            for value in sorted(cuts):
                self.intermediates.append(Intermediate(cb=cuts[value], dtype=dtype, tiles=1, unpack_to_dest=self.fp32))
            return tuple(plans)

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

    def _cut_leaf(self, cb: str) -> Leaf:
        return Leaf(cb=cb, bcast="", transpose=False, fpu=not self.fp32)

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
