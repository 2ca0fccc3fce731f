"""Plans by name: what their key holds, that a locked plan is followed to the letter, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support import write_spec
from tt_build.ir.stages import ScheduledKernel, VerifiedKernel
from tt_build.passes import apply_defaults, infer_schedule
from tt_build.passes.blockings import best, choose
from tt_build.passes.locked_plans import candidate_of, lock_key, lock_warnings, plan_of
from tt_build.passes.matmul_schedule import matmul_problem
from tt_build.passes.pipeline import compile_at_verify_sizes, lower
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declaration, Locked, LockedPlan
from tt_build.targets import load_arch

KERNEL: dict[str, Any] = {
    "inputs": {"A": {"shape": [128, 256]}, "B": {"shape": [256, 192]}, "b": {"shape": [1, 192]}},
    "outputs": {"C": {"shape": [128, 192]}},
    "compute": "C = relu(A @ B + b)",
}


def declared(folder: Path, kernel: dict[str, Any], **top: Any) -> Declaration:
    loaded = load_file(write_spec(folder, {"k": kernel}, **top))
    assert not loaded.errors, loaded.errors
    (found,) = loaded.declarations
    assert isinstance(found, Declaration)
    return found


def key(folder: Path, **changed: Any) -> str:
    top = {name: changed.pop(name) for name in ("target", "defaults") if name in changed}
    return lock_key(apply_defaults.apply(declared(folder, KERNEL | changed, **top)))


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"description": "words"}, True),
        ({"allow": ["TTB106"]}, True),
        ({"verify": {"pcc": 0.9}}, True),
        ({"compute": "C = relu(A @ B + b)  \n"}, True),
        ({"math": {"fidelity": "HiFi4"}}, True),
        ({"math": {"fidelity": "LoFi"}}, False),
        ({"math": {"fp32_accumulate": False}}, False),
        ({"compute": "C = gelu(A @ B + b)"}, False),
        ({"schedule": {"matmul": {"noc": 1}}}, False),
        ({"schedule": {"cores": [4, 4]}}, False),
        ({"inputs": KERNEL["inputs"] | {"A": {"shape": [128, 256], "dtype": "float32"}}}, False),
        ({"inputs": KERNEL["inputs"] | {"A": {"shape": [128, 256], "layout": "l1_interleaved"}}}, False),
        ({"target": {"arch": "blackhole"}}, False),
        ({"target": {"grid": [4, 4]}}, False),
        ({"defaults": {"dtype": "bfloat8_b"}}, False),
    ],
)
def test_the_key_holds_what_a_plan_depends_on(changed: dict[str, Any], same: bool, tmp_path: Path) -> None:
    assert (key(tmp_path, **changed) == key(tmp_path)) is same


def test_the_best_plans_are_distinct_and_are_found_by_name(tmp_path: Path) -> None:
    arch = load_arch("wormhole_b0")
    problem = matmul_problem(apply_defaults.apply(declared(tmp_path, KERNEL)), arch)
    found = best(problem, 12)
    choice = choose(problem)
    assert choice is not None
    assert found[0] == choice.taken
    assert len({(p.algorithm, p.cores, p.blocking.block, p.blocking.k_block) for p in found}) == len(found) == 12
    assert {plan.algorithm for plan in best(problem, 10_000)} == {"reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d"}
    for plan in found:
        assert candidate_of(problem, plan_of(plan)) == plan


def locked(folder: Path, kernel: dict[str, Any], **fields: Any) -> Declaration:
    """The declaration, locked to a variation of the planner's choice."""
    entry = declared(folder, kernel)
    defaulted = apply_defaults.apply(entry)
    choice = infer_schedule.blocked_choice(defaulted, load_arch(defaulted.arch))
    assert choice is not None
    planner = plan_of(choice.taken)
    plan = msgspec.structs.replace(planner, **fields)
    return msgspec.structs.replace(
        entry, locked=Locked(file="kernels.lock.json", key=lock_key(defaulted), plan=plan, planner=planner)
    )


