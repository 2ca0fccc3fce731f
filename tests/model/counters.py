"""The emulator's counters beside what the model counts from the statements."""

from __future__ import annotations

from typing import Any

from tt_build.ir.stages import VerifiedKernel
from tt_build.model.traffic import Traffic, traffic_of
from tt_build.targets import load_arch


def counted(kernel: VerifiedKernel) -> dict[str, Any]:
    """The model's bytes in the form of the emulator's counters."""
    traffic = traffic_of(kernel, load_arch(kernel.arch))
    return counters_of(kernel, traffic)


def counters_of(kernel: VerifiedKernel, traffic: Traffic) -> dict[str, Any]:
    """The same of bytes that are known already."""
    moved = {b.name: traffic.tensors.get(b.name, (0, 0)) for b in kernel.buffers}
    return {
        "dram_read_bytes": traffic.dram_read,
        "dram_write_bytes": traffic.dram_written,
        "noc_unicast_bytes": traffic.unicast,
        "noc_multicast_sent_bytes": traffic.total("multicast_sent"),
        "noc_multicast_delivered_bytes": traffic.total("multicast_delivered"),
        "cores_with_work": len(traffic.cores),
        "buffers": {
            name: {"dram_read_bytes": read, "dram_write_bytes": written} for name, (read, written) in moved.items()
        },
    }


def without_operations(counters: dict[str, Any]) -> dict[str, Any]:
    """The emulator's counters without those of tile operations."""
    return {name: value for name, value in counters.items() if name != "tile_ops"}
