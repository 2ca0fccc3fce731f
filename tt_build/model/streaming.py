"""Kernels of single tiles before they have blocks: what a core's share costs with so many tiles a barrier, so many
blocks in a circular buffer and so many tiles in a DST section.

Large blocks spread the latency of a barrier over more tiles; small ones let reader, compute and writer begin earlier
and work at the same time, where a buffer holds two of them. A section of several tiles spreads acquiring DST and
configuring the engines. The recurrence of ``overlap`` says what weighs more.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import (
    FillStep,
    FpuStep,
    LoadStep,
    MaskStep,
    MatmulStep,
    MoveStep,
    SectionPlan,
    SfpuStep,
    StagedKernel,
    Step,
    Sweep,
    memory_of,
)
from tt_build.model.constants import Constants, load_constants, vector_cycles
from tt_build.model.matmul import PHASES
from tt_build.targets import DTYPES

MAX_BLOCK = 16  # tiles a barrier: beyond this the NoC is saturated (bytes in flight per barrier)
DEPTH = 2  # blocks: one is filled while the other is drained
BLOCKS = (1, 2, 4, 8, 16)
DEPTHS = (1, 2, 3, 4)
ALIKE = 1.02
"""Choices whose estimates differ by less count as alike."""

_UNITS_SHOWN = 4
_SHOWN = 24
"""Blocks, or units of a matmul, that are run one by one; those behind them take as long as the last of these."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What is moved for a tile: commands, which also is the number of buffers, and bytes in DRAM and in L1."""

    commands: int = 0
    dram: int = 0
    l1: int = 0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What the busiest core does for each of its ``tiles``: ``compute`` cycles of engines and ``pack`` of the packer,
    ``section`` cycles a DST section besides, tiles in and out; ``cores`` move at the same time.
    """

    tiles: int
    cores: int
    compute: float
    section: float
    pack: float
    read: Moved
    written: Moved


class Products(msgspec.Struct, frozen=True, kw_only=True):
    """What the busiest core of a streaming matmul does for each of its ``units``, which are tiles of the output.

    ``k_tiles`` times ``product`` cycles of engines for the tiles ``step``, then ``share`` for the rest of a unit.
    """

    k_tiles: int
    product: float
    step: Moved
    share: Share


def share_of(kernel: StagedKernel) -> Share:
    """The share of the busiest core of a kernel of single tiles, without the products of a matmul."""
    read = [stream.tensor for stream in kernel.streams if stream.per == "unit"]
    f = load_constants(kernel.arch)
    compute, section = 0.0, _inits(kernel.sections) * f.init_cycles
    for plan in kernel.sections:
        compute, section = compute + _section(kernel, plan, f), section + f.section_cycles
    return Share(
        tiles=max(item.count for item in kernel.work),
        cores=len(kernel.work),
        compute=compute,
        section=section,
        pack=sum(_tile(kernel, cb) for plan in kernel.sections for _, cb in plan.stores) / f.pack_rate,
        read=_moved(kernel, read),
        written=_moved(kernel, [result.tensor for result in kernel.results if not result.bound]),
    )


def products_of(kernel: StagedKernel) -> Products:
    """The share of the busiest core of a streaming matmul."""
    f = load_constants(kernel.arch)
    steps = [step for plan in kernel.sections for step in plan.steps if isinstance(step, MatmulStep)]
    unpack = sum(_tile(kernel, step.a) + _tile(kernel, step.b) for step in steps) / f.unpack_joint_rate
    engine = len(steps) * f.phase_cycles * PHASES[kernel.math.fidelity]
    return Products(
        k_tiles=steps[0].k_tiles,
        product=max(unpack, engine) + len(steps) * f.matmul_overhead,
        step=_moved(kernel, [stream.tensor for stream in kernel.streams if stream.per == "k"]),
        share=share_of(kernel),
    )


def _moved(kernel: StagedKernel, tensors: list[str]) -> Moved:
    sizes = {"dram": 0, "l1": 0}
    for name in tensors:
        tensor = kernel.tensor(name)
        sizes[memory_of(tensor.layout)] += DTYPES[tensor.dtype].tile_bytes
    return Moved(commands=len(tensors), **sizes)


def cycles(share: Share, block: int, arch: str, depth: int = 2, in_dst: int = 1) -> int:
    """Cycles of the share in blocks of so many tiles, ``depth`` of which fit each buffer, ``in_dst`` in a section."""
    f = load_constants(arch)
    whole, rest = divmod(share.tiles, block)
    pipeline = _Pipeline(depth)
    for _ in range(min(whole, _SHOWN)):
        pipeline.add(*_stages(share, block, in_dst, f))
    pipeline.go_on(whole - _SHOWN)
    if rest:
        pipeline.add(*_stages(share, rest, in_dst, f))
    return round(pipeline.writer[-1])


def product_cycles(products: Products, block: int, arch: str, depth: int = 2) -> int:
    """Cycles of a streaming matmul with so many tiles of K a barrier, ``depth`` blocks of which fit each buffer."""
    f, share = load_constants(arch), products.share
    calls = f.cb_cycles * products.step.commands
    sizes = [min(block, products.k_tiles - first) for first in range(0, products.k_tiles, block)]
    reader, compute, ended = [0.0], [0.0], [0.0]
    for _ in range(min(share.tiles, _SHOWN)):
        for size in sizes:
            free = compute[-depth] if len(compute) > depth else 0.0
            reader.append(max(reader[-1], free) + _read(products.step, size, share.cores, f))
            compute.append(max(compute[-1], reader[-1]) + size * products.product + calls)
        reader[-1] += _read(share.read, 1, share.cores, f) if share.read.commands else 0.0
        compute[-1] = max(compute[-1], reader[-1]) + share.compute + share.section
        free = ended[-depth] if len(ended) > depth else 0.0
        packed = max(compute[-1], free) + share.pack + f.cb_cycles
        ended.append(max(ended[-1], packed) + _write(share.written, 1, share.cores, f))
    more = max(share.tiles - _SHOWN, 0)
    return round(ended[-1] + more * (ended[-1] - ended[-2]))


class SweepShare(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep does for each of a unit's ``tiles``, of which a block never has more than a ``line``."""

    tiles: int
    line: int
    compute: float
    read: Moved
    written: Moved


