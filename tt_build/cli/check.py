"""Checking a specification: the front end, then the passes over every kernel, as far as it is not known to be valid.

These are the passes that may refuse what a user wrote. The last two, which write the kernels' bodies and prove them,
find mistakes of ours only; they run at every build, and with ``fresh`` here too. Kernels that differ in nothing that a
pass may refuse are examined once.

A kernel that passed is noted by its digest in the cache folder (``$TT_BUILD_CACHE``, else ``~/.cache/tt-build``), under
a digest of this package's own sources: a change of the compiler forgets all notes. A note says only "no diagnostics",
so a kernel with an error is examined, and reported, every time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tt_build.cli.terminal import Progress
from tt_build.codegen.write import write_group
from tt_build.spec.collecting import without_collector
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.formats import Report
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.model import Declaration, Declared
from tt_build.spec.program import ProgramDeclaration
from tt_build.spec.render import in_order

_PACKAGE = Path(__file__).resolve().parent.parent
# Rooms that no pass reads: their changes keep the notes.
_ELSEWHERE = {"cli", "codegen", "emulator", "report", "runtime", "scons", "sdk", "tune", "verify"}
_MOST_NOTES = 50_000
_MOST_FILES = 8


def check(
    path: Path,
    *,
    arch: str | None = None,
    grid: tuple[int, int] | None = None,
    quick: bool = False,
    fresh: bool = False,
) -> Report:
    """Every diagnostic of a specification. ``quick``: the front end's only; ``fresh``: all passes, without notes."""
    with without_collector():
        return _check(path, arch, grid, quick=quick, fresh=fresh)


def _check(path: Path, arch: str | None, grid: tuple[int, int] | None, *, quick: bool, fresh: bool) -> Report:
    loaded = load_file(path, arch=arch, grid=grid)
    found: list[Diagnostic] = [entry.diagnostic for entry in loaded.diagnostics]
    invalid = set(loaded.rejected)
    if not quick and loaded.declarations:
        said = _said(loaded, fresh=fresh)
        invalid |= {name for name, about in said.items() if any(one.severity == "error" for one in about)}
        found += [diagnostic for about in said.values() for diagnostic in about]
    names = tuple(d.kernel.name for d in loaded.declarations if d.kernel.name not in invalid)
    programs = tuple(program.name for program in loaded.sequences if program.name not in invalid)
    ordered = tuple(in_order(found, loaded.source)) if len(found) > len(loaded.diagnostics) else loaded.diagnostics
    return Report(ordered, names, loaded.source, Path.cwd(), programs)


def _said(loaded: SpecFile, *, fresh: bool) -> dict[str, tuple[Diagnostic, ...]]:
    """What the passes, or a repository's own templates, say of kernels that they reject or warn of, by name."""
    notes = _notes_file(whole=fresh)
    known = set() if fresh else _read(notes)
    own = repr(sorted(loaded.templates.items())) if loaded.templates else ""
    groups: dict[str, list[Declared]] = {}
    for entry in loaded.declarations:
        mark = _mark(entry, own)
        if mark not in known:
            groups.setdefault(mark, []).append(entry)
    sequences = [program for program in loaded.sequences if _program_mark(program) not in known]
    if not groups and not sequences:
        return {}
    from tt_build.cli.workers import shared_out

    examine = _examiner(loaded, whole=fresh)
    firsts = [entries[0] for entries in groups.values()]
    progress = Progress("checking", len(firsts))
    answers = shared_out(examine, firsts, lambda count: progress.at(count, firsts[count].kernel.name))
    progress.done()
    said: dict[str, tuple[Diagnostic, ...]] = {}
    for (first, *others), diagnostics in zip(groups.values(), answers, strict=True):
        if diagnostics:
            said[first.kernel.name] = diagnostics
            said |= {entry.kernel.name: examine(entry) for entry in others}
    marks = [mark for mark, diagnostics in zip(groups, answers, strict=True) if not diagnostics]
    refused = {name for name, about in said.items() if any(one.severity == "error" for one in about)}
    for program in sequences:
        if refused.isdisjoint(program.kernels):
            found = _examine_program(program, loaded)
            said |= {program.name: found} if found else {}
            marks += [] if found else [_program_mark(program)]
    _write(notes, marks)
    return said


