"""Processes that outlive a step: a build's heavy steps go to them, so that its threads wait and do not compete.

A process imports the module that it serves once and then answers question after question, a line of JSON each. It is
started when all others are busy, so there are never more than steps that run at once. It ends with the build, however
that ends and whatever it does then: its input closes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import BinaryIO

import msgspec

from tt_build import children
from tt_build.children import Interrupted
from tt_build.decoding import decode

BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main(int(sys.argv[2]))"
"""What a process runs first: modules come from where this process has them, and from nowhere else."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TOLD_TO_END = 128 + signal.SIGTERM


class WorkerFault(RuntimeError):
    """A process failed at its own work; the text has its traceback."""


class WorkerLost(RuntimeError):
    """A signal ended a process before it answered."""


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
        self._asked = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self, count: int) -> None:
        """See that so many processes are there, or as many as the build has jobs: they import while this one declares
        what they will be asked.
        """
        with self._lock:
            self._idle += [self._start() for _ in range(min(count, self._jobs) - len(self._idle))]

    def ask(self, question: Callable[[int], bytes]) -> bytes:
        """The answer of an idle process, or of a new one, to what ``question`` says when so many work, this one with
        them. Raises ``Interrupted``, ``WorkerFault``, ``WorkerLost``.
        """
        with self._lock:
            self._asked += 1
            text = question(self._asked)
        try:
            return self._ask(text)
        finally:
            with self._lock:
                self._asked -= 1

    def _ask(self, question: bytes) -> bytes:
        process = self._take()
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

    def _take(self) -> subprocess.Popen[bytes]:
        """A process that lives: one that ended while it had nothing to do is no loss."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _ended(process)
        return self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        if children.stopped():
            raise Interrupted
        command = [sys.executable, "-I", "-c", self._boot, json.dumps(sys.path), str(self._jobs)]
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # a process is a core
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a terminal's, until ``serve`` takes it
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **one}
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        children.track(process)
        return process

    def _lost(self, process: subprocess.Popen[bytes]) -> bytes:
        """A process ended before it answered."""
        code = _ended(process)
        if children.stopped() or code == _TOLD_TO_END or code in children.ENDS:
            raise Interrupted
        if code < 0:
            name = signal.Signals(-code).name
            raise WorkerLost(f"the process that worked on it was ended by {name}; is there enough memory?")
        raise WorkerFault(f"a process of the build ended with exit code {code}")

    def close(self) -> None:
        """End those that are idle, and those that did not get as far."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.terminate()
        for process in idle:
            _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process, which is near; its exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # of a question that nobody read
        process.stdin.close()
    process.stdout.close()
    code = process.wait()
    children.forget(process)
    return code


def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answer questions until the input closes. What the work prints goes to the error output; it has no input."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    source, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    questions: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(source, questions), daemon=True).start()
    while True:
        out.write(msgspec.json.encode(_answered(answer, questions.get())) + b"\n")
        out.flush()


def _read(source: BinaryIO, questions: SimpleQueue[bytes]) -> None:
    """Pass on the questions. When there are no more, nobody waits for what goes on."""
    for line in source:
        questions.put(line)
    os.kill(os.getpid(), signal.SIGTERM)


def _answered(answer: Callable[[bytes], bytes], question: bytes) -> _Answer:
    try:
        return _Answer(data=msgspec.Raw(answer(question)))
    except Interrupted:
        return _Answer(interrupted=True)
    except Exception:
        return _Answer(fault=traceback.format_exc())


def _end(*_: object) -> None:
    """End the work, which removes its temporary folders; once, where a signal comes to the group and from the build."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    children.stop()
    raise SystemExit(_TOLD_TO_END)
