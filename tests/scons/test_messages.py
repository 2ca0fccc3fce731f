"""Messages of steps that run at once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tt_build.scons.messages import say
from tt_build.scons.server import credentials_for


class Recorder(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


def test_a_message_is_written_with_its_line_end_at_once() -> None:
    """Between two writes another thread's message comes: CI saw two kernels' findings on one line."""
    stream = Recorder()
    say("reader.cpp:1:2: error: one\nreader.cpp:3:4: error: two", stream)
    assert stream.writes == ["reader.cpp:1:2: error: one\nreader.cpp:3:4: error: two\n"]


def test_a_netrc_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("TT_BUILD_CACHE_USER", raising=False)
    assert credentials_for("https://localhost/x") is None
    assert f"NETRC names {tmp_path / 'none'}, which does not exist" in capsys.readouterr().err
