"""Ctrl-C while a step runs: SCons notes it and waits for the step, which may take minutes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TypeVar

from SCons.Taskmaster.Job import Jobs

from tt_build.children import Interrupted, stop

T = TypeVar("T")
_LOOK_SECONDS = 0.1


def interrupted() -> bool:
    """Whether SCons was told to stop. Its signal handler has the jobs as a default of an argument."""
    defaults = getattr(signal.getsignal(signal.SIGINT), "__defaults__", None) or ()
    return any(isinstance(value, Jobs) and value.were_interrupted() for value in defaults)


def interruptible(work: Callable[[], T]) -> T:
    """The result of ``work``. On an interrupt it is left where it is, with the processes that it waits for ended, and
    ``Interrupted`` is raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again below, on the thread that waits
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True).start()
    while not done.wait(_LOOK_SECONDS):
        if interrupted():
            stop()
            raise Interrupted
    if errors:
        raise errors[0]
    return results[0]
