"""Kernels with reductions: MappedKernel -> StagedKernel. Used by ``plan_stages``."""

from __future__ import annotations

from tt_build.ir.stages import MappedKernel, StagedKernel
from tt_build.passes.memory_space_lower import l1_budget, smallest_size
from tt_build.passes.sweep_planner import CHOICES, SweepPlanner
from tt_build.targets import Arch


def plan(kernel: MappedKernel, arch: Arch) -> StagedKernel:
    """The sweeps of a kernel with reductions, by the first choice that fits L1."""
    budget, too_large = l1_budget(kernel, arch), ""
    for choice in CHOICES:
        planner = SweepPlanner(kernel, arch, choice)
        staged = planner.staged(too_large)
        if choice.keep and not planner.kept:
            continue
        size = smallest_size(staged)
        if size <= budget or choice is CHOICES[-1]:
            return staged
        too_large = too_large or f"'{choice.name}' needs {size} B of L1; {budget} B are left"
    raise AssertionError("CHOICES is not empty")
