"""Runs a plan: compiles its kernel texts, unchanged, and executes them on every core."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tt_build.children import run_child
from tt_build.emulator import toolchain
from tt_build.emulator.describe import RawPages, Run, Settings, pages_of
from tt_build.emulator.formats import from_device, poison_mask
from tt_build.emulator.libraries import Unit, compile_units
from tt_build.emulator.memory import Layout, lay_out
from tt_build.emulator.report import EmulationError, Report, Waiting
from tt_build.emulator.sources import Sources, build_sources
from tt_build.emulator.trace import chrome_trace
from tt_build.ir.plan import AccessorRef, Buffer, Plan
from tt_build.targets import DTYPES, Arch, load_arch

WALL_CLOCK_SECONDS = 600.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run gives. ``outputs``: float32 or integer arrays of logical shapes; ``counters``: docs/emulator.md.

    ``pages`` are the same tensors as they lie in device memory, padding included: what a later run may be given.
    """

    outputs: dict[str, Any]
    pages: dict[str, RawPages]
    counters: dict[str, Any]
    trace: dict[str, Any] | None
    printed: str


def run(
    plan: Plan,
    root: Path,
    inputs: Mapping[str, NDArray[Any] | RawPages],
    *,
    seed: int = 0,
    fill: int = 0,
    numerics_seed: int = 0,
    trace: bool = False,
    scalars: Mapping[str, float | int] | None = None,
    timeout: float = WALL_CLOCK_SECONDS,
) -> Result:
    """Runs ``plan``, whose kernel sources lie under ``root``, on row-major unpadded ``inputs`` or pages of another run.

    ``seed`` orders threads and transfers, ``fill`` chooses what undefined memory holds: a right program gives the same
    bits under each. ``numerics_seed`` moves SFPU results within their stated bound. ``timeout`` is in seconds of wall
    clock. Raises ``EmulationError`` for what the emulator finds wrong, ``ToolchainError`` without a compiler.
    """
    settings = Settings(seed=seed, fill=fill, numerics_seed=numerics_seed, trace=trace, scalars=scalars or {})
    arch = load_arch(plan.arch)
    _check_inputs(plan, inputs)
    layout = lay_out(plan, arch)
    sources, libraries = compile_plan(plan, root, arch, layout)
    answer, raw, printed = execute(Run(plan, arch, layout, sources, libraries, settings), inputs, timeout)
    outputs, pages = _outputs(plan, layout, raw, answer["origins"])
    picture = chrome_trace(answer, layout) if trace else None
    return Result(
        outputs=outputs,
        pages=pages,
        counters={**answer["counters"], "cores_with_work": cores_with_work(plan)},
        trace=picture,
        printed=printed,
    )


def execute(
    job: Run, inputs: Mapping[str, NDArray[Any] | RawPages], timeout: float
) -> tuple[dict[str, Any], NDArray[np.uint8], str]:
    """Runs the engine: its answer, (data, shadow) of every output bank, and what DPRINT wrote."""
    with tempfile.TemporaryDirectory(prefix="tt-build-emu-") as name:
        folder = Path(name)
        with (folder / "data").open("wb") as data:
            job.write(folder / "description", data, inputs)
        printed = _execute(folder, timeout)
        answer = json.loads((folder / "result").read_text())
        if answer["status"] != "ok":
            raise EmulationError(_report(answer), printed)
        return answer, np.fromfile(folder / "output", np.uint8), printed


def compile_plan(
    plan: Plan, root: Path, arch: Arch | None = None, layout: Layout | None = None
) -> tuple[Sources, tuple[Path, ...]]:
    """Compiles the kernel texts (or finds them in the cache); ``EmulationError`` EMU801 when one does not compile.

    Returns the units of the plan's kernels and the library of each.
    """
    arch = arch or load_arch(plan.arch)
    sources = _sources(plan, root, arch, layout or lay_out(plan, arch))
    libraries, messages = compile_units(sources.units)
    if messages:
        raise EmulationError(_compile_report(messages, root))
    return sources, libraries


def compile_plans(plans: Iterable[tuple[Plan, Path]]) -> None:
    """Compiles the kernels of many plans (each with its folder) together, several times as fast as one by one.

    A text that does not compile, or a plan that cannot be laid out, is reported when that plan is run.
    """
    units: list[Unit] = []
    for plan, root in plans:
        arch = load_arch(plan.arch)
        with contextlib.suppress(EmulationError):
            units += _sources(plan, root, arch, lay_out(plan, arch)).units
    compile_units(units)


