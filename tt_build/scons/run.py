"""``scons run on=ttnn``: every kernel on the device that ttnn opens, compared with the reference; always run anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from tt_build.codegen.write import write_group
from tt_build.ir.jsontext import to_text
from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import run_on_ttnn
from tt_build.scons.actions import SignedAction
from tt_build.scons.signatures import module_signature
from tt_build.scons.verify import describe, job_of, summarize
from tt_build.verify.driver import Verdict, check_once

RESULT = "run.ttnn.json"
ALIAS = "run"


class RunAction(SignedAction):
    """Runs a plan through ttnn and compares; keeps the verdicts for the table at the end."""

    def __init__(self) -> None:
        self._verdicts: list[Verdict] = []
        super().__init__(self._execute, ALIAS, module_signature("tt_build.runtime.launcher"))
        summarize(self._verdicts)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        job, plan = job_of(source)
        try:
            verdict = check_once(job, plan, lambda path, inputs: run_on_ttnn(path, dict(inputs)))
        except LaunchError as error:
            print(f"tt-build: {job.kernel.name}: {error}", file=sys.stderr)
            return 1
        self._verdicts.append(verdict)
        write_group({Path(target[0].get_abspath()): to_text(msgspec.to_builtins(verdict))})
        if verdict.passed:
            return 0
        print(describe(verdict), file=sys.stderr)
        return 1
