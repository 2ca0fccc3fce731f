"""The host program's half of the gate: it compiles, and every SDK symbol that it needs is in the wheel's library.

Host headers are not in the wheel, so it is compiled against thin declarations of our own (``host_stub``); what is
proven is that name, scope and parameter types of each function that it calls are exported by ``libtt_metal.so``.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import tempfile
from pathlib import Path

import msgspec

from tt_build.children import run_child
from tt_build.decoding import decode
from tt_build.sdk.cache import SdkUnavailable, build_folder, cache_root, write_file
from tt_build.sdk.compile_env import MESSAGES
from tt_build.sdk.findings import Finding, parse
from tt_build.sdk.toolchain import compiler, compiler_version
from tt_build.sdk.wheel import ensure
from tt_build.targets.sdk import Sdk, load_sdk

STUB = Path(__file__).parent / "host_stub"
HOST_SOURCE = "host_program.cpp"
_FLAGS = ("-std=c++20", "-O0", "-Wall", "-Werror")
_SDK_SYMBOL = re.compile(r"\btt::|\b(?:un)?tilize_nfaces\b|\b(?:un)?pack_(?:as_)?bfp\d")


class _Compiled(msgspec.Struct, frozen=True):
    """Findings of the compiler, and the SDK's symbols that the object leaves undefined, demangled."""

    findings: list[Finding]
    symbols: list[str]


def check_host(sdk: Sdk, kernel: str, source: Path, digest: str, *, use_cache: bool = True) -> list[Finding]:
    """Findings about one host program; ``digest`` (of the gate's own sources) is part of the cached result's key."""
    compiled = _compile(sdk, kernel, source, digest, use_cache)
    exported = exported_symbols(sdk.name)
    text = source.read_text()
    found = list(compiled.findings)
    for symbol in compiled.symbols:
        if symbol not in exported and not symbol.startswith(tuple(f"{scope}::" for scope in sdk.host_inline)):
            name = _function(symbol)
            found.append(
                Finding(
                    severity="error",
                    kernel=kernel,
                    file=source.name,
                    line=_line(text, name),
                    column=0,
                    message=f"the SDK's library does not export {symbol}",
                    processors=("host",),
                    help=f"SDK {sdk.name} has no {name}; use {sdk.host_gone[name]}" if name in sdk.host_gone else "",
                )
            )
    return found


@functools.cache
def exported_symbols(version: str) -> frozenset[str]:
    """Demangled names that the wheel's ``libtt_metal.so`` defines; read once for each wheel (two seconds)."""
    sdk = load_sdk(version)

    def fill(target: Path) -> None:
        library = ensure(sdk.name) / "ttnn" / "build" / "lib" / "libtt_metal.so"
        lines = _nm("-DC", "--defined-only", str(library)).splitlines()
        (target / "symbols.txt").write_text("\n".join(sorted({line.split(" ", 2)[2] for line in lines if line})))

    folder = build_folder(cache_root() / "symbols" / sdk.release, fill)
    return frozenset((folder / "symbols.txt").read_text().splitlines())


def _compile(sdk: Sdk, kernel: str, source: Path, digest: str, use_cache: bool) -> _Compiled:
    key = hashlib.sha256(msgspec.json.encode([source.read_text(), kernel, digest, compiler_version()])).hexdigest()
    result = cache_root() / "gate" / key[:2] / f"{key}.json"
    if use_cache and result.is_file():
        try:
            return decode(result.read_bytes(), _Compiled)
        except (OSError, msgspec.MsgspecError):
            pass  # a damaged entry is a miss
    with tempfile.TemporaryDirectory(prefix="tt-build-host.") as temporary:
        target = Path(temporary) / "host_program.o"
        command = [compiler(), "-c", *_FLAGS, *MESSAGES, "-include", str(_prelude(digest)), f"-I{STUB}"]
        done = run_child([*command, str(source), "-o", str(target)])
        findings = parse(
            done.stderr, kernel=kernel, source=source, display=source.name, root=STUB, processor="host", sdk=sdk
        )
        if done.returncode and not findings:
            raise RuntimeError(
                f"g++ failed on {source} without an error that the gate can read:\n{done.stderr[-2000:]}"
            )
        undefined = _nm("-uC", str(target)).splitlines() if target.is_file() else []
    names = sorted({line.strip().split(" ", 1)[1] for line in undefined if " " in line.strip()})
    compiled = _Compiled(findings=findings, symbols=[name for name in names if _SDK_SYMBOL.search(name)])
    write_file(result, msgspec.json.encode(compiled))
    return compiled


@functools.cache
def _prelude(digest: str) -> Path:
    """The standard headers and the stand-in, precompiled: it halves the time of a check."""
    text = (
        '#include "tt-metalium/stub.hpp"\n#include <algorithm>\n#include <bit>\n#include <chrono>\n#include <fstream>\n'
    )
    text += "#include <iostream>\n#include <random>\n#include <stdexcept>\n"
    key = hashlib.sha256(f"{text}{digest}{compiler_version()}{_FLAGS}".encode()).hexdigest()[:16]

    def fill(target: Path) -> None:
        (target / "host.h").write_text(text)
        command = [compiler(), "-x", "c++-header", *_FLAGS, f"-I{STUB}", "host.h", "-o", "host.h.gch"]
        run_child(command, cwd=target)

    return build_folder(cache_root() / "prelude" / f"host-{key}", fill) / "host.h"


def _nm(*arguments: str) -> str:
    tool = shutil.which("nm")
    if tool is None:
        raise SdkUnavailable("the SDK gate needs nm: install it with: sudo apt-get install binutils")
    done = run_child([tool, *arguments])
    done.check_returncode()
    return done.stdout


def _function(symbol: str) -> str:
    """The function's own name in a demangled symbol."""
    plain = symbol.split("(", 1)[0].split("<", 1)[0]
    return re.split(r"::|\s", plain)[-1]


def _line(text: str, name: str) -> int:
    """The first line of the program that names the function; 0 where the call is implicit."""
    pattern = re.compile(rf"\b{re.escape(name)}\b") if name else None
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if pattern and pattern.search(line)), 0)
