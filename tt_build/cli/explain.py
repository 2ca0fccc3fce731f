"""``tt-build explain``: the catalogue's page of a code, or how a kernel or program is built and why."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from tt_build.cli.arguments import Commands, add_spec
from tt_build.cli.terminal import table
from tt_build.spec.nearest import plural

if TYPE_CHECKING:
    from tt_build.ir.handwritten import VerifiedSources
    from tt_build.ir.stages import VerifiedKernel
    from tt_build.model.kernel import KernelEstimate
    from tt_build.spec.loader import SpecFile
    from tt_build.spec.model import Declaration, Declared


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("explain", help="explain a code (TTB014), or how a kernel is built and why")
    parser.add_argument(
        "subject", metavar="CODE|KERNEL", help="a code of a message, or the name of a kernel or program"
    )
    add_spec(parser, option=True)
    parser.set_defaults(command=explain)


def explain(options: argparse.Namespace) -> int:
    """Print the page or the explanation."""
    from tt_build.cli.arguments import declaration, load
    from tt_build.cli.programs import explained, program_of
    from tt_build.cli.sources import sources_text
    from tt_build.cli.terminal import Usage
    from tt_build.ir.handwritten import VerifiedSources
    from tt_build.ir.stages import VerifiedKernel
    from tt_build.spec.model import Declaration

    subject: str = options.subject
    if re.fullmatch(r"(?i)TTB\d+", subject):
        from tt_build.spec.catalogue import page
        from tt_build.spec.codes import CODES

        if subject.upper() not in CODES:
            raise Usage(f"there is no code {subject.upper()}; codes run from {min(CODES)} to {max(CODES)}")
        print(page(subject.upper()), end="")
        return 0
    loaded = load(options)
    program = program_of(loaded, subject)
    if program is not None:
        print(explained(loaded, program))
        return 0
    entry = declaration(loaded, subject)
    kernel = compiled(loaded, entry)
    if isinstance(entry, Declaration):
        assert isinstance(kernel, VerifiedKernel)
        print(kernel_text(entry, kernel))
    else:
        assert isinstance(kernel, VerifiedSources)
        print(sources_text(entry, kernel))
    return 0


def compiled(loaded: SpecFile, entry: Declared) -> VerifiedKernel | VerifiedSources:
    """The kernel after all passes; ``Failure`` with the messages where one rejects it."""
    from tt_build.cli.terminal import Failure
    from tt_build.ir.handwritten import VerifiedSources
    from tt_build.ir.stages import VerifiedKernel
    from tt_build.passes.pipeline import run_chain
    from tt_build.spec.diagnostics import Rejected
    from tt_build.spec.render import render

    try:
        kernel = run_chain(entry)[0]
    except Rejected as rejected:
        messages = "\n\n".join(render(diagnostic, loaded.source) for diagnostic in rejected.diagnostics)
        raise Failure(f"{entry.kernel.name} cannot be built\n{messages}") from None
    assert isinstance(kernel, VerifiedKernel | VerifiedSources)
    return kernel


def kernel_text(entry: Declaration, kernel: VerifiedKernel) -> str:
    """Algorithm, grid, blocks, work, memory, and where each choice comes from."""
    from tt_build.cli.attention_text import attention_lines
    from tt_build.cli.matmul_text import matmul_head, matmul_rows
    from tt_build.targets import load_arch

    arch = load_arch(kernel.arch)
    lines = [f"{kernel.name} ({entry.file})"]
    if entry.kernel.description:
        lines.append(f"  {entry.kernel.description}")
    lines += ["", "compute"]
    lines += [f"  {line}" for line in kernel.compute.splitlines()]
    lines += ["", "choices"]
    lines += table(_choices(entry, kernel))
    lines += ["", "work"]
    lines += table(_work(kernel))
    if kernel.matmul_choice is not None:
        lines += ["", matmul_head(kernel)]
        lines += table(matmul_rows(kernel))
    if kernel.flash is not None:
        lines += ["", *attention_lines(kernel, kernel.flash)]
    if kernel.residency is not None:
        lines += ["", f"sweeps over the tiles of a unit: {kernel.residency.choice} ({kernel.residency.reason})"]
        lines += table(_sweeps(kernel))
        lines += _parts(kernel)
    lines += ["", "tensors"]
    rows: list[tuple[str, ...]] = [("tensor", "role", "shape", "dtype", "layout", "tiles", "padded to")]
    for buffer in kernel.buffers:
        layout = buffer.layout if isinstance(buffer.layout, str) else f"{buffer.layout.memory} {buffer.layout.sharding}"
        shape, tiles = str(list(buffer.shape)), f"{buffer.batch} x {buffer.tiles[0]} x {buffer.tiles[1]}"
        padded = str(list(buffer.padded_shape)) if buffer.needs_padding else "-"
        rows.append((buffer.name, buffer.role, shape, buffer.dtype, layout, tiles, padded))
    lines += table(rows)
    lines += ["", f"L1 of each core ({arch.name}: {arch.l1_allocatable:,} B allocatable)"]
    rows = [("id", "circular buffer", "format", "pages", "a move", "bytes")]
    for cb in kernel.circular_buffers:
        size = f"{cb.size:,}"
        rows.append((str(cb.id), cb.name, cb.dtype, f"{cb.num_pages} x {cb.page_size}", plural(cb.block, "page"), size))
    lines += table(rows)
    total = sum(cb.size for cb in kernel.circular_buffers)
    lines.append(f"  {total:,} B of circular buffers, {100 * total / arch.l1_allocatable:.1f} % of L1")
    lines += ["", "traffic, all cores together"]
    rows = [("tensor", "tiles read", "tiles written")]
    for buffer in kernel.buffers:
        read, wrote = kernel.pages_read.get(buffer.name, 0), kernel.pages_written.get(buffer.name, 0)
        rows.append((buffer.name, f"{read:,}", f"{wrote:,}"))
    lines += table(rows)
    lines += _estimate(kernel)
    return "\n".join(lines)


def _estimate(kernel: VerifiedKernel) -> list[str]:
    """Time, what bounds it, how busy each resource is, and who waits for what."""
    from tt_build.codegen.cost import as_planned
    from tt_build.model.constants import has_figures
    from tt_build.model.kernel import estimate
    from tt_build.report.figures import BOUNDS, amount, duration, percent

    if not has_figures(kernel.arch):
        return []
    found = estimate(kernel)
    planned = as_planned(kernel, found)
    what = "estimate" if kernel.matmul_choice is None else "estimate of the whole kernel"
    lines = ["", f"{what}: {found.cycles:,} cycles, {duration(found.time_ns)}; bound by {_bound(found)}"]
    busy = {BOUNDS[name]: cycles for name, cycles in found.busy.items()}
    if found.busy["math"] and found.busy["vector"]:
        busy["both engines, which one processor drives"] = found.busy["math"] + found.busy["vector"]
    rows: list[tuple[str, ...]] = [("resource, where it is busiest", "cycles", "of the time")]
    for name, cycles in sorted(busy.items(), key=lambda pair: (-pair[1], pair[0])):
        if cycles:
            rows.append((name, f"{cycles:,}", percent(cycles / found.cycles)))
    lines += table(rows)
    moved, least = planned.dram_read_bytes + planned.dram_write_bytes, planned.compulsory_bytes
    if least:
        lines.append(f"  DRAM: {amount(moved)}, {planned.dram_ratio:.2f} of the compulsory {amount(least)}")
    if planned.matrix_utilization:
        lines.append(f"  matmuls alone would take {percent(planned.matrix_utilization)} of it on all cores")
    waits = sorted(found.stalls, key=lambda stall: -stall.cycles)[:4]
    lines += [f"  {wait.processor} waits {wait.cycles:,} cycles for {wait.waits_for}" for wait in waits]
    return lines


def _bound(found: KernelEstimate) -> str:
    """What bounds the kernel, and by which rule where it is not the busiest of the table."""
    from tt_build.report.figures import BOUNDS

    text, busy = BOUNDS[found.bound], found.busy
    if found.bound in ("math", "vector") and busy["math"] and busy["vector"]:
        return f"{text}, counted with the other engine"
    waits = max(("reader", "writer"), key=lambda name: busy[name])
    if found.bound == "dram" and busy[waits] > busy["dram"]:
        return f"{text}, for which {BOUNDS[waits]} waits"
    return text


def _parts(kernel: VerifiedKernel) -> list[str]:
    parts = kernel.parts
    if parts is None:
        return []
    whose = (
        "on cores of their own, which exchange what they gathered" if parts.spread else "one after the other on a core"
    )
    if kernel.blocking is not None:
        whole = f"  {plural(parts.total, 'tile')} of K are {parts.count} parts of {plural(parts.tiles, 'tile')}"
        return [f"{whole} on cores of their own; the first adds what all have gathered"]
    line = f"  a unit of {plural(parts.total, 'tile')} along its {parts.axis} is gathered in {parts.count} parts"
    return [f"{line} of {plural(parts.tiles, 'tile')}, {whose}"]


def _choices(entry: Declaration, kernel: VerifiedKernel) -> list[tuple[str, ...]]:
    """Each choice with its value and who made it."""
    from tt_build.lang.dst_width import computed_on_uint16

    own, shared = entry.kernel, entry.defaults
    planner = f"locked in {kernel.lock.file}" if kernel.lock is not None and kernel.lock.taken else "the planner"

    def origin(section: str, key: str) -> str:
        if section == "schedule" and kernel.blocking is not None and key not in kernel.choice.stated:
            return planner
        for holder, name in ((own, "the kernel"), (shared, "the file's defaults")):
            values = getattr(holder, section, None)
            if values is not None and getattr(values, key, None) is not None:
                return f"{name}: {section}.{key}"
        return "the default"

    stated = own.schedule.matmul if own.schedule is not None and own.schedule.matmul is not None else None
    asked = stated is not None and stated.algorithm != "auto"
    regions = f"{kernel.region.size[0]} x {kernel.region.size[1]} at {list(kernel.region.at)}"
    height, width = kernel.unit_tiles
    matmul = any(value.op == "matmul" for value in kernel.program.values)
    by = "the kernel: schedule.matmul.algorithm" if asked else planner
    block = "a barrier; as many as fit L1 with the other buffers, at most 16"
    whole = "a row, whose tiles meet" if kernel.algorithm == "rows" else "what is reduced together"
    whole = whole if kernel.sweeps else "one tile"
    if kernel.blocking is not None:
        whole, block = planner, "a step"
    if kernel.flash is not None:
        whole = planner
    narrow = computed_on_uint16(kernel.program)
    accumulation = "uint16, which needs it" if narrow is not None else origin("math", "fp32_accumulate")
    rows: list[tuple[str, ...]] = [
        ("algorithm", kernel.algorithm, by if matmul else "the only one for this kind of kernel"),
        ("policy", kernel.policy, origin("schedule", "policy")),
        ("order", kernel.order, origin("schedule", "order")),
        ("cores", regions, _cores_by(kernel, planner)),
        ("unit", f"{height} x {width} tiles", "the kernel: block or grid" if own.block or own.grid else whole),
        ("fidelity", kernel.math.fidelity, origin("math", "fidelity")),
        ("accumulation", "float32" if kernel.math.fp32_accumulate else "bfloat16", accumulation),
    ]
    if kernel.flash is not None:
        rows.append(("keys a step", plural(kernel.flash.keys, "tile"), planner))
    elif matmul:
        told = f"tiles of K {_costs(kernel)}" if kernel.block_costs else f"tiles of K {block}"
        rows.append(("inner block", plural(kernel.k_block, "tile"), told))
    elif kernel.sweeps:
        rows.append(
            ("sweep block", plural(kernel.sweep_block, "tile"), f"tiles of what is streamed {_costs(kernel) or block}")
        )
    else:
        rows.append(("batch", plural(kernel.batch, "tile"), f"tiles {_costs(kernel) or block}"))
    single = not kernel.sweeps and kernel.blocking is None and kernel.attention is None
    if single and any(r for r in kernel.results if not r.bound):
        rows.append(("depth", plural(kernel.depth, "block"), "that a circular buffer holds, by the model"))
    if kernel.in_dst > 1:
        rows.append(("in DST", plural(kernel.in_dst, "tile"), "a section, configured once for all, by the model"))
    return rows


def _cores_by(kernel: VerifiedKernel, planner: str) -> str:
    """What says which cores are used: shards that lie there, else the declaration, of which a plan may use a part."""
    from tt_build.passes.placement import placing_tensor

    placing = placing_tensor(kernel)
    if placing is not None:
        return f"the shards of '{placing.name}' lie there"
    size, by = kernel.core_grid, "the target's grid"
    if kernel.choice.cores is not None:
        size = kernel.choice.cores.size
        holder = "the kernel" if "cores" in kernel.choice.stated else "the file's defaults"
        by = f"{holder}: schedule.cores"
    return by if kernel.region.size == size else f"{planner}, within {by}"


def _costs(kernel: VerifiedKernel) -> str:
    """Between which blocks the cost model chose."""
    told = ", ".join(f"{size}: {time:,}" for size, time in kernel.block_costs)
    return f"a barrier, by the model's cycles for {told}" if told else ""


def _sweeps(kernel: VerifiedKernel) -> list[tuple[str, ...]]:
    """Each sweep: what it does over which tiles, what it reads and how that comes, what it leaves."""
    from tt_build.ir.told import tell_sweeps

    rows: list[tuple[str, ...]] = [("sweep", "does", "tiles", "reads", "gives")]
    for number, told in enumerate(tell_sweeps(kernel), 1):
        reads = [f"{name} ({how})" for name, how in told.reads.items()]
        gives = [f"{name} ({how})" for name, how in told.gives.items()]
        tiles = f"{told.tiles[0]} x {told.tiles[1]}{' by columns' if told.by_columns else ''}"
        rows.append((str(number), told.what, tiles, ", ".join(reads), ", ".join(gives)))
    return rows


def _work(kernel: VerifiedKernel) -> list[tuple[str, ...]]:
    counts = sorted({item.count for item in kernel.work if item.count})
    busy = sum(1 for item in kernel.work if item.count)
    most = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    grid = kernel.grid
    return [
        ("grid", f"{grid.x} x {grid.y} x {grid.z} = {grid.units:,} units"),
        ("cores with work", f"{busy} of {kernel.core_grid[0] * kernel.core_grid[1]}"),
        ("units a core", most),
        ("balance", f"{100 * grid.units / (busy * counts[-1]):.0f} % of the time of the busiest core, on average"),
        ("DST", f"{plural(kernel.dst_tiles, 'tile')} in the largest section"),
    ]
