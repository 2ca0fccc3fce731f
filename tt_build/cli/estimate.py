"""``tt-build estimate``: how long kernels take, what bounds them, what they move; no card, no run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tt_build.cli.arguments import Commands, add_spec
from tt_build.spec.nearest import plural

if TYPE_CHECKING:
    from tt_build.ir.plan import PlanEstimate
    from tt_build.spec.model import Declared

PLAN, PROGRAM = "tt.plan.json", "program.json"
Estimates = dict[str, "PlanEstimate | None"]
"""By kernel; None where the model has no figures."""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("estimate", help="estimate the time of kernels and what bounds it; count their bytes")
    parser.add_argument(
        "kernels",
        nargs="*",
        metavar="KERNEL|PROGRAM|PLAN",
        help="names (of a kernel with variants: all of them), or tt.plan.json and program.json files; "
        "all kernels where there is none",
    )
    add_spec(parser, option=True)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(command=estimate)


def estimate(options: argparse.Namespace) -> int:
    """Print the table or the JSON; of a program its steps and their sum."""
    found: Estimates = {}
    programs: dict[str, list[str]] = {}
    plans = [name for name in options.kernels if _is_plan(name)]
    asked = [kernel for name in plans for kernel in _planned(Path(name), found, programs)]
    names = [name for name in options.kernels if name not in plans]
    if names or not plans:
        asked += _compiled(options, names, found, programs)
    if options.format == "json":
        _print_json({name: found[name] for name in asked}, {name: _steps(programs[name], found) for name in programs})
        return 0
    shown = [_kernels_text({name: found[name] for name in asked})] if asked else []
    shown += [_program_text(name, _steps(steps, found)) for name, steps in programs.items()]
    print("\n\n".join(shown))
    return 0


def _is_plan(name: str) -> bool:
    return name.endswith(".json") or "/" in name or any((Path(name) / file).is_file() for file in (PLAN, PROGRAM))


def _planned(path: Path, found: Estimates, programs: dict[str, list[str]]) -> list[str]:
    """What ``tt.plan.json`` says, or the plans that a ``program.json`` names; the kernel that was asked for."""
    from tt_build.cli.run import plan_path
    from tt_build.cli.terminal import Failure
    from tt_build.ir.plan import PlanError, load_plan
    from tt_build.ir.program_plan import load_program

    path = plan_path(path)
    try:
        if path.name != PROGRAM:
            plan = load_plan(path)
            found[plan.kernel] = plan.estimate
            return [plan.kernel]
        loaded = load_program(path)
    except PlanError as error:
        raise Failure(str(error)) from None
    found |= {plan.kernel: plan.estimate for plan, _ in loaded.plans}
    programs[loaded.program.program] = [plan.kernel for plan, _ in loaded.plans]
    return []


def _compiled(
    options: argparse.Namespace, names: list[str], found: Estimates, programs: dict[str, list[str]]
) -> list[str]:
    """Kernels, all variants of a kernel, and the steps of programs, by name; all kernels where there is none.

    Gives the kernels that were asked for themselves.
    """
    from tt_build.cli.arguments import declaration, family, load
    from tt_build.cli.explain import compiled
    from tt_build.cli.programs import program_of
    from tt_build.cli.terminal import Progress
    from tt_build.codegen.cost import plan_estimate
    from tt_build.ir.stages import VerifiedKernel

    loaded = load(options)
    there: dict[str, Declared] = {entry.kernel.name: entry for entry in loaded.declarations}
    asked = [] if names else [*there]
    for name in dict.fromkeys(names):
        program = program_of(loaded, name)
        if program is not None:
            programs[name] = [step.kernel for step in program.steps]
        else:
            asked += [entry.kernel.name for entry in family(loaded, name) or [declaration(loaded, name)]]
    wanted = dict.fromkeys([*asked, *(kernel for steps in programs.values() for kernel in steps if names)])
    entries = {name: there[name] for name in wanted if name not in found}
    progress = Progress("estimating", len(entries))
    for count, (name, entry) in enumerate(entries.items()):
        progress.at(count, name)
        kernel = compiled(loaded, entry)
        found[name] = plan_estimate(kernel) if isinstance(kernel, VerifiedKernel) else None
    progress.done()
    return asked


def _steps(kernels: list[str], found: Estimates) -> list[tuple[str, PlanEstimate | None]]:
    return [(kernel, found[kernel]) for kernel in kernels]


def _kernels_text(found: Estimates) -> str:
    from tt_build.report.overview import overview

    told = {name: planned for name, planned in found.items() if planned is not None}
    lines = [line.removeprefix("  ") for line in overview(told)] if told else []
    if len(told) < len(found):
        lines.append(_silent([name for name in found if name not in told]))
    return "\n".join(lines)


def _program_text(name: str, steps: list[tuple[str, PlanEstimate | None]]) -> str:
    """The table of the steps with their total."""
    from tt_build.report.overview import cells, overview_of, total_cells

    told = [(f"{number}: {kernel}", it) for number, (kernel, it) in enumerate(steps, 1) if it is not None]
    rows = [cells(label, planned) for label, planned in told]
    lines = [f"{name}: {plural(len(steps), 'step')}, one after the other"]
    lines += overview_of([*rows, total_cells("total", [planned for _, planned in told])])
    if len(told) < len(steps):
        lines.append(
            f"  {_silent([kernel for kernel, planned in steps if planned is None])}; the total is without them"
        )
    return "\n".join(lines)


def _silent(names: list[str]) -> str:
    return f"no estimate: {', '.join(names)} (sources written by hand, or an architecture without figures)"


def _print_json(kernels: Estimates, programs: dict[str, list[tuple[str, PlanEstimate | None]]]) -> None:
    import msgspec

    from tt_build.ir.jsontext import to_text

    data = {
        "version": 1,
        "kernels": {name: msgspec.to_builtins(it) for name, it in kernels.items() if it is not None},
        "without_estimate": [name for name, it in kernels.items() if it is None],
        "programs": {
            name: {
                "cycles": sum(it.cycles for _, it in steps if it is not None),
                "time_ns": sum(it.time_ns for _, it in steps if it is not None),
                "steps": [{"kernel": kernel, "estimate": msgspec.to_builtins(it)} for kernel, it in steps],
            }
            for name, steps in programs.items()
        },
    }
    print(to_text(data).decode(), end="")
