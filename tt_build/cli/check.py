"""Checking a specification: the front end, then all passes over every kernel, as far as it is not known to be valid.

A kernel that passed once is noted by its digest in the cache folder (``$TT_BUILD_CACHE``, else ``~/.cache/tt-build``),
under a digest of this package's own sources: a change of the compiler forgets all notes. A note says only "no
diagnostics", so a kernel with an error is examined, and reported, every time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from tt_build.cli.terminal import Progress
from tt_build.codegen.write import write_group
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.formats import Report
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declared
from tt_build.spec.render import in_order

_PACKAGE = Path(__file__).resolve().parent.parent
# Rooms that no pass reads: their changes keep the notes.
_ELSEWHERE = {"cli", "codegen", "emulator", "report", "runtime", "scons", "sdk", "verify"}
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
    """Every diagnostic of a specification. ``quick``: the front end's only; ``fresh``: notes are not read."""
    loaded = load_file(path, arch=arch, grid=grid)
    found: list[Diagnostic] = [entry.diagnostic for entry in loaded.diagnostics]
    invalid = set(loaded.rejected)
    if not quick and loaded.declarations:
        rejected = _passes(loaded.declarations, loaded.templates, fresh=fresh)
        invalid |= set(rejected)
        found += [diagnostic for refused in rejected.values() for diagnostic in refused.diagnostics]
    names = tuple(d.kernel.name for d in loaded.declarations if d.kernel.name not in invalid)
    ordered = tuple(in_order(found, loaded.source)) if len(found) > len(loaded.diagnostics) else loaded.diagnostics
    return Report(ordered, names, loaded.source, Path.cwd())


def _passes(declarations: tuple[Declared, ...], templates: dict[str, str], *, fresh: bool) -> dict[str, Rejected]:
    """The kernels that a pass rejects, or one of a repository's own templates, by name."""
    notes = _notes_file()
    known = set() if fresh else _read(notes)
    own = repr(sorted(templates.items())).encode() if templates else b""
    marks = [hashlib.sha256(msgspec.json.encode(entry) + own).hexdigest()[:32] for entry in declarations]
    unknown = [(entry, mark) for entry, mark in zip(declarations, marks, strict=True) if mark not in known]
    if not unknown:
        return {}
    if templates:
        from tt_build.codegen.compile import compile_files

        examine: Callable[[Declared], object] = functools.partial(compile_files, templates=templates)
    else:
        from tt_build.passes.pipeline import lower

        examine = lower
    rejected: dict[str, Rejected] = {}
    valid: list[str] = []
    progress = Progress("checking", len(unknown))
    try:
        for count, (entry, mark) in enumerate(unknown):
            progress.at(count, entry.kernel.name)
            try:
                examine(entry)
            except Rejected as refused:
                rejected[entry.kernel.name] = refused
            else:
                valid.append(mark)
    finally:
        progress.done()
        _write(notes, valid)
    return rejected


def _notes_file() -> Path | None:
    """Where this compiler's notes lie; None without a cache folder."""
    digest = hashlib.sha256()
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
