"""``cache=https://...``: the cache of steps on a server that speaks Bazel's HTTP cache protocol.

``/ac/KEY`` holds an ``ActionResult`` that lists a step's outputs, ``/cas/SHA256`` their bytes. Every fetch verifies
both. Nothing here is ever an error of a build, and what it may cost is bounded: a request by ``REQUEST_SECONDS``, all
waiting beyond what the fetched steps saved by ``PATIENCE``, the end of a build by ``UPLOAD_SECONDS``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from tt_build.scons.actionresult import Digest, decode, encode
from tt_build.scons.messages import say
from tt_build.scons.server import Server, ServerError
from tt_build.scons.statistics import Entry, Statistics

REQUEST_SECONDS = 5.0
_FETCHERS, _UPLOADERS = 12, 4
_MOST_ENTRY, _MOST_BLOB, _MOST_WAITING = 1 << 20, 256 << 20, 256 << 20  # bytes
_FAILURES = 3  # in a row; then the server is left alone

T = TypeVar("T")


def seconds_of(variable: str, default: float) -> float:
    """A number of seconds out of the environment; the default for what is no number."""
    try:
        return max(0.0, float(os.environ.get(variable, "")))
    except ValueError:
        return default


PATIENCE = seconds_of("TT_BUILD_CACHE_PATIENCE", 10)
UPLOAD_SECONDS = seconds_of("TT_BUILD_CACHE_UPLOAD_WAIT", 10)


class RemoteCache:
    """Fetches while the build waits, stores behind its back."""

    parallel = _FETCHERS

    def __init__(self, url: str, *, writes: bool) -> None:
        self._url, self._server = url, Server(url, _FETCHERS + _UPLOADERS)
        self._fetchers, self._uploaders = Threads(_FETCHERS), Threads(_UPLOADERS)
        self._fetching, self._storing = True, writes
        self._lock = threading.Lock()
        self._failures = self._waiting = self._waiting_bytes = self._waiters = 0
        self._waited = self._since = 0.0
        self._sent: set[str] = set()
        self._idle = threading.Condition(self._lock)
        self._statistics = Statistics()

    # Fetching

    def get(self, key: str) -> Entry | None:
        """The outputs of the step with that key, verified; None when there are none to be had in time."""
        if not self._fetching:
            self._statistics.count(misses=1)
            return None
        with self._patience():
            entry = self._fetch(key, time.monotonic() + REQUEST_SECONDS)
        if entry is None:
            self._statistics.count(misses=1)
        else:
            size = sum(map(len, entry.outputs))
            self._statistics.count(hits=1, bytes_read=size, seconds_saved=entry.seconds)
        return entry

    def _fetch(self, key: str, deadline: float) -> Entry | None:
        try:
            message = _in_time(self._ask(f"ac/{key}", _MOST_ENTRY), deadline)
            if message is None:
                return None
            digests, seconds = decode(key, message)
            if sum(digest.size for digest in digests) > _MOST_BLOB:
                raise ValueError("its outputs are larger than they may be")
            blobs = [self._ask(f"cas/{digest.hash}", digest.size) for digest in digests]
            return Entry([_verified(_in_time(b, deadline), d) for b, d in zip(blobs, digests, strict=True)], seconds)
        except ValueError as error:
            self._statistics.count(bad=1)
            say(f"tt-build: bad cache entry {key[:16]}: {error}")
        except TimeoutError:
            self._give_up("it does not answer in time")
        except ServerError as error:
            self._failed(error)
        return None

    def _ask(self, path: str, most: int) -> Future[bytes | None]:
        def ask() -> bytes | None:
            found = self._server.get(path, most)
            self._failures = 0
            return found

        return self._fetchers.submit(ask)

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """Count the time in which anybody waits; when the server costs more than it saves, leave it."""
        with self._lock:
            self._waiters += 1
            if self._waiters == 1:
                self._since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._waiters -= 1
                now = time.monotonic()
                self._waited, self._since = self._waited + now - self._since, now
                lost = self._waited - self._statistics.seconds_saved
            if lost > PATIENCE and self._fetching:
                self._fetching = False
                self._say(f"it costs {lost:.0f} s more than it saves; steps are run instead")

    # Storing

    def put(self, key: str, outputs: list[bytes], seconds: float) -> None:
        """Store a step's outputs later; the entry comes after what it names."""
        size = sum(map(len, outputs))
        with self._lock:
            if not self._storing or self._waiting_bytes + size > _MOST_WAITING:
                return
            self._waiting += 1
            self._waiting_bytes += size
        self._uploaders.submit(self._upload, key, outputs, seconds, size)

    def _upload(self, key: str, outputs: list[bytes], seconds: float, size: int) -> None:
        try:
            digests = [Digest(hashlib.sha256(data).hexdigest(), len(data)) for data in outputs]
            for digest, data in zip(digests, outputs, strict=True):
                if self._storing and digest.hash not in self._sent:
                    self._server.put(f"cas/{digest.hash}", data)
                    self._sent.add(digest.hash)
            if self._storing:
                self._server.put(f"ac/{key}", encode(key, digests, seconds))
                self._failures = 0
                self._statistics.count(stored=1, bytes_written=size)
        except ServerError as error:
            self._failed(error)
        finally:
            with self._idle:
                self._waiting -= 1
                self._waiting_bytes -= size
                self._idle.notify_all()

    def finish(self) -> str:
        """Wait a little for what is still to be stored; the statistics in a line."""
        with self._idle:
            self._idle.wait_for(lambda: not self._waiting or not self._storing, UPLOAD_SECONDS)
            left = self._waiting if self._storing else 0
            self._storing = self._fetching = False
        return self._statistics.line(self._url) + (f", {left} not stored in {UPLOAD_SECONDS:.0f} s" if left else "")

    # Servers that fail

    def _failed(self, error: ServerError) -> None:
        with self._lock:
            self._failures += 1
            last = error.final or self._failures >= _FAILURES
        if last:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        with self._lock:
            first = self._fetching or self._storing
            self._fetching = self._storing = False
            self._idle.notify_all()
        if first:
            self._say(f"{reason}; the build goes on without it")

    def _say(self, text: str) -> None:
        say(f"tt-build: cache {self._url}: {text}")


class Threads:
    """Daemon threads that are started when there is work. Unlike an executor's, one that hangs holds up no exit."""

    def __init__(self, most: int) -> None:
        self._most, self._started = most, 0
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Run it on one of the threads."""
        future: Future[T] = Future()
        self._work.put((future, lambda: function(*arguments)))
        with self._lock:
            if self._started < self._most:
                self._started += 1
                threading.Thread(target=self._serve, daemon=True, name="tt-build cache").start()
        return future

    def _serve(self) -> None:
        while True:
            future, call = self._work.get()
            try:
                future.set_result(call())
            except BaseException as error:  # whoever waits gets it
                future.set_exception(error)


def _in_time(future: Future[T], deadline: float) -> T:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except BaseException as error:
        if type(error).__name__ == "TimeoutError":  # before Python 3.11 the futures' own
            raise TimeoutError from None
        raise


def _verified(data: bytes | None, digest: Digest) -> bytes:
    if data is None:
        raise ValueError("an output that it names is not there")
    if len(data) != digest.size or hashlib.sha256(data).hexdigest() != digest.hash:
        raise ValueError("its content is not what its digest says")
    return data
