"""Files of the build's own state: JSON behind a digest of itself, replaced atomically.

A file that is missing, truncated or altered reads as None: the build then does the work that it would have saved.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from tt_build.codegen.write import write_group


def read_state(path: Path) -> Any | None:
    """What ``write_state`` wrote there; None for anything else."""
    try:
        data = path.read_bytes()
        mark, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() == mark:
            return json.loads(body)
    except (OSError, ValueError):
        pass
    return None


def write_state(path: Path, value: Any) -> None:
    """Store a value of JSON types. A disk that refuses it costs the next build time, so it is no error."""
    body = json.dumps(value, separators=(",", ":")).encode()
    with contextlib.suppress(OSError):
        write_group({path: hashlib.sha256(body).hexdigest().encode() + b"\n" + body})
