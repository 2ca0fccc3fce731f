"""Ranking what was measured, and the lockfile that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tt_build.ir.jsontext import to_text
from tt_build.passes.block_costs import Candidate, within_error
from tt_build.passes.locked_plans import plan_of
from tt_build.spec.lockfile import VERSION, Entry, Measured, Tried
from tt_build.tune.plans import Tunable

Run = tuple[Candidate, Measured]


def ranked(tuned: Tunable, runs: list[Run]) -> list[Run]:
    """Best first.

    By time on a device. By what the emulator counted as the planner ranks what it plans: plans within the model's
    error of the fastest by bytes from DRAM, cores with work, bytes over the NoC, cycles, tile operations.
    """
    left, found = list(runs), list[Run]()
    while left:
        fastest = min(measured.cycles or 0 for _, measured in left)
        alike = [run for run in left if within_error(run[1].cycles or 0, fastest, tuned.problem.arch)]
        found.append(min(alike, key=_rank))
        left.remove(found[-1])
    return found


def _rank(run: Run) -> tuple[object, ...]:
    plan, measured = run
    return (
        measured.nanoseconds or 0,
        measured.dram_bytes or 0,
        -plan.busy,
        measured.noc_bytes or 0,
        measured.cycles or 0,
        measured.tile_ops or 0,
        msgspec.json.encode(plan_of(plan)),
    )


def entry_of(tuned: Tunable, order: list[Run]) -> Entry:
    """The kernel's entry; ``order`` is the ranking."""
    (plan, measured), *others = order
    second = Tried(plan=plan_of(others[0][0]), measured=others[0][1]) if others else None
    return Entry(key=tuned.key, plan=plan_of(plan), planner=tuned.planner, measured=measured, runner_up=second)


def lock_text(entries: Mapping[str, Entry]) -> bytes:
    """The lockfile: kernels by name, the same bytes for the same entries."""
    kernels = {name: _told(msgspec.to_builtins(entries[name])) for name in sorted(entries)}
    return to_text({"version": VERSION, "kernels": kernels})


def _told(value: Any) -> Any:
    """Without figures that were not measured."""
    if isinstance(value, dict):
        return {key: _told(part) for key, part in value.items() if part is not None}
    return value
