"""The pipeline: which passes run, in which order, and what each reads and writes.

A pass is a pure function of the kernel and the architecture. ``CHAINS`` has the one list for each kind of entry,
expressions and sources written by hand: the SCons builder, the command line and the tests walk it. The two lists share
functions, not stages: a hand-written kernel has no program and no bodies.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from tt_build.decoding import decode
from tt_build.ir import handwritten, stages
from tt_build.ir.attributes import stamped
from tt_build.ir.jsontext import to_text
from tt_build.lang.program import Program
from tt_build.passes import (
    apply_defaults,
    bind_sources,
    grid_to_persistent,
    infer_schedule,
    infer_shard,
    memory_space_lower,
    plan_stages,
    shard_to_core_map,
    source_defaults,
    source_schedule,
    tile_pad,
    verify_sources,
)
from tt_build.passes.locked_plans import lock_warnings
from tt_build.passes.same_structure import check_same_structure, refused_at_verify_sizes
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.model import Declaration, Declared, HandDeclaration
from tt_build.spec.program import ProgramDeclaration
from tt_build.targets import Arch, load_arch

K = TypeVar("K")


class Pass(msgspec.Struct, frozen=True):
    """One step: ``takes`` and ``gives`` are the stages, ``run`` the function, ``module`` where it stands.

    ``judges``: it may refuse what a user wrote. The others build on what is accepted, and refuse our own mistakes only.
    ``run_any`` is that of a pass that chooses among plans, with any choice: it refuses where there is none.
    """

    name: str
    takes: type[Any]
    gives: type[stages.Kernel]
    run: Callable[[Any, Arch], stages.Kernel]
    module: str
    judges: bool = True
    run_any: Callable[[Any, Arch], stages.Kernel] | None = None

    def apply_text(self, text: bytes) -> bytes:
        """The pass on the stored form: JSON of the stage before in, JSON of this stage out. Raises ``Rejected``."""
        kernel = read_stage(text, self.takes)
        arch = load_arch(kernel.target.arch if isinstance(kernel, Declaration | HandDeclaration) else kernel.arch)
        return write_stage(self.name, self.run(kernel, arch))


def _alone(function: Callable[[Any], Any]) -> Callable[[Any, Arch], Any]:
    """A pass that needs no architecture."""
    return lambda kernel, _arch: function(kernel)


def _row(module: Any, takes: type[Any], gives: type[Any], run: Callable[[Any, Arch], Any]) -> Pass:
    return Pass(module.__name__.rsplit(".", 1)[1], takes, gives, run, module.__name__)


def _choosing(module: Any, takes: type[Any], gives: type[Any]) -> Pass:
    """A pass that chooses among plans."""
    return msgspec.structs.replace(
        _row(module, takes, gives, module.apply), run_any=functools.partial(module.apply, any_plan=True)
    )


def _tensorize(kernel: Any, _arch: Arch) -> Any:
    from tt_build.passes import tensorize

    return tensorize.apply(kernel)


def _verify_ir(kernel: Any, arch: Arch) -> Any:
    from tt_build.passes import verify_ir

    return verify_ir.apply(kernel, arch)


def _late(name: str, takes: type[Any], gives: type[Any], run: Callable[[Any, Arch], Any]) -> Pass:
    """A pass that judges nothing, imported when it first runs: proofs need NumPy."""
    return Pass(name, takes, gives, run, f"tt_build.passes.{name}", judges=False)


PASSES: tuple[Pass, ...] = (
    _row(apply_defaults, Declaration, stages.DefaultedKernel, _alone(apply_defaults.apply)),
    _choosing(infer_schedule, stages.DefaultedKernel, stages.ScheduledKernel),
    _row(infer_shard, stages.ScheduledKernel, stages.ShardedKernel, infer_shard.apply),
    _row(grid_to_persistent, stages.ShardedKernel, stages.PersistentKernel, _alone(grid_to_persistent.apply)),
    _row(shard_to_core_map, stages.PersistentKernel, stages.MappedKernel, _alone(shard_to_core_map.apply)),
    _row(plan_stages, stages.MappedKernel, stages.StagedKernel, plan_stages.apply),
    _choosing(memory_space_lower, stages.StagedKernel, stages.BufferedKernel),
    _row(tile_pad, stages.BufferedKernel, stages.PaddedKernel, _alone(tile_pad.apply)),
    _late("tensorize", stages.PaddedKernel, stages.LoweredKernel, _tensorize),
    _late("verify_ir", stages.LoweredKernel, stages.VerifiedKernel, _verify_ir),
)

SOURCE_PASSES: tuple[Pass, ...] = (
    _row(source_defaults, HandDeclaration, handwritten.DefaultedSources, _alone(source_defaults.apply)),
    _row(source_schedule, handwritten.DefaultedSources, handwritten.ScheduledSources, source_schedule.apply),
    _row(bind_sources, handwritten.ScheduledSources, handwritten.BoundSources, bind_sources.apply),
    _row(verify_sources, handwritten.BoundSources, handwritten.VerifiedSources, verify_sources.apply),
)

EXPRESSION, HANDWRITTEN = "expression", "handwritten"
CHAINS = {EXPRESSION: PASSES, HANDWRITTEN: SOURCE_PASSES}


def kind_of(declaration: Declared) -> str:
    """Which of ``CHAINS`` a declaration goes through."""
    return HANDWRITTEN if isinstance(declaration, HandDeclaration) else EXPRESSION


class _Stored(msgspec.Struct, frozen=True):
    """Where the kernel lies in a stage's file."""

    kernel: msgspec.Raw


