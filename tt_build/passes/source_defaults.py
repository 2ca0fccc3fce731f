"""Pass ``source_defaults``: HandDeclaration -> DefaultedSources.

Needs   a checked declaration of sources.
Gives   every key's value: the kernel's own over the file's ``defaults`` over the built-in ones, key by key.
"""

from __future__ import annotations

from tt_build.ir.handwritten import DefaultedSources
from tt_build.passes.apply_defaults import math_of, schedule_of, tensors_of
from tt_build.spec.model import HandDeclaration, MathSpec, ScheduleSpec

FP32_ACCUMULATE = True


def apply(declaration: HandDeclaration) -> DefaultedSources:
    """Fill in defaults."""
    kernel, defaults = declaration.kernel, declaration.defaults
    own, default = kernel.math or MathSpec(), defaults.math or MathSpec()
    choices = (own.fp32_accumulate, default.fp32_accumulate, FP32_ACCUMULATE)
    return DefaultedSources(
        name=kernel.name,
        file=declaration.file,
        arch=declaration.target.arch,
        core_grid=declaration.target.grid,
        tensors=tensors_of(kernel, defaults),
        math=math_of(own, default, fp32_accumulate=next(choice for choice in choices if choice is not None)),
        choice=schedule_of(kernel, defaults.schedule or ScheduleSpec()),
        declared_grid=kernel.grid,
        sources=kernel.sources,
        declared_buffers=kernel.circular_buffers,
        arguments=kernel.arguments,
        reference=kernel.reference,
        ops=kernel.ops,
    )
