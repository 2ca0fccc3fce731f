"""What the emulator reports: one error, with kernel, core, source line and what to do."""

from __future__ import annotations

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the deadlock table: who waits where for what, has how much, who should supply it."""

    core: tuple[int, int]
    thread: str
    place: str
    call: str
    what: str
    wants: int
    have: int
    size: int
    supplier: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An error. ``place`` is ``file:line`` of the kernel text below the plan's folder; "" where there is none."""

    code: str
    text: str
    help: str
    kernel: str = ""
    core: tuple[int, int] | None = None
    thread: str = ""
    place: str = ""
    table: tuple[Waiting, ...] = ()

    def render(self) -> str:
        """The report as text for people."""
        where = self.place
        if self.core is not None:
            at = f"core ({self.core[0]}, {self.core[1]}), {self.thread}"
            where = f"{where} ({at})" if where else f"{self.kernel} ({at})"
        lines = [f"error[{self.code}]: {self.text}"]
        if where:
            lines.append(f"  at {where}")
        lines += _deadlock_table(self.table)
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


class EmulationError(Exception):
    """A run that was stopped. ``report`` says why; ``str`` renders it. ``printed`` is what DPRINT wrote before."""

    def __init__(self, report: Report, printed: str = "") -> None:
        super().__init__(report.render())
        self.report = report
        self.printed = printed


def _deadlock_table(rows: tuple[Waiting, ...]) -> list[str]:
    """At most 24 rows; cores that wait in the same places as one before are counted."""
    shown: dict[tuple[tuple[str, str, int, int], ...], tuple[tuple[int, int], int]] = {}
    by_core: dict[tuple[int, int], list[Waiting]] = {}
    for row in rows:
        by_core.setdefault(row.core, []).append(row)
    out: list[str] = []
    for core, waiting in by_core.items():
        key = tuple((w.thread, w.place, w.wants, w.have) for w in waiting)
        if key in shown:
            first, count = shown[key]
            shown[key] = (first, count + 1)
            continue
        shown[key] = (core, 0)
        if len(out) >= 24:
            continue
        for w in waiting:
            amount = (
                f"wants {w.wants}, has {w.have}" + (f" of {w.size}" if w.size else "")
                if w.call.startswith(("cb_", "noc_"))
                else ""
            )
            supplier = f"; from {w.supplier}" if w.supplier else ""
            out.append(
                f"  core ({w.core[0]}, {w.core[1]}) {w.thread:8} {w.place}: {w.call}: {w.what}"
                f"{': ' + amount if amount else ''}{supplier}"
            )
    for first, count in shown.values():
        if count:
            out.append(f"  and {count} more cores like ({first[0]}, {first[1]})")
    return out
