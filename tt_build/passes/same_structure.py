"""Whether a kernel at its ``verify: {sizes: ...}`` is the same kernel but for numbers, so that what the emulator proves
of the smaller one speaks for the one that is built.

Compared are algorithm, what stays in L1, sweeps, streams, DST sections and masks. Extents, block sizes and numbers of
the program may differ; an extent of 1 must stay 1, because loops over one thing are not written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tt_build.ir.index import Dim, Num
from tt_build.ir.stages import (
    Contraction,
    FillStep,
    Fold,
    Intermediate,
    MaskPlan,
    MatmulStep,
    SfpuStep,
    Stream,
    Sweep,
    TransposePlan,
    VerifiedKernel,
    ZeroFill,
)
from tt_build.spec.diagnostics import Diagnostic, Rejected, Related, Where
from tt_build.spec.model import Declaration

_NUMBERS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    Dim: ("value",),
    SfpuStep: ("params",),
    FillStep: ("bits",),
    MaskPlan: ("count",),
    ZeroFill: ("first",),
    Stream: ("reduced",),
}
"""Fields with a number of the program or of a ragged edge: any value will do."""

_EXTENTS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    Num: ("value",),
    Stream: ("extent",),
    Sweep: ("extent", "parts"),
    Intermediate: ("extent", "tiles"),
    MatmulStep: ("k_tiles",),
    TransposePlan: ("k_tiles",),
    Contraction: ("k_tiles",),
    Fold: ("scale",),
}
"""Fields of which only none, one and several are told apart."""

Part = Callable[[VerifiedKernel], Any]
_PARTS: dict[str, Part] = {
    "the algorithm": lambda k: k.algorithm,
    "what stays in L1": lambda k: k.residency.choice if k.residency is not None else "",
    "the tensor that places the work": lambda k: k.placed_by,
    "the parts of long reductions": lambda k: _parts(k),
    "the sweeps": lambda k: tuple(sweep.what for sweep in k.sweeps),
    "the masks of ragged edges": lambda k: (k.masks, k.zero_fills),
    "the streams": lambda k: (k.streams, k.transposes, k.results, k.contractions),
    "whether cores share operands": lambda k: [[channel.name for channel in body.channels] for body in k.bodies],
    "whether multicasts are linked": lambda k: k.linked,
    "how the matmul is blocked": lambda k: _blocking(k),
    "how the attention is blocked": lambda k: _flash(k),
    "the tiles a DST section takes": lambda k: _count(k.in_dst),
    "the DST sections": lambda k: (k.sections, k.intermediates, k.sweeps),
}


def _parts(kernel: VerifiedKernel) -> str:
    if kernel.parts is None:
        return "none"
    return "on cores of their own" if kernel.parts.spread else "one after the other"


def _blocking(kernel: VerifiedKernel) -> Any:
    """Loops of a blocked matmul: over nothing, one or several; ragged or not."""
    blocking = kernel.blocking
    if blocking is None:
        return None
    plan = kernel.contractions[0]
    tiles = kernel.buffer(kernel.outputs[0].name).tiles
    steps = -(-plan.k_tiles // blocking.k_block)
    sizes = (steps, *blocking.block, *(b // s for b, s in zip(blocking.block, blocking.subblock, strict=True)))
    ragged = (plan.k_tiles % blocking.k_block > 0, *(t % b > 0 for t, b in zip(tiles, blocking.block, strict=True)))
    units = max(item.count for item in kernel.work)
    return blocking.shares, blocking.noc, blocking.depth, _count((*sizes, units)), ragged, plan.is_output


def _flash(kernel: VerifiedKernel) -> Any:
    """Loops of an attention: over nothing, one or several; ragged or not."""
    flash, plan = kernel.flash, kernel.attention
    if flash is None or plan is None:
        return None
    rows, parts = kernel.buffer(kernel.outputs[0].name).tiles[0], kernel.parts
    length = plan.sequence if parts is None else parts.tiles
    sizes = (
        flash.rows,
        flash.keys,
        plan.inner,
        plan.width,
        -(-length // flash.keys),
        kernel.grid.y,
        kernel.grid.z,
    )
    ragged = rows % flash.rows > 0, plan.sequence % flash.keys > 0, plan.sequence % length > 0
    units = max(item.count for item in kernel.work)
    turns = flash.causal and kernel.grid.z > flash.turn
    return flash.causal, flash.shared, turns, _count((*sizes, units)), ragged, len(plan.sections)


def check_same_structure(declaration: Declaration, kernel: VerifiedKernel, smaller: VerifiedKernel) -> None:
    """Raise ``Rejected`` (TTB212, at ``verify.sizes``) where the smaller kernel is another one."""
    for part, of in _PARTS.items():
        here, there = of(kernel), of(smaller)
        if _shape(here) != _shape(there):
            told = f": '{there}', not '{here}'" if isinstance(here, str) else ""
            message = f"at these sizes the kernel is another one, and would prove nothing: {part} would differ{told}"
            raise Rejected(_diagnostic(declaration, message, _advice(part)))


def refused_at_verify_sizes(declaration: Declaration, rejected: Rejected) -> Rejected:
    """The refusal of the smaller kernel, as one of its sizes."""
    first = rejected.diagnostics[0]
    message = f"the kernel cannot be built at these sizes: {first.message}"
    help_ = "choose other sizes, or leave 'sizes' out"
    return Rejected(_diagnostic(declaration, message, help_, (Related(first.where, "refused here"),)))


def _diagnostic(declaration: Declaration, message: str, help_: str, related: tuple[Related, ...] = ()) -> Diagnostic:
    where = Where(path=("kernels", declaration.kernel.name, "verify", "sizes"))
    return Diagnostic(code="TTB212", message=message, where=where, help=help_, related=related)


def _advice(part: str) -> str:
    if part == "what stays in L1":
        return "choose sizes at which as much of a unit fits L1 as here, or leave 'sizes' out"
    return "keep what has several tiles so, and what is ragged ragged, or leave 'sizes' out"


def _shape(value: Any) -> Any:
    """The value without what may differ."""
    if isinstance(value, msgspec.Struct):
        kind = type(value)
        free, counted = _NUMBERS.get(kind, ()), _EXTENTS.get(kind, ())
        return kind, tuple(
            _count(getattr(value, name)) if name in counted else _shape(getattr(value, name))
            for name in value.__struct_fields__
            if name not in free
        )
    if isinstance(value, tuple | list):
        return tuple(_shape(part) for part in value)
    return value


def _count(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_count(part) for part in value)
    return value if value is None else min(value, 2)
