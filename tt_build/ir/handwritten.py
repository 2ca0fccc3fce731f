"""A hand-written kernel at each stage: what a plan needs, and no bodies, since nobody here knows what its sources do.

Pass              gives             adds
source_defaults   DefaultedSources  tensors, math, schedule choices, sources, what they are given
source_schedule   ScheduledSources  iteration space, work of each core
bind_sources      BoundSources      buffers, circular buffers with ids, arguments of each core
verify_sources    VerifiedSources   bytes of L1; which checks were made
"""

from __future__ import annotations

from tt_build.ir.plan import Range
from tt_build.ir.stages import Buffer, CircularBuffer, Kernel
from tt_build.ir.work import CoreWork, Grid
from tt_build.spec.model import CbSpec, CoreRegion, OpSpec, SourceText, Struct

ROLES = ("reader", "compute", "writer")


class DefaultedSources(Kernel, frozen=True, kw_only=True):
    """After ``source_defaults``."""

    sources: dict[str, SourceText]
    declared_buffers: dict[str, CbSpec]
    arguments: dict[str, tuple[str | int, ...]]
    reference: str
    ops: dict[str, OpSpec]


class ScheduledSources(DefaultedSources, frozen=True, kw_only=True):
    """After ``source_schedule``."""

    policy: str
    order: str
    grid: Grid
    region: CoreRegion
    work: tuple[CoreWork, ...]
    core_ranges: tuple[Range, ...]


class Binding(Struct, frozen=True, kw_only=True):
    """What one source is given: ``accessors`` are the tensors that it moves, ``values`` the words of each core."""

    role: str
    accessors: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]


class BoundSources(ScheduledSources, frozen=True, kw_only=True):
    """After ``bind_sources``."""

    buffers: tuple[Buffer, ...]
    circular_buffers: tuple[CircularBuffer, ...]
    bindings: tuple[Binding, ...]

    def buffer(self, name: str) -> Buffer:
        """The buffer of that tensor."""
        return next(b for b in self.buffers if b.name == name)


class VerifiedSources(BoundSources, frozen=True, kw_only=True):
    """After ``verify_sources``. ``checked`` names all that was proven: of the sources themselves nothing is."""

    l1_bytes: int
    checked: tuple[str, ...]