def _sources(plan: Plan, root: Path, arch: Arch, layout: Layout) -> Sources:
    words = {name: placed.words for name, placed in layout.buffers.items()}
    for kernel in plan.kernels:
        for arg in kernel.compile_time_args:
            if isinstance(arg, AccessorRef) and arg.words:
                words[arg.accessor_of] = arg.words
        if not (root / kernel.source).is_file():
            raise EmulationError(
                Report(
                    code="EMU802", text=f"no kernel source {kernel.source} under {root}", help="pass the plan's folder"
                )
            )
    return build_sources(plan, root, arch, words)


def cores_with_work(plan: Plan) -> int:
    """Cores of the plan's assignments that have work; all cores with kernels where the plan lists none."""
    if plan.cores.assignments:
        return sum(1 for a in plan.cores.assignments if a.count is None or a.count > 0)
    return len({core for kernel in plan.kernels for part in kernel.core_ranges for core in part.cores()})


def _check_inputs(plan: Plan, inputs: Mapping[str, NDArray[Any] | RawPages]) -> None:
    for name, buffer in plan.buffers.items():
        if buffer.role == "output":
            continue
        if name not in inputs:
            raise EmulationError(
                Report(
                    code="EMU710",
                    text=f"no input for tensor {name}",
                    help=f"pass an array of shape {list(buffer.shape)}",
                )
            )
        given = inputs[name]
        if isinstance(given, RawPages):
            continue  # whose number ``bank_bytes`` checks
        if tuple(given.shape) != tuple(buffer.shape):
            raise EmulationError(
                Report(
                    code="EMU710",
                    text=f"tensor {name} has shape {list(buffer.shape)}, the input has {list(given.shape)}",
                    help="inputs are unpadded and row-major",
                )
            )
    for name in inputs:
        if name not in plan.buffers or plan.buffers[name].role == "output":
            raise EmulationError(
                Report(
                    code="EMU710",
                    text=f"{name} is no input of this plan",
                    help=f"its inputs: {', '.join(n for n, b in plan.buffers.items() if b.role != 'output')}",
                )
            )


