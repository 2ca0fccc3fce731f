"""A verified kernel's estimate as the plan has it."""

from __future__ import annotations

from tt_build.ir.plan import PlanEstimate
from tt_build.ir.stages import VerifiedKernel
from tt_build.model.constants import has_figures
from tt_build.model.kernel import KernelEstimate, estimate
from tt_build.passes.l1_tensors import l1_tensor_bytes
from tt_build.targets import load_arch


def plan_estimate(kernel: VerifiedKernel) -> PlanEstimate | None:
    """Cycles, bound and bytes; None where the model has no figures of the architecture."""
    return as_planned(kernel, estimate(kernel)) if has_figures(kernel.arch) else None


def as_planned(kernel: VerifiedKernel, found: KernelEstimate) -> PlanEstimate:
    """The same of an estimate that is known already. Fractions have three digits."""
    traffic = found.traffic
    return PlanEstimate(
        cycles=found.cycles,
        time_ns=found.time_ns,
        bound=found.bound,
        utilization=round(found.utilization, 3),
        matrix_utilization=round(found.matrix_utilization, 3),
        busy=found.busy,
        dram_read_bytes=traffic.dram_read,
        dram_write_bytes=traffic.dram_written,
        compulsory_bytes=traffic.compulsory,
        dram_ratio=round(traffic.ratio, 3),
        noc_unicast_bytes=traffic.unicast,
        noc_multicast_sent_bytes=traffic.total("multicast_sent"),
        noc_multicast_delivered_bytes=traffic.total("multicast_delivered"),
        l1_peak_bytes=kernel.l1_bytes + l1_tensor_bytes(kernel, load_arch(kernel.arch)),
    )
