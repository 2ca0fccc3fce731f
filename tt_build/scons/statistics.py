"""What a cache gave and took in one build; counted by many threads."""

from __future__ import annotations

import threading
from typing import NamedTuple


class Entry(NamedTuple):
    """The outputs of a step, and the seconds that it took to make them."""

    outputs: list[bytes]
    seconds: float


class Statistics:
    """Counts, bytes, and seconds of steps that did not have to run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.hits = self.misses = self.bad = self.stored = self.bytes_read = self.bytes_written = 0
        self.seconds_saved = 0.0

    def count(
        self,
        *,
        hits: int = 0,
        misses: int = 0,
        bad: int = 0,
        stored: int = 0,
        bytes_read: int = 0,
        bytes_written: int = 0,
        seconds_saved: float = 0.0,
    ) -> None:
        """Add these."""
        with self._lock:
            self.hits += hits
            self.misses += misses
            self.bad += bad
            self.stored += stored
            self.bytes_read += bytes_read
            self.bytes_written += bytes_written
            self.seconds_saved += seconds_saved

    def line(self, where: object) -> str:
        """All of it in a line."""
        text = (
            f"tt-build: cache {where}: {self.hits} hits, {self.misses} misses, {self.stored} stored, "
            f"{self.bytes_read / 1e6:.1f} MB read, {self.bytes_written / 1e6:.1f} MB written, "
            f"{self.seconds_saved:.1f} s saved"
        )
        return text + (f", {self.bad} bad" if self.bad else "")
