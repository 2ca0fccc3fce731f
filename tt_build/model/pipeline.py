"""Actions of processors against each other: when each is done, who waits for whom, who is busy.

Each processor has a clock. A call on a circular buffer can be done once the other end has done enough, and not before
that end's clock at that time: for blocks of equal cost this is the recurrence of ``overlap``. Nothing here depends on
the order in which processors are advanced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from tt_build.model.actions import (
    Action,
    Begin,
    Compute,
    End,
    Meet,
    Move,
    Receive,
    Sections,
    Send,
    Settle,
    Spend,
    Transfer,
    Turn,
)
from tt_build.model.constants import Constants


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes a cycle that a core gets of DRAM: reading, writing, reading for others too, reading over NoC 1."""

    read: float
    write: float
    shared: float
    second: float


class Span(msgspec.Struct, frozen=True):
    """A stretch of time of one processor: ``what`` it does, or the circular buffer that it waits for."""

    lane: str
    start: float
    end: float
    what: str


class CoreRun(msgspec.Struct, frozen=True, kw_only=True):
    """One core's run. ``busy`` has cycles by resource, ``stalls`` those spent waiting, by processor and buffer."""

    end: float
    busy: dict[str, float]
    stalls: dict[tuple[str, str], float]
    spans: tuple[Span, ...]


class Stuck(Exception):
    """Nobody can go on: the kernel's moves do not fit each other, which ``verify_ir`` rejects."""


