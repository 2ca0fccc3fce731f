"""g++ and the cache: the engine and precompiled headers, each compiled once per content.

Everything lies under ``$XDG_CACHE_HOME/tt-build/emulator`` (``~/.cache``), named by a digest of what went into it:
sources, compiler and flags. A file appears there by rename, so that two builds at once do no harm.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tt_build.children import run_child

HERE = Path(__file__).parent
INCLUDE = HERE / "include"
RUNTIME = HERE / "runtime"
ENGINE_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-plt", "-g1", "-Wall")
# Kernel texts: line tables for reports, and a hook before each load and store that may touch L1 (-fsanitize=thread is
# used for its instrumentation alone; the hooks are the engine's, no sanitizer is linked).
KERNEL_FLAGS = (
    "-std=c++17",
    "-O1",
    "-g1",
    "-gdwarf-4",  # addr2line of binutils 2.40 takes wrong files from version 5 line tables
    "-w",
    "-fPIC",
    "-fpermissive",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-optimize-sibling-calls",
    "-fno-gnu-unique",
    "-fsanitize=thread",
    "--param=tsan-instrument-func-entry-exit=0",
    "--param=tsan-distinguish-volatile=1",
)


# Where the texts of a plan lie for debug information and messages, wherever they really lie.
PLAN_PREFIX = "/plan"


class ToolchainError(RuntimeError):
    """No usable compiler, or the engine itself does not compile; the message says what to do."""


def cache_folder() -> Path:
    """Where compiled things live."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tt-build" / "emulator"


@functools.cache
def compiler() -> str:
    """The C++ compiler: ``$CXX`` or g++."""
    name = os.environ.get("CXX") or "g++"
    path = shutil.which(name)
    if path is None:
        raise ToolchainError(f"the emulator needs {name}; install it (Debian and Ubuntu: apt install g++)")
    return path


@functools.cache
def compiler_version() -> str:
    """First line of ``g++ --version`` and the machine's instruction set, which -march=native follows."""
    out = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    flags = next((line for line in cpu.splitlines() if line.startswith("flags")), "")
    return out.splitlines()[0] + hashlib.sha256(flags.encode()).hexdigest()[:8]


def digest(*parts: str | bytes) -> str:
    """Short name of that content."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()[:24]


@functools.cache
def headers_digest() -> str:
    """Of all headers of the emulator: part of the name of whatever includes them."""
    files = sorted(p for p in INCLUDE.rglob("*") if p.is_file())
    return digest(*(part for p in files for part in (str(p.relative_to(INCLUDE)), p.read_bytes())))


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """A temporary path beside ``target`` that becomes it when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _make_once(target: Path, make: Callable[[], None]) -> None:
    """``make`` the target where it is not there, one process at a time: the others wait and find it. Where the file
    system has no locks, several may make it, which costs time alone.
    """
    if target.exists():
        return
    import fcntl  # Unix

    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            make()


_slots = threading.BoundedSemaphore(os.cpu_count() or 1)


def limit_compilers(count: int) -> None:
    """From now on this process runs at most so many compilers at once; the cores, if this was never called."""
    global _slots
    _slots = threading.BoundedSemaphore(count)


def run_compiler(arguments: Iterable[str]) -> tuple[int, str]:
    """Exit code and messages of one compiler call."""
    with _slots:
        done = run_child([compiler(), *arguments])
    return done.returncode, done.stderr


@functools.cache
def engine() -> Path:
    """The engine's executable, compiled if it is not in the cache."""
    sources = sorted(RUNTIME.glob("*.cpp"))
    key = digest(
        headers_digest(),
        compiler_version(),
        *ENGINE_FLAGS,
        *(p.read_bytes() for p in sorted(RUNTIME.iterdir()) if p.is_file()),
    )
    target = cache_folder() / "engine" / key / "emu_run"
    _make_once(target, lambda: _compile_engine(sources, target))
    return target


def _compile_engine(sources: list[Path], target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def compile_one(source: Path) -> tuple[int, str]:
            return run_compiler([*ENGINE_FLAGS, f"-I{INCLUDE}", "-c", str(source), "-o", f"{folder}/{source.stem}.o"])

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(compile_one, sources))
        for code, messages in results:
            if code:
                raise ToolchainError(f"the emulator's engine does not compile with {compiler()}:\n{messages}")
        with published(target) as path:
            code, messages = run_compiler(
                [*(f"{folder}/{s.stem}.o" for s in sources), "-rdynamic", "-ldl", "-o", str(path)]
            )
            if code:
                raise ToolchainError(f"the emulator's engine does not link:\n{messages}")
            path.chmod(0o755)


def precompiled(header: str, defines: tuple[str, ...]) -> Path:
    """A header that includes ``header`` and is precompiled with those defines; to be given with -include."""
    key = digest(headers_digest(), compiler_version(), header, *defines, *KERNEL_FLAGS)
    first = cache_folder() / "pch" / key / "emu_first.h"
    target = first.with_name("emu_first.h.gch")
    _make_once(target, lambda: _precompile(header, defines, first, target))
    return first


def _precompile(header: str, defines: tuple[str, ...], first: Path, target: Path) -> None:
    with published(first) as path:
        path.write_text(f'#include "{header}"\n')
    with published(target) as path:
        arguments = [*KERNEL_FLAGS, f"-I{INCLUDE}", *defines, "-x", "c++-header", str(first), "-o", str(path)]
        code, messages = run_compiler(arguments)
        if code:
            raise ToolchainError(f"the emulator's {header} does not compile with {compiler()}:\n{messages}")


def source_lines(places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], tuple[str, int]]:
    """File (below the plan's folder) and line of each (library, offset): the innermost frame in a kernel text."""
    wanted = sorted(set(places))
    found: dict[tuple[str, int], tuple[str, int]] = {}
    for library in sorted({lib for lib, _ in wanted}):
        offsets = [off for lib, off in wanted if lib == library]
        tool = shutil.which("addr2line")
        if tool is None:
            return found
        done = subprocess.run(
            [tool, "-a", "-i", "-e", library, *(hex(o) for o in offsets)], capture_output=True, text=True, check=False
        )
        current: int | None = None
        for line in done.stdout.splitlines():
            if line.startswith("0x"):
                current = int(line, 16)
                continue
            match = re.match(r"(.*):(\d+)", line)
            if current is None or match is None or not match[1].startswith(PLAN_PREFIX + "/"):
                continue
            found.setdefault((library, current), (match[1][len(PLAN_PREFIX) + 1 :], int(match[2])))
    return found
