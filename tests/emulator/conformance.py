"""Signatures of the emulator's API and of the SDK's own headers, read with libclang from the text of both.

Headers of the wheel include SFPI files that the wheel lacks, so they are parsed tolerantly (KeepGoing) and compared by
the tokens of their declarations, not by types that could not be resolved.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from clang import cindex

KEEP_GOING = 0x200
_TOKEN = re.compile(r"::|[A-Za-z_]\w*|\d\w*|\S")
_NOISE = {"[", "]", "const", "volatile", "tt_l1_ptr", "std", "::", "ckernel", "[[", "]]", "maybe_unused", "constexpr"}


class Signature(NamedTuple):
    """One overload: template parameters and parameters as ``type=default``, names left out."""

    template: tuple[str, ...]
    parameters: tuple[str, ...]


def signatures(headers: list[str], arguments: list[str], inside: Path) -> dict[str, set[Signature]]:
    """Functions that ``headers`` declare at file scope or in ckernel, by name; only from files below ``inside``."""
    found: dict[str, set[Signature]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
        file.write("".join(f'#include "{header}"\n' for header in headers))
        file.flush()
        unit = cindex.Index.create().parse(file.name, ["-x", "c++", "-std=c++17", *arguments], options=KEEP_GOING)
        _collect(unit.cursor, lambda cursor: _below(cursor, inside), found)
    return found


def expanded_signatures(header: Path, arguments: list[str], inside: Path) -> dict[str, set[Signature]]:
    """The same for headers that declare through macros: they are preprocessed first."""
    text = subprocess.run(
        ["g++", "-E", "-std=c++17", *arguments, str(header)], capture_output=True, text=True, check=True
    ).stdout
    files: list[str] = []
    current = ""
    for line in text.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        current = marker[1] if marker else current
        files.append(current)
    found: dict[str, set[Signature]] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
        file.write(text)
        file.flush()
        unit = cindex.Index.create().parse(file.name, ["-x", "c++", "-std=c++17"], options=KEEP_GOING)
        _collect(
            unit.cursor, lambda cursor: Path(files[cursor.location.line - 1]).resolve().is_relative_to(inside), found
        )
    return found


def _below(cursor: cindex.Cursor, folder: Path) -> bool:
    file = cursor.location.file
    return file is not None and Path(file.name).resolve().is_relative_to(folder)


def _collect(cursor: cindex.Cursor, wanted: Callable[[Any], bool], found: dict[str, set[Signature]]) -> None:
    for child in cursor.get_children():
        if child.kind in (cindex.CursorKind.NAMESPACE, cindex.CursorKind.LINKAGE_SPEC):
            if child.spelling in ("ckernel", ""):
                _collect(child, wanted, found)
        elif child.kind in (cindex.CursorKind.FUNCTION_DECL, cindex.CursorKind.FUNCTION_TEMPLATE) and wanted(child):
            signature = _signature(child)
            if signature is not None:
                found.setdefault(child.spelling, set()).add(signature)


def _signature(function: cindex.Cursor) -> Signature | None:
    """Read from the text around the function's name; None for operators and for what a macro declares."""
    text, at = _text(function.location.file.name), function.location.offset
    if not text.startswith(function.spelling, at) or not function.spelling.isidentifier():
        return None
    after = _TOKEN.findall(text[at + len(function.spelling) : at + 4000])
    if after[:1] != ["("]:
        return None
    parameters = _split(after[1 : _closing(after, 0, "(", ")")])
    template: list[list[str]] = []
    if function.kind == cindex.CursorKind.FUNCTION_TEMPLATE:
        before = _TOKEN.findall(text[text.rindex("template", 0, at) + len("template") : at])
        template = _split(before[1 : _closing(before, 0, "<", ">")])
    return Signature(tuple(_normal(part) for part in template), tuple(_normal(part) for part in parameters))


@functools.cache
def _text(name: str) -> str:
    """The file with comments blanked, offsets in bytes kept."""
    text = Path(name).read_bytes().decode("latin-1")
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)


def _closing(tokens: list[str], start: int, opening: str, closing: str) -> int:
    depth = 0
    for i in range(start, len(tokens)):
        depth += (tokens[i] == opening) - (tokens[i] == closing)
        if depth == 0:
            return i
    raise ValueError(f"no {closing} in {tokens}")


def _split(tokens: list[str]) -> list[list[str]]:
    """Parts between top-level commas."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in "(<[") - (token in ")>]")
        if token == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _normal(tokens: list[str]) -> str:
    """``type=default`` of a parameter, without its name and without qualifiers."""
    default = ""
    if "=" in tokens:
        cut = tokens.index("=")
        default = "=" + "".join(t for t in tokens[cut + 1 :] if t not in _NOISE)
        tokens = tokens[:cut]
    kept = [t for t in tokens if t not in _NOISE]
    if len(kept) > 1 and re.fullmatch(r"\w+", kept[-1]):
        kept = kept[:-1]
    return "".join(kept) + default
