"""Processes that outlive a step: a build's heavy steps go to them, so that its threads wait and do not compete.

A process imports the module that it serves once and then answers question after question, a line of JSON each. It is
started when all others are busy, so there are never more than steps that run at once. It ends with the build, however
that ends: its input closes.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable

import msgspec

from tt_build import children
from tt_build.children import Interrupted
from tt_build.decoding import decode

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main(int(sys.argv[2]))"
"""What a process runs first: modules come from where this process has them, and from nowhere else."""


class WorkerFault(RuntimeError):
    """A process failed at its own work; the text has its traceback."""


class _Answer(msgspec.Struct, frozen=True):
    """``data``, or that the work was ``interrupted``, or the traceback of a ``fault``."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    interrupted: bool = False
    fault: str = ""


class Workers:
    """The processes of one module, whose ``main`` gets the number of jobs of the build and calls ``serve``."""

    def __init__(self, module: str, jobs: int) -> None:
        self._boot = BOOT.format(module=module)
        self._jobs = jobs
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self, count: int) -> None:
        """Start that many processes, so that they import while this one declares what they will be asked."""
        self._idle += [self._start() for _ in range(count)]

    def ask(self, question: bytes) -> bytes:
        """The answer of an idle process, or of a new one. Raises ``Interrupted`` and ``WorkerFault``."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        process = process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(question + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            return self._lost(process)
        with self._lock:
            self._idle.append(process)
        answer = decode(line, _Answer)
        if answer.interrupted:
            raise Interrupted
        if answer.fault:
            raise WorkerFault(answer.fault)
        return bytes(answer.data)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-c", self._boot, json.dumps(sys.path), str(self._jobs)]
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # a process is a core
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **one})
        children.track(process)
        return process

    def _lost(self, process: subprocess.Popen[bytes]) -> bytes:
        """A process ended before it answered."""
        code = process.wait()
        children.forget(process)
        if children.stopped():
            raise Interrupted
        raise WorkerFault(f"a process of the build ended with exit code {code}; is there enough memory?")

    def close(self) -> None:
        """End those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait()
            children.forget(process)


def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answer questions until there are no more. What the work prints goes to the error output."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the build decides
        signal.signal(signal.SIGTERM, _end)
        for line in sys.stdin.buffer:
            out.write(msgspec.json.encode(_answered(answer, line)) + b"\n")
            out.flush()


def _answered(answer: Callable[[bytes], bytes], question: bytes) -> _Answer:
    try:
        return _Answer(data=msgspec.Raw(answer(question)))
    except Interrupted:
        return _Answer(interrupted=True)
    except Exception:
        return _Answer(fault=traceback.format_exc())


def _end(*_: object) -> None:
    children.stop()
    os._exit(128 + signal.SIGTERM)
