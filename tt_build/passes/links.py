"""Linked multicasts: the pages and the word that they have come as one chain over one path of the NoC.

Each multicast reserves its path through the NoC first, a linked one keeps it for the next. The SDK's conditions: a
chain goes to one rectangle, ends with a multicast that is not linked, and nothing else of that core uses that NoC
meanwhile ("will cause a deadlock", sanitize.h). One statement makes the chain, and each data-movement kernel has a NoC
of its own, so that holds. Paths of several senders must not cross while they are kept: a channel is linked where it is
the only one on its NoC, and its groups are one, or each a row of its own of the grid of cores, or each a column.
"""

from __future__ import annotations

from tt_build.ir.lowered import ChannelName, Link
from tt_build.ir.stages import StagedKernel
from tt_build.passes.channels import CHANNELS, SHARED_ALONG, Core, groups


def linked_channels(kernel: StagedKernel) -> tuple[ChannelName, ...]:
    """The channels whose multicasts are linked: of operands as the matmul is planned, what all cores share where they
    may be. Attention shares keys among cores that form no lines.
    """
    stated = kernel.choice.matmul.linked if kernel.choice.matmul is not None else None
    if stated is False:
        return ()
    nocs = _nocs(kernel)
    planned = {SHARED_ALONG[operand] for operand in kernel.blocking.linked} if kernel.blocking is not None else set()
    free = (c for c in CHANNELS if c in nocs and list(nocs.values()).count(nocs[c]) == 1 and _are_apart(kernel, c))
    return tuple(channel for channel in free if channel == "all" or channel in planned)


def link_of(kernel_arch: str) -> Link:
    """The form of a chain: on Blackhole the data must have left L1 before the word is sent, as in the SDK's kernels."""
    return "flushed" if kernel_arch == "blackhole" else "linked"


def _nocs(kernel: StagedKernel) -> dict[ChannelName, int]:
    """The channels of the kernel, each with its NoC."""
    blocking, found = kernel.blocking, dict[ChannelName, int]()
    if len(kernel.work) > 1 and any(stream.per == "core" for stream in kernel.streams):
        found["all"] = 0
    if blocking is not None and any(plan.own for plan in kernel.contractions):
        found["row"] = blocking.noc
    for stream in kernel.streams:
        if stream.operand and blocking is not None and blocking.is_shared(stream):
            found[SHARED_ALONG[stream.operand]] = blocking.noc if stream.operand == "in0" else 0
        elif stream.operand and kernel.flash is not None and kernel.flash.shared:
            found["column"] = 0
    return found


def _are_apart(kernel: StagedKernel, channel: ChannelName) -> bool:
    """Whether no path of one group crosses that of another."""
    members: dict[Core, set[Core]] = {}
    for core, group in groups(kernel, channel).items():
        members.setdefault(group.sender, set()).add(core)
    if len(members) == 1:
        return True
    for axis in (0, 1):
        lines = [{core[axis] for core in cores} for cores in members.values()]
        if all(len(line) == 1 for line in lines) and len(set().union(*lines)) == len(lines):
            return True
    return False
