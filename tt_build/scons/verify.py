"""``scons verify``: one node a kernel or program, ``verify.json``, made by running its files on the emulator.

The runs are done by processes of their own (``workers``), as many as SCons has jobs.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

from tt_build.codegen.write import write_group
from tt_build.decoding import decode
from tt_build.scons.actions import SignedAction, publish
from tt_build.scons.compiler import Compiler
from tt_build.scons.interrupt import interruptible
from tt_build.scons.outcomes import Answer, Outcome, summarize
from tt_build.scons.progress import Progress
from tt_build.scons.state import State
from tt_build.scons.tasks import Question, Task, kernel_task, program_task
from tt_build.scons.workers import WorkerFault, WorkerLost, Workers

RESULT = "verify.json"
ALIAS = "verify"


class Verifier:
    """The actions of kernels and of programs: they share processes, progress, and the table at the end."""

    def __init__(self, compiler: Compiler, state: State, jobs: int) -> None:
        self._state, self._workers = state, _workers(jobs)
        self._outcomes: list[Outcome] = []
        self.progress = Progress(ALIAS)
        of_kernels, of_programs = map(compiler.signature, ("tt_build.verify.driver", "tt_build.verify.programs"))
        self.kernel = SignedAction(self._verify_kernel, ALIAS, of_kernels, state)
        self.program = SignedAction(self._verify_program, ALIAS, of_programs, state)
        summarize(self._outcomes)

    def expect(self, kernels: int) -> None:
        """So many kernels will have to be verified, or more."""
        self._workers.start(kernels)

    def _verify_kernel(self, target: Any, source: Any, env: Any) -> int:
        return self._verify(kernel_task(source), target)

    def _verify_program(self, target: Any, source: Any, env: Any) -> int:
        return self._verify(program_task(target, source), target)

    def _verify(self, task: Task, target: Any) -> int:
        kernel = target[0].attributes.tt_step.kernel

        def question(working: int) -> bytes:
            return msgspec.json.encode(Question(task, working))

        try:
            answer = decode(interruptible(lambda: self._workers.ask(question)), Answer)
        except WorkerLost as lost:
            answer = Answer(error=f"verify of {kernel}: {lost}")
        except WorkerFault as fault:
            answer = Answer(error=f"verify of {kernel}: this is a fault of tt-build; please report it:\n{fault}")
        if answer.outcome is not None:
            return self._conclude(answer.outcome, target)
        self._state.failed(kernel, f"tt-build: {answer.error}")
        return 1

    def _conclude(self, outcome: Outcome, target: Any) -> int:
        """Write what came out and keep it for the table; the status of the step."""
        self._outcomes.append(outcome)
        self.progress.step(outcome.kernel, outcome.status)
        result = Path(target[0].get_abspath())
        if not outcome.why:
            publish(target, [outcome.text])
            self._state.ran(outcome.kernel, ALIAS)
            return 0
        # The verdict of a failed run is kept for reading, under a name that no later build takes for a passed one.
        write_group({result.with_name("verify.failed.json"): outcome.text})
        self._state.failed(outcome.kernel, outcome.why)
        return 1


@functools.cache
def _workers(jobs: int) -> Workers:
    """Those of the build, however many specifications it has."""
    return Workers("tt_build.scons.verify_worker", jobs)
