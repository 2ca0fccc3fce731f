"""``scons -c`` removes files; the folders that it leaves empty go when the build ends. A file of anyone else's
stays.
"""

from __future__ import annotations

import atexit
import contextlib
from pathlib import Path


def remove_empty_folders(root: Path, kernels: list[str]) -> None:
    """At exit, remove the kernels' folders, the root and its parent, as far as they are empty, and the state."""

    def remove() -> None:
        state = root.parent / ".tt-build"
        with contextlib.suppress(OSError):
            (state / "checked.json").unlink(missing_ok=True)
        folders = [folder for name in kernels for folder in (root / name / "ir", root / name)]
        for folder in (*folders, root, state, root.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    atexit.register(remove)
