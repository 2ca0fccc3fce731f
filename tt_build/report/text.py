"""The report as text: the table of all kernels, then of each what bounds it, its L1 and its schedules."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.report.figures import BOUNDS, amount, duration, percent, table
from tt_build.report.gather import KernelReport
from tt_build.report.overview import overview


def text(reports: Sequence[KernelReport]) -> str:
    """The whole of ``report.txt``."""
    lines = summary(reports)
    for report in reports:
        lines += ["", *_kernel(report)]
    return "\n".join(lines) + "\n"


def summary(reports: Sequence[KernelReport]) -> list[str]:
    """The table of all kernels; those without an estimate in a line below."""
    estimates = {r.kernel: r.estimate for r in reports if r.estimate is not None}
    silent = [r.kernel for r in reports if r.estimate is None]
    lines = [line.removeprefix("  ") for line in overview(estimates)] if estimates else []
    return [*lines, f"no estimate: {', '.join(silent)}"] if silent else lines


def _kernel(report: KernelReport) -> list[str]:
    grid = f"{report.grid[0]} x {report.grid[1]} cores"
    lines = [f"{report.kernel} ({report.file}; {report.arch}, {grid}; {report.algorithm})"]
    found = report.estimate
    if found is not None:
        lines.append(
            f"  {found.cycles:,} cycles, {duration(found.time_ns)}, bound by {BOUNDS[found.bound]}, "
            f"busy for {percent(found.utilization)} of it"
        )
    if report.stalls:
        longest = report.stalls[0]
        lines.append(f"  longest wait: {longest.processor} for {longest.waits_for}, {longest.cycles:,} cycles")
    lines += _l1(report)
    if len(report.alternatives) > 1:
        lines += _schedules(report)
    return lines


def _l1(report: KernelReport) -> list[str]:
    rows = [("in L1 of a core", "format", "pages", "bytes")]
    rows += [
        (cb.name, cb.dtype, f"{cb.pages} x {cb.page_size}", f"{cb.size:,}") for cb in report.buffers if not cb.shard
    ]
    rows += [(f"tensor {t.name}", t.dtype, t.layout, f"{t.in_l1:,}") for t in report.tensors if t.in_l1]
    used = sum(cb.size for cb in report.buffers) + sum(t.in_l1 for t in report.tensors)
    share = percent(used / report.l1_allocatable)
    return [*table(rows, right=(3,)), f"  {amount(used)} of {amount(report.l1_allocatable)}, {share}"]


def _schedules(report: KernelReport) -> list[str]:
    rows = [("schedule", "cycles", "bound", "DRAM", "/ compulsory", "NoC")]
    for other in report.alternatives:
        found = other.estimate
        if found is not None:
            moved = found.dram_read_bytes + found.dram_write_bytes
            noc = found.noc_unicast_bytes + found.noc_multicast_delivered_bytes
            label = f"{other.label} (chosen)" if other.chosen else other.label
            rows.append(
                (label, f"{found.cycles:,}", found.bound, amount(moved), f"{found.dram_ratio:.2f}", amount(noc))
            )
    return table(rows, right=(1, 3, 4, 5))
