"""The one writer: a group of files appears as a whole or not at all, and a file is never half written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

Stat = tuple[int, int, int, int]


def write_group(files: dict[Path, bytes]) -> dict[Path, Stat]:
    """Write all files, or raise ``OSError`` and leave none of them half written.

    All bytes are on disk under temporary names before the first file takes its place; when that fails, the temporary
    files are removed and the old ones stay. Returns size, mtime, ctime and inode of each file in its place; a file that
    somebody replaced or wrote to meanwhile is left out.
    """
    staged: list[tuple[Path, Path, int, int]] = []
    stats: dict[Path, Stat] = {}
    try:
        for path, data in files.items():
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                handle = open(temporary, "wb")  # noqa: SIM115
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = open(temporary, "wb")  # noqa: SIM115
            with handle:
                handle.write(data)
                handle.flush()
                written = os.fstat(handle.fileno())
            staged.append((temporary, path, written.st_ino, written.st_mtime_ns))
        for temporary, path, _, _ in staged:
            os.replace(temporary, path)
        for (_, path, inode, mtime), data in zip(staged, files.values(), strict=True):
            found = os.lstat(path)
            if (found.st_ino, found.st_mtime_ns, found.st_size) == (inode, mtime, len(data)):
                stats[path] = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    finally:
        for path in files:
            if path not in stats:
                with contextlib.suppress(OSError):
                    path.with_name(f".{path.name}.{os.getpid()}.tmp").unlink()
    return stats
