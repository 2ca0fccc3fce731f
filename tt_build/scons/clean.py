"""``scons -c`` removes files; the folders that it leaves empty, and the build's own state, go when the build ends. A
file of anyone else's stays.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import SCons.SConsign

from tt_build.scons.folders import FOLDERS
from tt_build.scons.lock import remove_lock

if TYPE_CHECKING:
    from tt_build.scons.session import Session


def remove_state(session: Session) -> None:
    """At exit, remove what other builds left of the specification's kernels, empty folders, and the state.

    ``scons -c TARGET`` keeps the state: the other kernels' proofs are in it.
    """
    if session.request.dry:
        return
    root, targets = session.root, session.request.targets
    for name in session.known:
        if name not in session.reading.digests:
            session.remove_kernel(name)

    def remove() -> None:
        names = dict.fromkeys((*session.reading.digests, *session.known))
        for name in names:
            session.sweep(name)
            for below in FOLDERS:
                with contextlib.suppress(OSError):
                    (root / name / below).rmdir()
        if targets:
            return
        shutil.rmtree(session.own, ignore_errors=True)
        for file in ("compiler.json", "trace.json"):
            with contextlib.suppress(OSError):
                (session.common / file).unlink()
        remove_lock(session.common)
        for folder in (root, session.common):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            _remove_record(session)
            root.parent.rmdir()

    atexit.register(remove)


def _remove_record(session: Session) -> None:
    """Remove SCons' own record where it lies in the output folder and nothing else does."""
    folder = session.root.parent
    record = Path(session.env.Dir("#").get_abspath(), f"{SCons.SConsign.DB_Name}.dblite")
    if record.parent == folder and os.listdir(folder) == [record.name]:
        record.unlink()
