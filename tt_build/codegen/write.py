"""The one writer: a group of files appears as a whole or not at all, and a file is never half written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_group(files: dict[Path, bytes]) -> None:
    """Write all files, or raise ``OSError`` and leave none of them half written.

    All bytes are on disk under temporary names before the first file takes its place; when that fails, the temporary
    files are removed and the old ones stay.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            staged.append((temporary, path))
            temporary.write_bytes(data)
        for temporary, path in staged:
            os.replace(temporary, path)
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
