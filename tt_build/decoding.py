"""Typed decoding of JSON, safe for threads.

msgspec finds out about a structure when it is first decoded, in Python code between whose lines other threads run. One
that meets the half-known structure then crashes the process (seen with 0.22 in ``scons -j2 verify``). So decoders are
made one at a time, and kept.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_MAKING = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(data: bytes | str | msgspec.Raw, kind: type[T]) -> T:
    """What the text says, as a ``kind``. Raises ``msgspec.MsgspecError`` where it says something else."""
    found: T = _decoder(kind).decode(data)
    return found


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    found = _DECODERS.get(kind)
    if found is None:
        with _MAKING:
            found = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return found
