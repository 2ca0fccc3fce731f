"""``scons -c`` removes files; the folders that it leaves empty, and the build's own state, go when the build ends. A
file of anyone else's stays.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
from typing import TYPE_CHECKING

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
        for folder in (root, session.common, root.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    atexit.register(remove)
