"""``scons run on=ttnn``: every kernel on the device that ttnn opens, compared with the reference; always run anew.

A device serves one process, so all run in SCons' own.
"""

from __future__ import annotations

from tt_build.scons.compiler import Compiler
from tt_build.scons.outcomes import Answer
from tt_build.scons.runs import Runner
from tt_build.scons.state import State
from tt_build.scons.tasks import Task

RESULT = "run.ttnn.json"
ALIAS = "run"


def device_runner(compiler: Compiler, state: State) -> Runner:
    """What runs kernels and programs on the device."""
    return Runner(ALIAS, ("tt_build.runtime.launcher", "tt_build.runtime.programs"), compiler, state, _answer)


def _answer(task: Task) -> Answer:
    from tt_build.scons.device import run_task  # NumPy: only where something runs

    return run_task(task)