class RowShare(msgspec.Struct, frozen=True, kw_only=True):
    """What the busiest core of a kernel of sweeps does: ``units`` times ``held`` in, the sweeps, ``results`` out."""

    units: int
    cores: int
    held: Moved
    sweeps: tuple[SweepShare, ...]
    results: Moved


def rows_of(kernel: StagedKernel, lines: tuple[int, ...]) -> RowShare:
    """The share of the busiest core of a kernel of sweeps, whose lines have so many tiles."""
    held = [s.tensor for s in kernel.streams if s.per == "unit" for _ in range(s.extent[0] * s.extent[1])]
    unit = kernel.unit_tiles[0] * kernel.unit_tiles[1]
    kept = [r.tensor for r in kernel.results if not r.bound and r.sweep < 0 for _ in range(unit)]
    sweeps: list[SweepShare] = []
    for number, (sweep, line) in enumerate(zip(kernel.sweeps, lines, strict=True)):
        sweeps.append(
            SweepShare(
                tiles=sweep.extent[0] * sweep.extent[1],
                line=line,
                compute=swept_cycles(kernel, sweep),
                read=_moved(kernel, [s.tensor for s in kernel.streams if s.per == "sweep" and s.sweep == number]),
                written=_moved(kernel, [r.tensor for r in kernel.results if not r.bound and r.sweep == number]),
            )
        )
    return RowShare(
        units=max(item.count for item in kernel.work),
        cores=len(kernel.work),
        held=_moved(kernel, held),
        sweeps=tuple(sweeps),
        results=_moved(kernel, kept),
    )


def swept_cycles(kernel: StagedKernel, sweep: Sweep) -> float:
    """Cycles of the engines for a tile of a sweep."""
    f = load_constants(kernel.arch)
    each = sum(_section(kernel, plan, f) + f.section_cycles for plan in sweep.sections)
    return each + _inits(sweep.sections) * f.init_cycles


