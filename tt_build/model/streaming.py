"""Elementwise kernels before they have blocks: what a core's share costs with so many tiles a barrier.

Large blocks spread the latency of a barrier over more tiles; small ones let reader, compute and writer begin earlier
and work at the same time. The recurrence of ``overlap`` says which weighs more.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import (
    FillStep,
    FpuStep,
    LoadStep,
    MaskStep,
    MoveStep,
    SectionPlan,
    SfpuStep,
    StagedKernel,
    Step,
    memory_of,
)
from tt_build.model.constants import Constants, load_constants, vector_cycles
from tt_build.model.matmul import PHASES
from tt_build.targets import DTYPES

BLOCKS = (1, 2, 4, 8, 16)
ALIKE = 1.02
"""Blocks whose estimates differ by less count as alike: the larger has fewer barriers."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What the busiest core does for each of its ``tiles``: cycles, commands, bytes read from and written to DRAM and
    other cores' L1, and how many buffers are called for a block; ``cores`` move at the same time.
    """

    tiles: int
    cores: int
    compute: float
    streams: int
    results: int
    dram_read: int
    l1_read: int
    dram_written: int
    l1_written: int


def share_of(kernel: StagedKernel) -> Share:
    """The share of the busiest core of an elementwise kernel."""
    read, written = {"dram": 0, "l1": 0}, {"dram": 0, "l1": 0}
    streams = [stream for stream in kernel.streams if stream.per == "unit"]
    results = [result for result in kernel.results if not result.bound]
    for moved, tensors in ((read, streams), (written, results)):
        for item in tensors:
            tensor = kernel.tensor(item.tensor)
            moved[memory_of(tensor.layout)] += DTYPES[tensor.dtype].tile_bytes
    return Share(
        tiles=max(item.count for item in kernel.work),
        cores=len(kernel.work),
        compute=sum(_section(kernel, section) for section in kernel.sections),
        streams=len(streams),
        results=len(results),
        dram_read=read["dram"],
        l1_read=read["l1"],
        dram_written=written["dram"],
        l1_written=written["l1"],
    )


def cycles(share: Share, block: int, arch: str) -> int:
    """Cycles of the share in blocks of so many tiles, two of which fit each buffer."""
    f = load_constants(arch)
    reader = [0.0]
    compute = [0.0]
    writer = [0.0]
    for first in range(0, share.tiles, block):
        tiles = min(block, share.tiles - first)
        reader.append(max(reader[-1], compute[-2] if len(compute) > 1 else 0.0) + _read(share, tiles, f))
        free = writer[-2] if len(writer) > 1 else 0.0
        calls = f.cb_cycles * (share.streams + share.results)
        compute.append(max(compute[-1], reader[-1], free) + tiles * share.compute + calls)
        writer.append(max(writer[-1], compute[-1]) + _write(share, tiles, f))
    return round(writer[-1])


def choose(costs: tuple[tuple[int, int], ...]) -> int:
    """The largest block that is as fast as the fastest; ``costs`` are (tiles, cycles)."""
    fastest = min(time for _, time in costs)
    return max(tiles for tiles, time in costs if time <= fastest * ALIKE)


def _read(share: Share, tiles: int, f: Constants) -> float:
    """A block from the first command to the barrier's end."""
    commands = tiles * share.streams * f.read_issue
    dram = min(f.dram_read_rate, f.dram_total_rate / share.cores)
    landed = f.dram_read_latency + tiles * share.dram_read / dram if share.dram_read else 0.0
    from_l1 = f.l1_read_latency + tiles * share.l1_read / f.l1_read_rate if share.l1_read else 0.0
    return max(commands, landed, from_l1) + share.streams * f.cb_cycles


def _write(share: Share, tiles: int, f: Constants) -> float:
    commands = tiles * share.results * f.write_issue
    dram = min(f.write_rate, f.dram_write_rate / share.cores)
    left = max(tiles * share.dram_written / dram, tiles * share.l1_written / f.l1_write_rate)
    return max(commands, left) + share.results * f.cb_cycles


def _section(kernel: StagedKernel, section: SectionPlan) -> float:
    """Cycles of a DST section: unpackers and engines overlap, the packer works beside the next section."""
    f = load_constants(kernel.arch)
    unpack = engine = vector = 0.0
    for step in section.steps:
        read, fpu, sfpu = _step(kernel, step, f)
        unpack, engine, vector = unpack + read, engine + fpu, vector + sfpu
    return max(unpack, engine + vector + f.section_cycles)


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
    assert isinstance(step, MaskStep), step  # in the last column of tiles only
    return 0.0, 0.0, 0.0


def _tile(kernel: StagedKernel, cb: str) -> int:
    """Bytes of a tile in that circular buffer."""
    stream = next((stream for stream in kernel.streams if stream.cb == cb), None)
    if stream is not None:
        return DTYPES[kernel.tensor(stream.tensor).dtype].tile_bytes
    handed = next((item for item in kernel.intermediates if item.cb == cb), None)
    return DTYPES[handed.dtype if handed is not None else "bfloat16"].tile_bytes
