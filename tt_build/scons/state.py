"""What one ``TTKernels`` call knows while SCons runs: results computed ahead, diagnostics, counts for the summary."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection
from typing import Protocol

from tt_build.scons.ledger import step_key
from tt_build.scons.messages import say
from tt_build.scons.nodes import StepTarget
from tt_build.scons.statistics import Entry
from tt_build.scons.trace import Trace
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.nearest import kernels_and_programs, plural

_COMPUTING = threading.Lock()
_MOST_KEPT = 512 << 20  # bytes of results computed ahead; the rest is computed again by its step


class Store(Protocol):
    """A cache of steps' outputs by key; ``parallel`` is how many fetches at once it gains from."""

    parallel: int

    def get(self, key: str) -> Entry | None:
        """The outputs, verified; None when they are not there."""

    def put(self, key: str, outputs: list[bytes], seconds: float) -> None:
        """Keep the outputs of a step that took so long."""

    def finish(self) -> str:
        """What the cache did in this build, in a line; called once, at its end."""


class State:
    """Results, messages and counts of one call; used by SCons' threads at once."""

    def __init__(self, render: Callable[[Rejected], str], trace: Trace, store: Store | None = None) -> None:
        self._render, self.trace, self._store = render, trace, store
        self._lock = threading.Lock()
        self._ahead: dict[str, tuple[list[bytes], bool]] = {}
        self._size = 0
        self._absent: set[str] = set()
        self._steps: dict[str, list[str]] = {}
        self._cached: dict[str, int] = {}
        self._messages: dict[str, list[str]] = {}

    def step(self, key: str, data: bytes, step: Callable[[bytes], list[bytes]]) -> tuple[list[bytes], bool]:
        """The outputs of the step with that key, which is ``step`` for ``data``; whether they came out of the cache.

        Computed ahead, fetched, or computed now. Raises ``Rejected``.
        """
        with self._lock:
            found = self._ahead.pop(key, None)
            if found is not None:
                self._size -= sum(map(len, found[0]))
                return found
        return self._make(key, data, step)

    def ahead(self, signature: str, data: bytes, step: Callable[[bytes], list[bytes]]) -> list[bytes]:
        """``step``, its result kept for the action that will ask for it."""
        key = step_key(signature, [hashlib.sha256(data).hexdigest()])
        found = self._ahead.get(key) or self._make(key, data, step)
        self.keep(key, *found)
        return found[0]

    def keep(self, key: str, outputs: list[bytes], cached: bool) -> None:
        """Keep a result that was computed ahead, as far as memory allows."""
        size = sum(map(len, outputs))
        with self._lock:
            if key not in self._ahead and self._size + size <= _MOST_KEPT:
                self._ahead[key] = (outputs, cached)
                self._size += size

    def computed(self, key: str, outputs: list[bytes], seconds: float) -> None:
        """Keep what another process computed, and store it."""
        if key not in self._ahead:
            if self._store is not None:
                self._store.put(key, outputs, seconds)
            self.keep(key, outputs, False)

    def fetch_ahead(self, signatures: list[str], data: bytes) -> bool:
        """Fetch the steps of a kernel as far as the cache has them; whether it has all of them."""
        for signature in signatures:
            key = step_key(signature, [hashlib.sha256(data).hexdigest()])
            outputs = self._fetch(key)
            if outputs is None:
                return False
            self.keep(key, outputs, True)
            data = outputs[0]
        return True

    def _fetch(self, key: str) -> list[bytes] | None:
        """The outputs out of the cache, which is asked once for each key."""
        if self._store is None or key in self._absent:
            return None
        found = self._store.get(key)
        if found is None:
            self._absent.add(key)
        return None if found is None else found.outputs

    def _make(self, key: str, data: bytes, step: Callable[[bytes], list[bytes]]) -> tuple[list[bytes], bool]:
        fetched = self._fetch(key)
        if fetched is not None:
            return fetched, True
        started = time.perf_counter()
        with _COMPUTING:  # pure Python: threads gain nothing, and templates share an environment
            outputs = step(data)
        if self._store is not None:
            self._store.put(key, outputs, time.perf_counter() - started)
        return outputs, False

    @property
    def store(self) -> Store | None:
        """The cache, if there is one."""
        return self._store

    def is_cached(self, step: StepTarget, *, cacheable: bool) -> bool:
        """Whether the step's outputs come from the cache; looks there."""
        key = step.key()
        if key not in self._ahead and cacheable:
            fetched = self._fetch(key)
            if fetched is not None:
                self.keep(key, fetched, True)
        found = self._ahead.get(key)
        return found is not None and found[1]

    def report(self, kernel: str, rejected: Rejected) -> None:
        """Print the diagnostics of a kernel now, and keep them for the summary."""
        self.failed(kernel, self._render(rejected))

    def failed(self, kernel: str, message: str) -> None:
        """Print a failure now, and keep it for the summary."""
        with self._lock:
            self._messages.setdefault(kernel, []).append(message)
        say(message)

    def ran(self, kernel: str, label: str, *, cached: bool = False) -> None:
        """Count a step that ran, or one whose outputs the cache gave."""
        with self._lock:
            if cached:
                self._cached[kernel] = self._cached.get(kernel, 0) + 1
            else:
                self._steps.setdefault(kernel, []).append(label)

    def steps_of(self, kernel: str) -> list[str]:
        """The steps of a kernel that ran, in order."""
        return self._steps.get(kernel, [])

    @property
    def idle(self) -> bool:
        """Whether nothing ran, nothing came from the cache, and nothing failed."""
        return not (self._steps or self._messages or self._cached)

    def summary(self, seconds: float, programs: Collection[str]) -> str:
        """One line on what was done, after the diagnostics of what failed, once more; these names are programs."""
        steps = sum(map(len, self._steps.values()))
        names = list(dict.fromkeys((*self._steps, *self._cached)))
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        of_programs = len(set(names).intersection(programs))
        line = f"tt-build: {plural(steps, 'step')} for {kernels_and_programs(len(names) - of_programs, of_programs)}"
        line += f" ({shown})" if shown else ""
        if self._cached:
            line += f", {plural(sum(self._cached.values()), 'step')} from the cache"
        if self._messages:
            line += f", {len(self._messages)} failed: {', '.join(self._messages)}"
        again = [message for messages in self._messages.values() for message in messages]
        return "\n".join([*again, f"{line} in {seconds:.2f} s"])
