"""Programs on the command line: what ``show``, ``graph``, ``explain`` and ``run`` do with one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.cli.graph import Graph
from tt_build.cli.terminal import Failure, Usage, table

if TYPE_CHECKING:
    from tt_build.ir.program_plan import Loaded
    from tt_build.passes.check_program import Lowered, StepRoom
    from tt_build.spec.loader import SpecFile
    from tt_build.spec.program import ProgramDeclaration


def program_of(loaded: SpecFile, name: str) -> ProgramDeclaration | None:
    """The program of that name, if there is one."""
    return next((program for program in loaded.sequences if program.name == name), None)


def shown(program: ProgramDeclaration, stage: str | None) -> str:
    """The declaration, flat, and what is generated from it; ``Usage`` for a stage that a program does not have."""
    from tt_build.cli.stagetext import fields_text
    from tt_build.codegen.program import make_program

    texts = {"declaration": program, "generate": make_program(program)}
    if stage is not None and stage not in texts:
        raise Usage(f"a program has no stage '{stage}'; its stages: {', '.join(texts)}")
    return "\n\n".join(f"{name}\n{fields_text(it, ())}" for name, it in texts.items() if stage in (None, name))


def flow(program: ProgramDeclaration) -> Graph:
    """From the inputs through every launch to the outputs; tensors that stay in L1 are drawn as buffers."""
    made = Graph({}, [])
    for name, tensor in program.tensors.items():
        kept = " in L1" if name in program.keep else ""
        made.node(name, f"{name} {list(tensor.shape)}\n{tensor.dtype}{kept}", "buffer" if kept else "tensor")
    for number, step in enumerate(program.steps, 1):
        node = made.node(f"step {number}", f"{number}: {step.kernel}", "step")
        for name in step.inputs.values():
            made.edge(name, node)
        for name in step.outputs.values():
            made.edge(node, name)
    return made


def explained(loaded: SpecFile, program: ProgramDeclaration) -> str:
    """Steps, tensors and where they lie, L1 of each core while a step runs. ``Failure`` where it cannot be built."""
    from tt_build.cli.explain import compiled
    from tt_build.passes.check_program import check_program
    from tt_build.spec.diagnostics import Rejected
    from tt_build.spec.render import render

    kernels: dict[str, Lowered] = {
        entry.kernel.name: compiled(loaded, entry)
        for entry in loaded.declarations
        if entry.kernel.name in program.kernels
    }
    try:
        rooms = check_program(program, kernels)
    except Rejected as rejected:
        messages = "\n\n".join(render(diagnostic, loaded.source) for diagnostic in rejected.diagnostics)
        raise Failure(f"{program.name} cannot be built\n{messages}") from None
    return _text(program, kernels, rooms)


def _text(program: ProgramDeclaration, kernels: dict[str, Lowered], rooms: tuple[StepRoom, ...]) -> str:
    from tt_build.passes.check_program import layout_text
    from tt_build.targets import load_arch

    arch = load_arch(program.arch)
    lines = [f"{program.name} ({program.file})"]
    if program.description:
        lines.append(f"  {program.description}")
    rows: list[tuple[str, ...]] = [("step", "kernel", "reads", "writes", "L1 of each core", "of that tensors")]
    for number, (step, room) in enumerate(zip(program.steps, rooms, strict=True), 1):
        tensors = sum(room.tensors.values())
        ends = (", ".join(step.inputs.values()), ", ".join(step.outputs.values()))
        rows.append((str(number), step.kernel, *ends, f"{room.total:,} B", f"{tensors:,} B"))
    lines += ["", f"steps ({arch.name}: {arch.l1_allocatable:,} B of L1 allocatable)", *table(rows)]
    places: dict[str, str] = {}
    for step in program.steps:
        for own, name in (step.inputs | step.outputs).items():
            places.setdefault(name, layout_text(kernels[step.kernel].buffer(own)))
    rows = [("tensor", "role", "shape", "dtype", "layout")]
    for name, tensor in program.tensors.items():
        role = "input" if name in program.inputs else "output" if name in program.outputs else "between steps"
        role = "kept in L1" if name in program.keep else role
        rows.append((name, role, str(list(tensor.shape)), tensor.dtype, places[name]))
    return "\n".join([*lines, "", "tensors", *table(rows)])


def run_program(options: argparse.Namespace, path: Path) -> int:
    """``tt-build run`` of a ``program.json``: read the inputs, run every step, write what was asked for."""
    from tt_build.cli.run import once, read_array, report, write_array
    from tt_build.ir.plan import PlanError
    from tt_build.ir.program_plan import load_program

    try:
        loaded = load_program(path.resolve())
    except PlanError as error:
        raise Failure(str(error)) from None
    program = loaded.program
    files, targets = once(options.input, "--input"), once(options.output, "--output")
    written = {name for step in program.steps for name in step.tensors.values()} - {*program.inputs}
    for name in targets:
        if name not in written:
            raise Usage(f"the program writes no tensor '{name}'; it writes {', '.join(sorted(written))}")
    for name in files:
        if name not in program.inputs:
            raise Usage(f"the program has no input '{name}'; its inputs: {', '.join(program.inputs)}")
    missing = [name for name in program.inputs if name not in files]
    if missing:
        raise Usage(f"no --input for {', '.join(missing)}")
    if options.scalar or options.root is not None:
        raise Usage("--scalar and --root are for a plan; a program says its scalars and its plans itself")
    arrays = {name: read_array(name, Path(file), loaded.buffer(name)) for name, file in files.items()}
    results = (_on_ttnn if options.on == "ttnn" else _on_emulator)(options, loaded, arrays)
    for name, file in targets.items():
        write_array(Path(file), results[name])
    print(report(program.program, options.on, results, targets, program.outputs))
    return 0


def _on_emulator(options: argparse.Namespace, loaded: Loaded, arrays: dict[str, Any]) -> dict[str, Any]:
    from tt_build.cli.run import write_json
    from tt_build.emulator.programs import launches, run_launches
    from tt_build.emulator.report import EmulationError
    from tt_build.emulator.toolchain import ToolchainError

    if options.trace is not None:
        raise Usage("--trace is of one plan; run the plan of a step for it")
    steps = launches(loaded)
    found: dict[str, Any] = {}
    counters: list[dict[str, Any]] = []
    try:
        for step, done in zip(steps, run_launches(steps, arrays, seed=options.seed), strict=True):
            found |= {name: done.outputs[tensor] for tensor, name in step.outputs.items()}
            counters.append({"kernel": step.plan.kernel, **done.counters})
            if done.printed:
                print(done.printed, end="")
    except EmulationError as error:
        number = len(counters)
        raise Failure(f"{error.printed}step {number + 1} ('{steps[number].plan.kernel}'): {error}") from None
    except ToolchainError as error:
        raise Failure(str(error)) from None
    if options.counters is not None:
        write_json(options.counters, {"steps": counters})
    return found


def _on_ttnn(options: argparse.Namespace, loaded: Loaded, arrays: dict[str, Any]) -> dict[str, Any]:
    from tt_build.runtime import LaunchError, ProgramLauncher

    for name in ("counters", "trace"):
        if getattr(options, name) is not None:
            raise Usage(f"--{name} is the emulator's; leave it out with --on ttnn")
    try:
        return ProgramLauncher(loaded).every_tensor(arrays)
    except LaunchError as error:
        raise Failure(str(error)) from None
