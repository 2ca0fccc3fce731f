"""What is made when it is asked for: runs on the emulator and on a device, the type check, the report."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.emulator.toolchain import limit_compilers
from tt_build.passes.pipeline import CHAINS
from tt_build.scons.reading import PROGRAM
from tt_build.scons.report import ALIAS as REPORT
from tt_build.scons.report import RESULT as REPORT_RESULT
from tt_build.scons.report import GatherAction, PageAction, pages
from tt_build.scons.run import ALIAS as RUN
from tt_build.scons.run import RESULT as RUN_RESULT
from tt_build.scons.run import RunAction, RunProgramAction
from tt_build.scons.sdk import ALIAS as CHECK_SDK
from tt_build.scons.sdk import RESULT as SDK_RESULT
from tt_build.scons.sdk import check_action
from tt_build.scons.verify import ALIAS as VERIFY
from tt_build.scons.verify import RESULT as VERIFY_RESULT
from tt_build.scons.verify import VerifyAction, VerifyProgramAction, request_of
from tt_build.spec.model import Declaration
from tt_build.targets.sdk import newest_sdk

if TYPE_CHECKING:
    from tt_build.scons.session import Session


_TAKEN: dict[Path, Path] = {}


class Extras:
    """Declares them for kernels of a session; a run on a device is made anew each time it is asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        state, compiler = session.work(), session.compiler
        limit_compilers(session.request.jobs)  # of all steps together: -j 1 is one core
        self._verify = VerifyAction(compiler, state)
        self._verify_program = VerifyProgramAction(compiler, state, self._verify)
        self._device = RunAction(compiler, state)
        self._report = {kind: GatherAction(compiler, state, kind) for kind in CHAINS}
        self._device_program = RunProgramAction(compiler, state, self._device)
        self._sdk = check_action(session.env["sdk"] or newest_sdk(), compiler, state)

    def declare(self, name: str) -> None:
        """The nodes of a kernel or program, and their aliases; the kernels of a program come before it."""
        session = self._session
        if session.reading.kind(name) == PROGRAM:
            self._declare_program(name)
            return
        chains, nodes, generated = session.chains(), session.declared[name], session.generated(name)
        env = chains.env
        checked = chains.extra(name, SDK_RESULT, self._sdk, generated)
        self._alias(CHECK_SDK, name, checked)
        declaration = session.reading.declarations([name])[name]
        self._declare_report(name, declaration.kernel.description)
        smaller = declaration.smaller if isinstance(declaration, Declaration) else None
        data = request_of(smaller or declaration)
        request = chains.request(name, VERIFY, hashlib.sha256(data).hexdigest(), lambda: data)
        if smaller is not None:
            nodes = chains.declare_smaller(name, session.ledger(name), smaller)
            env.Clean(generated[0], nodes)
        elif not session.request.dry:
            session.remove_smaller(name)
        sources = session.runs[name] = [*nodes[-len(generated) :], nodes[0], request]
        self._verify.progress.expected += 1
        verified = chains.extra(name, VERIFY_RESULT, self._verify, sources, ("verify.failed.json",))
        self._alias(VERIFY, name, [*generated, *verified])
        chains.alias(RUN, env.AlwaysBuild(chains.extra(name, RUN_RESULT, self._device, sources)))

    def _alias(self, kind: str, name: str, nodes: list[Any]) -> None:
        """Of all kernels, and of this one."""
        for alias in (kind, f"{kind}-{name}"):
            self._session.chains().alias(alias, nodes)

    def _declare_report(self, name: str, description: str) -> None:
        session = self._session
        chains, nodes = session.chains(), session.declared[name]
        data = description.encode()
        told = chains.request(name, REPORT, hashlib.sha256(data).hexdigest(), lambda: data)
        action = self._report[session.reading.kind(name)]
        action.progress.expected += 1
        stages = len(nodes) - len(session.generated(name))
        session.reports[name] = chains.extra(name, REPORT_RESULT, action, [nodes[0], nodes[stages - 1], told])[0]

    def declare_page(self) -> None:
        """The page of all kernels, once each has its part."""
        session = self._session
        names = [name for name in session.buildable() if session.reading.kind(name) != PROGRAM]
        if not names or any(name not in session.reports for name in names):
            return
        chains, sources = session.chains(), [session.reports[name] for name in names]
        action = PageAction(session.compiler, session.work(), session.source.name)
        files = pages(session.source, session.root, _TAKEN)
        made: list[Any] = chains.summary(files, action, sources, session.summary_ledger())
        chains.alias(REPORT, made)
        chains.env.Clean(session.generated(names[0])[0], made)

    def _declare_program(self, name: str) -> None:
        session = self._session
        chains, (made, *_) = session.chains(), session.declared[name]
        kernels = {kernel: session.runs[kernel] for kernel in session.reading.program(name).kernels}
        data = session.reading.data(name)
        request = chains.request(name, VERIFY, session.reading.digests[name], lambda: data)
        sources = [made, *(node for nodes in kernels.values() for node in nodes), request]
        self._verify.progress.expected += 1
        verified = chains.extra(name, VERIFY_RESULT, self._verify_program, sources, ("verify.failed.json",))
        ran = chains.extra(name, RUN_RESULT, self._device_program, sources)
        for node in (*verified, *ran):
            node.attributes.tt_kernels = kernels
        self._alias(VERIFY, name, [made, *verified])
        chains.alias(f"{CHECK_SDK}-{name}", [chains.alias(f"{CHECK_SDK}-{kernel}", []) for kernel in kernels])
        chains.alias(RUN, chains.env.AlwaysBuild(ran))