def row_cycles(share: RowShare, block: int, arch: str, depth: int = 2) -> int:
    """Cycles of a kernel of sweeps in blocks of so many tiles; ``depth`` units of what is held fit L1."""
    f = load_constants(arch)
    reader = compute = writer = 0.0
    used, left, taken, ended = [0.0], [0.0], [0.0], [0.0]
    for _ in range(min(share.units, _UNITS_SHOWN)):
        if share.held.commands:
            free = taken[-depth] if len(taken) > depth else 0.0
            reader = max(reader, free) + _read(share.held, 1, share.cores, f)
            compute = max(compute, reader)
        for sweep in share.sweeps:
            for size in _blocks_of(sweep, block):
                if sweep.read.commands:
                    reader = max(reader, used[-2] if len(used) > 2 else 0.0) + _read(sweep.read, size, share.cores, f)
                free = left[-2] if sweep.written.commands and len(left) > 2 else 0.0
                calls = f.cb_cycles * (sweep.read.commands + sweep.written.commands)
                compute = max(compute, reader if sweep.read.commands else 0.0, free) + size * sweep.compute + calls
                if sweep.read.commands:
                    used.append(compute)
                if sweep.written.commands:
                    writer = max(writer, compute) + _write(sweep.written, size, share.cores, f)
                    left.append(writer)
        taken.append(compute)
        if share.results.commands:
            writer = max(writer, compute) + _write(share.results, 1, share.cores, f)
        ended.append(max(compute, writer))
    more = max(share.units - _UNITS_SHOWN, 0)
    return round(ended[-1] + more * (ended[-1] - ended[-2]))


