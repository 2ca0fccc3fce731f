"""What a lowered kernel costs: bytes counted exactly, cycles estimated, the resource that bounds it.

Cores that do the same are run once (``pipeline``), each with its share of DRAM: all cores are taken to move at the same
time, so that a core's rate is its part of what the banks give together. The kernel takes as long as its slowest core,
and a fixed time for launch and end.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.flash_blocks import walk_of
from tt_build.ir.lowered import KernelBody, MatmulBlock, TileOp
from tt_build.ir.skeleton import occurrences
from tt_build.ir.stages import LoweredKernel
from tt_build.ir.work import CoreWork, tile_ids
from tt_build.model.actions import Action, Translator
from tt_build.model.constants import Constants, load_constants
from tt_build.model.matmul import PHASES
from tt_build.model.pipeline import CoreJob, CoreRun, Rates, Span, run_cores
from tt_build.model.traffic import Core, CoreBytes, Traffic, sender_of, traffic_of
from tt_build.targets import load_arch

PLACES = frozenset(("start_tile", "rect_x", "rect_y"))
"""Arguments that say where a core works, not how much it does."""
BANKS_DECIDE = 0.9
"""A data-movement processor is bound by DRAM where the banks are busy for more of its time than this."""


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """Cycles that a processor of the slowest core waits, for a circular buffer or for others."""

    processor: str
    waits_for: str
    cycles: int


class KernelEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a kernel costs.

    ``busy`` has cycles of each resource where it is busiest: ``math`` the matrix engine, ``vector`` the vector engine
    (the same processor drives both), ``unpack``, ``pack``, ``reader`` and ``writer`` (the data-movement processors),
    ``noc`` a core's port, ``dram`` the banks. ``bound`` names the busiest (``math`` and ``vector`` count together), or
    ``fixed`` where launch and end take longer. ``core_cycles`` has the time of each core, in order of work, and
    ``timeline`` stretches of the slowest where they were asked for. ``matrix_cycles`` is the matrix engines' shortest
    time for all tile matmuls on all cores of the target.
    """

    cycles: int
    time_ns: int
    bound: str
    busy: dict[str, int]
    matrix_cycles: int
    traffic: Traffic
    core_cycles: dict[Core, int]
    slowest: Core
    stalls: tuple[Stall, ...]
    timeline: tuple[Span, ...] = ()

    @property
    def utilization(self) -> float:
        """How much of the time the resource that bounds the kernel is busy; under ``fixed`` the busiest."""
        busiest = max(_sides(self.busy).values())
        return min(1.0, busiest / self.cycles)

    @property
    def matrix_utilization(self) -> float:
        """The shortest time of the kernel's matmuls on all cores of the target over the estimate; 0 without any."""
        return self.matrix_cycles / self.cycles


def estimate(kernel: LoweredKernel, *, traced: bool = False) -> KernelEstimate:
    """Bytes, cycles and bound. ``KeyError`` where the model has no figures of the architecture."""
    arch, figures = load_arch(kernel.arch), load_constants(kernel.arch)
    traffic = traffic_of(kernel, arch)
    dram = dram_cycles(traffic, figures)
    kinds = _kinds(kernel)
    runs = _run(kernel, figures, traffic, dram, kinds, traced=traced)
    ends = {item.core: runs[kind].end for item, kind in zip(kernel.work, kinds, strict=True)}
    slowest = max(ends, key=lambda core: ends[core])
    run = runs[next(kind for item, kind in zip(kernel.work, kinds, strict=True) if item.core == slowest)]
    busy = _busy(runs) | {"noc": max(_port(core, figures) for core in traffic.cores.values()), "dram": dram}
    cycles = figures.launch_cycles + max(run.end, dram)
    return KernelEstimate(
        cycles=round(cycles),
        time_ns=round(cycles / arch.clock_ghz),
        bound=_bound(busy, figures),
        busy={name: round(value) for name, value in busy.items()},
        matrix_cycles=round(_matrix_cycles(kernel, figures)),
        traffic=traffic,
        core_cycles={core: round(figures.launch_cycles + end) for core, end in ends.items()},
        slowest=slowest,
        stalls=tuple(
            Stall(processor=lane, waits_for=what, cycles=round(value))
            for (lane, what), value in sorted(run.stalls.items())
            if round(value)
        ),
        timeline=run.spans,
    )


def dram_cycles(traffic: Traffic, figures: Constants) -> float:
    """Cycles that the banks need: all together, and the busiest of them with its requests."""
    read, written = traffic.dram_read, traffic.dram_written
    together = max(
        read / figures.dram_total_rate,
        written / figures.dram_write_rate,
        (read + written) / figures.dram_placed_rate,
    )
    sizes = [r + w for r, w in zip(traffic.bank_read, traffic.bank_written, strict=True)]
    bank = max(
        max(size / figures.dram_bank_rate, requests * figures.dram_bank_request)
        for size, requests in zip(sizes, traffic.bank_requests, strict=True)
    )
    return max(together, bank)


def _sides(busy: dict[str, int] | dict[str, float]) -> dict[str, float]:
    """Resources that work at the same time; one processor drives both engines."""
    return {name: value for name, value in busy.items() if name != "vector"} | {"math": busy["math"] + busy["vector"]}


def _bound(busy: dict[str, float], figures: Constants) -> str:
    """The resource that decides. What a data-movement processor waits for the banks is theirs."""
    sides = _sides(busy)
    bound = max(sides, key=lambda name: sides[name])
    if sides[bound] < figures.launch_cycles:
        return "fixed"
    if bound == "math" and busy["vector"] > busy["math"]:
        return "vector"
    if bound in ("reader", "writer") and busy["dram"] > BANKS_DECIDE * sides[bound]:
        return "dram"
    return bound


