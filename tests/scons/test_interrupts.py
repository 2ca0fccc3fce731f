"""Ctrl-C ends a build soon, and nothing that was cut off counts as a verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import SPEC
from tests.support import ROOT, Tree
from tt_build import children
from tt_build.children import Interrupted, run_child
from tt_build.scons.interrupt import interruptible

SOON = 5.0  # seconds; what is interrupted here lasts a minute


def interrupt(tree: Tree, until: str, *arguments: str, group: bool) -> tuple[str, float]:
    """Start SCons, interrupt it when ``until`` is printed; what it said, and how long it went on."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "SCons", *arguments],
        cwd=tree.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if until in line:
            break
    time.sleep(0.3)
    started = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said + rest
    return said + rest, time.monotonic() - started


@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
def test_an_interrupted_verification_is_no_verdict(tmp_path: Path, group: bool) -> None:
    """A terminal sends the signal to the emulator's process, too: that it ended was taken for the kernel's fault."""
    engine = tmp_path / "engine"
    engine.write_text("#!/bin/sh\nexec sleep 60\n")
    engine.chmod(0o755)
    boot = (
        "import pathlib\nfrom tt_build.emulator import toolchain\n"
        f"def engine():\n    print('engine starts', flush=True)\n    return pathlib.Path({str(engine)!r})\n"
        "toolchain.engine = engine\n"
    )
    patched = (
        f"from tt_build.scons import workers\nworkers.BOOT = workers.BOOT.replace('from {{', {boot!r} + 'from {{')\n"
    )
    tree = Tree(tmp_path / "tree", SPEC, patched + Tree.SCONSTRUCT)
    said, seconds = interrupt(tree, "engine starts", "verify", group=group)
    assert "is wrong" not in said
    assert "failed" not in said
    assert "verify of gemm was interrupted" in said or "verify of add was interrupted" in said
    assert "up to date" not in said
    assert not list(tree.folder.rglob("verify*.json"))
    assert seconds < SOON


def test_an_interrupted_report_ends_soon(tmp_path: Path) -> None:
    patched = (
        "import time\nimport tt_build.scons.report as report\n"
        "def compare(declared, chosen):\n    print('comparing', flush=True)\n    time.sleep(60)\n"
        "report.compare = compare\n"
    )
    tree = Tree(tmp_path / "tree", SPEC, patched + Tree.SCONSTRUCT)
    said, seconds = interrupt(tree, "comparing", "report", group=True)
    assert "of gemm was interrupted" in said
    assert seconds < SOON


@pytest.mark.parametrize(("kernels", "jobs"), [(30, "-j2"), (2, "-j1")], ids=["processes", "one"])
@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
def test_the_check_before_the_first_step_tells_how_far_it_is_and_ends_at_once(
    tmp_path: Path, kernels: int, jobs: str, group: bool
) -> None:
    patched = (
        "import time\nimport tt_build.scons.check as check\ncheck._QUIET_SECONDS = 0.0\ncheck._CHUNK = 1\n"
        "import tt_build.passes.pipeline as pipeline\n"
        "whole, apply = [], pipeline.Pass.apply_text\n"
        "def slow(self, data):\n"
        "    whole.append(self.name)\n    time.sleep(20 if whole.count(self.name) > 1 else 0)\n"
        "    return apply(self, data)\n"
        "pipeline.Pass.apply_text = slow\n"
    )
    row = "  k{0}: {{inputs: {{X: {{shape: [64, {0}]}}}}, outputs: {{Z: {{shape: [64, {0}]}}}}, compute: Z = -X}}"
    rows = [row.format(number) for number in range(1, kernels + 1)]
    tree = Tree(tmp_path / "tree", "\n".join(["version: 1", "kernels:", *rows, ""]), patched + Tree.SCONSTRUCT)
    said, seconds = interrupt(tree, f"check 1/{kernels} ", jobs, group=group)
    assert "Build interrupted" in said
    assert "Traceback" not in said
    assert "up to date" not in said
    assert seconds < 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_child_that_a_signal_ended_is_an_interrupt(number: int) -> None:
    with pytest.raises(Interrupted):
        run_child(["sh", "-c", f"kill -{int(number)} $$"])
    assert run_child(["sh", "-c", "kill -SEGV $$"]).returncode == -signal.SIGSEGV


def test_stop_ends_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_STOPPED", threading.Event())
    threading.Timer(0.2, children.stop).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        run_child(["sleep", "60"])
    with pytest.raises(Interrupted):
        run_child(["true"])
    assert time.monotonic() - started < SOON


def test_work_that_can_be_interrupted_gives_its_result_or_its_error() -> None:
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_without_a_compiler_each_kernel_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    output = Tree(tmp_path / "tree", SPEC).scons("verify", "-k", code=2)
    assert "tt-build: verify of add: the emulator needs no-such-compiler; install it" in output
    assert "Traceback" not in output


def test_a_cache_that_cannot_be_used_is_no_fault_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    output = Tree(tmp_path / "tree", SPEC).scons("verify-add", code=2)
    assert f"tt-build: verify of add: cannot use {tmp_path}/file/tt-build/emulator" in output
    assert ": Not a directory" in output
    assert "please report it" not in output


def test_a_fault_of_a_process_is_reported_as_ours(tmp_path: Path) -> None:
    patched = "from tt_build.scons import workers\nworkers.BOOT = 'import sys; sys.exit(5)'\n"
    output = Tree(tmp_path / "tree", SPEC, patched + Tree.SCONSTRUCT).scons("verify", code=2)
    assert "this is a fault of tt-build; please report it" in output
    assert "exit code 5" in output
