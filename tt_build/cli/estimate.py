"""``tt-build estimate``: how long kernels take, what bounds them, what they move; no card, no run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tt_build.cli.arguments import Commands, add_spec

if TYPE_CHECKING:
    from tt_build.ir.plan import PlanEstimate


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("estimate", help="estimate the time of kernels and what bounds it; count their bytes")
    parser.add_argument(
        "kernels",
        nargs="*",
        metavar="KERNEL|PLAN",
        help="names, or tt.plan.json files; all kernels where there is none",
    )
    add_spec(parser, option=True)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(command=estimate)


def estimate(options: argparse.Namespace) -> int:
    """Print the table or the JSON."""
    found: dict[str, PlanEstimate] = {}
    silent: list[str] = []
    plans = [name for name in options.kernels if _is_plan(name)]
    for name in plans:
        kernel, planned = _planned(Path(name))
        _note(found, silent, kernel, planned)
    names = [name for name in options.kernels if name not in plans]
    if names or not plans:
        for kernel, planned in _compiled(options, names):
            _note(found, silent, kernel, planned)
    if options.format == "json":
        _print_json(found, silent)
    else:
        _print_text(found, silent)
    return 0


def _note(found: dict[str, PlanEstimate], silent: list[str], kernel: str, planned: PlanEstimate | None) -> None:
    if planned is None:
        silent.append(kernel)
    else:
        found[kernel] = planned


def _is_plan(name: str) -> bool:
    return name.endswith(".json") or "/" in name or (Path(name) / "tt.plan.json").is_file()


def _planned(path: Path) -> tuple[str, PlanEstimate | None]:
    from tt_build.cli.terminal import Failure
    from tt_build.ir.plan import PlanError, load_plan

    try:
        plan = load_plan(path / "tt.plan.json" if path.is_dir() else path)
    except PlanError as error:
        raise Failure(str(error)) from None
    return plan.kernel, plan.estimate


def _compiled(options: argparse.Namespace, names: list[str]) -> list[tuple[str, PlanEstimate | None]]:
    from tt_build.cli.arguments import declaration, load
    from tt_build.cli.explain import compiled
    from tt_build.cli.terminal import Progress
    from tt_build.codegen.cost import plan_estimate
    from tt_build.ir.stages import VerifiedKernel

    loaded = load(options)
    entries = [declaration(loaded, name) for name in dict.fromkeys(names)] or list(loaded.declarations)
    progress = Progress("estimating", len(entries))
    found: list[tuple[str, PlanEstimate | None]] = []
    for count, entry in enumerate(entries):
        progress.at(count, entry.kernel.name)
        kernel = compiled(loaded, entry)
        found.append((kernel.name, plan_estimate(kernel) if isinstance(kernel, VerifiedKernel) else None))
    progress.done()
    return found


def _print_text(found: dict[str, PlanEstimate], silent: list[str]) -> None:
    from tt_build.report.overview import overview

    if found:
        print("\n".join(line.removeprefix("  ") for line in overview(found)))
    if silent:
        print(f"no estimate: {', '.join(silent)} (sources written by hand, or an architecture without figures)")


def _print_json(found: dict[str, PlanEstimate], silent: list[str]) -> None:
    import msgspec

    from tt_build.ir.jsontext import to_text

    kernels = {name: msgspec.to_builtins(planned) for name, planned in found.items()}
    print(to_text({"version": 1, "kernels": kernels, "without_estimate": silent}).decode(), end="")
