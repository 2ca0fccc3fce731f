"""The index: which kernels are clean, found with one stat an output and nothing else.

A kernel's line is the digest of its declaration and the number of its outputs; the numbers (size, mtime, ctime, inode
of each output, in the order of its layout) lie in a second file as 64-bit integers, compared as memory.
"""

from __future__ import annotations

import contextlib
import os
import sys
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path

from tt_build.codegen.write import write_group
from tt_build.scons.ledger import Stat
from tt_build.scons.statefile import read_state, write_state


class Index:
    """Kernel -> (digest of its declaration, stats of its outputs), valid for one fingerprint of the compiler."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._names, self._numbers = folder / "index.json", folder / "stats.bin"
        self._fingerprint = fingerprint
        self._entries: dict[str, tuple[str, bytes]] = {}
        self.known: list[str] = []
        self._load()

    def _load(self) -> None:
        stored = read_state(self._names)
        if not isinstance(stored, dict) or stored.get("byteorder") != sys.byteorder:
            return
        self.known = list(stored["kernels"])
        if stored["fingerprint"] != self._fingerprint:
            return
        try:
            numbers = self._numbers.read_bytes()
        except OSError:
            return
        widths = [32 * count for _, count in stored["kernels"].values()]
        if len(numbers) != sum(widths) or zlib.crc32(numbers) != stored["crc32"]:
            return
        at = 0
        for (name, (digest, _)), width in zip(stored["kernels"].items(), widths, strict=True):
            self._entries[name] = (digest, numbers[at : at + width])
            at += width

    def clean(self, root: Path, digests: dict[str, str], files_of: Callable[[str], list[str]]) -> set[str]:
        """The kernels of ``digests`` (name -> digest of the declaration) whose outputs under ``root`` are as noted.

        ``files_of`` a kernel are its outputs.
        """
        found = set()
        lstat, base = os.lstat, str(root)
        for name, digest in digests.items():
            entry = self._entries.get(name)
            if entry is None or entry[0] != digest:
                continue
            numbers = array("q")
            append = numbers.append
            folder = f"{base}/{name}/"
            try:
                for file in files_of(name):
                    stat = lstat(folder + file)
                    append(stat.st_size)
                    append(stat.st_mtime_ns)
                    append(stat.st_ctime_ns)
                    append(stat.st_ino)
            except (OSError, OverflowError):
                continue
            if numbers.tobytes() == entry[1]:
                found.add(name)
        return found

    def save(self, kept: dict[str, str], new: dict[str, tuple[str, list[Stat]]]) -> None:
        """Write the index anew: ``kept`` are clean kernels as they were, ``new`` those that this build proved."""
        entries = {name: self._entries[name] for name in kept}
        for name, (digest, stats) in new.items():
            entries[name] = (digest, array("q", [number for stat in stats for number in stat]).tobytes())
        numbers = b"".join(row[1] for row in entries.values())
        value = {
            "fingerprint": self._fingerprint,
            "byteorder": sys.byteorder,
            "crc32": zlib.crc32(numbers),
            "kernels": {name: (digest, len(row) // 32) for name, (digest, row) in entries.items()},
        }
        with contextlib.suppress(OSError):
            write_group({self._numbers: numbers})
            write_state(self._names, value)
