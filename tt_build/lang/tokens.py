"""Characters to tokens. A token is ``(kind, text, start, end)``; kinds are name, number, op, newline, bad and end."""

from __future__ import annotations

import re

Token = tuple[str, str, int, int]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\f]+|\#[^\n\r]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+)
    |(?P<op>\*\*|//|==|!=|<=|>=|[-+*/@=<>(),.])
    |(?P<newline>\r\n|[\n\r])
    |(?P<bad>.)""",
    re.VERBOSE | re.DOTALL,
)


def tokens_of(text: str) -> list[Token]:
    """All tokens but spaces and comments, closed by one of kind ``end``."""
    found = [
        (match.lastgroup or "bad", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]
    found.append(("end", "", len(text), len(text)))
    return found
