"""JSON as people read it: two spaces a level, and whatever fits one line stays on one line. Same data, same bytes."""

from __future__ import annotations

import json
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

WIDTH = 120


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False)
# What ``JSONEncoder.encode`` makes anew for each value. Python without it has the method alone.
_MAKE = getattr(json.encoder, "c_make_encoder", None)
_PARTS = _MAKE and _MAKE(
    None,
    _ENCODER.default,
    encode_basestring,
    None,
    _ENCODER.key_separator,
    _ENCODER.item_separator,
    False,
    False,
    False,
)


def to_text(data: Any) -> bytes:
    """``data`` (built-in types only) as UTF-8 text with a final newline."""
    return (_render(data, _flat(data), 0) + "\n").encode()


def _flat(data: Any) -> str:
    """``data`` on one line. Most values are integers, for which the encoder takes far longer than ``str``."""
    if type(data) is int:
        return str(data)
    return "".join(_PARTS(data, 0)) if _PARTS and isinstance(data, dict | list | tuple) else _ENCODER.encode(data)


def _render(data: Any, flat: str, indent: int) -> str:
    if len(flat) + indent <= WIDTH or not isinstance(data, dict | list | tuple) or not data:
        return flat
    pad = " " * (indent + 2)
    if isinstance(data, dict):
        rows = [
            f"{pad}{encode_basestring_ascii(key)}: {_render(value, _flat(value), indent + 2)}"
            for key, value in data.items()
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    flats = [_flat(item) for item in data]
    shorts = flats if flat.isascii() else [json.dumps(item) for item in data]
    if max(map(len, shorts)) <= 24:
        rows = _rows(shorts, pad)
    else:
        rows = [f"{pad}{_render(item, text, indent + 2)}" for item, text in zip(data, flats, strict=True)]
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
