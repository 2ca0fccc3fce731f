"""Compilers that run at once, and what two builds compile at once."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tt_build.emulator import toolchain


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    yield
    toolchain.limit_compilers(os.cpu_count() or 1)


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_compilers_run_at_once_than_jobs(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, seen = threading.Lock(), 0, []

    def child(line: list[str]) -> CompletedProcess[str]:
        nonlocal running
        with lock:
            running += 1
            seen.append(running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return CompletedProcess(line, 0, "", "")

    monkeypatch.setattr(toolchain, "run_child", child)
    toolchain.limit_compilers(limit)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(toolchain.run_compiler, [["-v"]] * 8))
    assert max(seen) == limit


def test_a_header_is_precompiled_where_the_file_system_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", flock)
    assert toolchain.precompiled("cstdint", ()).with_name("emu_first.h.gch").stat().st_size
