"""A module for ``Workers`` in tests: does what a question asks, and says which process did."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

from tt_build.children import Interrupted, run_child
from tt_build.scons.workers import serve


def main(jobs: int) -> None:
    """Serve."""
    serve(lambda question: json.dumps([jobs, os.getpid(), act(**json.loads(question))]).encode())


def act(do: str) -> str:
    """What the question asks."""
    if do == "raise":
        raise ValueError("of no use")
    if do == "end":
        os._exit(3)
    if do == "interrupted":
        raise Interrupted
    if do == "print":
        print("of no concern")
    if do in ("pause", "sleep"):
        time.sleep(1 if do == "pause" else 60)
    if do == "input":
        return os.read(0, 1).decode() or do
    if do == "wait":
        with tempfile.TemporaryDirectory():
            run_child(["sleep", "60"], pass_fds=[os.dup(2)])
    if do == "modules":
        return json.dumps(sorted(sys.path))
    return do
