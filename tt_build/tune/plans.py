"""The plans of a kernel that are worth a run: those that the planner ranks best."""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import VerifiedKernel
from tt_build.passes import apply_defaults
from tt_build.passes.block_costs import Candidate
from tt_build.passes.block_problem import Problem
from tt_build.passes.blockings import best
from tt_build.passes.infer_schedule import blocked_choice
from tt_build.passes.locked_plans import lock_key, plan_of
from tt_build.passes.matmul_schedule import matmul_problem
from tt_build.passes.pipeline import lower
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.model import Declaration, Locked, LockedPlan
from tt_build.targets import load_arch

_TRIES = 4
"""How far down the planner's ranking the search goes where passes refuse plans, as those of another structure than the
kernel at its ``verify.sizes``."""


class Tunable(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel with a choice of plans. ``key`` and ``planner`` go into its entry; ``products`` of tiles a run does."""

    declaration: Declaration
    problem: Problem
    key: str
    planner: LockedPlan
    legal: int
    products: int

    @property
    def name(self) -> str:
        """The kernel's."""
        return self.declaration.kernel.name


class Lowered(msgspec.Struct, frozen=True):
    """A plan, and the kernel that follows it."""

    candidate: Candidate
    kernel: VerifiedKernel


def tunable(declaration: Declaration) -> Tunable | None:
    """The kernel's choice, None where it has none. Raises ``Rejected``."""
    declaration = msgspec.structs.replace(declaration, locked=None)
    arch = load_arch(declaration.target.arch)
    kernel = apply_defaults.apply(declaration)
    choice = blocked_choice(kernel, arch)
    if choice is None:
        return None
    problem = matmul_problem(kernel, arch)
    return Tunable(
        declaration=declaration,
        problem=problem,
        key=lock_key(kernel),
        planner=plan_of(choice.taken),
        legal=choice.legal,
        products=problem.m * problem.k * problem.n * problem.z * problem.matmuls,
    )


def lowered_plans(tuned: Tunable, count: int) -> tuple[list[Lowered], list[Rejected]]:
    """The best plans that all passes accept, best first by the planner's rank, and why better ones fell."""
    found: list[Lowered] = []
    refused: list[Rejected] = []
    for candidate in best(tuned.problem, _TRIES * count):
        if len(found) == count:
            break
        locked = Locked(file="", key=tuned.key, plan=plan_of(candidate), planner=tuned.planner)
        try:
            kernel, _ = lower(msgspec.structs.replace(tuned.declaration, locked=locked))
        except Rejected as rejected:
            refused.append(rejected)
            continue
        assert isinstance(kernel, VerifiedKernel)
        found.append(Lowered(candidate, kernel))
    return found, refused
