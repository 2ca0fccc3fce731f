"""Breaks the n-th operation on files of a build: ``kill:7``, ``ENOSPC:3``, ``EIO:3``, ``EACCES:3``.

As a program: SCons, broken so: ``python -m tests.scons.faults kill:7 ARGUMENTS``.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def install(fault: str) -> None:
    """Patch this process."""
    kind, _, number = fault.partition(":")
    left, process = int(number), os.getpid()

    def count() -> None:
        nonlocal left
        if os.getpid() != process:
            return
        left -= 1
        if left == 0:
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)), "fault")

    def broken(function: Callable[..., Any]) -> Callable[..., Any]:
        def operation(path: Any, *arguments: Any, **more: Any) -> Any:
            if "build" in str(path):
                count()
            return function(path, *arguments, **more)

        return operation

    def broken_open(function: Callable[..., Any]) -> Callable[..., Any]:
        def operation(path: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
            if "build" in str(path) and mode[0] in "wax":
                count()
            return function(path, mode, *arguments, **more)

        return operation

    for name in ("replace", "rename", "unlink", "mkdir"):
        setattr(os, name, broken(getattr(os, name)))
    builtins.open = io.open = broken_open(io.open)  # type: ignore[assignment]


if __name__ == "__main__":
    import SCons.Script

    install(sys.argv[1])
    sys.argv = ["scons", *sys.argv[2:]]
    SCons.Script.main()
