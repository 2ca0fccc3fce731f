"""Bytes that a lowered kernel moves, counted from its statements: per core, per tensor, per DRAM bank.

They are what the emulator's counters of a run are, byte for byte (``tests/model/test_bytes.py``). Semaphores do not
count.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from tt_build.ir.lowered import Exchange, KernelBody, ReadPage, RotateShared, SendShared, WritePage
from tt_build.ir.plan import ArgRef
from tt_build.ir.skeleton import Occurrences, occurrences
from tt_build.ir.stages import Buffer, LoweredKernel, memory_of
from tt_build.targets import Arch

Core = tuple[int, int]


class CoreBytes(msgspec.Struct, frozen=True, kw_only=True):
    """What one core moves. ``l1`` are pages of tensors in the L1 of other cores, ``own`` those in its own.

    ``exchanged`` are partial results sent to other cores. A multicast is ``sent`` once for each rectangle of cores and
    ``received`` by each core; shared operands that go to a single core count as ``shared`` instead.
    """

    dram_read: int = 0
    dram_written: int = 0
    l1_read: int = 0
    l1_written: int = 0
    own_read: int = 0
    own_written: int = 0
    exchanged: int = 0
    shared: int = 0
    multicast_sent: int = 0
    multicast_delivered: int = 0
    received: int = 0


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a whole kernel. ``tensors`` has what is read and written of those in DRAM, by name.

    ``bank_read``, ``bank_written`` and ``bank_requests`` are those of the DRAM banks, ``compulsory`` each page of each
    tensor in DRAM once.
    """

    cores: dict[Core, CoreBytes]
    tensors: dict[str, tuple[int, int]]
    bank_read: tuple[int, ...]
    bank_written: tuple[int, ...]
    bank_requests: tuple[int, ...]
    compulsory: int

    def total(self, name: str) -> int:
        """The sum of a field of ``CoreBytes`` over all cores."""
        return sum(getattr(core, name) for core in self.cores.values())

    @property
    def dram_read(self) -> int:
        """Bytes read from DRAM by all cores."""
        return sum(self.bank_read)

    @property
    def dram_written(self) -> int:
        """Bytes written to DRAM by all cores."""
        return sum(self.bank_written)

    @property
    def unicast(self) -> int:
        """Bytes between the L1 of different cores, without multicasts."""
        return sum(self.total(name) for name in ("l1_read", "l1_written", "exchanged", "shared"))

    @property
    def ratio(self) -> float:
        """DRAM bytes over compulsory bytes; 1.0 where no tensor lies in DRAM."""
        return (self.dram_read + self.dram_written) / self.compulsory if self.compulsory else 1.0


def traffic_of(kernel: LoweredKernel, arch: Arch) -> Traffic:
    """Everything that reader and writer move on all cores."""
    count = _Count(kernel, arch)
    for body in kernel.bodies:
        for found in occurrences(body, (ReadPage, WritePage, Exchange, SendShared, RotateShared)):
            count.add(body, found)
    return count.result()


