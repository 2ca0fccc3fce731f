"""Pages of docs with a part that a benchmark writes, between its own markers."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end -->"


def write_part(page: Path, begin: str, text: str) -> None:
    """Put ``text`` between the marker ``begin`` and the next end marker."""
    whole = page.read_text()
    start = whole.index(begin) + len(begin)
    page.write_text(f"{whole[:start]}\n{text}\n{whole[whole.index(END, start) :]}")
