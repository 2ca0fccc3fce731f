"""``program.json``: kernels that run one after the other, for whoever launches them.

It names the plans of its kernels by paths relative to its own folder. Unknown fields are ignored, as in a plan.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tt_build.decoding import decode
from tt_build.ir.plan import Buffer, Plan, PlanError, PlanStruct, load_plan

FILE = "program.json"


class PlanTensor(PlanStruct, frozen=True, kw_only=True):
    """A tensor of a program; where it lies is said by the plans of the kernels that read and write it."""

    shape: tuple[int, ...]
    dtype: str
    format: str = "tile"


class PlanStep(PlanStruct, frozen=True, kw_only=True):
    """One launch.

    ``plan`` is the kernel's ``tt.plan.json``; ``tensors`` maps its tensors to the program's; ``scalars`` are the values
    of its run-time scalars; ``frees`` are tensors that no later step reads.
    """

    kernel: str
    plan: str
    tensors: dict[str, str]
    scalars: dict[str, float] = msgspec.field(default_factory=dict)
    frees: tuple[str, ...] = ()


class ProgramPlan(PlanStruct, frozen=True, kw_only=True):
    """A whole ``program.json``. ``inputs`` and ``outputs`` are the order of arguments and results."""

    version: int
    program: str
    arch: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: dict[str, PlanTensor]
    steps: tuple[PlanStep, ...]
    kept_in_l1: tuple[str, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """A program and the plan of each step, whose sources lie in the folder beside it."""

    program: ProgramPlan
    plans: tuple[tuple[Plan, Path], ...]

    def buffer(self, name: str) -> Buffer:
        """The tensor as the first kernel that names it has it."""
        for step, (plan, _) in zip(self.program.steps, self.plans, strict=True):
            for tensor, other in step.tensors.items():
                if other == name:
                    return plan.buffers[tensor]
        raise KeyError(name)


def load_program(path: Path) -> Loaded:
    """The program in that file and the plans that it names; ``PlanError`` where one cannot be read or does not fit."""
    try:
        program = decode(path.read_bytes(), ProgramPlan)
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise PlanError(f"{path} is no program: {error}") from error
    if program.version != 1:
        raise PlanError(f"{path} has program version {program.version}; this tt-build reads version 1")
    found: dict[str, Plan] = {}
    plans = []
    for step in program.steps:
        where = path.parent / step.plan
        if step.plan not in found:
            found[step.plan] = load_plan(where)
        _check(path, program, step, found[step.plan])
        plans.append((found[step.plan], where.parent))
    return Loaded(program, tuple(plans))


def _check(path: Path, program: ProgramPlan, step: PlanStep, plan: Plan) -> None:
    """The plan is of the build that the program is of, as far as tensors tell."""
    if step.tensors.keys() != plan.buffers.keys():
        raise PlanError(f"{path} and the plan of {step.kernel} have other tensors; build both again")
    for tensor, name in step.tensors.items():
        buffer, wanted = plan.buffers[tensor], program.tensors.get(name)
        if wanted is None or (buffer.shape, buffer.dtype, buffer.format) != (wanted.shape, wanted.dtype, wanted.format):
            raise PlanError(f"{path} and the plan of {step.kernel} disagree about {name}; build both again")
