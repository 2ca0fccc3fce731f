"""``scons report``: a node for each kernel, ``report.json``, of its first and last stage; a page and a text of all."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

import msgspec

from tt_build.decoding import decode
from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.jsontext import to_text
from tt_build.ir.stages import DefaultedKernel, VerifiedKernel
from tt_build.passes.pipeline import HANDWRITTEN, read_stage
from tt_build.report.alternatives import compare
from tt_build.report.gather import KernelReport, gather
from tt_build.report.page import page
from tt_build.report.text import summary, text
from tt_build.scons.actions import SignedAction, publish, read_source
from tt_build.scons.compiler import Compiler
from tt_build.scons.interrupt import interruptible
from tt_build.scons.messages import tell
from tt_build.scons.progress import Progress
from tt_build.scons.state import State

RESULT = "report.json"
ALIAS = "report"


def pages(source: Path, folder: Path, taken: dict[Path, Path]) -> tuple[str, str]:
    """Names of the page and the text of a specification that is built in ``folder``.

    ``report.html`` of kernels.yaml, ``more.report.html`` of more.yaml; ``taken`` says which file has which name, since
    several specifications may share a folder.
    """
    stem = "report" if source.stem == "kernels" else f"{source.stem}.report"
    name, number = stem, 1
    while taken.setdefault(folder / name, source) != source:
        number += 1
        name = f"{number}.{stem}"
    return f"{name}.html", f"{name}.txt"


class GatherAction(SignedAction):
    """A kernel's stages to its part of the report. The last source is its description."""

    def __init__(self, compiler: Compiler, state: State, kind: str) -> None:
        self._kind = kind
        self.progress = Progress(ALIAS)
        super().__init__(self._execute, ALIAS, compiler.signature("tt_build.report.alternatives"), state)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        first, last, described = map(read_source, source)
        kernel = target[0].attributes.tt_step.kernel
        description = described.decode()
        found = interruptible(lambda: self._gather(first, last, description))
        publish(target, [to_text(msgspec.to_builtins(found))])
        self.progress.step(kernel, "estimated" if found.estimate is not None else "no estimate")
        self.state.ran(kernel, ALIAS)
        return 0

    def _gather(self, first: bytes, last: bytes, description: str) -> KernelReport:
        if self._kind == HANDWRITTEN:
            return gather(read_stage(last, VerifiedSources), description)
        verified = read_stage(last, VerifiedKernel)
        return gather(verified, description, compare(read_stage(first, DefaultedKernel), verified))


class PageAction(SignedAction):
    """All parts to the page and the text; the table is printed when the build ends."""

    def __init__(self, compiler: Compiler, state: State, title: str) -> None:
        self._title = title
        self._lines: list[str] = []
        signature = f"{compiler.signature('tt_build.report.page')} {compiler.signature('tt_build.report.text')} {title}"
        super().__init__(self._execute, ALIAS, signature, state)
        atexit.register(lambda: tell("\n".join(self._lines)) if self._lines else None)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        reports = [decode(read_source(node), KernelReport) for node in source]
        publish(target, [page(reports, self._title).encode(), text(reports).encode()])
        self._lines = [*summary(reports), *(f"written: {Path(str(node))}" for node in target)]
        return 0
