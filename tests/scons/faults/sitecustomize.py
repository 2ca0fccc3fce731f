"""Put on PYTHONPATH, this breaks the n-th operation on files of a build: TT_TEST_FAULT=kill:7, or ENOSPC:3, EIO:3."""

import builtins
import errno
import io
import os
import signal

_KIND, _, _NUMBER = os.environ.get("TT_TEST_FAULT", "").partition(":")
_left = int(_NUMBER or 0)
_process = os.getpid()


def _count() -> None:
    global _left
    if os.getpid() != _process:
        return
    _left -= 1
    if _left == 0:
        if _KIND == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(getattr(errno, _KIND), os.strerror(getattr(errno, _KIND)), "fault")


def _broken(function):
    def call(path, *arguments, **more):
        if "build" in str(path):
            _count()
        return function(path, *arguments, **more)

    return call


def _broken_open(function):
    def call(path, mode="r", *arguments, **more):
        if "build" in str(path) and mode[0] in "wax":
            _count()
        return function(path, mode, *arguments, **more)

    return call


if _KIND:
    for _name in ("replace", "rename", "unlink", "mkdir"):
        setattr(os, _name, _broken(getattr(os, _name)))
    builtins.open = io.open = _broken_open(io.open)
