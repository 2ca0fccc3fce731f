"""A copy of this repository's compiler that a test may edit."""

from __future__ import annotations

import compileall
import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path

from tests.support import ROOT, replace_once


@functools.cache
def copy_of_the_compiler() -> Path:
    """A folder with the compiler in it, its modules compiled, as ``pip install`` leaves them, one for a process;
    whoever edits it undoes that.
    """
    folder = Path(tempfile.mkdtemp(prefix="tt-build-compiler-"))
    for part in ("tt_build", "templates", "site_scons"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(folder, quiet=1)
    return folder


def edit_module(path: Path, old: str, new: str) -> None:
    """Replace a text, and drop the module's compiled form: Python would take it for current within a second."""
    replace_once(path, old, new)
    if path.suffix == ".py":
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def remove_copy() -> None:
    """Remove the folder, if there is one."""
    if copy_of_the_compiler.cache_info().currsize:
        shutil.rmtree(copy_of_the_compiler())
        copy_of_the_compiler.cache_clear()
