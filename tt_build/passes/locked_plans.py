"""Locked plans: which of them still fit, what a kernel takes of them, and what is to be said about it.

Used by ``matmul_schedule``; ``tt_build.tune`` makes the entries. A plan is taken exactly where its key fits. Where the
declaration changed since, the planner chooses and a warning says so (TTB105); where the planner's own choice is another
one than when the plan was locked, the plan stays and a warning names both (TTB106).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NoReturn

import msgspec

from tt_build.ir.stages import TILE, DefaultedKernel, MatmulLock, ScheduledKernel
from tt_build.passes.block_costs import Candidate
from tt_build.passes.block_problem import Fixed, Problem
from tt_build.passes.blockings import Choice, legal
from tt_build.spec.diagnostics import OF_LOCKS, Diagnostic, Rejected, Related, Where
from tt_build.spec.model import Declaration, LockedPlan


def lock_key(kernel: DefaultedKernel) -> str:
    """Digest of all that a plan depends on: tensors, expression, math, schedule, architecture and cores."""
    facts = (
        kernel.arch,
        kernel.core_grid,
        tuple((t.name, t.role, t.shape, t.dtype, t.layout, t.format) for t in kernel.tensors),
        kernel.compute.strip(),
        (kernel.math.fidelity, kernel.math.fp32_accumulate, kernel.math.approximate),
        (kernel.choice.policy, kernel.choice.order, kernel.choice.cores, kernel.choice.matmul, kernel.choice.stated),
        kernel.declared_grid,
        kernel.declared_block,
    )
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def plan_of(candidate: Candidate) -> LockedPlan:
    """The plan in the units of the declaration."""
    blocking = candidate.blocking
    return LockedPlan(
        algorithm=candidate.algorithm,
        cores=candidate.cores,
        block=_elements(blocking.block),
        k_block=blocking.k_block * TILE,
        subblock=_elements(blocking.subblock),
        noc=blocking.noc,
        depth=blocking.depth,
        order=candidate.order,
        policy=candidate.policy,
        k_split=blocking.k_parts,
    )


def candidate_of(problem: Problem, plan: LockedPlan) -> Candidate | None:
    """The legal plan of that name; None where there is none, or the declaration fixes it otherwise."""
    wanted = Fixed(
        algorithm=plan.algorithm,
        block=_tiles(plan.block),
        k_block=plan.k_block // TILE,
        subblock=_tiles(plan.subblock),
        noc=plan.noc,
        depth=plan.depth,
        order=plan.order,
        policy=plan.policy,
        k_split=plan.k_split,
        linked=problem.fixed.linked,
    )
    found = legal(msgspec.structs.replace(problem, fixed=wanted))
    stated = _stated(problem)
    return next(
        (one for one in found if plan_of(one) == plan and all(getattr(wanted, k) == v for k, v in stated.items())), None
    )


def follow_lock(
    kernel: DefaultedKernel, choice: Choice | None, problem: Callable[[], Problem]
) -> tuple[Choice | None, MatmulLock | None]:
    """What the kernel takes, the planner's ``choice`` (None: no blocked plan) or the locked plan; and what to tell.

    Rejects a locked plan that cannot be used (TTB215).
    """
    locked = kernel.locked
    if locked is None:
        return choice, None
    if locked.key != lock_key(kernel):
        return choice, MatmulLock(file=locked.file, taken=False)
    if choice is None:
        _refuse(kernel, "this kernel has no blocked matmul, which a plan could be locked for")
    taken = candidate_of(problem(), locked.plan)
    if taken is None:
        _refuse(kernel, f"this kernel has no legal plan of {_told_whole(locked.plan)}")
    now = plan_of(choice.taken)
    agrees = now == locked.plan
    second = choice.second if agrees else choice.taken
    lock = MatmulLock(file=locked.file, taken=True, planner=now, agrees=agrees)
    return msgspec.structs.replace(choice, taken=taken, second=second), lock


def lock_warnings(declaration: Declaration, kernel: ScheduledKernel) -> tuple[Diagnostic, ...]:
    """What is to be said of a kernel that was built, without what it allows; and what it allows for nothing."""
    lock, locked = kernel.lock, declaration.locked
    name, allowed = declaration.kernel.name, declaration.kernel.allow
    if locked is None or lock is None:
        return ()
    found: list[Diagnostic] = []
    if not lock.taken:
        message = f"the plan that {lock.file} holds was tuned for another declaration of this kernel; it is not used"
        related = (Related(Where(path=("lock", name), on_key=True), "the plan that is not used"),)
        found.append(_warning("TTB105", message, name, related))
    elif lock.planner is not None and lock.planner != locked.planner:
        now, then = _difference(lock.planner, locked.planner)
        message = f"the planner would choose {now} now, and chose {then} when the plan was locked"
        related = (Related(Where(path=("lock", name, "plan"), on_key=True), "the plan that is used"),)
        found.append(_warning("TTB106", message, name, related))
    codes = {diagnostic.code for diagnostic in found}
    idle = [
        Diagnostic(
            "TTB104",
            f"there is no {code} here to allow",
            Where(path=("kernels", name, "allow", at)),
            "remove it from the list",
            severity="warning",
        )
        for at, code in enumerate(allowed)
        if code in OF_LOCKS - codes and "TTB104" not in allowed
    ]
    return (*(diagnostic for diagnostic in found if diagnostic.code not in allowed), *idle)


def _warning(code: str, message: str, name: str, related: tuple[Related, ...]) -> Diagnostic:
    where = Where(path=("kernels", name), on_key=True)
    help_ = f"run 'tt-build tune {name}', or accept it with allow: [{code}]"
    return Diagnostic(code, message, where, help_, related, severity="warning")


def _refuse(kernel: DefaultedKernel, message: str) -> NoReturn:
    where = Where(path=("lock", kernel.name, "plan"), on_key=True)
    raise Rejected(Diagnostic("TTB215", message, where, f"run 'tt-build tune {kernel.name}', or remove the entry"))


def _stated(problem: Problem) -> dict[str, object]:
    """What the declaration fixes, as a legal plan has it."""
    fixed = problem.fixed
    found = {key: getattr(fixed, key) for key in fixed.__struct_fields__ if getattr(fixed, key) not in (None, "")}
    if fixed.k_block is not None:
        found["k_block"] = min(fixed.k_block, problem.k)
    return found


def _difference(one: LockedPlan, other: LockedPlan) -> tuple[str, str]:
    """Both plans in words; the fields that people do not read first only where no other differs."""
    texts = _told(one), _told(other)
    if texts[0] != texts[1]:
        return texts
    keys = [key for key in one.__struct_fields__ if getattr(one, key) != getattr(other, key)]
    told = [", ".join(f"{key} {_value(getattr(plan, key))}" for key in keys) for plan in (one, other)]
    return told[0], told[1]


def _told(plan: LockedPlan) -> str:
    return (
        f"{plan.algorithm} on {plan.cores[0]} x {plan.cores[1]} cores, block {list(plan.block)}, k_block {plan.k_block}"
        + (f", k_split {plan.k_split}" if plan.k_split > 1 else "")
    )


def _told_whole(plan: LockedPlan) -> str:
    more = ", ".join(f"{key} {_value(getattr(plan, key))}" for key in ("subblock", "noc", "depth", "order", "policy"))
    return f"{_told(plan)}, {more}"


def _value(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _elements(tiles: tuple[int, int]) -> tuple[int, int]:
    return tiles[0] * TILE, tiles[1] * TILE


def _tiles(elements: tuple[int, int]) -> tuple[int, int]:
    return elements[0] // TILE, elements[1] // TILE
