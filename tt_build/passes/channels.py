"""Channels: cores that share operands, of which one reads and multicasts what the others receive.

The cores of a channel do their units in step: ``all`` are those with work, ``row`` those whose units lie in the same
rows of the grid of units one after the other, ``column`` those in the same columns; in an attention those that meet the
same keys and values in as many steps.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.flash_blocks import walk_of
from tt_build.ir.lowered import ChannelName, Role
from tt_build.ir.plan import ArgRef, Range
from tt_build.ir.stages import MappedKernel, Operand, ScheduledKernel
from tt_build.ir.work import block_of, tile_ids
from tt_build.passes.shard_to_core_map import cover

Core = tuple[int, int]
Words = tuple[int | ArgRef, ...]

IS_SENDER: dict[ChannelName, str] = {"all": "is_sender", "row": "sends_row", "column": "sends_column"}
"""The runtime argument that is 1 on the core that reads for the others of its channel."""

SHARED_ALONG: dict[Operand, ChannelName] = {"in0": "row", "in1": "column"}
"""The cores that need the same tiles of an operand of a matmul."""

CHANNELS: tuple[ChannelName, ...] = ("all", "row", "column")


def noc_of(role: Role) -> int:
    """The NoC of a data-movement kernel: readers have NoC 0, writers NoC 1."""
    return 1 if role == "writer" else 0


class Group(msgspec.Struct, frozen=True):
    """The cores of one channel that share: the first of them sends."""

    sender: Core
    receivers: tuple[Core, ...]

    @property
    def rectangles(self) -> tuple[Range, ...]:
        """The receivers, each in one rectangle."""
        return cover(self.receivers)


def groups(kernel: ScheduledKernel, channel: ChannelName) -> dict[Core, Group]:
    """The group of each core with work."""
    members: dict[tuple[tuple[int, int], ...], list[Core]] = {}
    for item in kernel.work:
        key: tuple[tuple[int, int], ...] = ()
        if channel == "column" and kernel.flash is not None:
            key = walk_of(item, kernel.flash, kernel.order, kernel.grid)
        elif channel != "all":
            blocks = [block_of(tile, kernel.grid) for tile in tile_ids(item, kernel.order, kernel.grid)]
            key = tuple((bz, by if channel == "row" else bx) for bx, by, bz in blocks)
        members.setdefault(key, []).append(item.core)
    found: dict[Core, Group] = {}
    for cores in members.values():
        found |= dict.fromkeys(cores, Group(cores[0], tuple(cores[1:])))
    return found


def words(group: Group, *, noc: int) -> Words:
    """The sender's coordinates; for each rectangle its corners, as that NoC walks them, and how many cores it has."""
    found: list[int | ArgRef] = [*coordinates(group.sender)]
    for rectangle in group.rectangles:
        first, last = (rectangle.end, rectangle.start) if noc == 1 else (rectangle.start, rectangle.end)
        found += [*coordinates(first), *coordinates(last), len(rectangle.cores())]
    return tuple(found)


def turns(kernel: ScheduledKernel, channel: ChannelName) -> dict[Core, tuple[Core, ...]]:
    """For each core those of its channel, in the order in which their units lie beside each other."""
    unit = {item.core: tile_ids(item, kernel.order, kernel.grid)[0] for item in kernel.work}
    found: dict[Core, tuple[Core, ...]] = {}
    for core, group in groups(kernel, channel).items():
        found[core] = tuple(sorted((group.sender, *group.receivers), key=lambda member: unit[member]))
    return found


def turn_words(members: tuple[Core, ...], *, noc: int) -> Words:
    """Coordinates of all who send in turn; corners of their rectangle, as the NoC walks it, and how many they are."""
    (rectangle,) = cover(members)
    first, last = (rectangle.end, rectangle.start) if noc == 1 else (rectangle.start, rectangle.end)
    senders = [word for member in members for word in coordinates(member)]
    return (*senders, *coordinates(first), *coordinates(last), len(members))


def coordinates(core: Core) -> tuple[ArgRef, ArgRef]:
    """x and y of a core, as the device knows them."""
    return ArgRef(noc_x=core), ArgRef(noc_y=core)


def semaphores(kernel: MappedKernel, channel: ChannelName) -> tuple[int, int]:
    """The semaphores of a channel: those that say ready, those that say sent."""
    first = 2 * CHANNELS.index(channel)
    return first, first + 1
