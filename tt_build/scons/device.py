"""The work of ``scons run``: a task in, an outcome out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tt_build.codegen.program import make_program
from tt_build.ir.plan import load_plan
from tt_build.ir.program_plan import Loaded
from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import run_on_ttnn
from tt_build.runtime.programs import ProgramLauncher
from tt_build.scons.outcomes import Answer
from tt_build.scons.tasks import ProgramTask, Task
from tt_build.scons.verify_worker import job_of, outcome_of, program_job
from tt_build.spec.program import ProgramDeclaration
from tt_build.verify.driver import check_once
from tt_build.verify.programs import check_program_once


def run_task(task: Task) -> Answer:
    """The outcome on the device, or why there can be none."""
    try:
        if isinstance(task, ProgramTask):
            program = program_job(task)
            launcher = ProgramLauncher(loaded_with(program.program, program.plans))
            return Answer(outcome_of(check_program_once(program, launcher.every_tensor)))
        return Answer(outcome_of(check_once(*job_of(task), _on_device)))
    except LaunchError as error:
        return Answer(error=str(error))


def _on_device(path: Path, inputs: Mapping[str, Any], scalars: Mapping[str, float | int]) -> Mapping[str, Any]:
    return run_on_ttnn(path, dict(inputs), scalars=scalars)


def loaded_with(program: ProgramDeclaration, plans: Mapping[str, Path]) -> Loaded:
    """The program with these plans, which are those of ``verify.sizes`` where a kernel has them."""
    read = {name: (load_plan(path), path.parent) for name, path in plans.items()}
    return Loaded(make_program(program), tuple(read[step.kernel] for step in program.steps))
