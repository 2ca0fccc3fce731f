"""The one writer: a group of files appears as a whole or not at all, and a file is never half written."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

Stat = tuple[int, int, int, int]
P = TypeVar("P", str, Path)


def write_group(files: Mapping[P, bytes]) -> dict[P, Stat]:
    """Write all files, or raise ``OSError``, which names the file, and leave none of them half written.

    All bytes are on disk under temporary names before the first file takes its place; when that fails, the temporary
    files are removed and the old ones stay. Returns size, mtime, ctime and inode of each file in its place; a file that
    somebody replaced or wrote to meanwhile is left out.
    """
    process = os.getpid()
    temporary = {path: _beside(os.fspath(path), process) for path in files}
    written: dict[P, os.stat_result] = {}
    stats: dict[P, Stat] = {}
    at: P | None = None
    try:
        for path, data in files.items():
            at = path
            written[path] = _write(temporary[path], data)
        for path in files:
            at = path
            os.replace(temporary[path], path)
        for path, ours in written.items():
            found = os.lstat(path)
            if (found.st_ino, found.st_mtime_ns, found.st_size) == (ours.st_ino, ours.st_mtime_ns, len(files[path])):
                stats[path] = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    except OSError as error:
        if at is not None:
            _of_target(error, os.fspath(at))
        raise
    finally:
        for path in files:
            if path not in stats:
                with contextlib.suppress(OSError):
                    os.unlink(temporary[path])
    return stats


def probe(path: Path) -> None:
    """Raise ``OSError``, which names the file, where it could not be written; leaves nothing."""
    temporary = _beside(os.fspath(path), os.getpid())
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _write(temporary, b"")
        os.unlink(temporary)
    except OSError as error:
        _of_target(error, os.fspath(path))
        raise


def _of_target(error: OSError, path: str) -> None:
    """The error names the file that was asked for, not the temporary one."""
    error.filename, error.filename2 = path, None


def _beside(path: str, process: int) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{process}.tmp")


def _write(path: str, data: bytes) -> os.stat_result:
    """A new file with these bytes; its stat. Unbuffered, since all bytes are there at once."""
    try:
        handle = open(path, "wb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = open(path, "wb", buffering=0)  # noqa: SIM115
    with handle:
        left = memoryview(data)
        while left:  # the system may take a part of it
            left = left[handle.write(left) :]
        return os.fstat(handle.fileno())