def _blocks_of(sweep: SweepShare, block: int) -> list[int]:
    """The sizes of the blocks of a sweep, line by line."""
    line = min(sweep.line, sweep.tiles)
    sizes = [min(block, line - first) for first in range(0, line, block)]
    return sizes * -(-sweep.tiles // line)


class _Pipeline:
    """Times at which reader, compute and writer have finished each block, ``depth`` of which a buffer holds."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.reader, self.compute, self.writer = [0.0], [0.0], [0.0]

    def add(self, read: float, computed: float, packed: float, write: float) -> None:
        """A block that takes so long; the packer is done ``packed`` cycles after the engines."""
        free_in = self.compute[-self.depth] if len(self.compute) > self.depth else 0.0
        free_out = self.writer[-self.depth] if len(self.writer) > self.depth else 0.0
        self.reader.append(max(self.reader[-1], free_in) + read)
        self.compute.append(max(self.compute[-1], self.reader[-1], free_out) + computed)
        self.writer.append(max(self.writer[-1], self.compute[-1] + packed) + write)

    def go_on(self, blocks: int) -> None:
        """As many more blocks like the last."""
        if blocks > 0:
            for times in (self.reader, self.compute, self.writer):
                period = times[-1] - times[-2]
                times[:] = [time + blocks * period for time in times]


def _stages(share: Share, tiles: int, in_dst: int, f: Constants) -> tuple[float, float, float, float]:
    """A block in the reader, in the engines, what the packer takes behind them, and in the writer."""
    last = tiles % in_dst or min(tiles, in_dst)
    calls = f.cb_cycles * (share.read.commands + share.written.commands)
    engines = tiles * share.compute + -(-tiles // in_dst) * share.section
    read = _read(share.read, tiles, share.cores, f) if share.read.commands else 0.0
    written = _write(share.written, tiles, share.cores, f) if share.written.commands else 0.0
    return read, max(engines, (tiles - last) * share.pack) + calls, last * share.pack, written


def choose(costs: tuple[tuple[int, int], ...]) -> int:
    """The largest block that is as fast as the fastest; ``costs`` are (tiles, cycles)."""
    fastest = min(time for _, time in costs)
    return max(tiles for tiles, time in costs if time <= fastest * ALIKE)


def fewest(costs: tuple[tuple[int, int], ...]) -> int:
    """The smallest number than which no other is faster by more than what counts as alike."""
    fastest = min(time for _, time in costs)
    return min(number for number, time in costs if time <= fastest * ALIKE)


def _read(moved: Moved, tiles: int, cores: int, f: Constants) -> float:
    """A block from the first command to the barrier's end."""
    commands = tiles * moved.commands * f.read_issue
    dram = min(f.dram_read_rate, f.dram_total_rate / cores)
    landed = f.dram_read_latency + tiles * moved.dram / dram if moved.dram else 0.0
    from_l1 = f.l1_read_latency + tiles * moved.l1 / f.l1_read_rate if moved.l1 else 0.0
    return max(commands, landed, from_l1) + moved.commands * f.cb_cycles


def _write(moved: Moved, tiles: int, cores: int, f: Constants) -> float:
    commands = tiles * moved.commands * f.write_issue
    dram = min(f.write_rate, f.dram_write_rate / cores)
    left = max(tiles * moved.dram / dram, tiles * moved.l1 / f.l1_write_rate)
    return max(commands, left) + moved.commands * f.cb_cycles


def _section(kernel: StagedKernel, section: SectionPlan, f: Constants) -> float:
    """Cycles of a DST section for its tile: unpackers and engines overlap, the packer works beside the next section."""
    unpack = engine = vector = 0.0
    for step in section.steps:
        read, fpu, sfpu = _step(kernel, step, f)
        unpack, engine, vector = unpack + read, engine + fpu, vector + sfpu
    return max(unpack, engine + vector)


def _inits(sections: tuple[SectionPlan, ...]) -> int:
    """Configurations that change in a unit that follows one like it: an init of the matrix engine ends that of the
    vector engine.
    """
    fpu: object = None
    sfpu: object = None
    changes = 0
    for repeat in (False, True):
        for step in (step for section in sections for step in section.steps):
            engine, wanted = _configuration(step)
            if engine == "fpu" and fpu != wanted:
                fpu, sfpu, changes = wanted, None, changes + repeat
            elif engine == "sfpu" and sfpu != wanted:
                sfpu, changes = wanted, changes + repeat
    return changes


def _configuration(step: Step) -> tuple[str, object]:
    """The engine of a step, and what it must be configured for."""
    if isinstance(step, LoadStep):
        return "fpu", (step.cb, step.transpose, step.bcast)
    if isinstance(step, FpuStep):
        return "fpu", (step.op, step.a, step.b, step.bcast)
    if isinstance(step, SfpuStep):
        return "sfpu", (step.function, step.form)
    if isinstance(step, MoveStep | FillStep):
        return "sfpu", (type(step), step.data_format)
    return ("fpu", (step.a, step.b, step.transpose_b)) if isinstance(step, MatmulStep) else ("", None)


def _step(kernel: StagedKernel, step: Step, f: Constants) -> tuple[float, float, float]:
    """Cycles of unpackers, matrix engine and vector engine."""
    if isinstance(step, LoadStep):
        return _tile(kernel, step.cb) / f.unpack_rate, f.copy_cycles, 0.0
    if isinstance(step, FpuStep):
        phases = PHASES[kernel.math.fidelity] if step.op == "mul" else 1
        return (_tile(kernel, step.a) + _tile(kernel, step.b)) / f.unpack_joint_rate, f.eltwise_cycles * phases, 0.0
    if isinstance(step, SfpuStep):
        return 0.0, 0.0, vector_cycles(kernel.arch, step.function, approximate=step.form == "approx")
    if isinstance(step, MoveStep | FillStep):
        return 0.0, 0.0, f.sfpu_simple
    assert isinstance(step, MaskStep | MatmulStep), step  # in the last column of tiles only; in ``product``
    return 0.0, 0.0, 0.0


def _tile(kernel: StagedKernel, cb: str) -> int:
    """Bytes of a tile in that circular buffer."""
    stream = next((stream for stream in kernel.streams if stream.cb == cb), None)
    if stream is not None:
        return DTYPES[kernel.tensor(stream.tensor).dtype].tile_bytes
    result = next((item for item in kernel.results if item.cb == cb), None)
    if result is not None:
        return DTYPES[kernel.tensor(result.tensor).dtype].tile_bytes
    handed = next((item for item in kernel.intermediates if item.cb == cb), None)
    return DTYPES[handed.dtype if handed is not None else "bfloat16"].tile_bytes
