"""Progress of long work: a bar on a terminal, a plain line elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from tt_build.scons.messages import say

WIDTH = 24


class Progress:
    """Counts what is done of ``expected``; what turns out to be up to date is never counted.

    Between two lines lie ``every`` seconds or more, and so before the first.
    """

    def __init__(self, label: str, stream: TextIO | None = None, *, every: float = 0.0) -> None:
        self.label = label
        self._every, self._said = every, time.monotonic()
        self.expected = 0
        self.done = 0
        self._stream = stream or sys.stderr

    def step(self, name: str, outcome: str) -> None:
        """One more is done."""
        self.done += 1
        if time.monotonic() - self._said < self._every:
            return
        self._said = time.monotonic()
        say(self.text(name, outcome, bar=self._stream.isatty() and "CI" not in os.environ), self._stream)

    def text(self, name: str, outcome: str, *, bar: bool) -> str:
        """The line; with ``bar`` it shows how far the work has come."""
        count = f"{self.done}/{max(self.expected, self.done)}"
        if not bar:
            return f"{self.label} {count} {name}: {outcome}"
        filled = WIDTH * self.done // max(self.expected, self.done)
        return f"{self.label} [{'#' * filled}{'.' * (WIDTH - filled)}] {count} {name}: {outcome}"
