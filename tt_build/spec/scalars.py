"""Inside a scalar: which character of the file each character of its value came from."""

from __future__ import annotations

import functools
import re

from tt_build.spec.document import Scalar

_BREAKS = "\r\n\x85\u2028\u2029"
_LONGEST = 200_000
_ESCAPE_LENGTHS = {"x": 2, "u": 4, "U": 8}
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_ESCAPES |= {
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}


def offsets_in_source(text: str, node: Scalar, start: int, end: int) -> tuple[int, int]:
    """The range of ``text`` that the characters ``start`` to ``end`` of the scalar's value were read from."""
    first, last = node.start.index, node.end.index
    if node.plain and "\n" not in text[first:last]:
        return first + start, first + end
    places = _places(text, node)
    if not places or start >= len(places):
        return first, max(last, first + 1)
    end = min(max(end, start + 1), len(places))
    return places[start], places[end - 1] + 1


@functools.lru_cache(maxsize=4)
def _places(text: str, node: Scalar) -> list[int]:
    """For each character of the value its offset in the file; empty where that cannot be told."""
    first, last = node.start.index, node.end.index
    if last - first > _LONGEST:
        return []
    raw = text[first:last]
    if node.style in ("|", ">"):
        found = _block(raw, node.value)
    elif node.style == '"':
        found = _double(raw)
    elif node.style == "'":
        found = _folded(raw, 1, len(raw) - 1, quote="'")
    else:
        found = _folded(raw, 0, len(raw))
    return [first + place for place in _align(found, node.value)]


def _align(found: list[tuple[str, int]], value: str) -> list[int]:
    """Matches the characters that were read with the value's; line breaks may have become spaces or gone."""
    places: list[int] = []
    at = 0
    for char in value:
        while at < len(found) and found[at][0] != char and not (char in " \n" and found[at][0] in " \n"):
            if found[at][0] not in " \n":
                return []
            at += 1
        if at >= len(found):
            if not char.isspace() or not places:
                return []
            places.append(places[-1])
            continue
        places.append(found[at][1])
        at += 1
    return places


def _block(raw: str, value: str) -> list[tuple[str, int]]:
    """Literal and folded scalars: the lines after the header without their indentation."""
    lines = list(re.finditer(f"[^{_BREAKS}]*(?:\r\n|[{_BREAKS}]|$)", raw))[1:]
    indents = [len(line.group()) - len(line.group().lstrip(" ")) for line in lines if line.group().strip(" " + _BREAKS)]
    first = next((line for line in value.split("\n") if line.strip(" ")), "")
    indent = max(indents[0] - (len(first) - len(first.lstrip(" "))), 0) if indents else 0
    found: list[tuple[str, int]] = []
    for line in lines:
        body = line.group().rstrip(_BREAKS)
        own = min(indent, len(body) - len(body.lstrip(" ")))
        found += [(char, line.start() + at) for at, char in enumerate(body) if at >= own]
        if line.group():
            found.append(("\n", line.start() + len(body)))
    return found


def _folded(raw: str, start: int, end: int, quote: str = "") -> list[tuple[str, int]]:
    """Plain and single-quoted scalars over several lines: breaks fold, spaces around them go."""
    found: list[tuple[str, int]] = []
    at = start
    while at < end:
        char = raw[at]
        if char in _BREAKS:
            while found and found[-1][0] in " \t":
                found.pop()
            found.append(("\n", at))
            at += 1
            while at < end and raw[at] in " \t" + _BREAKS:
                if raw[at] in _BREAKS:
                    found.append(("\n", at))
                at += 1
            continue
        found.append((char, at))
        at += 2 if quote and char == quote and raw[at + 1 : at + 2] == quote else 1
    return found


def _double(raw: str) -> list[tuple[str, int]]:
    """Double-quoted scalars: escapes are one character each."""
    found: list[tuple[str, int]] = []
    at, end = 1, len(raw) - 1
    while at < end:
        char = raw[at]
        if char == "\\" and at + 1 < end:
            code = raw[at + 1]
            length = _ESCAPE_LENGTHS.get(code, 0)
            if length:
                found.append((chr(int(raw[at + 2 : at + 2 + length], 16)), at))
            elif code in _ESCAPES:
                found.append((_ESCAPES[code], at))
            else:  # an escaped line break
                at += 2
                while at < end and raw[at] in " \t" + _BREAKS:
                    at += 1
                continue
            at += 2 + length
            continue
        part = _folded(raw, at, _run_end(raw, at, end))
        found += part
        at = _run_end(raw, at, end)
    return found


def _run_end(raw: str, at: int, end: int) -> int:
    found = raw.find("\\", at, end)
    return end if found < 0 else found
