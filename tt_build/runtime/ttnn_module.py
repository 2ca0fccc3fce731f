"""Access to ttnn, which is optional: this package imports without it, and says what is missing when it is used.

Everything of ttnn is typed ``Any``: it has no stubs, and the names used here are checked by the mock-device tests.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from typing import Any

from tt_build.runtime.errors import LaunchError
from tt_build.targets.sdk import available_sdks

_NEEDED = (
    "CBDescriptor",
    "CBFormatDescriptor",
    "ComputeConfigDescriptor",
    "KernelDescriptor",
    "ProgramDescriptor",
    "SemaphoreDescriptor",
    "TensorAccessorArgs",
    "cb_descriptor_from_sharded_tensor",
    "generic_op",
)


def ttnn_module() -> Any:
    """The imported ttnn; ``LaunchError`` when there is none, or one that is too old."""
    try:
        ttnn = importlib.import_module("ttnn")
    except ImportError as error:
        newest = available_sdks()[-1]
        raise LaunchError(
            f"ttnn is not installed in this Python ({error}); install it with: pip install 'ttnn=={newest}.*' "
            "(Python 3.10 or 3.12 on Linux x86-64, NumPy below 2)"
        ) from error
    version = _version()
    oldest = available_sdks()[0]
    missing = [name for name in _NEEDED if not hasattr(ttnn, name)]
    if missing or (version is not None and version < _numbers(oldest)):
        found = ".".join(str(part) for part in version) if version else "of unknown version"
        lacks = f" and lacks {', '.join(missing)}" if missing else ""
        raise LaunchError(f"ttnn {found} is too old{lacks}; tt-build needs {oldest} or newer")
    return ttnn


def _version() -> tuple[int, ...] | None:
    """The installed version; None for a source build that carries none."""
    try:
        return _numbers(importlib.metadata.version("ttnn"))
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
