"""What a terminal gets that a pipe does not: colour and progress; and the two ways in which a command stops."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TextIO

from tt_build.spec.render import Paint, colour, plain


class Usage(Exception):
    """The command line asks for something that is not there: exit code 2."""


class Failure(Exception):
    """The work could not be done, with a message for the user: exit code 1."""


_MEND = {
    errno.EACCES: "check the permissions of the file and its folder, or name another place",
    errno.EPERM: "check the permissions of the file and its folder, or name another place",
    errno.EROFS: "name a place that can be written",
    errno.ENOTDIR: "a part of that path is a file: name another place",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENOENT: "check the path",
    errno.ENOSPC: "make room, or name another place",
}


def system_error(error: OSError) -> str:
    """What the system refused, where, and what to do."""
    try:
        os.getcwd()
    except OSError:
        return "the working folder is no longer there\n   help: go to another one, as with: cd /"
    place = f"{error.filename}: " if error.filename else ""
    mend = _MEND.get(error.errno or 0)
    return f"{place}{error.strerror or error}" + (f"\n   help: {mend}" if mend else "")


def is_interactive(stream: TextIO) -> bool:
    """Whether a person reads the stream as it is written."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def paint_for(stream: TextIO) -> Paint:
    """Colour on terminals; plain in pipes, in CI, and wherever NO_COLOR is set (to anything but nothing)."""
    return colour if is_interactive(stream) and not os.environ.get("NO_COLOR") else plain


class Progress:
    """One line on the terminal's error stream that counts; silent elsewhere and for work under half a second."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        self._what, self._total = what, total
        self._stream = stream or sys.stderr
        self._on = is_interactive(self._stream)
        self._next = time.monotonic() + 0.5
        self._shown = False

    def at(self, count: int, name: str) -> None:
        """``count`` are done, ``name`` is next."""
        if self._on and time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.1
            self._shown = True
            self._stream.write(f"\r\033[K{self._what} {count}/{self._total} {name[:60]}")
            self._stream.flush()

    def done(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows in columns, two in from the margin."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
