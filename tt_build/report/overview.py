"""The table of estimates, one kernel a line."""

from __future__ import annotations

from collections.abc import Mapping

from tt_build.ir.plan import PlanEstimate
from tt_build.report.figures import amount, duration, percent, table

HEAD = ("kernel", "cycles", "time", "bound", "busy", "matrix", "DRAM read", "written", "/ compulsory", "NoC", "L1 peak")
RIGHT = (1, 2, 4, 5, 6, 7, 8, 9, 10)


def overview(estimates: Mapping[str, PlanEstimate]) -> list[str]:
    """Lines of a table: ``busy`` is the share of the time that the bounding resource works, ``matrix`` that of the
    matrix engines' shortest time.
    """
    return table([HEAD, *(cells(name, found) for name, found in estimates.items())], right=RIGHT)


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
