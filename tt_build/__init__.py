"""tt-build: declarations in, proven TT-Metalium kernels out.

The functions here carry the names of the TileLang Tenstorrent plan; each is a thin call of a pass or of the target
table. A kernel enters as a ``Declaration`` (``tt_build.spec.loader.load_file`` gives them) and is a stage of
``tt_build.ir.stages`` from then on. All raise ``Rejected`` (``tt_build.spec.diagnostics``) for a declaration that
cannot be lowered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tt_build.version import __version__

if TYPE_CHECKING:
    from tt_build.ir.stages import DefaultedKernel, PersistentKernel, ScheduledKernel, ShardedKernel, VerifiedKernel
    from tt_build.spec.model import Declaration

__all__ = [
    "__version__",
    "apply_tt_defaults",
    "apply_ws2_passes",
    "apply_ws3_passes",
    "available_targets",
    "determine_target",
    "grid_to_persistent_tt",
    "infer_default_tt_schedule",
    "infer_default_tt_shard",
]

# Imports stand in the functions: a build with nothing to do imports this package and must not pay for the compiler.


def available_targets() -> tuple[str, ...]:
    """The targets that this installation can build for."""
    from tt_build import targets

    return targets.available_targets()


def determine_target(name: str) -> str:
    """``name`` when it is a known target; ``tt_build.targets.TargetError``, which names the known ones, when not."""
    from tt_build import targets

    return targets.determine_target(name)


def apply_tt_defaults(declaration: Declaration) -> DefaultedKernel:
    """Pass ``apply_defaults``: every key's value, and the compute text as a typed program."""
    from tt_build.passes import apply_defaults

    return apply_defaults.apply(declaration)


def infer_default_tt_schedule(kernel: DefaultedKernel) -> ScheduledKernel:
    """Pass ``infer_schedule``: algorithm, iteration space, work of each core."""
    from tt_build.passes import infer_schedule
    from tt_build.targets import load_arch

    return infer_schedule.apply(kernel, load_arch(kernel.arch))


def infer_default_tt_shard(kernel: ScheduledKernel) -> ShardedKernel:
    """Pass ``infer_shard``: tiles, padding, pages and accessor words of each tensor."""
    from tt_build.passes import infer_shard
    from tt_build.targets import load_arch

    return infer_shard.apply(kernel, load_arch(kernel.arch))


def apply_ws2_passes(kernel: DefaultedKernel) -> ShardedKernel:
    """Workstream 2: schedule and shard inference."""
    return infer_default_tt_shard(infer_default_tt_schedule(kernel))


def grid_to_persistent_tt(kernel: ShardedKernel) -> PersistentKernel:
    """Pass ``grid_to_persistent``: one loop over positions instead of a grid."""
    from tt_build.passes import grid_to_persistent

    return grid_to_persistent.apply(kernel)


def apply_ws3_passes(kernel: ShardedKernel) -> VerifiedKernel:
    """Workstream 3: from ``grid_to_persistent`` to ``verify_ir``."""
    from tt_build.ir.stages import VerifiedKernel
    from tt_build.passes.pipeline import run_from

    done = run_from("grid_to_persistent", kernel)
    assert isinstance(done, VerifiedKernel)
    return done
