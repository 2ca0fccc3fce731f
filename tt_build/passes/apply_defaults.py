"""Pass ``apply_defaults``: Declaration -> DefaultedKernel.

Needs   a checked declaration.
Gives   every key's value: the kernel's own over the file's ``defaults`` over the built-in ones, key by key; the
        compute text as a typed program.
        DST is 32 bits wide but for kernels that compute on uint16 (``dst_width``).
Rejects what the language rules of the program reject (TTB01x), dtypes that need
        another width of DST than others or than ``fp32_accumulate`` says (TTB205).
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import DefaultedKernel, MathMode, ScheduleChoice, Tensor
from tt_build.lang.dst_width import stated_width, wide_dst
from tt_build.lang.elaborate import elaborate
from tt_build.lang.program import Program
from tt_build.spec.model import Declaration, DefaultsSpec, Entry, MathSpec, ScheduleSpec, TensorSpec

DTYPE = "bfloat16"
LAYOUT = "dram_interleaved"
POLICY = "contiguous"
ORDER = "row_major"
FIDELITY = "HiFi4"
APPROXIMATE = False


def apply(declaration: Declaration, program: Program | None = None) -> DefaultedKernel:
    """Fill in defaults and type the compute text, unless ``program`` is that already."""
    kernel, defaults = declaration.kernel, declaration.defaults
    if program is None:
        program = elaborate(kernel, defaults).program
    tensors = tensors_of(kernel, defaults)
    own, default = kernel.math or MathSpec(), defaults.math or MathSpec()
    wide = wide_dst(kernel.name, program, stated_width(kernel, defaults))
    full = declaration.planned_as
    return DefaultedKernel(
        name=kernel.name,
        file=declaration.file,
        arch=declaration.target.arch,
        core_grid=declaration.target.grid,
        compute=kernel.compute,
        tensors=tensors,
        program=program,
        math=math_of(own, default, fp32_accumulate=wide),
        choice=schedule_of(kernel, defaults.schedule or ScheduleSpec()),
        declared_grid=kernel.grid,
        declared_block=kernel.block,
        full_size=apply(msgspec.structs.replace(declaration, kernel=full, planned_as=None)) if full else None,
        locked=None if full else declaration.locked,
    )


def tensors_of(kernel: Entry, defaults: DefaultsSpec) -> tuple[Tensor, ...]:
    """Inputs and outputs in declared order."""

    def tensor(name: str, role: str, spec: TensorSpec) -> Tensor:
        return Tensor(
            name=name,
            role="output" if role == "output" else "input",
            shape=spec.shape,
            dtype=spec.dtype or defaults.dtype or DTYPE,
            layout=spec.layout or defaults.layout or LAYOUT,
            format=spec.format,
        )

    inputs = (tensor(name, "input", spec) for name, spec in kernel.inputs.items())
    return (*inputs, *(tensor(name, "output", spec) for name, spec in kernel.outputs.items()))


def math_of(own: MathSpec, default: MathSpec, *, fp32_accumulate: bool) -> MathMode:
    """The kernel's own over the file's over the built-in choices."""
    choices = (own.approximate, default.approximate, APPROXIMATE)
    return MathMode(
        fidelity=own.fidelity or default.fidelity or FIDELITY,
        fp32_accumulate=fp32_accumulate,
        approximate=next(choice for choice in choices if choice is not None),
    )


def schedule_of(kernel: Entry, default: ScheduleSpec) -> ScheduleChoice:
    """The kernel's own over the file's over the built-in choices."""
    own = kernel.schedule or ScheduleSpec()
    merged = {key: getattr(own, key) or getattr(default, key) for key in ("policy", "order", "cores", "matmul")}
    return ScheduleChoice(
        policy=merged["policy"] or POLICY,
        order=merged["order"] or ORDER,
        cores=merged["cores"],
        matmul=merged["matmul"],
        stated=tuple(key for key in merged if getattr(own, key) is not None),
    )