class _Buffer:
    """Times at which each end of a circular buffer had moved so many pages."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.pushed: list[tuple[int, float]] = [(0, 0.0)]
        self.popped: list[tuple[int, float]] = [(0, 0.0)]
        self.seen = {"reserve": 0, "wait": 0}

    def ready(self, move: Move) -> float | None:
        """When a reserve or wait can end; None while that is not known yet."""
        mine, theirs = (self.pushed, self.popped) if move.kind == "reserve" else (self.popped, self.pushed)
        need = mine[-1][0] + move.pages - (self.pages if move.kind == "reserve" else 0)
        at = self.seen[move.kind]
        while at < len(theirs) and theirs[at][0] < need:
            at += 1
        self.seen[move.kind] = min(at, len(theirs) - 1)
        return theirs[at][1] if at < len(theirs) else None

    def done(self, move: Move, time: float) -> None:
        """A push or pop at that time."""
        log = self.pushed if move.kind == "push" else self.popped
        log.append((log[-1][0] + move.pages, time))


class _Signals:
    """Times of hand-shakes between cores, by channel: when receivers were ready, when parcels had been sent."""

    def __init__(self) -> None:
        self.ready: dict[tuple[int, str], list[float]] = defaultdict(list)
        self.sent: dict[tuple[int, str], list[float]] = defaultdict(list)


class _Processor:
    """One processor of one core: its clock, and a second one for the packer of a compute kernel."""

    def __init__(self, core: _Core, lane: str, actions: list[Action]) -> None:
        self.core, self.lane, self.actions = core, lane, actions
        self.at = 0
        self.clock = self.packer = 0.0
        self.packed = [0.0, 0.0]  # when the packer had taken the last two sections
        self.reads: dict[str, tuple[float, int]] = {}
        self.writes: dict[str, tuple[float, int]] = {}
        self.parcels: dict[str, int] = defaultdict(int)
        self.waited = 0.0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.at == len(self.actions)

    def advance(self) -> bool:
        """Do what can be done now; whether that was anything."""
        before = self.at
        while not self.is_done and self._step(self.actions[self.at]):
            self.at += 1
        return self.at != before

    def _step(self, action: Action) -> bool:
        if isinstance(action, Move):
            return self._move(action)
        if isinstance(action, Sections):
            self._sections(action)
        elif isinstance(action, Compute):
            self._compute(action)
        elif isinstance(action, Transfer):
            self._transfer(action)
        elif isinstance(action, Settle):
            self._settle(action)
        elif isinstance(action, Begin):
            self._wait_until(self.packed[0], "DST")
        elif isinstance(action, End):
            self._pack(action.pack)
        elif isinstance(action, Spend):
            self._run(action.cycles, "tiles made")
        elif isinstance(action, Send):
            return self._send(action)
        elif isinstance(action, Receive):
            return self._receive(action)
        elif isinstance(action, Turn):
            figures = self.core.figures
            moved = action.size / figures.multicast_rate + figures.write_latency
            moved += action.paths * figures.multicast_path
            self._run(moved + 2 * figures.semaphore_cycles, "turn")
        elif isinstance(action, Meet):
            self._meet(action)
        return True

    def _move(self, move: Move) -> bool:
        """A compute kernel's packer reserves and pushes; everything else is done by the first clock."""
        buffer, figures = self.core.buffers[move.cb], self.core.figures
        packs = self.lane == "compute" and move.kind in ("reserve", "push")
        if move.kind in ("push", "pop"):
            buffer.done(move, self.packer if packs else self.clock)
            return True
        ready = buffer.ready(move)
        if ready is None:
            return False
        if packs:
            self._packer_waits(ready, move.cb)
            self.packer += figures.cb_cycles
        else:
            self._wait_until(ready, move.cb)
            self._run(figures.cb_cycles, "calls")
        return True

    def _wait_until(self, time: float, what: str) -> None:
        if time > self.clock:
            self.core.stall(self.lane, what, self.clock, time)
            self.waited += time - self.clock
            self.clock = time

    def _packer_waits(self, time: float, what: str) -> None:
        if time > self.packer:
            self.core.stall("pack", what, self.packer, time)
            self.packer = time

    def _run(self, cycles: float, what: str) -> None:
        self.core.span(self.lane, self.clock, self.clock + cycles, what)
        self.clock += cycles

    def _compute(self, work: Compute, times: int = 1) -> None:
        busy = self.core.busy
        busy["unpack"] += work.unpack * times
        busy["engine"] += work.engine * times
        busy["vector"] += work.vector * times
        self._run(work.time * times, _engine_of(work))

    def _pack(self, cycles: float) -> None:
        begin = max(self.packer, self.clock)
        self.packer = begin + cycles
        self.core.busy["pack"] += cycles
        self.core.span("pack", begin, self.packer, "pack")
        self.packed = [self.packed[1], self.packer]

    def _sections(self, action: Sections) -> None:
        """The first ones one by one; when both halves of DST are in use all take as long as the slower side."""
        shown = min(action.times, 3)
        for _ in range(shown):
            self._wait_until(self.packed[0], "DST")
            self._compute(action.work)
            self._pack(action.pack)
        left = action.times - shown
        if not left:
            return
        period = max(action.work.time, action.pack)
        for name, cycles in (("unpack", action.work.unpack), ("engine", action.work.engine)):
            self.core.busy[name] += cycles * left
        self.core.busy["vector"] += action.work.vector * left
        self.core.busy["pack"] += action.pack * left
        self.core.span(self.lane, self.clock, self.clock + period * left, _engine_of(action.work))
        self.core.span("pack", self.packer, self.packer + period * left, "pack")
        self.clock += period * left
        self.packer += period * left
        self.packed = [self.packer - period, self.packer]

    def _transfer(self, action: Transfer) -> None:
        figures = self.core.figures
        under_way = self.reads if action.reads else self.writes
        first, size = under_way.get(action.place, (self.clock, 0))
        under_way[action.place] = (first, size + action.size)
        self._run(action.count * (figures.read_issue if action.reads else figures.write_issue), "commands")

    def _settle(self, action: Settle) -> None:
        figures, rates = self.core.figures, self.core.rates
        if action.what == "read":
            for place, (first, size) in self.reads.items():
                share = {"dram": rates.read, "shared": rates.shared, "second": rates.second}.get(place)
                rate = figures.l1_read_rate if share is None else min(figures.dram_read_rate, share)
                latency = figures.l1_read_latency if share is None else figures.dram_read_latency
                self._transferred(first + latency + size / rate)
            self.reads.clear()
            return
        for place, (first, size) in self.writes.items():
            rate = min(figures.write_rate, rates.write) if place == "dram" else figures.l1_write_rate
            self._transferred(first + size / rate)
        if action.what == "flushed":
            self.writes.clear()
            return
        self.writes.clear()
        self._transferred(self.clock + figures.write_latency)

    def _transferred(self, time: float) -> None:
        if time > self.clock:
            self._run(time - self.clock, "transfers")

    def _send(self, action: Send) -> bool:
        number, figures, signals = self.parcels[action.channel], self.core.figures, self.core.signals
        ready = [signals.ready[receiver, action.channel] for receiver in self.core.receivers(action.channel)]
        if any(len(times) <= number for times in ready):
            return False
        self._wait_until(max((times[number] for times in ready), default=0.0) + figures.semaphore_cycles, "receivers")
        for receivers, size in action.parcels:
            rate = figures.multicast_rate if receivers > 1 else figures.l1_write_rate
            paths = action.paths * figures.multicast_path if receivers > 1 else 0.0
            self._run(size / rate + paths + figures.write_latency, "multicast")
        signals.sent[self.core.index, action.channel].append(self.clock)
        self.parcels[action.channel] += 1
        return True

    def _receive(self, action: Receive) -> bool:
        number, signals = self.parcels[action.channel], self.core.signals
        ready = signals.ready[self.core.index, action.channel]
        if len(ready) == number:
            ready.append(self.clock)
        sent = signals.sent[self.core.senders[action.channel], action.channel]
        if len(sent) <= number:
            return False
        self._wait_until(sent[number] + self.core.figures.semaphore_cycles, "sender")
        self.parcels[action.channel] += 1
        return True

    def _meet(self, action: Meet) -> None:
        """All cores of a unit are taken to come at the same time."""
        figures = self.core.figures
        issue = action.parts * (3 * figures.write_issue + action.size / figures.l1_write_rate)
        self._run(issue + figures.write_latency + 2 * figures.semaphore_cycles, "exchange")


