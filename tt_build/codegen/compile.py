"""A specification -> every file of its kernels and programs: passes, code generation, in memory and without SCons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from tt_build.codegen.files import emit
from tt_build.codegen.program import emit_program
from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.check_program import Lowered, check_program
from tt_build.passes.pipeline import CHAINS, EXPRESSION, kind_of, lower, warnings_of, write_stage
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.model import Declared
from tt_build.spec.render import report
from tt_build.spec.templates import own_templates


class Compiled(msgspec.Struct, frozen=True):
    """Files by kernel or program and path inside its folder; the names of the rejected; every message, rendered.

    ``failed`` is not empty when something was rejected, also where no kernel can be named (then it holds the file).
    """

    kernels: dict[str, dict[str, bytes]]
    failed: tuple[str, ...]
    text: str


def stage_file(number: int, kind: str = EXPRESSION) -> str:
    """The file of the stage after pass ``number`` (from 1) of that chain, relative to the kernel's folder."""
    return f"ir/{number:02d}_{CHAINS[kind][number - 1].name}.json"


def compile_files(declaration: Declared, templates: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Files by path relative to the kernel's folder; ``templates`` are a repository's own.

    Raises ``Rejected``, also where ``verify.sizes`` do not fit.
    """
    return compile_told(declaration, templates)[0]


def compile_told(
    declaration: Declared, templates: Mapping[str, str] | None = None
) -> tuple[dict[str, bytes], tuple[Diagnostic, ...]]:
    """The same, and the passes' warnings."""
    return _told(declaration, templates or {})[1:]


def _told(
    declaration: Declared, templates: Mapping[str, str]
) -> tuple[Lowered, dict[str, bytes], tuple[Diagnostic, ...]]:
    """The kernel, its files, and the passes' warnings."""
    kernel, trail = lower(declaration)
    assert isinstance(kernel, VerifiedKernel | VerifiedSources)
    kind = kind_of(declaration)
    files = {stage_file(number, kind): write_stage(step.name, stage) for number, (step, stage) in enumerate(trail, 1)}
    return kernel, files | emit(kernel, own_templates(kind, templates)), warnings_of(declaration, kernel)


def compile_specification(path: Path, *, arch: str | None = None, grid: tuple[int, int] | None = None) -> Compiled:
    """Compile every kernel and program of a specification; all errors of all of them are collected."""
    loaded = load_file(path, arch=arch, grid=grid)
    files, failed, found = compile_loaded(loaded)
    return Compiled(kernels=files, failed=tuple(failed), text=report(found, loaded.source))


def compile_loaded(
    loaded: SpecFile, at: Callable[[int, str], None] = lambda count, name: None
) -> tuple[dict[str, dict[str, bytes]], list[str], list[Diagnostic]]:
    """Files by kernel or program, the names of what is rejected, every diagnostic. ``at`` is told of progress."""
    found = [entry.diagnostic for entry in loaded.diagnostics]
    failed = failed_names(loaded)
    files: dict[str, dict[str, bytes]] = {}
    needed = {name for program in loaded.sequences for name in program.kernels}
    kernels: dict[str, Lowered] = {}
    for count, declaration in enumerate(loaded.declarations):
        name = declaration.kernel.name
        at(count, name)
        try:
            kernel, files[name], warnings = _told(declaration, loaded.templates)
            found += warnings
        except Rejected as rejected:
            failed.append(name)
            found += rejected.diagnostics
        else:
            kernels |= {name: kernel} if name in needed else {}
    for program in loaded.sequences:
        if not program.kernels.keys() <= kernels.keys():
            failed.append(program.name)
            continue
        try:
            check_program(program, kernels)
            files[program.name] = emit_program(program)
        except Rejected as rejected:
            failed.append(program.name)
            found += rejected.diagnostics
    return files, failed, found


def failed_names(loaded: SpecFile) -> list[str]:
    """What of a specification cannot be built: the rejected kernels, or the file itself where none can be named."""
    return list(loaded.rejected) or ([loaded.path.name] if loaded.errors else [])