PLAN: dict[str, Any] = {
    "algorithm": "mcast_2d",
    "cores": (3, 2),
    "block": (64, 64),
    "k_block": 128,
    "subblock": (32, 64),
    "noc": 1,
    "depth": 1,
    "order": "serpentine",
    "policy": "rectangular",
}


def test_every_field_of_a_locked_plan_is_followed(tmp_path: Path) -> None:
    entry = locked(tmp_path, KERNEL, **PLAN)
    kernel, _ = lower(entry)
    assert isinstance(kernel, VerifiedKernel)
    blocking, choice = kernel.blocking, kernel.matmul_choice
    assert blocking is not None
    assert choice is not None
    got = {
        "algorithm": choice.taken.algorithm,
        "cores": kernel.region.size,
        "block": tuple(32 * size for size in blocking.block),
        "k_block": 32 * blocking.k_block,
        "subblock": tuple(32 * size for size in blocking.subblock),
        "noc": blocking.noc,
        "depth": blocking.depth,
        "order": kernel.order,
        "policy": kernel.policy,
    }
    assert got == PLAN
    assert kernel.lock is not None
    assert kernel.lock.taken
    assert not kernel.lock.agrees
    assert entry.locked is not None
    assert kernel.lock.planner == entry.locked.planner
    assert choice.second is not None
    assert choice.second.algorithm == entry.locked.planner.algorithm
    assert lock_warnings(entry, kernel) == ()


def scheduled(entry: Declaration) -> ScheduledKernel:
    kernel = apply_defaults.apply(entry)
    return infer_schedule.apply(kernel, load_arch(kernel.arch))


def test_the_planners_own_plan_may_be_locked(tmp_path: Path) -> None:
    entry = locked(tmp_path, KERNEL)
    bare = scheduled(msgspec.structs.replace(entry, locked=None))
    kernel = scheduled(entry)
    assert kernel.lock is not None
    assert kernel.lock.agrees
    assert msgspec.structs.replace(kernel, lock=None) == bare


def test_allowed_warnings_are_silent_and_idle_ones_are_not(tmp_path: Path) -> None:
    def codes(entry: Declaration) -> list[str]:
        return [diagnostic.code for diagnostic in lock_warnings(entry, scheduled(entry))]

    entry = locked(tmp_path, KERNEL)
    assert entry.locked is not None
    then = msgspec.structs.replace(entry.locked, planner=LockedPlan(**PLAN))
    allowing = msgspec.structs.replace(entry.kernel, allow=("TTB106",))
    assert codes(msgspec.structs.replace(entry, locked=then)) == ["TTB106"]
    assert codes(msgspec.structs.replace(entry, locked=then, kernel=allowing)) == []
    assert codes(msgspec.structs.replace(entry, kernel=allowing)) == ["TTB104"]
    assert codes(msgspec.structs.replace(entry, locked=msgspec.structs.replace(entry.locked, key="0" * 64))) == [
        "TTB105"
    ]


def test_a_kernel_at_its_verify_sizes_follows_the_locked_plan_cut_down(tmp_path: Path) -> None:
    sized = {
        "sizes": {"M": 512, "K": 256, "N": 256},
        "inputs": {"A": {"shape": ["M", "K"]}, "B": {"shape": ["K", "N"]}},
        "outputs": {"C": {"shape": ["M", "N"]}},
        "compute": "C = A @ B",
        "verify": {"sizes": {"M": 256}},
    }
    wanted = {"algorithm": "mcast_2d", "cores": (2, 2), "policy": "rectangular", "block": (128, 64), "k_block": 128}
    entry = locked(tmp_path, sized, **wanted, subblock=(32, 64), noc=1)
    kernel, _ = lower(entry)
    assert isinstance(kernel, VerifiedKernel)
    smaller = compile_at_verify_sizes(entry, kernel)
    assert smaller is not None
    assert (smaller.algorithm, smaller.region.size) == (kernel.algorithm, (2, 2)) == ("mcast_2d_matmul", (2, 2))
    assert smaller.blocking is not None
    assert (smaller.blocking.block, smaller.blocking.noc, smaller.grid.y) == ((2, 2), 1, 4)
    assert smaller.lock is None
