"""Reading a hand-written source: its text with the headers of its own folder put in place.

What is built stands alone: a file is copied, with ``#include "..."`` of a header of its own replaced by that header's
text. Headers of the SDK (``<...>`` and ``"api/..."``) stay as they are. A header with ``#pragma once`` is put between
guards, so that it counts once wherever the preprocessor meets it first. Nothing outside the folder is read, also not
through symbolic links.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

MOST_BYTES = 1 << 20
"""Of a source with its headers; more is no kernel."""
MOST_DEPTH = 32
SDK = "api/"

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]*)"[^\n]*$', re.M)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once\b[^\n]*$", re.M)
_OPAQUE = re.compile(r'//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"', re.S)


class Unusable(Exception):
    """A source cannot be used; the message says why, ``help`` what to do."""

    def __init__(self, message: str, help_: str) -> None:
        super().__init__(message)
        self.help = help_


class Texts:
    """Reads sources below ``folder``. ``read`` maps every file that was opened to the digest of its bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: dict[Path, str] = {}

    def source(self, name: str) -> str:
        """The text of a source by its path as declared. Raises ``Unusable``."""
        _refuse_escape(name)
        return self._expanded(name, (), [0])

    def header(self, name: str) -> str:
        """The text of a header by its path, between guards where it has ``#pragma once``. Raises ``Unusable``."""
        return _guarded(name, self.source(name))

    def _expanded(self, name: str, chain: tuple[str, ...], spent: list[int]) -> str:
        if name in chain:
            raise Unusable(f"'{name}' includes itself", "remove one of the includes")
        if len(chain) >= MOST_DEPTH:
            raise Unusable(f"'{name}' is included more than {MOST_DEPTH} files deep", "include less deeply")
        text = self._text(name)
        spent[0] += len(text)
        if spent[0] > MOST_BYTES:
            first = (*chain, name)[0]
            raise Unusable(f"'{first}' and its headers have more than {MOST_BYTES} bytes", "include less")
        hidden = [match.span() for match in _OPAQUE.finditer(text) if match[0][0] == "/"]
        parts, at = [], 0
        for match in _INCLUDE.finditer(text):
            place = match.start() + len(match[0]) - len(match[0].lstrip())
            if any(start <= place < end for start, end in hidden) or match[1].startswith(SDK):
                continue
            parts.append(text[at : match.start()])
            parts.append(self._header(match[1], (*chain, name), spent))
            at = match.end()
        return "".join([*parts, text[at:]])

    def _header(self, name: str, chain: tuple[str, ...], spent: list[int]) -> str:
        """The text that takes an include's place; the name is relative to the file that includes it."""
        if "\\" in name or name.startswith("/"):
            raise Unusable(f"'{chain[-1]}' includes \"{name[:80]}\"", "write a path relative to the file, with /")
        path = os.path.normpath(os.path.join(os.path.dirname(chain[-1]), name)).replace(os.sep, "/")
        _refuse_escape(path)
        if not (self.folder / path).is_file():
            help_ = 'headers of the SDK are written "api/..." or <...>; others are relative to the file that names them'
            raise Unusable(f"'{chain[-1]}' includes \"{name[:80]}\", which is not there", help_)
        text = self._expanded(path, chain, spent)
        return f"// {re.sub(r'[^ -~]', '_', name)}\n{_guarded(path, text)}"

    def _text(self, name: str) -> str:
        path = self.folder / name
        home, real = os.path.realpath(self.folder), os.path.realpath(path)
        if os.path.commonpath((home, real)) != home:
            raise Unusable(f"'{name[:80]}' leads out of this file's folder", "a symbolic link may not lead out of it")
        try:
            if not path.is_file():
                raise Unusable(f"there is no file '{name[:80]}'", "paths are relative to this file's folder")
            if path.stat().st_size > MOST_BYTES:
                raise Unusable(f"'{name[:80]}' has more than {MOST_BYTES} bytes", "write less")
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Unusable(f"'{name[:80]}' cannot be read: {reason}", "check its permissions") from None
        self.read[path] = hashlib.sha256(data).hexdigest()
        try:
            return data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise Unusable(f"'{name[:80]}' is not UTF-8", "save it as UTF-8") from None


def _guarded(path: str, text: str) -> str:
    if _ONCE.search(text) is None:
        return text
    mark = hashlib.sha256(path.encode()).hexdigest()[:16].upper()
    return f"#ifndef TTB_{mark}\n#define TTB_{mark}\n{_ONCE.sub('', text)}\n#endif"


def _refuse_escape(name: str) -> None:
    parts = name.split("/")
    if name.startswith(("/", "~")) or ".." in parts or "\\" in name or "\0" in name or not name.strip():
        raise Unusable(
            f"the path '{name[:80]}' leads out of this file's folder",
            "write a path below this file's folder, as in rotate/reader.cpp",
        )
