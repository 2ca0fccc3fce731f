"""The ledger: what proves that an output is right (docs/adr/0003).

A record says which step made an output (``key``: digest of the step's signature and of its inputs' contents), the
digest of its bytes, and the stat that it had. Records of a kernel lie in one file, read only when the kernel is not
clean. Each record stands on its own: one that is lost or out of date costs a step, never a wrong file.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from tt_build.scons.statefile import read_state, write_state

Stat = tuple[int, int, int, int]


class Record(NamedTuple):
    """One output: the step's key, the digest of the bytes, and size, mtime, ctime, inode."""

    key: str
    digest: str
    stat: Stat


class KernelLedger:
    """The records of one kernel, by file name relative to its folder; ``notes`` is for ``explain``."""

    def __init__(self, folder: Path, path: Path, *, rehash: bool) -> None:
        self.folder, self._path, self._rehash = folder, path, rehash
        self.records: dict[str, Record] = {}
        self.notes: dict[str, Any] = {}
        self._checked: dict[str, str | None] = {}
        self._dirty = False
        stored = read_state(path)
        if isinstance(stored, dict):
            self.notes = stored["notes"]
            self.records = {name: Record(row[0], row[1], (*row[2],)) for name, row in stored["records"].items()}

    def vouched(self, file: str, key: str) -> bool:
        """Whether ``file`` is what the step with that key writes."""
        record = self.records.get(file)
        return record is not None and record.key == key and self.digest(file) == record.digest

    def digest(self, file: str) -> str | None:
        """Digest of the bytes that the file has now; looked at once a build, and not even read where stat agrees."""
        if file not in self._checked:
            self._checked[file] = self._look(file)
        return self._checked[file]

    def _look(self, file: str) -> str | None:
        record = self.records.get(file)
        path = self.folder / file
        stat = stat_of(path)
        if stat is None:
            return None
        if record is not None and record.stat == stat and not self._rehash:
            return record.digest
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return None
        if record is not None and record.digest == found and stat_of(path) == stat:
            self.records[file] = record._replace(stat=stat)
            self._dirty = self._dirty or record.stat != stat
        return found

    def wrote(self, file: str, key: str, digest: str, stat: Stat | None) -> None:
        """Note an output that was just written; a ``stat`` of None says that it is not known to be ours any more."""
        self._dirty = True
        if stat is None:
            self.records.pop(file, None)
            self._checked[file] = None
            return
        self.records[file] = Record(key, digest, stat)
        self._checked[file] = digest

    def forget(self, file: str) -> None:
        """Drop the record of a file that was removed."""
        self.wrote(file, "", "", None)

    def note(self, notes: dict[str, Any]) -> None:
        """Keep what ``explain`` compares with."""
        if notes != self.notes:
            self.notes, self._dirty = notes, True

    def save(self) -> None:
        """Write the records, if any changed."""
        if self._dirty:
            write_state(self._path, {"notes": self.notes, "records": self.records})
            self._dirty = False


def stat_of(path: Path | str) -> Stat | None:
    """Size, mtime, ctime and inode; None for what is no regular file."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    if (found.st_mode & 0o170000) != 0o100000:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def step_key(signature: str, inputs: list[str]) -> str:
    """The key of a step: what its outputs are a function of."""
    return hashlib.sha256("\0".join((signature, *inputs)).encode()).hexdigest()
