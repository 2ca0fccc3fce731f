"""``scons run on=ttnn``: every kernel on the device that ttnn opens, compared with the reference; always run anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tt_build.codegen.write import write_group
from tt_build.scons.actions import SignedAction
from tt_build.scons.compiler import Compiler
from tt_build.scons.outcomes import Outcome, summarize
from tt_build.scons.state import State
from tt_build.scons.tasks import Task, kernel_task, program_task

RESULT = "run.ttnn.json"
ALIAS = "run"


class DeviceRunner:
    """The actions of kernels and of programs: a device serves one process, so they run in SCons' own."""

    def __init__(self, compiler: Compiler, state: State) -> None:
        self._state = state
        self._outcomes: list[Outcome] = []
        of_kernels, of_programs = map(compiler.signature, ("tt_build.runtime.launcher", "tt_build.runtime.programs"))
        self.kernel = SignedAction(self._run_kernel, ALIAS, of_kernels, state)
        self.program = SignedAction(self._run_program, ALIAS, of_programs, state)
        summarize(self._outcomes)

    def _run_kernel(self, target: Any, source: Any, env: Any) -> int:
        return self._run(kernel_task(source), target)

    def _run_program(self, target: Any, source: Any, env: Any) -> int:
        return self._run(program_task(target, source), target)

    def _run(self, task: Task, target: Any) -> int:
        from tt_build.scons.device import run_task  # NumPy: only where something runs

        kernel = target[0].attributes.tt_step.kernel
        answer = run_task(task)
        if answer.outcome is None:
            self._state.failed(kernel, f"tt-build: {kernel}: {answer.error}")
            return 1
        self._outcomes.append(answer.outcome)
        write_group({Path(target[0].get_abspath()): answer.outcome.text})
        if not answer.outcome.why:
            self._state.ran(kernel, ALIAS)
            return 0
        self._state.failed(kernel, answer.outcome.why)
        return 1
