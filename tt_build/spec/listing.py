"""Marks of which files a folder or a pattern has, so that one that comes or goes is a change."""

from __future__ import annotations

import glob
import hashlib
import os
from pathlib import Path

OPS_FILE = "ops.yaml"
TEMPLATES_FOLDER = "templates"


def folder_mark(folder: Path) -> str:
    """A digest of the names that count in a folder of ``extensions``: the ops' file, and all below the templates."""
    names = [name for name in (OPS_FILE, TEMPLATES_FOLDER) if os.path.lexists(folder / name)]
    for below, folders, files in os.walk(folder / TEMPLATES_FOLDER):
        folders.sort()
        names += [os.path.relpath(os.path.join(below, name), folder) for name in sorted(files)]
    return _digest(names)


def mark_of(home: Path, name: str) -> str:
    """The digest of a file's bytes, or of what a folder of extensions or a pattern has. Raises OSError."""
    path = home / name
    if path.is_dir():
        return folder_mark(path)
    if glob.has_magic(name) and not path.exists():
        return _digest(sorted(glob.glob(name, root_dir=home)))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(names: list[str]) -> str:
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
