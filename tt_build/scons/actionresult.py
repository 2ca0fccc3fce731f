"""An entry of a remote cache: the ``ActionResult`` message of Bazel's remote execution API, as far as we use it.

Field numbers are those of ``build.bazel.remote.execution.v2`` (remote_execution.proto):

    ActionResult            2 output_files, 9 execution_metadata
    OutputFile              1 path, 2 digest
    Digest                  1 hash (sha256, hexadecimal), 2 size_bytes
    ExecutedActionMetadata  3 worker_start_timestamp, 4 worker_completed_timestamp
    Timestamp               1 seconds, 2 nanos

A path is ``KEY/NUMBER``: so an entry that lies under another step's key is seen to be one. The worker starts at 0 of
its own clock: an entry says how long a step took and not when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_HASH = re.compile(r"[0-9a-f]{64}\Z")


class Digest(NamedTuple):
    """Content of a blob: sha256 in hexadecimal, and its size in bytes."""

    hash: str
    size: int


def encode(key: str, outputs: list[Digest], seconds: float) -> bytes:
    """The message for a step's outputs, in order."""
    message = b""
    for number, digest in enumerate(outputs):
        size = _number(2, digest.size) if digest.size else b""
        blob = _bytes(1, digest.hash.encode()) + size
        message += _bytes(2, _bytes(1, f"{key}/{number}".encode()) + _bytes(2, blob))
    whole, nanos = divmod(round(seconds * 1e9), 10**9)
    stamp = (_number(1, whole) if whole else b"") + (_number(2, nanos) if nanos else b"")
    return message + _bytes(9, _bytes(3, b"") + _bytes(4, stamp))


def decode(key: str, message: bytes) -> tuple[list[Digest], float]:
    """What ``encode`` was given; fields that we do not use are passed over. ``ValueError`` for anything else."""
    outputs: list[Digest] = []
    seconds = 0.0
    for field, value in _fields(message):
        if field == 2:
            path, digest = _output(_message(value))
            if path != f"{key}/{len(outputs)}":
                raise ValueError("it is the entry of another step")
            outputs.append(digest)
        elif field == 9:
            seconds = _duration(_message(value))
    if not outputs:
        raise ValueError("it names no output")
    return outputs, seconds


def _output(message: bytes) -> tuple[str, Digest]:
    fields = dict(_fields(message))
    blob = dict(_fields(_message(fields.get(2, b""))))
    hash_, size = _message(blob.get(1, b"")).decode("ascii", "replace"), blob.get(2, 0)
    if not _HASH.match(hash_) or not isinstance(size, int):
        raise ValueError("a digest in it is none")
    return _message(fields.get(1, b"")).decode("ascii", "replace"), Digest(hash_, size)


def _duration(metadata: bytes) -> float:
    ends = []
    for field in (3, 4):
        stamp = dict(_fields(_message(dict(_fields(metadata)).get(field, b""))))
        whole, nanos = stamp.get(1, 0), stamp.get(2, 0)
        if not isinstance(whole, int) or not isinstance(nanos, int):
            raise ValueError("a time in it is none")
        ends.append(whole + nanos / 1e9)
    return max(0.0, ends[1] - ends[0])


# The wire format: https://protobuf.dev/programming-guides/encoding


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("it is no ActionResult")
    return value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _read_varint(message, at)
            yield tag >> 3, number
            continue
        if kind == _BYTES:
            length, at = _read_varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("it is no ActionResult")
        if at + length > len(message):
            raise ValueError("it is cut off")
        yield tag >> 3, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("it is cut off")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