def _busy(runs: list[CoreRun]) -> dict[str, float]:
    names = {
        "math": "engine", "vector": "vector", "unpack": "unpack", "pack": "pack", "reader": "reader", "writer": "writer"
    }  # fmt: skip
    return {name: max(run.busy.get(key, 0.0) for run in runs) for name, key in names.items()}


def _port(core: CoreBytes, figures: Constants) -> float:
    """Cycles of a core's way in or out of the NoC."""
    into = core.dram_read + core.l1_read + core.received
    out = core.dram_written + core.l1_written + core.exchanged + core.shared + core.multicast_sent
    return max(into, out) / figures.noc_rate


def _kinds(kernel: LoweredKernel) -> list[int]:
    """For each core the number of its kind: cores of a kind do as much, with the same arguments but for places."""
    known: dict[tuple[object, ...], int] = {}
    kinds: list[int] = []
    for at, item in enumerate(kernel.work):
        key = (*(_amount(body, at) for body in kernel.bodies), _is_last_part(kernel, item), _steps(kernel, item))
        kinds.append(known.setdefault(key, len(known)))
    return kinds


def _amount(body: KernelBody, core: int) -> tuple[object, ...]:
    values = body.core_values[core]
    words = values.values[len(body.accessors) :]
    told = [(name, word) for name, word in zip(body.runtime_args, words, strict=False) if name not in PLACES]
    return (*told, *(sender_of(body, core, channel.name) == values.core for channel in body.channels))


def _steps(kernel: LoweredKernel, item: CoreWork) -> int:
    """The steps of all units of an attention, where they differ: in which order they come counts for little."""
    if kernel.flash is None or not kernel.flash.causal:
        return 0
    return sum(steps for _, steps in walk_of(item, kernel.flash, kernel.order, kernel.grid))


def _is_last_part(kernel: LoweredKernel, item: CoreWork) -> bool:
    """The last part of a reduction may be shorter."""
    parts = kernel.parts
    if parts is None or not parts.spread:
        return False
    first = tile_ids(item, kernel.order, kernel.grid)[0]
    place = first // kernel.grid.x % kernel.grid.y if parts.axis == "rows" else first % kernel.grid.x
    return place == parts.count - 1


def _run(
    kernel: LoweredKernel, figures: Constants, traffic: Traffic, dram: float, kinds: list[int], *, traced: bool
) -> list[CoreRun]:
    """One core of each kind, the first."""
    translator, sending = Translator(kernel), _senders(kernel)
    jobs: list[CoreJob] = []
    for number in range(max(kinds) + 1):
        at = kinds.index(number)
        core = kernel.work[at].core
        senders: dict[str, int] = {}
        for body in kernel.bodies:
            for channel in body.channels:
                sender = sender_of(body, at, channel.name)
                if sender is not None and sender != core:
                    place = next(i for i, item in enumerate(kernel.work) if item.core == sender)
                    senders[channel.name] = kinds[place]
        actions: dict[str, list[Action]] = {body.role: translator.actions(body, at) for body in kernel.bodies}
        rates = _rates(traffic, traffic.cores[core], dram, sending, figures)
        jobs.append(CoreJob(actions=actions, rates=rates, senders=senders, traced=traced))
    return run_cores(jobs, {cb.name: cb.num_pages for cb in kernel.circular_buffers}, figures)


def _rates(traffic: Traffic, core: CoreBytes, dram: float, senders: dict[str, int], figures: Constants) -> Rates:
    """What a core gets of all banks: its part of what they give while all move, at least an equal part.

    Operands that it sends on are read while the others wait, by as many cores as send them over that NoC.
    """
    reading = sum(1 for other in traffic.cores.values() if other.dram_read)
    writing = sum(1 for other in traffic.cores.values() if other.dram_written)
    second = senders.get("writer", 0)
    return Rates(
        read=max(core.dram_read / dram if dram else 0.0, figures.dram_total_rate / max(reading, 1)),
        write=max(core.dram_written / dram if dram else 0.0, figures.dram_write_rate / max(writing, 1)),
        shared=_in_turns(figures.dram_total_rate, senders.get("reader", 0), figures),
        second=_in_turns(figures.dram_second_rate, second, figures)
        if second
        else figures.dram_second_rate / max(reading, 1),
    )


def _in_turns(total: float, senders: int, figures: Constants) -> float:
    """The rate at which each of the cores reads that send what they have read: while one sends, the others have more.

    So that all of them together read at ``total``, no faster than a core can.
    """
    cycles = senders / total - 1 / figures.multicast_rate
    return 1 / max(cycles, 1 / figures.sender_read_rate)


def _senders(kernel: LoweredKernel) -> dict[str, int]:
    """By role of the kernel how many cores send operands to others."""
    found: dict[str, int] = {}
    for body in kernel.bodies:
        sends = (
            any(sender_of(body, at, channel.name) == item.core for channel in body.channels)
            for at, item in enumerate(kernel.work)
        )
        found[body.role] = sum(sends)
    return found


def _matrix_cycles(kernel: LoweredKernel, figures: Constants) -> float:
    """The matrix engines' shortest time for the kernel's tile matmuls, on all cores of the target."""
    matmuls = 0
    for body in kernel.bodies:
        for found in occurrences(body, (TileOp, MatmulBlock)):
            if isinstance(found.stmt, MatmulBlock):
                matmuls += found.core.size * found.stmt.rows * found.stmt.columns
            elif isinstance(found.stmt, TileOp) and found.stmt.op == "matmul":
                matmuls += found.core.size
    cores = kernel.core_grid[0] * kernel.core_grid[1]
    return matmuls * figures.phase_cycles * PHASES[kernel.math.fidelity] / cores
