"""A declaration -> every file of its kernel: passes, code generation, in memory and without SCons."""

from __future__ import annotations

from tt_build.codegen.files import emit
from tt_build.passes.pipeline import PASSES, compile_kernel, write_stage
from tt_build.spec.model import Declaration


def stage_file(number: int) -> str:
    """The file of the stage after pass ``number`` (from 1), relative to the kernel's folder."""
    return f"ir/{number:02d}_{PASSES[number - 1].name}.json"


def compile_files(declaration: Declaration) -> dict[str, bytes]:
    """Files by path relative to the kernel's folder. Raises ``Rejected``."""
    kernel, trail = compile_kernel(declaration)
    files = {stage_file(number): write_stage(step.name, stage) for number, (step, stage) in enumerate(trail, 1)}
    return files | emit(kernel)
