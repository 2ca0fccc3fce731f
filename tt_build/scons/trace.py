"""``trace.json``: what a build did when, in the format of chrome://tracing and Perfetto."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path

from tt_build.codegen.write import write_group


class Trace:
    """Events of one process; times in microseconds since its start."""

    def __init__(self) -> None:
        self._started = time.perf_counter_ns()
        self._events: list[tuple[str, int, int, int, str]] = []

    def add(self, name: str, started: int, detail: str = "") -> None:
        """An event from ``started`` (``perf_counter_ns``) until now, on this thread."""
        now = time.perf_counter_ns()
        self._events.append((name, started, now - started, threading.get_native_id(), detail))

    def write(self, path: Path) -> None:
        """Write the file; a disk that refuses it is no error of the build."""
        rows = [
            {
                "name": name,
                "ph": "X",
                "ts": (started - self._started) / 1000,
                "dur": length / 1000,
                "pid": os.getpid(),
                "tid": thread,
                "args": {"kernel": detail} if detail else {},
            }
            for name, started, length, thread, detail in self._events
        ]
        body = json.dumps({"displayTimeUnit": "ms", "traceEvents": rows}, separators=(",", ":"))
        with contextlib.suppress(OSError):
            write_group({path: body.encode()})
