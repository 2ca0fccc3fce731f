"""JSON as people read it: two spaces a level, and whatever fits one line stays on one line. Same data, same bytes."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120


def to_text(data: Any) -> bytes:
    """``data`` (built-in types only) as UTF-8 text with a final newline."""
    return (_render(data, 0) + "\n").encode()


def _render(data: Any, indent: int) -> str:
    flat = json.dumps(data, ensure_ascii=False, allow_nan=False)
    if len(flat) + indent <= WIDTH or not isinstance(data, dict | list | tuple) or not data:
        return flat
    pad = " " * (indent + 2)
    if isinstance(data, dict):
        rows = [f"{pad}{json.dumps(key)}: {_render(value, indent + 2)}" for key, value in data.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if all(len(json.dumps(item)) <= 24 for item in data):
        return "[\n" + ",\n".join(_rows([json.dumps(item) for item in data], pad)) + "\n" + " " * indent + "]"
    rows = [f"{pad}{_render(item, indent + 2)}" for item in data]
    return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"


def _rows(items: list[str], pad: str) -> list[str]:
    """Short items, as many on a line as fit."""
    rows: list[str] = []
    line = pad
    for item in items:
        if len(line) > len(pad) and len(line) + len(item) + 2 > WIDTH:
            rows.append(line)
            line = pad
        line += (", " if len(line) > len(pad) else "") + item
    return [*rows, line]
