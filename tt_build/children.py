"""Processes that a build waits for, and what happens to them when it is interrupted: they prove nothing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

ENDS = frozenset({-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP})
"""Return codes of processes that somebody told to end."""
_RUNNING: set[subprocess.Popen[Any]] = set()
_STOPPED = threading.Event()


class Interrupted(KeyboardInterrupt):
    """The work was told to stop; nothing is known of its result."""


def run_child(
    command: Sequence[str], *, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its output as text.

    Raises ``Interrupted`` when a signal that asks for an end came to it or to ``stop``, and ``TimeoutExpired``.
    """
    if _STOPPED.is_set():
        raise Interrupted
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", **options
    ) as process:
        track(process)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        finally:
            forget(process)
    if process.returncode in ENDS or _STOPPED.is_set():
        raise Interrupted
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def track(process: subprocess.Popen[Any]) -> None:
    """``stop`` ends that process, too, until it is forgotten."""
    _RUNNING.add(process)


def forget(process: subprocess.Popen[Any]) -> None:
    """The process has ended."""
    _RUNNING.discard(process)


def stopped() -> bool:
    """Whether this process is about to end."""
    return _STOPPED.is_set()


def stop() -> None:
    """End what runs, and start nothing more: the process is about to end."""
    _STOPPED.set()
    for process in tuple(_RUNNING):
        with contextlib.suppress(OSError):
            process.terminate()