def _engine_of(work: Compute) -> str:
    """What a stretch of computing is called: the vector engine's where that takes longest."""
    return "vector" if work.vector > max(work.engine, work.unpack) else "tiles"


class _Core:
    """One core: buffers, what it is to others, what is noted."""

    def __init__(
        self,
        index: int,
        buffers: Mapping[str, int],
        figures: Constants,
        rates: Rates,
        signals: _Signals,
        senders: Mapping[str, int],
        *,
        traced: bool,
    ) -> None:
        self.index, self.figures, self.rates, self.signals = index, figures, rates, signals
        self.buffers = {name: _Buffer(pages) for name, pages in buffers.items()}
        self.senders = senders
        self.network: list[_Core] = []
        self.busy: dict[str, float] = defaultdict(float)
        self.stalls: dict[tuple[str, str], float] = defaultdict(float)
        self.traced = traced
        self.spans: list[Span] = []

    def receivers(self, channel: str) -> list[int]:
        """The cores that get their operands from this one."""
        return [c.index for c in self.network if c is not self and c.senders.get(channel) == self.index]

    def stall(self, lane: str, what: str, start: float, end: float) -> None:
        """Note that a processor waited."""
        self.stalls[lane, what] += end - start
        self.span(lane, start, end, f"waits for {what}")

    def span(self, lane: str, start: float, end: float, what: str) -> None:
        """Note a stretch of time; one that goes on is one stretch."""
        if not self.traced or end <= start:
            return
        if self.spans and self.spans[-1].lane == lane and self.spans[-1].what == what and self.spans[-1].end >= start:
            last = self.spans[-1]
            self.spans[-1] = Span(lane, last.start, end, what)
            return
        self.spans.append(Span(lane, start, end, what))


class CoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """A core to run: actions by role, its rates of DRAM, and by channel the index of the job that sends to it."""

    actions: dict[str, list[Action]]
    rates: Rates
    senders: dict[str, int] = {}
    traced: bool = False


def run_cores(jobs: list[CoreJob], buffers: Mapping[str, int], figures: Constants) -> list[CoreRun]:
    """All jobs together; ``buffers`` has the pages of each circular buffer. ``Stuck`` where nobody can go on."""
    signals = _Signals()
    cores = [
        _Core(i, buffers, figures, job.rates, signals, job.senders, traced=job.traced) for i, job in enumerate(jobs)
    ]
    processors = [
        _Processor(core, role, actions)
        for core, job in zip(cores, jobs, strict=True)
        for role, actions in job.actions.items()
    ]
    for core in cores:
        core.network = cores
    left = processors
    while left:
        moved = [processor.advance() for processor in left]
        left = [processor for processor in left if not processor.is_done]
        if left and not any(moved):
            raise Stuck(", ".join(f"{p.lane} at {p.actions[p.at]}" for p in left))
    return [_result(core, [p for p in processors if p.core is core]) for core in cores]


def _result(core: _Core, processors: list[_Processor]) -> CoreRun:
    busy = dict(core.busy)
    for processor in processors:
        if processor.lane != "compute":
            busy[processor.lane] = processor.clock - processor.waited
    end = max((max(p.clock, p.packer) for p in processors), default=0.0)
    return CoreRun(end=end, busy=busy, stalls=dict(core.stalls), spans=tuple(core.spans))
