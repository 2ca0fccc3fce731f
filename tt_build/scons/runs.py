"""Steps that run kernels and programs, on the emulator or on a device: what comes of a task, and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tt_build.codegen.write import write_group
from tt_build.scons.actions import SignedAction, publish
from tt_build.scons.compiler import Compiler
from tt_build.scons.outcomes import Answer, Outcome, summarize
from tt_build.scons.progress import Progress
from tt_build.scons.state import State
from tt_build.scons.tasks import Task, kernel_task, program_task


def failed_result(result: str) -> str:
    """The file of a failed run, which is kept for reading: no later build takes it for that of a passed one."""
    return f"{result.removesuffix('.json')}.failed.json"


class Runner:
    """The actions of kernels and of programs: they share progress, and the table at the end.

    ``modules`` are those that run a kernel and a program: their digests sign the actions. ``answer`` runs a task.
    """

    def __init__(
        self,
        alias: str,
        modules: tuple[str, str],
        compiler: Compiler,
        state: State,
        answer: Callable[[Task], Answer],
    ) -> None:
        self._alias, self._state, self._answer = alias, state, answer
        self._outcomes: list[Outcome] = []
        self.progress = Progress(alias)
        of_kernels, of_programs = map(compiler.signature, modules)
        self.kernel = SignedAction(self._run_kernel, alias, of_kernels, state)
        self.program = SignedAction(self._run_program, alias, of_programs, state)
        summarize(self._outcomes)

    def _run_kernel(self, target: Any, source: Any, env: Any) -> int:
        return self._conclude(self._answer(kernel_task(source)), target)

    def _run_program(self, target: Any, source: Any, env: Any) -> int:
        return self._conclude(self._answer(program_task(target, source)), target)

    def _conclude(self, answer: Answer, target: Any) -> int:
        """Write what came out and keep it for the table; the status of the step."""
        name, outcome = target[0].attributes.tt_step.kernel, answer.outcome
        if outcome is None:
            self._state.failed(name, f"tt-build: {self._alias} of {name}: {answer.error}")
            return 1
        self._outcomes.append(outcome)
        self.progress.step(name, outcome.status)
        if not outcome.why:
            publish(target, [outcome.text])
            self._state.ran(name, self._alias)
            return 0
        result = Path(target[0].get_abspath())
        write_group({result.with_name(failed_result(result.name)): outcome.text})
        self._state.failed(name, outcome.why)
        return 1
