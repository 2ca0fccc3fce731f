"""What a build says: one write a message, so that messages of steps that run at once never share a line."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def say(message: str, stream: TextIO | None = None) -> None:
    """Write a message of one or more lines whole, to standard error if no stream is named.

    ``print`` writes text and line end apart, and another thread's message comes between.
    """
    stream = stream or sys.stderr
    with contextlib.suppress(BrokenPipeError):
        stream.write(f"{message}\n")
        stream.flush()


def tell(message: str) -> None:
    """Write a message to standard output at the end of a build, whose reader (``| head``) may have gone."""
    try:
        sys.stdout.write(f"{message}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python flushes at exit goes there
