"""What a step that ran kernels came to: its file, why it failed, and its lines of the table at the end."""

from __future__ import annotations

import atexit

import msgspec

from tt_build.scons.messages import tell


class Row(msgspec.Struct, frozen=True):
    """An output of the table; numbers as they are printed."""

    output: str = "-"
    pcc: str = "-"
    max_ulp: str = "-"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``text`` is the file's; ``why`` is empty where the kernel or program passed."""

    kernel: str
    status: str
    text: bytes
    why: str
    rows: tuple[Row, ...]
    dram_bytes: int


class Answer(msgspec.Struct, frozen=True):
    """An outcome on its way from another process, or why there can be none."""

    outcome: Outcome | None = None
    error: str = ""


def summarize(outcomes: list[Outcome]) -> None:
    """Print a table of the outcomes when the build ends."""
    atexit.register(lambda: _table(outcomes))


def _table(outcomes: list[Outcome]) -> None:
    if not outcomes:
        return
    tell(f"{'kernel':<24} {'output':<10} {'PCC':>10} {'max ulp':>9} {'DRAM bytes':>12}  verdict")
    for one in outcomes:
        for row in one.rows:
            numbers = f"{row.pcc:>10} {row.max_ulp:>9} {one.dram_bytes:>12}"
            tell(f"{one.kernel:<24} {row.output:<10} {numbers}  {one.status}")
