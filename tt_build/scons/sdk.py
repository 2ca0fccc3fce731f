"""``scons check-sdk``: one node a kernel, ``sdk_check.json``, made of its generated files by the type-check gate."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

from tt_build.scons.actions import SignedAction, publish
from tt_build.scons.compiler import Compiler
from tt_build.scons.interrupt import interruptible
from tt_build.scons.messages import say, tell
from tt_build.scons.state import State
from tt_build.sdk.cache import SdkUnavailable
from tt_build.sdk.gate import CheckResult, check_to_file, errors

RESULT = "sdk_check.json"
ALIAS = "check-sdk"


def check_action(sdk: str, compiler: Compiler, state: State) -> SignedAction:
    """The action that type-checks the kernels beside a plan against the real headers of that SDK version."""

    outcomes: list[CheckResult] = []
    atexit.register(lambda: _summary(outcomes))

    def run(target: Any, source: Any, env: Any) -> int:
        plan = next(Path(node.get_abspath()) for node in source if node.name == "tt.plan.json")
        result = Path(target[0].get_abspath())
        try:
            outcome = interruptible(lambda: check_to_file(plan, result, sdk=sdk, jobs=1))
        except SdkUnavailable as error:
            say(f"tt-build: {error}")
            return 1
        outcomes.append(outcome)
        kernel, found = target[0].attributes.tt_step.kernel, "\n".join(str(finding) for finding in outcome.findings)
        if errors(outcome.findings):
            state.failed(kernel, found)
            result.unlink(missing_ok=True)  # a failed check leaves nothing that looks like a passed one
            return 1
        if found:
            say(found)
        publish(target, [result.read_bytes()])
        state.ran(kernel, ALIAS)
        return 0

    signature = f"{compiler.signature('tt_build.sdk.gate')} {sdk}"
    return SignedAction(run, ALIAS, signature, state)


def _summary(outcomes: list[CheckResult]) -> None:
    if outcomes:
        bad = [outcome.kernel for outcome in outcomes if outcome.status != "pass"]
        compiles = sum(outcome.compiles for outcome in outcomes)
        verdict = f"{len(bad)} rejected: {', '.join(bad)}" if bad else "no findings"
        release = outcomes[0].release
        tell(f"check-sdk: {len(outcomes)} kernels, {compiles} compiles against TT-Metalium {release}: {verdict}")
