"""SCons' own record, made readable: a .sconsign of the wrong content stops stock SCons with a traceback."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import SCons.SConsign

from tt_build.scons.messages import say


def mend_sconsign(env: Any) -> None:
    """Open .sconsign now; where it cannot be read, remove it. The ledger still proves every output."""
    try:
        database, _ = SCons.SConsign.Get_DataBase(env.Dir("#"))
        entries = database._dict
        sound = isinstance(entries, dict) and all(isinstance(raw, bytes) for raw in entries.values())
    except Exception:  # whatever unpickling somebody's bytes raises
        sound = False
    if sound:
        return
    path = f"{SCons.SConsign.DB_Name}.dblite"
    say(f"tt-build: {path} is damaged and was removed")
    SCons.SConsign.DataBase.clear()
    SCons.SConsign.DB_sync_list.clear()
    with contextlib.suppress(OSError):
        os.unlink(path)
