"""Progress: a plain line in CI and files, a bar on a terminal."""

from __future__ import annotations

import io

import pytest

from tt_build.scons import progress as module
from tt_build.scons.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_plain_line_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress("verify", stream)
    progress.expected = 2
    progress.step("gemm", "pass")
    progress.step("add", "fail")
    assert stream.getvalue() == "verify 1/2 gemm: pass\nverify 2/2 add: fail\n"


def test_a_bar_on_a_terminal_but_not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    stream = Terminal()
    progress = Progress("verify", stream)
    progress.expected = 2
    progress.step("gemm", "pass")
    assert stream.getvalue() == "verify [############............] 1/2 gemm: pass\n"
    monkeypatch.setenv("CI", "true")
    progress.step("add", "pass")
    assert stream.getvalue().endswith("verify 2/2 add: pass\n")


def test_lines_are_seconds_apart_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = Progress("check", stream, every=3.0)
    progress.expected = 8
    for number in range(8):
        now[0] += 1
        progress.step(f"k{number}", "checked")
    assert stream.getvalue() == "check 3/8 k2: checked\ncheck 6/8 k5: checked\n"
