"""One build at a time in an output folder: an advisory lock on the state folder, held until the process ends.

The kernel drops the lock of a process that dies, however it dies, so there is never a stale one to remove.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tt_build.scons.messages import say

_HELD: dict[Path, int] = {}


def hold_lock(state: Path) -> None:
    """Take the lock, waiting for another build with a message that names its process.

    Raises ``OSError`` where the folder cannot be written. Where there is no flock (Windows), there is no lock.
    """
    try:
        import fcntl
    except ImportError:
        return
    path = state / "lock"
    if path in _HELD:
        return
    while True:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
            say(f"tt-build: process {owner} builds in {state.parent}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):  # else ``-c`` removed it while we waited
                break
        os.close(handle)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    _HELD[path] = handle


def remove_lock(state: Path) -> None:
    """Remove the lock's file: a later build makes a new one."""
    with contextlib.suppress(OSError):
        (state / "lock").unlink()