def _execute(folder: Path, timeout: float) -> str:
    command = [str(toolchain.engine()), *(str(folder / n) for n in ("description", "data", "result", "output"))]
    try:
        done = run_child(command, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        text = f"the run did not end within {timeout:g} s"
        raise EmulationError(
            Report(code="EMU602", text=text, help="a kernel loops for ever without waiting on the emulator")
        ) from error
    if not (folder / "result").exists():
        what = done.stderr.strip() or f"signal {-done.returncode}" if done.returncode < 0 else done.stderr.strip()
        raise EmulationError(
            Report(
                code="EMU901",
                text=f"the emulator's process ended unexpectedly ({what or done.returncode})",
                help="a kernel touches memory that is not L1, or overflows its stack",
            ),
            done.stdout,
        )
    return done.stdout


def _report(answer: dict[str, Any]) -> Report:
    spots = [answer["place"], *(row["place"] for row in answer["table"])]
    lines = toolchain.source_lines((p[0], p[1]) for p in spots if p)

    def place(spot: list[Any] | None) -> str:
        found = lines.get((spot[0], spot[1])) if spot else None
        return f"{found[0]}:{found[1]}" if found else ""

    table = tuple(
        Waiting(
            core=tuple(row["who"]["core"]),
            thread=row["who"]["thread"],
            place=place(row["place"]),
            call=row["call"],
            what=row["what"],
            wants=row["wants"],
            have=row["have"],
            size=row["size"],
            supplier=row["supplier"] or "",
        )
        for row in answer["table"]
    )
    who = answer["who"]
    return Report(
        code=answer["code"],
        text=answer["text"],
        help=answer["help"],
        kernel=who["kernel"] if who else "",
        core=tuple(who["core"]) if who else None,
        thread=who["thread"] if who else "",
        place=place(answer["place"]),
        table=table,
    )


_UNKNOWN = re.compile(
    r"[‘']([\w:]+)[’'] (?:was not declared|is not a member|has not been declared)|has no member named [‘'](\w+)[’']"
)
_NO_HEADER = re.compile(r"fatal error: ([\w./]+): No such file")


def _compile_report(messages: str, root: Path) -> Report:
    first = re.search(r"^(\S+?):(\d+):\d+: (?:fatal )?error: (.*)$", messages, re.M)
    text = f"the kernel does not compile: {first[3] if first else messages.strip().splitlines()[0]}"
    help_ = "docs/emulator.md lists what is emulated"
    header, name = _NO_HEADER.search(messages), _UNKNOWN.search(messages)
    if header:
        text = f"not emulated: header {header[1]}"
        help_ = "the emulator has the SDK's own paths under api/; docs/emulator.md lists them"
    elif name:
        text = f"not emulated: {next(g for g in name.groups() if g)}"
        help_ = "misspelt, removed from the SDK (0.78 and up), or outside the emulated subset (docs/emulator.md)"
    # the kernel's own line: an error inside our headers names it as the place of instantiation
    folders = "|".join(re.escape(name) for name in (toolchain.PLAN_PREFIX, str(root.resolve())))
    own = re.search(rf"^(?:{folders})/(\S+?):(\d+):\d+:", messages, re.M)
    return Report(code="EMU801", text=text, help=help_, place=f"{own[1]}:{own[2]}" if own else "")


def _outputs(
    plan: Plan, layout: Layout, raw: NDArray[np.uint8], origins: list[str]
) -> tuple[dict[str, NDArray[Any]], dict[str, RawPages]]:
    """The outputs as arrays, and as pages with what is undefined in them."""
    outputs: dict[str, NDArray[Any]] = {}
    pages: dict[str, RawPages] = {}
    at = 0
    for name, placed in layout.buffers.items():
        buffer = plan.buffers[name]
        if buffer.role != "output":
            continue
        size = placed.bank_bytes
        block = raw[at : at + 2 * size * len(placed.banks)].reshape(len(placed.banks), 2, size)
        at += block.size
        page = page_bytes(buffer)
        data, undefined = pages_of(placed, block[:, 0], page), None
        if block[:, 1].any():
            undefined = pages_of(placed, block[:, 1], page)
            _check_poison(name, buffer, undefined, origins)
        pages[name] = RawPages(data, undefined)
        outputs[name] = from_device(
            data, buffer.dtype, shape=buffer.shape, padded_shape=buffer.padded_shape, fmt=buffer.format
        )
    return outputs, pages


def page_bytes(buffer: Buffer) -> int:
    """Bytes of a page that hold values: a tile, or a row of a row-major tensor."""
    if buffer.format == "tile":
        return DTYPES[buffer.dtype].tile_bytes
    return buffer.padded_shape[-1] * DTYPES[buffer.dtype].element_bytes


def _check_poison(name: str, buffer: Buffer, shadow: NDArray[np.uint8], origins: list[str]) -> None:
    if not shadow.any():
        return
    dtype = DTYPES[buffer.dtype]
    inside = np.ones(shadow.size, bool)
    if tuple(buffer.shape) != tuple(buffer.padded_shape):
        mask = np.frombuffer(poison_mask(buffer.shape, buffer.padded_shape, buffer.dtype, buffer.format), np.uint8)
        inside = mask == 0
        if buffer.dtype == "bfloat4_b":
            inside |= (mask != 1) & ((shadow & ~mask) != 0) & (shadow != 0)
    bad = np.flatnonzero((shadow != 0) & inside)
    if not bad.size:
        return
    first = int(bad[0])
    origin = int(shadow[first])
    tile = first // page_bytes(buffer)
    where = f"tile {tile}" if buffer.format == "tile" else f"row {tile}"
    if buffer.format == "tile" and not dtype.is_block:
        flat = np.zeros(shadow.size, np.uint8)
        flat[bad] = 1
        where = f"element {_first_element(flat, buffer)} (tile {tile})"
    source = origins[origin] if origin < len(origins) and origins[origin] else "undefined memory"
    text = f"output {name} depends on undefined data, first at {where}: {source}"
    raise EmulationError(
        Report(code="EMU501", text=text, help="write, mask or zero it before it takes part in a result")
    )


def _first_element(flags: NDArray[np.uint8], buffer: Buffer) -> list[int]:
    """Index of the first flagged element: the flags travel through the untilizer as a tensor of ones."""
    size = DTYPES[buffer.dtype].element_bytes
    marks = flags.reshape(-1, size).max(axis=1).astype(np.uint16).view(np.uint8)
    grid = from_device(marks.tobytes(), "uint16", shape=buffer.shape, padded_shape=buffer.padded_shape)
    return [int(i) for i in np.argwhere(grid)[0]]
