"""The same kernel under other schedules: what each would cost."""

from __future__ import annotations

from typing import get_args

from msgspec.structs import replace

from tt_build.codegen.cost import plan_estimate
from tt_build.ir.stages import DefaultedKernel, ScheduleChoice, VerifiedKernel
from tt_build.ir.work import POLICIES
from tt_build.model.matmul import Algorithm
from tt_build.passes.pipeline import run_from
from tt_build.report.gather import Alternative
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.model import MatmulSchedule


def compare(declared: DefaultedKernel, chosen: VerifiedKernel) -> tuple[Alternative, ...]:
    """The schedule that was chosen, then every other policy, or matmul algorithm, that the compiler lowers.

    Where shards place the work there is nothing to choose.
    """
    own = Alternative(label=_label(chosen), chosen=True, estimate=plan_estimate(chosen))
    if chosen.placed_by:
        return (own,)
    found = [own]
    labels = {own.label}
    for choice in _choices(declared):
        kernel = _lowered(replace(declared, choice=choice))
        if kernel is not None and _label(kernel) not in labels:
            labels.add(_label(kernel))
            found.append(Alternative(label=_label(kernel), chosen=False, estimate=plan_estimate(kernel)))
    return tuple(found)


def _choices(declared: DefaultedKernel) -> list[ScheduleChoice]:
    choice = declared.choice
    others = [replace(choice, policy=policy) for policy in POLICIES]
    if any(value.op == "matmul" for value in declared.program.values):
        others += [replace(choice, matmul=MatmulSchedule(algorithm=name)) for name in get_args(Algorithm)]
    return others


def _lowered(declared: DefaultedKernel) -> VerifiedKernel | None:
    """The kernel under that choice; None where it is refused."""
    try:
        kernel = run_from("infer_schedule", declared)
    except Rejected:
        return None
    assert isinstance(kernel, VerifiedKernel)
    return kernel


def _label(kernel: VerifiedKernel) -> str:
    """Algorithm of a matmul, policy, order and the cores in use."""
    words = [kernel.policy, kernel.order]
    if kernel.algorithm not in ("elementwise", "reduction"):
        words.insert(0, kernel.algorithm)
    return ", ".join(words)
