"""The cache folder outside the repository: wheels, unpacked SDKs, header trees, virtual environments, gate results.

``$TT_BUILD_CACHE``, else ``$XDG_CACHE_HOME/tt-build``, else ``~/.cache/tt-build``. A folder in it is complete as soon
as it has its name: it is filled under another one and renamed. Two processes that want the same take turns by a lock.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


class SdkUnavailable(RuntimeError):
    """Something that the gate needs cannot be had; the message says what it is and what to do."""


def cache_root() -> Path:
    """The cache folder; it is made when it is not there."""
    named = os.environ.get("TT_BUILD_CACHE")
    root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tt-build"
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def build_folder(target: Path, fill: Callable[[Path], None]) -> Path:
    """``target``, filled by ``fill(temporary folder)`` when it is not there yet; whole or not at all."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with lock(target):
        if target.is_dir():
            return target
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            fill(temporary)
            temporary.chmod(0o755)
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return target


def write_file(target: Path, data: bytes) -> None:
    """Writes the file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def lock(target: Path) -> Iterator[None]:
    """Held by one process at a time for that name; the system releases it when a process dies."""
    import fcntl  # not on Windows, where this module must still import

    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
