"""What is made of generated files when it is asked for: runs on the emulator and on a device, the type check."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tt_build.scons.run import ALIAS as RUN
from tt_build.scons.run import RESULT as RUN_RESULT
from tt_build.scons.run import RunAction
from tt_build.scons.sdk import ALIAS as CHECK_SDK
from tt_build.scons.sdk import RESULT as SDK_RESULT
from tt_build.scons.sdk import check_action
from tt_build.scons.verify import ALIAS as VERIFY
from tt_build.scons.verify import RESULT as VERIFY_RESULT
from tt_build.scons.verify import VerifyAction, request_of
from tt_build.spec.model import Declaration
from tt_build.targets.sdk import newest_sdk

if TYPE_CHECKING:
    from tt_build.scons.session import Session


class Extras:
    """Declares them for kernels of a session; a run on a device is made anew each time it is asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        state, compiler = session.work(), session.compiler
        self._verify = VerifyAction(compiler, state)
        self._device = RunAction(compiler, state)
        self._sdk = check_action(session.env["sdk"] or newest_sdk(), compiler, state)

    def declare(self, name: str) -> None:
        """The nodes of a kernel, and their aliases."""
        session = self._session
        chains, nodes, generated = session.chains(), session.declared[name], session.generated(name)
        env = chains.env
        env.Alias(CHECK_SDK, chains.extra(name, SDK_RESULT, self._sdk, generated))
        declaration = session.reading.declarations([name])[name]
        smaller = declaration.smaller if isinstance(declaration, Declaration) else None
        data = request_of(smaller or declaration)
        request = chains.request(name, VERIFY, hashlib.sha256(data).hexdigest(), lambda: data)
        if smaller is not None:
            nodes = chains.declare_smaller(name, session.ledger(name), smaller)
            env.Clean(generated[0], nodes)
        elif not session.request.dry:
            session.remove_smaller(name)
        sources = [*nodes[-len(generated) :], nodes[0], request]
        self._verify.progress.expected += 1
        env.Alias(VERIFY, generated)
        env.Alias(VERIFY, chains.extra(name, VERIFY_RESULT, self._verify, sources, ("verify.failed.json",)))
        env.Alias(RUN, env.AlwaysBuild(chains.extra(name, RUN_RESULT, self._device, sources)))
