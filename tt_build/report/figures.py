"""Figures as people read them, and tables of text."""

from __future__ import annotations

from collections.abc import Sequence


def amount(size: int) -> str:
    """Bytes: exact below 10 KiB, else in KiB or MiB with three digits."""
    if size < 10 * 1024:
        return f"{size:,} B"
    for unit, factor in (("KiB", 1024), ("MiB", 1024**2), ("GiB", 1024**3)):
        value = size / factor
        if value < 999.5 or unit == "GiB":
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    raise AssertionError(size)


def duration(nanoseconds: int) -> str:
    """A time with three digits."""
    for unit, factor in (("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9)):
        value = nanoseconds / factor
        if value < 999.5 or unit == "s":
            return f"{value:.0f} {unit}" if value >= 100 or unit == "ns" else f"{value:.3g} {unit}"
    raise AssertionError(nanoseconds)


def percent(share: float) -> str:
    """A fraction as percent."""
    return f"{100 * share:.0f} %"


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Columns under each other, those of ``right`` aligned at their end; two spaces before each line."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return lines


BOUNDS = {
    "math": "the matrix engine",
    "vector": "the vector engine",
    "unpack": "the unpackers",
    "pack": "the packer",
    "reader": "the reader's processor",
    "writer": "the writer's processor",
    "noc": "a core's NoC port",
    "dram": "DRAM",
    "fixed": "launch and end",
}
"""What each bound is, in words."""
