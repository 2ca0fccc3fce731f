"""What one build knows beside SCons: results computed while checking, diagnostics, counts for the summary."""

from __future__ import annotations

import atexit
import hashlib
import sys
import time
from collections.abc import Callable

from tt_build.spec.diagnostics import Rejected


class State:
    """One per ``TTKernels`` call."""

    def __init__(self, render: Callable[[Rejected], str]) -> None:
        self._render = render
        self._memo: dict[bytes, list[bytes]] = {}
        self._steps: dict[str, int] = {}
        self._failed: list[str] = []
        self._messages: list[str] = []
        self._started = time.monotonic()
        atexit.register(self._summary)

    def memo(self, signature: bytes, data: bytes, step: Callable[[bytes], list[bytes]]) -> list[bytes]:
        """``step(data)``, computed once for these bytes and this signature in this process."""
        key = hashlib.sha256(signature + b"\0" + data).digest()
        if key not in self._memo:
            self._memo[key] = step(data)
        return self._memo[key]

    def report(self, kernel: str, rejected: Rejected) -> None:
        """Print the diagnostics of a kernel now, and keep them for the summary."""
        text = self._render(rejected)
        self._failed.append(kernel)
        self._messages.append(text)
        print(text, file=sys.stderr)

    def ran(self, kernel: str) -> None:
        """Count a step."""
        self._steps[kernel] = self._steps.get(kernel, 0) + 1

    def _summary(self) -> None:
        if not self._steps and not self._failed:
            return
        steps = sum(self._steps.values())
        names = list(self._steps)
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        seconds = time.monotonic() - self._started
        failed = f", {len(self._failed)} failed: {', '.join(self._failed)}" if self._failed else ""
        print(f"tt-build: {steps} steps for {len(names)} kernels ({shown}){failed} in {seconds:.2f} s")
