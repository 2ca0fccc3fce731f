"""What is made when it is asked for: runs on the emulator and on a device, the type check, the report.

Each of them is declared only when it, or its file, is asked for: nodes that nobody asks for take as long as others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.passes.pipeline import CHAINS
from tt_build.scons.reading import PROGRAM
from tt_build.scons.run import ALIAS as RUN
from tt_build.scons.run import RESULT as RUN_RESULT
from tt_build.scons.run import device_runner
from tt_build.scons.runs import Runner, failed_result
from tt_build.scons.sdk import ALIAS as CHECK_SDK
from tt_build.scons.sdk import RESULT as SDK_RESULT
from tt_build.scons.sdk import check_action
from tt_build.scons.tasks import request_of
from tt_build.scons.verify import ALIAS as VERIFY
from tt_build.scons.verify import RESULT as VERIFY_RESULT
from tt_build.scons.verify import verifier
from tt_build.spec.model import Declaration
from tt_build.targets.sdk import newest_sdk

if TYPE_CHECKING:
    from tt_build.scons.report import GatherAction
    from tt_build.scons.session import Session

REPORT = "report"
_TAKEN: dict[Path, Path] = {}


class Extras:
    """Declares them for kernels of a session; a run on a device is made anew each time it is asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._makers = {
            VERIFY: self._declare_verify,
            CHECK_SDK: self._declare_check,
            RUN: self._declare_run,
            REPORT: self._declare_report,
        }
        self._made: dict[str, dict[str, list[Any]]] = {kind: {} for kind in self._makers}
        self._sources: dict[str, list[Any]] = {}
        self._reports: dict[str, Any] = {}

    def declare(self, kind: str, names: Iterable[str]) -> None:
        """The nodes of kernels or programs, of which those that are there already are left, and their alias.

        The kernels of a program come before it. SCons looks through all nodes of an alias whenever one is added, so it
        gets them at once.
        """
        made = self._made[kind]
        fresh = [name for name in names if name not in made]
        for name in fresh:
            made[name] = self._makers[kind](name)
        self._session.chains().alias(kind, list(dict.fromkeys(node for name in fresh for node in made[name])))
        if kind == REPORT:
            self._declare_page()

    def of_one(self, kind: str, name: str) -> list[Any]:
        """The nodes behind ``verify-NAME`` and ``check-sdk-NAME``; of a program those of its kernels, too."""
        return self._made[kind][name]

    @cached_property
    def _verifier(self) -> Runner:
        session = self._session
        return verifier(session.compiler, session.work(), session.request.jobs)

    @cached_property
    def _device(self) -> Runner:
        return device_runner(self._session.compiler, self._session.work())

    @cached_property
    def _checker(self) -> Any:
        session = self._session
        return check_action(session.env["sdk"] or newest_sdk(), session.compiler, session.work())

    @cached_property
    def _gatherers(self) -> dict[str, GatherAction]:
        from tt_build.scons.report import GatherAction  # the cost model, and with it NumPy

        session = self._session
        return {kind: GatherAction(session.compiler, session.work(), kind) for kind in CHAINS}

    def _is_program(self, name: str) -> bool:
        return self._session.reading.kind(name) == PROGRAM

    def _declare_verify(self, name: str) -> list[Any]:
        return [*self._session.generated(name), *self._result(name, VERIFY_RESULT, self._verifier)]

    def _declare_run(self, name: str) -> list[Any]:
        return list(self._session.env.AlwaysBuild(self._result(name, RUN_RESULT, self._device)))

    def _result(self, name: str, file: str, runner: Runner) -> list[Any]:
        """What comes of a run of a kernel or program."""
        runner.progress.expected += 1
        is_program = self._is_program(name)
        action = runner.program if is_program else runner.kernel
        made = self._session.chains().extra(name, file, action, self._sources_of(name), (failed_result(file),))
        for node in made if is_program else ():
            node.attributes.tt_kernels = self._kernels_of(name)
        return made

    def _declare_check(self, name: str) -> list[Any]:
        if self._is_program(name):
            return [node for kernel in self._kernels_of(name) for node in self._made[CHECK_SDK][kernel]]
        session = self._session
        return session.chains().extra(name, SDK_RESULT, self._checker, session.generated(name))

    def _declare_report(self, name: str) -> list[Any]:
        """The part of a kernel; of a program there is none. The page alone stands behind the alias."""
        session = self._session
        if self._is_program(name):
            return []
        chains, nodes = session.chains(), session.declared[name]
        data = session.reading.declarations([name])[name].kernel.description.encode()
        told = chains.request(name, REPORT, hashlib.sha256(data).hexdigest(), lambda: data)
        action = self._gatherers[session.reading.kind(name)]
        action.progress.expected += 1
        stages = len(nodes) - len(session.generated(name))
        self._reports[name] = chains.extra(name, "report.json", action, [nodes[0], nodes[stages - 1], told])[0]
        return []

    def _declare_page(self) -> None:
        """The page of all kernels, once each has its part."""
        from tt_build.scons.report import PageAction, pages

        session = self._session
        names = [name for name in session.buildable() if not self._is_program(name)]
        if not names or any(name not in self._reports for name in names):
            return
        chains, sources = session.chains(), [self._reports[name] for name in names]
        action = PageAction(session.compiler, session.work(), session.source.name)
        files = pages(session.source, session.root, _TAKEN)
        made: list[Any] = chains.summary(files, action, sources, session.summary_ledger())
        chains.alias(REPORT, made)
        chains.env.Clean(session.generated(names[0])[0], made)

    def _kernels_of(self, program: str) -> dict[str, list[Any]]:
        return {kernel: self._sources_of(kernel) for kernel in self._session.reading.program(program).kernels}

    def _sources_of(self, name: str) -> list[Any]:
        """What a run of a kernel, or of a program, is made of. The last is the request."""
        if name not in self._sources:
            self._sources[name] = self._program_sources(name) if self._is_program(name) else self._kernel_sources(name)
        return self._sources[name]

    def _program_sources(self, name: str) -> list[Any]:
        session = self._session
        made, *_ = session.declared[name]
        data = session.reading.data(name)
        request = session.chains().request(name, VERIFY, session.reading.digests[name], lambda: data)
        return [made, *(node for nodes in self._kernels_of(name).values() for node in nodes), request]

    def _kernel_sources(self, name: str) -> list[Any]:
        """Its files, or those of the kernel at its ``verify.sizes``."""
        session = self._session
        chains, nodes, generated = session.chains(), session.declared[name], session.generated(name)
        declaration = session.reading.declarations([name])[name]
        smaller = declaration.smaller if isinstance(declaration, Declaration) else None
        data = request_of(smaller or declaration)
        request = chains.request(name, VERIFY, hashlib.sha256(data).hexdigest(), lambda: data)
        if smaller is not None:
            nodes = chains.declare_smaller(name, session.ledger(name), smaller)
            session.env.Clean(generated[0], nodes)
        elif not session.request.dry:
            session.remove_smaller(name)
        return [*nodes[-len(generated) :], nodes[0], request]
