"""Diagnostics as data: code, severity, place, related places, help. Users' mistakes travel as these.

A ``Where`` names a place inside a kernel's declaration, not a line: passes know no files. ``tt_build.spec.source``
turns it into file, line and column when the message is printed.
"""

from __future__ import annotations

import msgspec


class Where(msgspec.Struct, frozen=True):
    """A place in kernels.yaml: the keys that lead to it, and inside ``compute`` the value whose text is meant.

    ``path`` starts at the file's root, as in ``("kernels", "gemm", "inputs", "W", "shape", 1)``; ``on_key`` points at
    the last key itself rather than its value. ``value`` is the id of a value of the kernel's ``Program``.
    """

    path: tuple[str | int, ...] = ()
    on_key: bool = False
    value: int | None = None


class Related(msgspec.Struct, frozen=True):
    """A second place that explains the first one."""

    where: Where
    message: str


class Diagnostic(msgspec.Struct, frozen=True):
    """One rejection or warning. ``severity`` is ``error`` or ``warning``; ``help`` says what to write instead."""

    code: str
    message: str
    where: Where
    help: str = ""
    related: tuple[Related, ...] = ()
    severity: str = "error"


class Rejected(Exception):
    """A declaration was refused; carries the diagnostics, in file order."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics
