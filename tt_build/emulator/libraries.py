"""Libraries of kernels: many kernels to a translation unit, one library for all that are compiled together.

g++ takes about as long to start and to load a precompiled header as for several kernels. So kernels that share header
and defines share a unit, also when they are of different plans, and every kernel is found again by its own content: the
library is in the cache under the name of each kernel in it, as links to one file. Two plans that differ in their work
alone have the same compute kernel, which is then compiled once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tt_build.emulator.toolchain import (
    INCLUDE,
    KERNEL_FLAGS,
    PLAN_PREFIX,
    cache_folder,
    compiler_version,
    digest,
    headers_digest,
    precompiled,
    published,
    run_compiler,
)

# Kernels of one translation unit; beyond that nothing is gained, and g++ needs more memory.
_MOST_KERNELS = 24


class Unit(msgspec.Struct, frozen=True):
    """The text of one kernel, ready for the compiler.

    ``header`` is precompiled and stands, with ``includes``, before all kernels of a translation unit. An empty one
    marks a text that needs a unit of its own, whose files lie below ``root`` and have the digest ``key``.
    """

    text: str
    header: str
    defines: tuple[str, ...]
    includes: tuple[str, ...] = ()
    root: Path | None = None
    key: str = ""

    @property
    def library(self) -> Path:
        """Where its library lies once it is compiled."""
        name = digest(
            *(self.key, headers_digest(), compiler_version(), *KERNEL_FLAGS),
            *(self.text, self.header, *self.defines, *self.includes),
        )
        return cache_folder() / "kernels" / name[:2] / f"{name}.so"


def compile_units(units: Sequence[Unit]) -> tuple[tuple[Path, ...], str]:
    """The library of each unit, and "" or the messages of a compiler that refused one: then nothing new is there."""
    libraries = tuple(unit.library for unit in units)
    missing: dict[Path, Unit] = {}
    for library, unit in zip(libraries, units, strict=True):
        if library.exists():
            with contextlib.suppress(OSError):
                os.utime(library)  # recently used
        else:
            missing[library] = unit
    shared = {library: unit for library, unit in missing.items() if unit.header}
    messages = _link(_translation_units(list(shared.values())), list(shared)) if shared else ""
    for library, unit in missing.items():
        if not unit.header and not messages:
            messages = _link([(_own_arguments(unit), unit.text)], [library])
    return libraries, messages


def _translation_units(units: list[Unit]) -> list[tuple[list[str], str]]:
    """Arguments and text of each translation unit."""
    groups: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for unit in units:
        groups.setdefault((unit.header, unit.defines, unit.includes), []).append(unit.text)
    return [
        (
            [*defines, "-include", str(precompiled(header, defines))],
            "\n".join([*(f'#include "{name}"' for name in includes), *texts[start : start + _MOST_KERNELS]]),
        )
        for (header, defines, includes), texts in groups.items()
        for start in range(0, len(texts), _MOST_KERNELS)
    ]


def _own_arguments(unit: Unit) -> list[str]:
    return [*unit.defines, f"-iquote{unit.root}", f"-fdebug-prefix-map={unit.root}={PLAN_PREFIX}"]


def _link(jobs: list[tuple[list[str], str]], libraries: list[Path]) -> str:
    """Compiles and links translation units (arguments, text) into one library with those names: messages, or ""."""
    places = [f"-I{INCLUDE}", f"-fdebug-prefix-map={INCLUDE}=/emu"]
    with tempfile.TemporaryDirectory(prefix="tt-build-compile-") as folder:

        def compile_one(job: tuple[int, tuple[list[str], str]]) -> tuple[int, str]:
            index, (arguments, text) = job
            source = Path(folder) / f"unit{index}.cpp"
            source.write_text(text)
            return run_compiler(
                [*KERNEL_FLAGS, *arguments, *places, "-c", str(source), "-o", f"{folder}/unit{index}.o"]
            )

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(compile_one, enumerate(jobs)))
        failed = "\n".join(messages for code, messages in results if code)
        if failed:
            return failed
        whole = Path(folder) / "kernels.so"
        code, messages = run_compiler(["-shared", *(f"{folder}/unit{i}.o" for i in range(len(jobs))), "-o", str(whole)])
        if code:
            return messages
        _publish(whole, libraries)
    return ""


def _publish(built: Path, libraries: list[Path]) -> None:
    first, *others = libraries
    for library in libraries:
        _forget_oldest(library.parent)
    with published(first) as path:
        shutil.copyfile(built, path)
    for library in others:
        with published(library) as path:
            path.unlink()
            try:
                os.link(first, path)
            except OSError:  # a file system without links
                shutil.copyfile(built, path)


def _forget_oldest(folder: Path, keep: int = 72) -> None:
    """Bounds the cache: of one of its 256 folders of libraries, the ``keep`` last used stay; so do those of an hour."""
    if not folder.is_dir():
        return
    used = {path: path.stat().st_mtime for path in folder.glob("*.so")}
    for library in sorted(used, key=used.__getitem__)[: max(0, len(used) - keep)]:
        if time.time() - used[library] > 3600:
            library.unlink(missing_ok=True)
