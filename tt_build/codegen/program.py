"""A program's declaration -> ``program.json``."""

from __future__ import annotations

import msgspec

from tt_build.ir.jsontext import to_text
from tt_build.ir.program_plan import FILE, PlanStep, PlanTensor, ProgramPlan
from tt_build.spec.program import ProgramDeclaration

OUTPUTS = (FILE,)


def make_program(program: ProgramDeclaration) -> ProgramPlan:
    """What launchers need of a program."""
    last: dict[int, list[str]] = {}
    for name, number in program.last_reads.items():
        last.setdefault(number, []).append(name)
    return ProgramPlan(
        version=1,
        program=program.name,
        arch=program.arch,
        inputs=program.inputs,
        outputs=program.outputs,
        tensors={n: PlanTensor(shape=t.shape, dtype=t.dtype, format=t.format) for n, t in program.tensors.items()},
        steps=tuple(
            PlanStep(
                kernel=step.kernel,
                plan=f"../{step.kernel}/tt.plan.json",
                tensors=step.inputs | step.outputs,
                scalars=step.scalars,
                frees=tuple(last.get(number, ())),
            )
            for number, step in enumerate(program.steps)
        ),
        kept_in_l1=tuple(program.keep),
    )


def emit_program(program: ProgramDeclaration) -> dict[str, bytes]:
    """The files of a program by name."""
    return {FILE: to_text(msgspec.to_builtins(make_program(program)))}
