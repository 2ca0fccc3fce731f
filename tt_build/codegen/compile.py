"""A specification -> every file of its kernels: passes, code generation, in memory and without SCons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tt_build.codegen.files import emit
from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import CHAINS, EXPRESSION, kind_of, lower, warnings_of, write_stage
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.model import Declared
from tt_build.spec.render import report
from tt_build.spec.templates import own_templates


class Compiled(msgspec.Struct, frozen=True):
    """Files by kernel and path inside its folder; the names of the rejected kernels; every message, rendered.

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
    kernel, trail = lower(declaration)
    assert isinstance(kernel, VerifiedKernel | VerifiedSources)
    kind = kind_of(declaration)
    files = {stage_file(number, kind): write_stage(step.name, stage) for number, (step, stage) in enumerate(trail, 1)}
    return files | emit(kernel, own_templates(kind, templates or {})), warnings_of(declaration, kernel)


def compile_specification(path: Path, *, arch: str | None = None, grid: tuple[int, int] | None = None) -> Compiled:
    """Compile every kernel of a specification; all errors of all kernels are collected."""
    loaded = load_file(path, arch=arch, grid=grid)
    found = [entry.diagnostic for entry in loaded.diagnostics]
    failed = failed_names(loaded)
    kernels: dict[str, dict[str, bytes]] = {}
    for declaration in loaded.declarations:
        try:
            kernels[declaration.kernel.name], warnings = compile_told(declaration, loaded.templates)
            found += warnings
        except Rejected as rejected:
            failed.append(declaration.kernel.name)
            found += rejected.diagnostics
    return Compiled(kernels=kernels, failed=tuple(failed), text=report(found, loaded.source))


def failed_names(loaded: SpecFile) -> list[str]:
    """What of a specification cannot be built: the rejected kernels, or the file itself where none can be named."""
    return list(loaded.rejected) or ([loaded.path.name] if loaded.errors else [])
