"""Diagnostics as data: code, severity, place, related places, help, fix. Users' mistakes travel as these.

A ``Where`` names a place inside a kernel's declaration, not a line: passes know no files. ``tt_build.spec.source``
turns it into file, line and column when the message is printed.
"""

from __future__ import annotations

import msgspec

OF_LOCKS = frozenset(("TTB105", "TTB106"))
"""Warnings about locked plans, which passes find (``passes.locked_plans``)."""


class Where(msgspec.Struct, frozen=True):
    """A place in kernels.yaml: the keys that lead to it, and inside ``compute`` the value whose text is meant.

    ``path`` starts at the file's root, as in ``("kernels", "gemm", "inputs", "W", "shape", 1)``; ``("lock", "gemm",
    "plan")`` leads into the lockfile. ``on_key`` points at
    the last key itself rather than its value. ``value`` is the id of a value of the kernel's ``Program``; ``span`` is
    a range of characters of the scalar's text (the front end's own, before a program exists). ``file`` is the index
    of the file in the SourceMap; None: the file of the kernel that the path names, else the first. ``offsets`` is a
    range of characters of the whole file and needs no path: for text that is no YAML.
    """

    path: tuple[str | int, ...] = ()
    on_key: bool = False
    value: int | None = None
    span: tuple[int, int] | None = None
    file: int | None = None
    offsets: tuple[int, int] | None = None


class Related(msgspec.Struct, frozen=True):
    """A second place that explains the first one; the line of ``see`` is added to the message as ``at line N``."""

    where: Where
    message: str
    see: Where | None = None


class Fix(msgspec.Struct, frozen=True):
    """A mechanical repair: the text at ``where`` becomes ``replacement``."""

    where: Where
    replacement: str


class Diagnostic(msgspec.Struct, frozen=True):
    """One rejection or warning. ``severity`` is ``error`` or ``warning``; ``help`` says what to write instead."""

    code: str
    message: str
    where: Where
    help: str = ""
    related: tuple[Related, ...] = ()
    severity: str = "error"
    fix: Fix | None = None


class Rejected(Exception):
    """A declaration was refused; carries the diagnostics, in file order."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics
