"""The table of estimates, one kernel a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tt_build.ir.plan import PlanEstimate
from tt_build.report.figures import amount, duration, percent, table

HEAD = ("kernel", "cycles", "time", "bound", "busy", "matrix", "DRAM read", "written", "/ compulsory", "NoC", "L1 peak")
RIGHT = (1, 2, 4, 5, 6, 7, 8, 9, 10)


def overview(estimates: Mapping[str, PlanEstimate]) -> list[str]:
    """Lines of a table: ``busy`` is the share of the time that the bounding resource works, ``matrix`` that of the
    matrix engines' shortest time.
    """
    return overview_of([cells(name, found) for name, found in estimates.items()])


def overview_of(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The table of lines that are there already."""
    return table([HEAD, *rows], right=RIGHT)


def total_cells(name: str, steps: Sequence[PlanEstimate]) -> tuple[str, ...]:
    """The line of kernels that run one after the other: sums. What bounds each and its L1 stand in its own."""
    cycles = sum(step.cycles for step in steps)
    read, written = sum(step.dram_read_bytes for step in steps), sum(step.dram_write_bytes for step in steps)
    least = sum(step.compulsory_bytes for step in steps)
    matrix = sum(step.matrix_utilization * step.cycles for step in steps)
    moved = sum(step.noc_unicast_bytes + step.noc_multicast_delivered_bytes for step in steps)
    return (
        name,
        f"{cycles:,}",
        duration(sum(step.time_ns for step in steps)),
        "-",
        "-",
        percent(matrix / cycles) if matrix else "-",
        amount(read),
        amount(written),
        f"{(read + written) / least:.2f}" if least else "-",
        amount(moved),
        "-",
    )


def cells(name: str, found: PlanEstimate) -> tuple[str, ...]:
    """The line of one kernel."""
    return (
        name,
        f"{found.cycles:,}",
        duration(found.time_ns),
        found.bound,
        percent(found.utilization),
        percent(found.matrix_utilization) if found.matrix_utilization else "-",
        amount(found.dram_read_bytes),
        amount(found.dram_write_bytes),
        f"{found.dram_ratio:.2f}" if found.compulsory_bytes else "-",
        amount(found.noc_unicast_bytes + found.noc_multicast_delivered_bytes),
        amount(found.l1_peak_bytes),
    )
