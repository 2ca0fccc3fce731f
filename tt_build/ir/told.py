"""Sweeps in the words of ``tt.plan.json`` and ``explain``: what each reads, how that comes to it, what it leaves."""

from __future__ import annotations

from typing import Any

import msgspec

from tt_build.ir.stages import FpuStep, LoadStep, StagedKernel, Sweep

_COMES = {"core": "held for the core", "unit": "held for the unit", "sweep": "streamed"}


class ToldSweep(msgspec.Struct, frozen=True):
    """``reads`` and ``gives`` map tensors and handed-on values to how they come and go."""

    what: str
    tiles: tuple[int, int]
    by_columns: bool
    reads: dict[str, str]
    gives: dict[str, str]

    def as_attribute(self) -> dict[str, Any]:
        """As ``tt_sweeps`` lists it."""
        return {
            "what": self.what,
            "tiles": list(self.tiles),
            "by_columns": self.by_columns,
            "reads": self.reads,
            "gives": self.gives,
        }


def tell_sweeps(kernel: StagedKernel) -> list[ToldSweep]:
    """The sweeps of a unit, in order; none where units are single tiles."""
    return [_told(kernel, sweep) for sweep in kernel.sweeps]


def _told(kernel: StagedKernel, sweep: Sweep) -> ToldSweep:
    comes = {s.cb: (s.tensor, _COMES.get(s.per, s.per)) for s in kernel.streams}
    goes = {r.cb: (r.tensor, "written") for r in kernel.results}
    for item in kernel.intermediates:
        if item.extent is not None:
            name = item.cb.removeprefix("cb_")
            comes[item.cb], goes[item.cb] = (name, "handed on"), (name, "handed on")
    given = [fold.cb for fold in sweep.folds] + [cb for section in sweep.sections for _, cb in section.stores]
    return ToldSweep(
        what=sweep.what,
        tiles=sweep.extent,
        by_columns=sweep.by_columns,
        reads=dict(comes[cb] for cb in _read(sweep) if cb in comes),
        gives=dict(goes[cb] for cb in given if cb in goes),
    )


def _read(sweep: Sweep) -> list[str]:
    found: list[str] = []
    for section in sweep.sections:
        for step in section.steps:
            if isinstance(step, LoadStep):
                found.append(step.cb)
            elif isinstance(step, FpuStep):
                found += [step.a, step.b]
    return found
