"""Examining many kernels on two cores: a forked helper takes the second half."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tt_build.decoding import decode
from tt_build.spec.diagnostics import Diagnostic

Entry = TypeVar("Entry")
Answer = tuple[Diagnostic, ...]
WORTH_A_PROCESS = 100
"""Kernels; forking and collecting takes about as long as 20."""


def shared_out(
    examine: Callable[[Entry], Answer], entries: Sequence[Entry], progress: Callable[[int], None]
) -> list[Answer]:
    """``examine`` of each, in order; ``progress`` is told the index of those that this process examines."""
    if len(entries) < WORTH_A_PROCESS or not _may_fork():
        return _examined(examine, entries, progress)
    half = len(entries) // 2
    helper = _Helper(lambda: _examined(examine, entries[half:], lambda _: None))
    first = _examined(examine, entries[:half], progress)
    rest = helper.answers()
    if rest is None:  # it was killed, or could not say it: do its work here
        rest = _examined(examine, entries[half:], progress)
    return first + rest


def _may_fork() -> bool:
    """Whether a child would run on a core of its own, with nothing of ours in another thread."""
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return False
    return len(os.sched_getaffinity(0)) > 1


def _examined(
    examine: Callable[[Entry], Answer], entries: Sequence[Entry], progress: Callable[[int], None]
) -> list[Answer]:
    found = []
    for count, entry in enumerate(entries):
        progress(count)
        found.append(examine(entry))
    return found


class _Helper:
    """A forked process that computes answers and says them through a pipe."""

    def __init__(self, compute: Callable[[], list[Answer]]) -> None:
        self._read, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(self._read)
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(msgspec.json.encode(compute()))
            finally:
                os._exit(0)
        os.close(write)

    def answers(self) -> list[Answer] | None:
        """What it computed; None where it did not come to an end."""
        try:
            with os.fdopen(self._read, "rb") as pipe:
                data = pipe.read()
        finally:
            os.waitpid(self._child, 0)
        try:
            return decode(data, list[Answer])
        except msgspec.DecodeError:
            return None
