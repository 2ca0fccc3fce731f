"""``scons verify``: one node a kernel or program, ``verify.json``, made by running its files on the emulator.

The runs are done by processes of their own (``workers``), as many as SCons has jobs.
"""

from __future__ import annotations

import functools

import msgspec

from tt_build.decoding import decode
from tt_build.scons.compiler import Compiler
from tt_build.scons.interrupt import interruptible
from tt_build.scons.outcomes import Answer
from tt_build.scons.runs import Runner
from tt_build.scons.state import State
from tt_build.scons.tasks import Question, Task
from tt_build.scons.workers import WorkerFault, WorkerLost, Workers

RESULT = "verify.json"
ALIAS = "verify"


def verifier(compiler: Compiler, state: State, jobs: int) -> Runner:
    """What runs kernels and programs on the emulator."""
    modules = ("tt_build.verify.driver", "tt_build.verify.programs")
    return Runner(ALIAS, modules, compiler, state, functools.partial(_answer, _workers(jobs)))


def _answer(workers: Workers, task: Task) -> Answer:
    def question(working: int) -> bytes:
        return msgspec.json.encode(Question(task, working))

    try:
        return decode(interruptible(lambda: workers.ask(question)), Answer)
    except WorkerLost as lost:
        return Answer(error=str(lost))
    except WorkerFault as fault:
        return Answer(error=f"this is a fault of tt-build; please report it:\n{fault}")


@functools.cache
def _workers(jobs: int) -> Workers:
    """Those of the build, however many specifications it has."""
    return Workers("tt_build.scons.verify_worker", jobs)


def start_processes(kernels: int, jobs: int) -> None:
    """So many kernels, or more, will have to be verified: processes import while their nodes are declared."""
    _workers(jobs).start(kernels)
