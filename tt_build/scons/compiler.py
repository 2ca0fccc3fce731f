"""The compiler's own identity: signatures of its steps, looked up by the stats of its files.

Computing signatures parses every module. A build that finds size, times and inode of every file as they were when the
signatures were computed takes them from the state folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tt_build.resources import templates_dir
from tt_build.scons.statefile import read_state, write_state

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = 4  # older states of the compiler that ``explain`` can compare with

# what refuses a kernel beside its passes, or a program
GATES = ("tt_build.passes.same_structure", "tt_build.passes.check_program")

# module -> digest of each file of its closure
Parts = dict[str, dict[str, str]]


class Layout(NamedTuple):
    """The modules of a kernel's steps, in order, and the files that they make, relative to the kernel's folder."""

    modules: list[str]
    files: list[str]


class Compiler:
    """Signatures by label. ``parts`` of a label are the digests of the files that it is made of."""

    def __init__(self, state: Path, *, rehash: bool, keep: bool) -> None:
        self._path, self._keep = state / "compiler.json", keep
        self._stats, self._unsaved = stats_digest(), False
        stored = read_state(self._path)
        self._snapshots: list[dict[str, Any]] = stored if isinstance(stored, list) else []
        current = self._snapshots[-1] if self._snapshots else None
        self._fresh = current is not None and current["stats"] == self._stats and not rehash
        self._signatures: dict[str, str] = dict(current["signatures"]) if current and self._fresh else {}
        self._parts: Parts = dict(current["parts"]) if current and self._fresh else {}
        self._layouts: dict[str, Layout] | None = None
        if current and self._fresh:
            self._layouts = {kind: Layout(*row) for kind, row in current["layouts"].items()}

    def signature(self, label: str) -> str:
        """The digest of a module and what it imports; of code generation also with its templates."""
        self._sign([label])
        return self._signatures[label]

    def _sign(self, labels: list[str]) -> None:
        missing = [label for label in dict.fromkeys(labels) if label not in self._signatures]
        if missing:
            from tt_build.scons.signatures import parts_of, signature_of

            self._parts |= {label: parts_of(label) for label in missing}
            self._signatures |= {label: signature_of(self._parts[label]) for label in missing}
            self._unsaved = True

    @property
    def layouts(self) -> dict[str, Layout]:
        """Steps and files of a kernel, for each kind of entry, and of a program."""
        if self._layouts is None:
            from tt_build.codegen.compile import stage_file
            from tt_build.codegen.files import OUTPUTS
            from tt_build.codegen.program import OUTPUTS as PROGRAM_OUTPUTS
            from tt_build.passes.pipeline import CHAINS
            from tt_build.scons.reading import PROGRAM
            from tt_build.scons.signatures import CODEGEN, PROGRAM_CODEGEN

            self._layouts = {}
            for kind, passes in CHAINS.items():
                stages = [stage_file(number, kind) for number, _ in enumerate(passes, 1)]
                self._layouts[kind] = Layout([step.module for step in passes] + [CODEGEN], [*stages, *OUTPUTS])
            self._layouts[PROGRAM] = Layout([PROGRAM_CODEGEN], [*PROGRAM_OUTPUTS])
        return self._layouts

    @property
    def fingerprint(self) -> str:
        """Digest of all that turns a declaration into files, or refuses it."""
        labels = [*(module for layout in self.layouts.values() for module in layout.modules), *GATES]
        self._sign(labels)
        return hashlib.sha256("".join(map(self.signature, labels)).encode()).hexdigest()

    def parts(self, label: str) -> dict[str, str]:
        """The files behind ``signature(label)``, each with its digest."""
        self.signature(label)
        return self._parts[label]

    def parts_then(self, label: str, signature: str) -> dict[str, str] | None:
        """The files behind an older signature, where it is still known."""
        for snapshot in reversed(self._snapshots):
            if snapshot["signatures"].get(label) == signature:
                return dict(snapshot["parts"][label])
        return None

    def unchanged(self) -> bool:
        """Whether the compiler's files are still those that were signed."""
        return stats_digest() == self._stats

    def save(self) -> None:
        """Keep what was signed, if anything was."""
        if not self._keep or not self._unsaved:
            return
        older = self._snapshots[:-1] if self._fresh else self._snapshots
        entry: dict[str, Any] = {"stats": self._stats, "signatures": self._signatures, "parts": self._parts}
        entry["layouts"] = self.layouts
        self._snapshots = [*older[-_KEPT:], entry]
        self._fresh, self._unsaved = True, False
        write_state(self._path, self._snapshots)


def stats_digest() -> str:
    """Digest of name, size, times and inode of every file of the package, the templates, and Jinja2's entry."""
    digest = hashlib.sha256()
    for root in (_ROOT, templates_dir()):
        _walk(str(root), digest.update)
    spec = importlib.util.find_spec("jinja2")  # finds, without importing
    if spec is not None and spec.origin:
        digest.update(repr(_numbers(os.stat(spec.origin))).encode())
    return digest.hexdigest()


def _walk(folder: str, add: Callable[[bytes], None]) -> None:
    below = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name == "__pycache__" or entry.name.startswith("."):
                continue
            if entry.is_dir():
                below.append(entry.path)
            else:
                add(f"{entry.path}{_numbers(entry.stat())}".encode())
    for path in below:
        _walk(path, add)


def _numbers(stat: os.stat_result) -> tuple[int, int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
