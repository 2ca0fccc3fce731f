"""The command line in this process: code and both streams."""

from __future__ import annotations

import contextlib
import io

import msgspec

from tt_build.cli import main


class Ran(msgspec.Struct, frozen=True):
    """What a command gave."""

    code: int
    out: str
    err: str


def tt_build(*arguments: object) -> Ran:
    """Run a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = int(left.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())
