"""One ``TTKernels`` call, from the specification to the record of what was built.

Kernels that the index proves clean are not declared to SCons until somebody asks for them; everything heavy (passes,
templates, YAML) is imported when the first kernel is declared. So a build with nothing to do stays close to SCons' own
start.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Errors
import SCons.Node
import SCons.Script

from tt_build.codegen.write import write_group
from tt_build.scons.compiler import Compiler, Layout
from tt_build.scons.folders import FOLDERS, SMALLER
from tt_build.scons.index import Index
from tt_build.scons.ledger import KernelLedger, Record
from tt_build.scons.lock import hold_lock
from tt_build.scons.messages import say
from tt_build.scons.notes import Notes
from tt_build.scons.reading import PROGRAM, Reading
from tt_build.scons.request import EXTRAS as EXTRA_ALIASES
from tt_build.scons.request import OF_ONE, Request, kind_of, named
from tt_build.scons.statefile import read_state, write_state
from tt_build.scons.trace import Trace

if TYPE_CHECKING:
    from tt_build.scons.chains import Chains
    from tt_build.scons.extras import Extras
    from tt_build.scons.state import State
    from tt_build.spec.diagnostics import Diagnostic, Rejected

_RUNS = ("verify.json", "verify.failed.json", "run.ttnn.json", "run.ttnn.failed.json")
EXTRAS = (*_RUNS, "sdk_check.json", "report.json")
LOADER = "tt_build.spec.loader"


class Session:
    """The kernels of one specification in one output folder."""

    def __init__(self, env: Any, source: Path, folder: Any, request: Request) -> None:
        self.env, self.source, self.folder, self.request = env, source, folder, request
        self.root = Path(folder.get_abspath())
        self.common = self.root.parent / ".tt-build"
        where = os.path.relpath(source, self.root.parent).replace(os.sep, "/")
        mark = hashlib.sha256(where.encode()).hexdigest()[:8]
        self.own = self.common / f"{self.root.name}-{source.stem}-{mark}"
        self.trace = Trace()
        self.started = time.monotonic()
        self.declared: dict[str, list[Any]] = {}
        self.ledgers: dict[str, KernelLedger] = {}
        self._summary: KernelLedger | None = None
        self.clean: set[str] = set()
        self.failed: list[str] = []
        self.open = False
        self.state: State | None = None
        self._chains: Chains | None = None
        self._extras: Extras | None = None
        self._named: set[str] = set()
        self.known: list[str] = []  # kernels that have, or had, files of ours

    # Before SCons builds

    def read(self) -> None:
        """Lock, read the specification, find what is clean."""
        request, started = self.request, time.perf_counter_ns()
        if not request.dry:
            hold_lock(self.common)
        self.compiler = Compiler(self.common, rehash=request.rehash, keep=not request.dry)
        started = self._traced("compiler", started)
        noted = read_state(self.own / "reading.json")
        loader = self.compiler.signature(LOADER)
        self.reading = Reading(self.source, request.arch, request.grid, loader, noted)
        started = self._traced("read specification", started)
        self.failed = list(self.reading.failed)
        self.index = Index(self.own, self.compiler.fingerprint + self.reading.templates_mark)
        self.known = list(dict.fromkeys((*self.index.known, *self._claimed())))
        self.clean = self.index.clean(self.root, self.reading.digests, lambda name: self.layout(name).files)
        if request.rehash:
            self.clean = {name for name in self.clean if self._bytes_stand(name)}
        self.compiler.save()
        self._traced("look at outputs", started)

    def _traced(self, name: str, started: int) -> int:
        self.trace.add(name, started)
        return time.perf_counter_ns()

    def layout(self, name: str) -> Layout:
        """Steps and files of a kernel of the specification."""
        return self.compiler.layouts[self.reading.kind(name)]

    def _bytes_stand(self, name: str) -> bool:
        ledger = self.ledger(name)
        return all(
            (record := ledger.records.get(file)) is not None and ledger.digest(file) == record.digest
            for file in self.layout(name).files
        )

    def remove_orphans(self) -> None:
        """Remove the files of kernels that are no longer declared; after the check, so that a build that is refused
        changes nothing, and not when it is unknown what is declared.
        """
        if self.request.dry or self.reading.failed:
            return
        here = {*self.reading.digests, *self.failed}
        for name in self.known:
            if name not in here:
                self.remove_kernel(name)

    def remove_kernel(self, name: str) -> None:
        """Remove what builds wrote for a kernel; other files and their folders stay. What cannot be removed now is
        tried again by the next build.
        """
        ledger = self.ledger(name)
        possible = {file for layout in self.compiler.layouts.values() for file in layout.files}
        gone = True
        for file in {*ledger.records, *possible, *EXTRAS}:
            try:
                (self.root / name / file).unlink()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                gone = False
        self.sweep(name)
        for folder in FOLDERS:
            with contextlib.suppress(OSError):
                (self.root / name / folder).rmdir()
        if gone:
            with contextlib.suppress(OSError):
                self._ledger_path(name).unlink()
        self.ledgers.pop(name, None)

    def _remove_other_stages(self, name: str) -> None:
        """Remove what builds wrote while the kernel was of another kind: stages of passes that it no longer has."""
        possible = {file for layout in self.compiler.layouts.values() for file in layout.files}
        self._remove_recorded(name, possible & self.ledger(name).records.keys() - {*self.layout(name).files})

    def _remove_recorded(self, name: str, files: set[str]) -> None:
        """Remove files that have records, and these: a file that somebody writes there later is no build's."""
        ledger = self.ledger(name)
        for file in files:
            with contextlib.suppress(OSError):
                (self.root / name / file).unlink(missing_ok=True)
                ledger.forget(file)

    def sweep(self, name: str) -> None:
        """Remove temporary files that a killed build left with a kernel; the lock says that nobody writes them."""
        for below in FOLDERS:
            folder = self.root / name / below
            with contextlib.suppress(OSError):
                for file in os.listdir(folder):
                    if file.startswith(".") and file.endswith(".tmp"):
                        (folder / file).unlink(missing_ok=True)

    def remove_smaller(self, name: str) -> None:
        """Remove what builds wrote for verification at other sizes, which the declaration does not ask for any more."""
        self._remove_recorded(name, {file for file in self.ledger(name).records if file.startswith(SMALLER)})
        for folder in FOLDERS[:2]:
            with contextlib.suppress(OSError):
                (self.root / name / folder).rmdir()

    def ledger(self, name: str) -> KernelLedger:
        """The records of a kernel."""
        if name not in self.ledgers:
            folder = self.root / name
            self.ledgers[name] = KernelLedger(folder, self._ledger_path(name), rehash=self.request.rehash)
        return self.ledgers[name]

    def summary_ledger(self) -> KernelLedger:
        """The records of what is made of all kernels."""
        if self._summary is None:
            self._summary = KernelLedger(self.root, self.own / "summary.json", rehash=self.request.rehash)
        return self._summary

    def _ledger_path(self, name: str) -> Path:
        return self.own / "kernels" / f"{name}.json"

    def _claimed(self) -> list[str]:
        """The kernels that have a file of records: builds wrote for them, or were about to."""
        with contextlib.suppress(OSError):
            names = sorted(os.listdir(self.own / "kernels"))
            return [name.removesuffix(".json") for name in names if name.endswith(".json") and name[0] != "."]
        return []

    def _claim(self, name: str) -> None:
        """A file of records, before the kernel's first file is written: a build that is killed then leaves no file that
        no later build knows of.
        """
        path = self._ledger_path(name)
        if path.exists():
            return
        try:
            write_group({path: b""})
        except OSError as error:
            raise SCons.Errors.UserError(f"tt-build: cannot use {self.own}: {error.strerror}") from None

    def dirty(self) -> list[str]:
        """The kernels that are not proven clean, in file order."""
        return [name for name in self.reading.digests if name not in self.clean]

    def check(self, names: list[str]) -> str:
        """Check these kernels in memory; the messages about all that is rejected, in file order."""
        if not names and not self.reading.locked:
            return self.reading.text
        notes = Notes(None if self.request.dry else self.own / "valid.json", self.compiler.fingerprint)
        digests = self.reading.digests
        found: list[Diagnostic] = []
        untold = [name for name in digests if name in self.reading.locked and digests[name] not in notes.valid]
        if names or untold:
            from tt_build.scons.check import check

            started = time.perf_counter_ns()
            every = list(dict.fromkeys((*names, *untold)))
            result = check(every, self.reading, self.work(), self.compiler, notes, self.request.jobs)
            self._traced("check", started)
            self.failed += result.failed
            found += result.found
        for name in digests:
            found += notes.warned(digests[name]) if name in self.reading.locked else ()
        if not found:
            return self.reading.text
        from tt_build.spec.render import report

        loaded = self.reading.whole()
        return report([entry.diagnostic for entry in loaded.diagnostics] + found, loaded.source)

    def work(self) -> State:
        """What the steps share."""
        if self.state is None:
            from tt_build.scons.state import State

            self.state = State(self._render, self.trace, self.request.store(self.env))
        return self.state

    def _render(self, rejected: Rejected) -> str:
        from tt_build.spec.render import report

        return report(rejected.diagnostics, self.reading.whole().source)

    def chains(self) -> Chains:
        """What declares nodes."""
        if self._chains is None:
            from tt_build.scons.chains import Chains
            from tt_build.scons.sconsign import mend_sconsign

            mend_sconsign(self.env)
            self._chains = Chains(self.env, self.folder, self.reading, self.work(), self.compiler)
        return self._chains

    def declare(self, name: str) -> list[Any]:
        """The nodes of a kernel's generated files; declared at the first call."""
        if name not in self.declared:
            if not self.request.dry:
                self._claim(name)
                self.sweep(name)
                self._remove_other_stages(name)
            nodes = self.chains().declare(name, self.ledger(name))
            self.declared[name] = nodes
            program = self.reading.kind(name) == PROGRAM
            if program:
                self.chains().env.Depends(nodes, [self.declare(kernel) for kernel in self._kernels_of(name)])
        return self.generated(name)

    def generated(self, name: str) -> list[Any]:
        """The generated files' nodes among a declared kernel's."""
        return self.declared[name][len(self.layout(name).modules) - 1 :]

    def declare_extras(self, kinds: Iterable[str], names: list[str]) -> None:
        """The nodes that are built only when asked for: ``verify``, ``check-sdk``, ``run`` and ``report``."""
        from tt_build.scons.extras import Extras

        programs = [name for name in names if self.reading.kind(name) == PROGRAM]
        needed = [kernel for name in programs for kernel in self._kernels_of(name)]
        kernels = [name for name in (*names, *needed) if name not in programs]
        if not names:
            return
        self.reading.declarations(list(dict.fromkeys(kernels)))
        self._extras = self._extras or Extras(self)
        every = list(dict.fromkeys((*kernels, *programs)))
        for name in every:
            self.declare(name)
        for kind in kinds:
            self._extras.declare(kind, every)

    def name_one(self, target: str) -> None:
        """Declare the alias of one kernel or program, and what it stands for.

        Only where it is asked for: SCons takes as long for an alias as for a step.
        """
        if target in self._named:
            return
        self._named.add(target)
        name, kind = named(target), kind_of(target)
        if kind:
            self.declare_extras([kind], [name])
            assert self._extras is not None
            nodes = self._extras.of_one(kind, name)
        else:
            nodes = [node for one in (name, *self._kernels_of(name)) for node in self.declare(one)]
        self.chains().alias(target, nodes)

    def _kernels_of(self, name: str) -> tuple[str, ...]:
        """The kernels of a program; of a kernel none."""
        return tuple(self.reading.program(name).kernels) if self.reading.kind(name) == PROGRAM else ()

    def buildable(self) -> list[str]:
        """The kernels that are not rejected, in file order."""
        failed = set(self.failed)
        return [name for name in self.reading.digests if name not in failed]

    def aliases(self) -> list[str]:
        """The targets that can be named."""
        of_one = [f"{kind}-{name}" for name in self.buildable() for kind in (self._alias_kind(name), *OF_ONE)]
        return [*EXTRA_ALIASES, *of_one]

    def _alias_kind(self, name: str) -> str:
        return "program" if self.reading.kind(name) == PROGRAM else "kernel"

    # After SCons built

    def finish(self) -> None:
        """Record what this build proved."""
        if self.request.clean:
            return
        self.compiler.save()
        if not self.open or self.request.dry:
            return
        touched = bool(self.declared)
        proven: dict[str, tuple[str, list[tuple[int, int, int, int]]]] = {}
        if touched and self.compiler.unchanged():
            for name in self.declared:
                stats = self._proven(name)
                if stats is not None:
                    proven[name] = (self.reading.digests[name], stats)
                self.ledger(name).note(self._notes(name)) if stats is not None else None
                self.ledger(name).save()
            if self._summary is not None:
                self._summary.save()
        elif touched:
            say("tt-build: the compiler changed while it ran; the next build checks its work")
        kept = {name: self.reading.digests[name] for name in self.clean if name not in self.declared}
        here = {*kept, *proven}
        if touched or self.reading.changed or set(self.index.known) != here:
            self.index.save(kept, proven)
        if self.reading.changed and self.reading.note() is not None:
            write_state(self.own / "reading.json", self.reading.note())

    def _proven(self, name: str) -> list[tuple[int, int, int, int]] | None:
        """The stats of a kernel's outputs when every one is what its step wrote; else None."""
        done = (SCons.Node.up_to_date, SCons.Node.executed)
        ledger, stats = self.ledger(name), []
        for node in self.declared[name]:
            file = node.attributes.tt_file
            record: Record | None = ledger.records.get(file)
            if node.get_state() not in done or record is None:
                return None
            if not ledger.vouched(file, node.attributes.tt_step.key()):
                return None
            stats.append(record.stat)
        return [ledger.records[file].stat for file in self.layout(name).files]

    def _notes(self, name: str) -> dict[str, Any]:
        signatures = {module: self.compiler.signature(module) for module in self.layout(name).modules}
        declaration = self.reading.data(name).decode()
        return {"declaration": declaration, "signatures": signatures, "templates": self.templates_of(name)}

    def templates_of(self, name: str) -> dict[str, str]:
        """The digests of the repository's own templates that a kernel is rendered from, by name."""
        if not self.reading.templates:
            return {}
        from tt_build.spec.templates import digests, own_templates

        return digests(own_templates(self.reading.kind(name), self.reading.templates))


class Generated(collections.UserList):  # type: ignore[type-arg]
    """The nodes of all generated files; declared when something looks at the list."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def data(self) -> list[Any]:  # type: ignore[override]
        """Every generated file's node."""
        return [node for name in self._session.buildable() for node in self._session.declare(name)]
