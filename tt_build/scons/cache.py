"""``cache=DIR``: outputs of steps, shared by trees and machines; ``cache_mode=ro`` for builds that may not write it.

An entry is one file that holds all outputs of a step, named by the step's key and headed by a digest of all that
follows. Every fetch verifies it: a bad entry is a miss, is moved aside, and is reported in a line. Nothing here is ever
an error of a build: what cannot be fetched is computed, what cannot be stored is left.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path

from tt_build.scons.messages import say
from tt_build.scons.statistics import Entry, Statistics

LIMIT = 5 << 30  # bytes; the entries used longest ago go first
_MAGIC = b"tt-build step 1 "


class FolderCache:
    """The cache in a folder; safe for many processes at once, also over NFS (entries appear by rename)."""

    parallel = 1

    def __init__(self, folder: Path, *, writes: bool, limit: int = LIMIT) -> None:
        self._folder, self._writes, self._limit = folder, writes, limit
        self._statistics = Statistics()
        self._told = threading.Event()

    def get(self, key: str) -> Entry | None:
        """The outputs of the step with that key, verified; None when there are none to be had."""
        path = self._path(key)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            self._statistics.count(misses=1)
            return None
        except (NotADirectoryError, PermissionError) as error:
            self._statistics.count(misses=1)
            self._unusable("read", error)
            return None
        except OSError as error:
            self._bad(key, error.strerror or str(error))
            return None
        try:
            entry = unpack(key, data)
        except ValueError as error:
            self._bad(key, str(error))
            return None
        with contextlib.suppress(OSError):
            if self._writes:
                os.utime(path)  # used now: evicted last
        self._statistics.count(hits=1, bytes_read=len(data), seconds_saved=entry.seconds)
        return entry

    def put(self, key: str, outputs: list[bytes], seconds: float) -> None:
        """Store a step's outputs; they appear as a whole or not at all."""
        if not self._writes:
            return
        path = self._path(key)
        data = pack(key, outputs, seconds)
        temporary = path.with_name(f".{key}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            self._unusable("written", error)
            return
        self._statistics.count(stored=1, bytes_written=len(data))

    def finish(self) -> str:
        """Evict what exceeds the bound; the statistics in a line."""
        removed = self._evict() if self._statistics.stored else 0
        return self._statistics.line(self._folder) + (f", {removed} evicted" if removed else "")

    def _path(self, key: str) -> Path:
        return self._folder / "steps" / key[:2] / key

    def _unusable(self, done: str, error: OSError) -> None:
        """Say, once a build, that an entry cannot be read or written."""
        if not self._told.is_set():
            self._told.set()
            say(f"tt-build: the cache {self._folder} cannot be {done} ({error.strerror}); the build goes on")

    def _bad(self, key: str, reason: str) -> None:
        """Move a bad entry aside, so that it can be looked at and never fetched again."""
        self._statistics.count(misses=1, bad=1)
        kept = ""
        if self._writes:
            with contextlib.suppress(OSError):
                aside = self._folder / "quarantine"
                aside.mkdir(mode=0o700, exist_ok=True)
                os.replace(self._path(key), aside / key)
                kept = f"; moved to {aside}"
        say(f"tt-build: bad cache entry {key[:16]}: {reason}{kept}")

    def _evict(self) -> int:
        entries: list[tuple[float, int, str]] = []
        with contextlib.suppress(OSError):
            for folder in os.scandir(self._folder / "steps"):
                for entry in os.scandir(folder.path):
                    with contextlib.suppress(OSError):
                        stat = entry.stat(follow_symlinks=False)
                        entries.append((stat.st_mtime, stat.st_size, entry.path))
        size, removed = sum(entry[1] for entry in entries), 0
        if size <= self._limit:
            return 0
        for _, bytes_, path in sorted(entries):
            if size <= self._limit * 0.9:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
                size -= bytes_
                removed += 1
        return removed


def pack(key: str, outputs: list[bytes], seconds: float) -> bytes:
    """An entry: magic, digest of the rest, a line of JSON, the outputs one after the other."""
    head = json.dumps({"key": key, "sizes": [len(part) for part in outputs], "seconds": round(seconds, 6)})
    body = head.encode() + b"\n" + b"".join(outputs)
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(key: str, data: bytes) -> Entry:
    """The outputs and what they took to make; ``ValueError`` for anything but an intact entry of that key."""
    head, _, body = data.partition(b"\n")
    if head != _MAGIC + hashlib.sha256(body).hexdigest().encode():
        raise ValueError("its content is not what its digest says")
    line, _, rest = body.partition(b"\n")
    meta = json.loads(line)
    if not isinstance(meta, dict) or meta.get("key") != key:
        raise ValueError("it is the entry of another step")
    outputs, at = [], 0
    for size in meta["sizes"]:
        outputs.append(rest[at : at + size])
        at += size
    if at != len(rest):
        raise ValueError("its length is wrong")
    return Entry(outputs, float(meta["seconds"]))
