"""What a build says: one write a message, so that messages of steps that run at once never share a line."""

from __future__ import annotations

import sys
from typing import TextIO


def say(message: str, stream: TextIO | None = None) -> None:
    """Write a message of one or more lines whole, to standard error if no stream is named.

    ``print`` writes text and line end apart, and another thread's message comes between.
    """
    stream = stream or sys.stderr
    stream.write(f"{message}\n")
    stream.flush()
