"""Whether the kernels of a program fit together once they are lowered.

Needs   a program and the verified kernel of each of its steps.
Rejects kernels that lay a shared tensor out differently (TTB220), tensors in L1 that leave a step no room beside its
        circular buffers (TTB305), and tensors that are more than DRAM together (TTB304). A kernel alone was checked
        with its own tensors; a program has others that lie in memory meanwhile: what is kept for a later step, and
        inputs and outputs, which the caller holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.stages import Buffer, VerifiedKernel
from tt_build.passes.dram_tensors import bytes_in_dram, dram_advice, dram_shortage
from tt_build.passes.l1_tensors import bytes_in_l1
from tt_build.spec.diagnostics import Diagnostic, Rejected, Related, Where
from tt_build.spec.model import Sharding
from tt_build.spec.program import ProgramDeclaration
from tt_build.targets import Arch, load_arch

Lowered = VerifiedKernel | VerifiedSources


class StepRoom(msgspec.Struct, frozen=True, kw_only=True):
    """L1 of each core while a step runs, in bytes: its circular buffers, and every tensor of the program there."""

    kernel: str
    circular_buffers: int
    tensors: dict[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return self.circular_buffers + sum(self.tensors.values())


def check_program(program: ProgramDeclaration, kernels: Mapping[str, Lowered]) -> tuple[StepRoom, ...]:
    """L1 of each step. Raises ``Rejected``; ``kernels`` are the program's by name."""
    found = _check_layouts(program, kernels)
    rooms = step_rooms(program, kernels)
    allocatable = load_arch(program.arch).l1_allocatable
    fullest = max(range(len(rooms)), key=lambda number: rooms[number].total)
    if rooms[fullest].total > allocatable:
        found.append(_no_room(program, fullest, rooms[fullest], allocatable))
    found += _check_dram(program, kernels)
    if found:
        raise Rejected(*found)
    return rooms


def step_rooms(program: ProgramDeclaration, kernels: Mapping[str, Lowered]) -> tuple[StepRoom, ...]:
    """What each step finds in L1."""
    return tuple(
        StepRoom(
            kernel=step.kernel,
            circular_buffers=sum(cb.size for cb in kernels[step.kernel].circular_buffers),
            tensors=tensors,
        )
        for step, tensors in zip(program.steps, _while_steps_run(program, kernels, bytes_in_l1), strict=True)
    )


def _while_steps_run(
    program: ProgramDeclaration, kernels: Mapping[str, Lowered], bytes_of: Callable[[Buffer, Arch], int]
) -> list[dict[str, int]]:
    """For each step the tensors that are there, with their bytes where they have any."""
    arch = load_arch(program.arch)
    sizes: dict[str, int] = {}
    for step in program.steps:
        for tensor, name in (step.inputs | step.outputs).items():
            sizes[name] = bytes_of(kernels[step.kernel].buffer(tensor), arch)
    last, here = program.last_reads, {name: sizes[name] for name in program.inputs if sizes[name]}
    found = []
    for number, step in enumerate(program.steps):
        here |= {name: sizes[name] for name in step.outputs.values() if sizes[name]}
        found.append(dict(here))
        here = {name: size for name, size in here.items() if last.get(name, len(program.steps)) > number}
    return found


def _check_dram(program: ProgramDeclaration, kernels: Mapping[str, Lowered]) -> list[Diagnostic]:
    """TTB304 at the step with the most, where that is too much."""
    arch, there = load_arch(program.arch), _while_steps_run(program, kernels, bytes_in_dram)
    number = max(range(len(there)), key=lambda number: sum(there[number].values()))
    need = sum(there[number].values())
    if need <= arch.dram_bank_bytes:
        return []
    step = program.steps[number]
    what = f"while step {number + 1} ('{step.kernel}') runs, the program's tensors in DRAM take"
    where = Where(path=("programs", program.name, "steps", step.at))
    return [Diagnostic("TTB304", f"{what} {dram_shortage(need, arch)}", where, dram_advice(there[number], arch))]


def layout_text(buffer: Buffer) -> str:
    """A layout in a few words."""
    layout, shards = buffer.layout, buffer.shards
    if not isinstance(layout, Sharding) or shards is None:
        return str(layout)
    rows, columns = (32 * tiles for tiles in shards.tiles)
    return f"{layout.memory} {layout.sharding}, {len(shards.cores)} shards of {rows} x {columns}"


def _check_layouts(program: ProgramDeclaration, kernels: Mapping[str, Lowered]) -> list[Diagnostic]:
    """Every tensor lies as the first kernel that names it says."""
    first: dict[str, tuple[Buffer, Where, str]] = {}
    problems: dict[str, Diagnostic] = {}
    for step in program.steps:
        for key, wires in (("inputs", step.inputs), ("outputs", step.outputs)):
            for tensor, name in wires.items():
                buffer = kernels[step.kernel].buffer(tensor)
                where = Where(path=("programs", program.name, "steps", step.at, key, tensor))
                other, place, who = first.setdefault(name, (buffer, where, step.kernel))
                if _lies(buffer) == _lies(other) or name in problems:
                    continue
                message = (
                    f"tensor '{name}' is {layout_text(buffer)} in kernel '{step.kernel}', "
                    f"and {layout_text(other)} in kernel '{who}'"
                )
                related = (Related(place, "as this kernel has it"),)
                help_ = f"declare the same layout in both, or keep: {{{name}: LAYOUT}}"
                problems[name] = Diagnostic("TTB220", message, where, help_, related)
    return list(problems.values())


def _lies(buffer: Buffer) -> tuple[object, ...]:
    layout = buffer.layout if isinstance(buffer.layout, str) else ""
    return layout, buffer.shards, buffer.page_size, buffer.padded_shape, buffer.accessor_words


def _no_room(program: ProgramDeclaration, number: int, room: StepRoom, allocatable: int) -> Diagnostic:
    """TTB305 at the largest of the kept tensors, else at the step."""
    step = program.steps[number]
    kept = {name: size for name, size in room.tensors.items() if name in program.keep}
    at: Where = Where(path=("programs", program.name, "steps", step.at))
    related: tuple[Related, ...] = ()
    if kept:
        largest = max(kept, key=lambda name: kept[name])
        related = (Related(at, "while this step runs"),)
        at = Where(path=("programs", program.name, "keep", largest))
    rows = [f"  {name:<24} {size:>9} B" for name, size in room.tensors.items()]
    rows.append(f"  {'circular buffers':<24} {room.circular_buffers:>9} B")
    message = (
        f"step {number + 1} ('{step.kernel}') would have {room.total} B of L1 in use a core; "
        f"{program.arch} has {allocatable} B"
    )
    help_ = "keep less, for fewer steps, or over more cores\n" + "\n".join(rows)
    return Diagnostic("TTB305", message, at, help_, related)
