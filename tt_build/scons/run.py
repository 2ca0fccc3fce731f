"""``scons run on=ttnn``: every kernel on the device that ttnn opens, compared with the reference; always run anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tt_build.codegen.program import make_program
from tt_build.codegen.write import write_group
from tt_build.ir.jsontext import to_text
from tt_build.ir.plan import load_plan
from tt_build.ir.program_plan import Loaded
from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import run_on_ttnn
from tt_build.runtime.programs import ProgramLauncher
from tt_build.scons.actions import SignedAction
from tt_build.scons.compiler import Compiler
from tt_build.scons.state import State
from tt_build.scons.verify import describe, job_of, program_job_of, summarize
from tt_build.spec.program import ProgramDeclaration
from tt_build.verify.driver import Verdict, check_once
from tt_build.verify.programs import check_program_once

RESULT = "run.ttnn.json"
ALIAS = "run"


class RunAction(SignedAction):
    """Runs a plan through ttnn and compares; keeps the verdicts for the table at the end."""

    def __init__(self, compiler: Compiler, state: State) -> None:
        self._verdicts: list[Verdict] = []
        super().__init__(self._execute, ALIAS, compiler.signature("tt_build.runtime.launcher"), state)
        summarize(self._verdicts)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        job, plan = job_of(source)
        try:
            verdict = check_once(
                job, plan, lambda path, inputs, scalars: run_on_ttnn(path, dict(inputs), scalars=scalars)
            )
        except LaunchError as error:
            self.state.failed(job.kernel.name, f"tt-build: {job.kernel.name}: {error}")
            return 1
        return self.conclude(verdict, target)

    def conclude(self, verdict: Verdict, target: Any) -> int:
        """Write the verdict and keep it for the table; the status of the step."""
        self._verdicts.append(verdict)
        write_group({Path(target[0].get_abspath()): to_text(msgspec.to_builtins(verdict))})
        if verdict.passed:
            self.state.ran(verdict.kernel, ALIAS)
            return 0
        self.state.failed(verdict.kernel, describe(verdict))
        return 1


class RunProgramAction(SignedAction):
    """Runs a program through ttnn and compares each tensor that its steps write."""

    def __init__(self, compiler: Compiler, state: State, run_kernel: RunAction) -> None:
        self._conclude = run_kernel.conclude
        super().__init__(self._execute, ALIAS, compiler.signature("tt_build.runtime.programs"), state)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        job = program_job_of(target, source)
        try:
            launcher = ProgramLauncher(loaded_with(job.program, job.plans))
            verdict = check_program_once(job, launcher.every_tensor)
        except LaunchError as error:
            self.state.failed(job.program.name, f"tt-build: {job.program.name}: {error}")
            return 1
        return self._conclude(verdict, target)


def loaded_with(program: ProgramDeclaration, plans: Mapping[str, Path]) -> Loaded:
    """The program with these plans, which are those of ``verify.sizes`` where a kernel has them."""
    read = {name: (load_plan(path), path.parent) for name, path in plans.items()}
    return Loaded(make_program(program), tuple(read[step.kernel] for step in program.steps))