def _program_mark(program: ProgramDeclaration) -> str:
    """The digest of a program, which changes with its kernels."""
    return hashlib.sha256(msgspec.json.encode(program)).hexdigest()[:32]


def _examine_program(program: ProgramDeclaration, loaded: SpecFile) -> tuple[Diagnostic, ...]:
    """Why the kernels of a program do not fit together; they are lowered for that."""
    from tt_build.passes.check_program import check_program
    from tt_build.passes.pipeline import run_chain

    entries = [entry for entry in loaded.declarations if entry.kernel.name in program.kernels]
    try:
        kernels: dict[str, Any] = {entry.kernel.name: run_chain(entry)[0] for entry in entries}
        check_program(program, kernels)
    except Rejected as refused:
        return refused.diagnostics
    return ()


def _mark(entry: Declared, own: str) -> str:
    """A digest of all of a declaration that a pass may refuse: kernels that differ in the rest are examined once."""
    locked = isinstance(entry, Declaration) and entry.locked is not None  # of which passes warn, unless it is allowed
    allow = entry.kernel.allow if locked else ()
    kernel = msgspec.structs.replace(entry.kernel, name="", description="", allow=allow)
    data = msgspec.json.encode(msgspec.structs.replace(entry, kernel=kernel, file=""))
    return hashlib.sha256(data + own.encode()).hexdigest()[:32]


def _examiner(loaded: SpecFile, *, whole: bool) -> Callable[[Declared], tuple[Diagnostic, ...]]:
    """What says why a kernel is rejected, or warns of it; nothing where there is nothing to say."""
    from tt_build.passes.pipeline import judge, lower, warnings_of

    def run(entry: Declared) -> tuple[Diagnostic, ...]:
        if loaded.templates:
            from tt_build.codegen.compile import compile_told

            return compile_told(entry, loaded.templates)[1]
        if whole:
            return warnings_of(entry, lower(entry)[0])
        return judge(entry, loaded.programs.get(entry.kernel.name))

    def examine(entry: Declared) -> tuple[Diagnostic, ...]:
        try:
            return run(entry)
        except Rejected as refused:
            return refused.diagnostics

    return examine


def _notes_file(*, whole: bool) -> Path | None:
    """Where this compiler's notes lie, those of all passes apart; None without a cache folder."""
    digest = hashlib.sha256(b"all passes" if whole else b"")
    for folder, folders, names in os.walk(_PACKAGE):
        if folder == str(_PACKAGE):
            folders[:] = [name for name in folders if name not in _ELSEWHERE]
        folders.sort()
        for name in sorted(names):
            if name.endswith((".py", ".json")):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    data = file.read()
                digest.update(f"\0{os.path.relpath(path, _PACKAGE)}\0{len(data)}\0".encode() + data)
    # the folder of tt_build.sdk.cache, without importing that room
    named = os.environ.get("TT_BUILD_CACHE")
    with contextlib.suppress(RuntimeError):  # no home
        root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tt-build"
        return root / "validated" / f"{digest.hexdigest()[:32]}.txt"
    return None


def _read(notes: Path | None) -> set[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if notes is not None:
            return set(notes.read_text(encoding="ascii").split())
    return set()


def _write(notes: Path | None, marks: list[str]) -> None:
    """Add marks; a lost note (two processes at once, a full disk) only costs time."""
    if notes is None or not marks:
        return
    with contextlib.suppress(OSError):
        kept = sorted(_read(notes) - set(marks))[: max(_MOST_NOTES - len(marks), 0)]
        write_group({notes: ("\n".join([*kept, *marks]) + "\n").encode()})
        old = sorted(notes.parent.glob("*.txt"), key=lambda file: file.stat().st_mtime)[:-_MOST_FILES]
        for file in old:
            file.unlink()