class _Count:
    """Sums over cores and banks while statements are visited."""

    def __init__(self, kernel: LoweredKernel, arch: Arch) -> None:
        self.kernel, self.arch = kernel, arch
        self.cores = [item.core for item in kernel.work]
        self.fields = {name: np.zeros(len(self.cores), dtype=np.int64) for name in CoreBytes.__struct_fields__}
        self.banks = {name: np.zeros(arch.dram_banks, dtype=np.int64) for name in ("read", "written", "requests")}
        self.tensors = {b.name: [0, 0] for b in kernel.buffers if memory_of(b.layout) == "dram"}

    def add(self, body: KernelBody, found: Occurrences) -> None:
        """Count one statement."""
        if isinstance(found.stmt, ReadPage | WritePage):
            buffer = self.kernel.buffer(found.stmt.tensor)
            for core, page, size in _pieces(found, buffer):
                self._page(buffer, found.stmt, core, page, size)
        elif isinstance(found.stmt, Exchange):
            part = found.stmt.pages * self.kernel.cb(found.stmt.cb).page_size
            others = found.values[1] - 1 if found.stmt.to == "all" else np.minimum(found.values[0], 1)
            self._sum("exchanged", found.core, others * part)
        elif isinstance(found.stmt, RotateShared):
            shard = found.stmt.pages * self.kernel.cb(found.stmt.cb).page_size
            turn = found.values[0] == found.values[1]
            self._sum("multicast_sent", found.core, turn * shard)
            self._sum("multicast_delivered", found.core, turn * shard * found.stmt.cores)
            self._sum("received", found.core, ~turn * shard)
        elif isinstance(found.stmt, SendShared):
            self._send(body, found, found.stmt)

    def result(self) -> Traffic:
        """The sums as data."""
        columns = {name: values.tolist() for name, values in self.fields.items()}
        cores = {
            core: CoreBytes(**{name: values[i] for name, values in columns.items()})
            for i, core in enumerate(self.cores)
        }
        return Traffic(
            cores=cores,
            tensors={name: (read, written) for name, (read, written) in self.tensors.items()},
            bank_read=tuple(self.banks["read"].tolist()),
            bank_written=tuple(self.banks["written"].tolist()),
            bank_requests=tuple(self.banks["requests"].tolist()),
            compulsory=sum(b.pages * b.page_size for b in self.kernel.buffers if b.name in self.tensors),
        )

    def _sum(self, name: str, core: np.ndarray, size: np.ndarray) -> None:
        np.add.at(self.fields[name], core, size)

    def _page(
        self, buffer: Buffer, stmt: ReadPage | WritePage, core: np.ndarray, page: np.ndarray, size: np.ndarray
    ) -> None:
        reads = isinstance(stmt, ReadPage)
        verb = "read" if reads else "written"
        if buffer.name in self.tensors:
            self._sum(f"dram_{verb}", core, size)
            bank = _bank_of(buffer, page, self.arch.dram_banks)
            np.add.at(self.banks[verb], bank, size)
            np.add.at(self.banks["requests"], bank, 1)
            self.tensors[buffer.name][0 if reads else 1] += int(size.sum())
            return
        own = self._is_own(buffer, core, page)
        self._sum(f"own_{verb}", core[own], size[own])
        self._sum(f"l1_{verb}", core[~own], size[~own])

    def _is_own(self, buffer: Buffer, core: np.ndarray, page: np.ndarray) -> np.ndarray:
        """Whether the page of a tensor in L1 lies on the core that moves it."""
        columns = self.arch.grid[0]
        mine = np.array([x + y * columns for x, y in self.cores])[core]
        if buffer.shards is None:
            return np.asarray(page % (columns * self.arch.grid[1]) == mine)
        places = np.array([x + y * columns for x, y in buffer.shards.cores])
        return np.asarray(places[_shard_of(buffer, page)] == mine)

    def _send(self, body: KernelBody, found: Occurrences, stmt: SendShared) -> None:
        size = sum(block.pages * self.kernel.cb(block.cb).page_size for block in stmt.blocks)
        times = np.bincount(found.core, minlength=len(self.cores))
        for index in np.flatnonzero(times).tolist():
            moved = size * int(times[index])
            for receivers in receivers_of(body, index, stmt.channel):
                if receivers == 1:
                    self.fields["shared"][index] += moved
                else:
                    self.fields["multicast_sent"][index] += moved
                    self.fields["multicast_delivered"][index] += moved * receivers
        for core, own in enumerate(self.cores):
            sender = sender_of(body, core, stmt.channel)
            if sender is not None and sender != own:
                self.fields["received"][core] += size * times[self.cores.index(sender)]


def sender_of(body: KernelBody, core: int, channel: str) -> Core | None:
    """The core that sends on a channel to the core of that index, from its arguments; None where nothing is shared."""
    first = _first_word(body, channel)
    word = body.core_values[core].values[first] if first is not None else None
    return word.noc_x if isinstance(word, ArgRef) else None


def receivers_of(body: KernelBody, core: int, channel: str) -> list[int]:
    """Cores in each rectangle that the core of that index sends to on a channel."""
    first = _first_word(body, channel)
    if first is None:
        return []
    targets = next(c.targets for c in body.channels if c.name == channel)
    counts = (body.core_values[core].values[first + 6 + 5 * target] for target in range(targets))
    return [count for count in counts if isinstance(count, int)]


def _first_word(body: KernelBody, channel: str) -> int | None:
    """Where the arguments of a channel begin: the sender's place, then five words for each rectangle."""
    first = len(body.accessors) + len(body.runtime_args)
    for other in body.channels:
        if other.name == channel:
            return first
        first += other.words
    return None


def _pieces(found: Occurrences, buffer: Buffer) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Core, page and bytes of each transfer of a tile: the page, or its rows one after the other."""
    stmt = found.stmt
    assert isinstance(stmt, ReadPage | WritePage)
    if stmt.rows is None:
        yield found.core, found.values[0], np.full(found.core.size, buffer.page_size)
        return
    page, _, rows, _, columns = found.values
    for row in range(int(rows.max(initial=0))):
        there = row < rows
        yield found.core[there], page[there] + row, columns[there] * stmt.element_bytes


def _bank_of(buffer: Buffer, page: np.ndarray, banks: int) -> np.ndarray:
    if buffer.shards is None:
        return np.asarray(page % banks)
    return np.asarray(np.array([bank for bank, _ in buffer.shards.cores])[_shard_of(buffer, page)])


def _shard_of(buffer: Buffer, page: np.ndarray) -> np.ndarray:
    """Number of the shard, row-major, in which a page lies."""
    assert buffer.shards is not None
    (height, width), (_, across) = buffer.shards.tiles, buffer.shards.counts
    row, column = np.divmod(page, buffer.tiles[1])
    return np.asarray(row // height * across + column // width)
