"""Messages of steps that run at once."""

from __future__ import annotations

import io

from tt_build.scons.messages import say


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
