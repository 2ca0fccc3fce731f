"""SCons without its start: a process that has imported everything forks a child for each build.

A child is what ``python -m SCons`` would be: its own process, folder, arguments, environment, output and exit code.
``preload`` also imports this repository's compiler; without it each child imports the compiler that it is given.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent


class Done(NamedTuple):
    """How a child ended: exit code (negative for a signal), and both streams together."""

    code: int
    output: str


class Zygote:
    """The client; ``close`` ends the process."""

    def __init__(self, *, preload: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "preload" if preload else "bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def scons(
        self, folder: Path, *arguments: str, compiler: Path = ROOT, times: int = 1, fault: str = "", kill: float = 0
    ) -> list[Done]:
        """``times`` builds at once. ``fault`` is for ``faults.install``; ``kill`` seconds after the start, SIGKILL."""
        return self._ask(
            {"folder": str(folder), "arguments": arguments, "times": times, "fault": fault, "kill": kill}, compiler
        )

    def call(self, function: str, *arguments: Any, compiler: Path = ROOT) -> Any:
        """``module:function`` of the tests, called with this compiler; the result."""
        (done,) = self._ask({"call": function, "arguments": arguments, "times": 1}, compiler)
        assert done.code == 0, done.output
        return pickle.loads(bytes.fromhex(done.output))

    def _ask(self, request: dict[str, Any], compiler: Path) -> list[Done]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({**request, "compiler": str(compiler)}) + "\n")
        self._process.stdin.flush()
        return [Done(*row) for row in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def run_processes(
    folder: Path, *arguments: str, compiler: Path = ROOT, times: int = 1, fault: str = "", kill: float = 0
) -> list[Done]:
    """``Zygote.scons`` without a zygote: processes that start as a user's do."""
    module = ["tests.scons.faults", fault] if fault else ["SCons"]
    path = os.pathsep.join((str(compiler), str(ROOT)))
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *module, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        for _ in range(times)
    ]
    if kill:
        time.sleep(kill + 0.3)  # a process takes that much longer to start
        for process in running:
            process.kill()
    outputs = [process.communicate()[0] for process in running]
    return [Done(process.returncode, output) for process, output in zip(running, outputs, strict=True)]


def serve(preload: bool) -> None:
    """Answer requests, a line of JSON each, until the input ends."""
    import jinja2.ext
    import jsonschema
    import msgspec
    import numpy
    import SCons.Script
    import yaml

    assert all((jinja2, jsonschema, msgspec, numpy, SCons.Script, yaml))
    if preload:
        sys.path.insert(0, str(ROOT))
        import tt_build.scons.chains
        import tt_build.scons.check
        import tt_build.scons.session
        import tt_build.spec.render
        from tests.scons.model import warm

        assert tt_build
        warm()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        children = [start(request) for _ in range(request["times"])]
        if request.get("kill"):
            time.sleep(request["kill"])
            for pid, _ in children:
                os.kill(pid, signal.SIGKILL)  # a child that has ended is still ours to wait for
        rows = []
        for pid, reader in children:
            with os.fdopen(reader, "rb") as output:
                text = output.read().decode("utf-8", "replace")
            rows.append((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text))
        print(json.dumps(rows), flush=True)


def start(request: dict[str, Any]) -> tuple[int, int]:
    """A child; its process and the pipe with its output."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    os.close(reader)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    # SCons drops some of these on its way out, which must not close what is under them.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    code = 70
    try:
        sys.path[:0] = [request["compiler"], str(ROOT)]
        code = call(request) if "call" in request else build(request)
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def build(request: dict[str, Any]) -> int:
    """``scons`` with these arguments in this folder; its exit code."""
    import SCons.Script

    os.chdir(request["folder"])
    if request["fault"]:
        from tests.scons.faults import install

        install(request["fault"])
    sys.argv = ["scons", *request["arguments"]]
    try:
        SCons.Script.main()
    except SystemExit as left:
        return int(left.code or 0)
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def call(request: dict[str, Any]) -> int:
    """Write a function's result."""
    import importlib

    module, _, name = request["call"].partition(":")
    result = getattr(importlib.import_module(module), name)(*request["arguments"])
    print(pickle.dumps(result).hex(), end="")
    return 0


if __name__ == "__main__":
    serve(sys.argv[1] == "preload")
