"""A tree of the wheel's device headers that an ordinary g++ can read.

Copied from the unpacked wheel into the cache folder, names and line numbers unchanged. Two constructs that only a newer
compiler accepts are rewritten on the way (the SDK's own compiler is GCC 15; distributions ship 11 to 14):
``#pragma GCC unroll NAME``, which GCC before 14 wants as a literal, is dropped, and ``static_assert(false)`` inside
a template's discarded branch, an error before GCC 13, is made true. Neither declares anything.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tt_build.sdk.cache import build_folder, cache_root
from tt_build.sdk.wheel import ensure
from tt_build.targets.sdk import Sdk

_FOLDERS = (
    "tt_metal/hw",
    "tt_metal/hostdevcommon",
    "tt_metal/api",
    "tt_metal/impl",
    "tt_metal/tools",
    "tt_metal/tt-llk/common",
    "tt_metal/tt-llk/tools/include",
    "tt_metal/tt-llk/tt_llk_wormhole_b0",
    "tt_metal/tt-llk/tt_llk_blackhole",
)
_SUFFIXES = frozenset({".h", ".hpp", ".inl", ".cc", ".cpp"})
_REWRITES = (
    (re.compile(rb"^[ \t]*#pragma GCC unroll[ \t]+[A-Za-z_(].*$", re.MULTILINE), b""),
    (re.compile(rb"static_assert\(\s*false\b"), b"static_assert(true"),
)


def headers(sdk: Sdk) -> Path:
    """The folder that stands for the wheel's ``ttnn/`` in include paths; built at first use, in half a second."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return build_folder(cache_root() / "headers" / f"{sdk.release}-{key}", lambda target: _copy(sdk, target))


def _copy(sdk: Sdk, target: Path) -> None:
    source = ensure(sdk.name) / "ttnn"
    for folder in _FOLDERS:
        for path in (source / folder).rglob("*"):
            relative = path.relative_to(source)
            if path.suffix not in _SUFFIXES or any("quasar" in part for part in relative.parts):
                continue
            data = path.read_bytes()
            for pattern, replacement in _REWRITES:
                data = pattern.sub(replacement, data)
            copy = target / relative
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