def write_stage(name: str, kernel: stages.Kernel) -> bytes:
    """The file of a stage: the pass, the attributes known so far, the kernel."""
    return to_text({"pass": name, "attrs": stamped(kernel), "kernel": msgspec.to_builtins(kernel)})


def encode_declaration(declaration: Declared | ProgramDeclaration) -> bytes:
    """The stored form of a declaration: what the first step reads, and what its digest is taken of."""
    return msgspec.json.encode(declaration)


def read_stage(text: bytes, stage: type[K]) -> K:
    """The kernel in a stage's file; a declaration is stored without a frame."""
    if issubclass(stage, (Declaration, HandDeclaration)):
        return decode(text, stage)
    return decode(decode(text, _Stored).kernel, stage)


def compile_kernel(declaration: Declaration) -> tuple[stages.VerifiedKernel, list[tuple[Pass, stages.Kernel]]]:
    """All passes in memory: the verified kernel, and the kernel after each pass. Raises ``Rejected``."""
    kernel, trail = run_chain(declaration)
    assert isinstance(kernel, stages.VerifiedKernel)
    return kernel, trail


def compile_at_verify_sizes(
    declaration: Declaration,
    kernel: stages.VerifiedKernel,
    verified: Callable[[Declaration], stages.VerifiedKernel] = lambda smaller: compile_kernel(smaller)[0],
) -> stages.VerifiedKernel | None:
    """The kernel that the emulator runs in place of ``kernel``, found to have its structure; None where it is itself.

    ``verified`` runs the passes. Raises ``Rejected`` (TTB212).
    """
    smaller = declaration.smaller
    if smaller is None:
        return None
    try:
        found = verified(smaller)
    except Rejected as rejected:
        raise refused_at_verify_sizes(declaration, rejected) from None
    check_same_structure(declaration, kernel, found)
    return found


def run_chain(declaration: Declared) -> tuple[stages.Kernel, list[tuple[Pass, stages.Kernel]]]:
    """As ``compile_kernel``, for any kind of entry."""
    arch = load_arch(declaration.target.arch)
    kernel: Any = declaration
    trail: list[tuple[Pass, stages.Kernel]] = []
    for step in CHAINS[kind_of(declaration)]:
        kernel = step.run(kernel, arch)
        trail.append((step, kernel))
    return kernel, trail


def judge(declaration: Declared, program: Program | None = None) -> tuple[Diagnostic, ...]:
    """The passes that may refuse what a user wrote, in memory; their warnings.

    Raises ``Rejected`` with what a build would say.

    ``program`` is the declaration's text, typed, where that is known. A kernel with ``verify.sizes`` goes through all
    passes, since it is compared with the kernel at these sizes after them.
    """
    if isinstance(declaration, Declaration) and declaration.smaller is not None:
        return warnings_of(declaration, lower(declaration)[0])
    arch = load_arch(declaration.target.arch)
    any_choice = isinstance(declaration, Declaration) and declaration.locked is None
    kernel: Any = declaration
    steps = CHAINS[kind_of(declaration)]
    if isinstance(declaration, Declaration) and program is not None:
        kernel, steps = apply_defaults.apply(declaration, program), steps[1:]
    for step in itertools.takewhile(lambda step: step.judges, steps):
        run = step.run_any if step.run_any is not None and any_choice else step.run
        kernel = run(kernel, arch)
    return warnings_of(declaration, kernel)


def lower(declaration: Declared) -> tuple[stages.Kernel, list[tuple[Pass, stages.Kernel]]]:
    """``run_chain``, and refused also where the kernel at its ``verify.sizes`` is another one."""
    kernel, trail = run_chain(declaration)
    if isinstance(declaration, Declaration) and isinstance(kernel, stages.VerifiedKernel):
        compile_at_verify_sizes(declaration, kernel)
    return kernel, trail


def run_from(name: str, kernel: stages.Kernel) -> stages.Kernel:
    """The pass of that name and all that follow, in memory. Raises ``Rejected``; ``ValueError`` for an unknown name."""
    names = [step.name for step in PASSES]
    arch = load_arch(kernel.arch)
    for step in PASSES[names.index(name) :]:
        kernel = step.run(kernel, arch)
    return kernel


def warnings_of(declaration: Declared, kernel: stages.Kernel) -> tuple[Diagnostic, ...]:
    """What the passes have to say of a kernel that they did not reject."""
    if isinstance(declaration, Declaration) and isinstance(kernel, stages.ScheduledKernel):
        return lock_warnings(declaration, kernel)
    return ()
