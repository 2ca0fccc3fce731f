"""The table of docs/library.md: the columns that need no run are what the compiler says now.

The others are of a run that ``scons verify`` repeats (``tests/end_to_end/test_gates.py``).
"""

from __future__ import annotations

import pytest

from benchmarks.library_table import BEGIN, HEAD, PAGE, STATIC, declarations, static_cells, table
from benchmarks.pages import END
from tt_build.passes.pipeline import compile_kernel


def rows() -> list[list[str]]:
    text = PAGE.read_text()
    lines = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip().splitlines()
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]


def test_the_table_is_current() -> None:
    head, _, *body = rows()
    assert tuple(head) == HEAD
    expected = [static_cells(entry, compile_kernel(entry)[0]) for entry in declarations()]
    assert [row[:STATIC] for row in body] == expected, "run python -m benchmarks.library_table --write"
    for row, entry in zip(body, declarations(), strict=True):
        sizes = (entry.smaller or entry).kernel.sizes
        assert row[STATIC] == ", ".join(f"{name} = {size}" for name, size in sizes.items())


@pytest.mark.long
def test_the_table_is_what_the_emulator_finds() -> None:
    assert table() in PAGE.read_text(), "run python -m benchmarks.library_table --write"
