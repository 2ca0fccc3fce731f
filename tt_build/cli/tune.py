"""``tt-build tune``: run the best plans of matmuls, and lock the one that did best."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING

from tt_build.cli.arguments import Commands, add_spec

if TYPE_CHECKING:
    from tt_build.ir.stages import DefaultedKernel
    from tt_build.spec.diagnostics import Diagnostic
    from tt_build.spec.loader import SpecFile
    from tt_build.spec.lockfile import Entry, Measured
    from tt_build.spec.model import Declaration
    from tt_build.tune.plans import Lowered, Tunable
    from tt_build.tune.ranking import Run

MOST_PRODUCTS = 2_000_000
"""Products of tiles in a run of the emulator; docs/evidence.md has its speed."""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("tune", help="run the best plans of matmuls and lock the one that does best")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="names; all kernels where there is none")
    add_spec(parser, option=True)
    parser.add_argument("--top", type=_count, default=5, metavar="N", help="plans of each kernel that run; default: 5")
    parser.add_argument("--on", choices=("emulator", "ttnn"), default="emulator", help="default: emulator")
    parser.add_argument(
        "--most",
        type=_count,
        default=MOST_PRODUCTS,
        metavar="N",
        help=f"tile products of the largest kernel that the emulator runs; default: {MOST_PRODUCTS}",
    )
    parser.add_argument("--check", action="store_true", help="run nothing; exit with 1 where the lockfile is stale")
    parser.set_defaults(command=tune)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**12:
        raise argparse.ArgumentTypeError("write a whole number above 0")
    return int(text)


def tune(options: argparse.Namespace) -> int:
    """Tune and write the lockfile, or check it."""
    return _check(options) if options.check else _tune(options)


def _tune(options: argparse.Namespace) -> int:
    from tt_build.codegen.write import probe, write_group
    from tt_build.spec.lockfile import lock_path
    from tt_build.spec.nearest import plural
    from tt_build.tune.ranking import lock_text

    loaded = _loaded(options)
    kept = _kept(options, loaded)
    chosen = _chosen(options, loaded)
    small = [one for one in chosen if options.on == "ttnn" or one.products <= options.most]
    for one in chosen:
        if one not in small:
            print(
                f"tt-build: {one.name} is not tuned: {one.products:,} products of tiles are more than "
                f"{options.most:,}; tune it on a device with --on ttnn, or raise --most",
                file=sys.stderr,
            )
    entries, path = dict(kept), lock_path(options.spec)
    if small:
        probe(path)
    for one in small:
        entries[one.name] = _tuned(one, options)
        write_group({path: lock_text(entries)})  # what was found stays where a later run fails
    if not small and path.exists():
        write_group({path: lock_text(entries)})
    if small or path.exists():
        print(f"{path}: {plural(len(entries), 'plan')}")
    else:
        print(f"{options.spec}: no kernel has a choice of plans")
    return 0 if len(small) == len(chosen) else 1


def _loaded(options: argparse.Namespace) -> SpecFile:
    from tt_build.cli.arguments import load

    return load(options, locks={})


def _chosen(options: argparse.Namespace, loaded: SpecFile) -> list[Tunable]:
    """The kernels that have a choice; those named must."""
    from tt_build.cli.arguments import declaration
    from tt_build.cli.terminal import Failure
    from tt_build.spec.diagnostics import Rejected
    from tt_build.spec.model import Declaration
    from tt_build.spec.render import render
    from tt_build.tune.plans import tunable

    names = dict.fromkeys(options.kernels)
    found: list[Tunable] = []
    for entry in [declaration(loaded, name) for name in names] or loaded.declarations:
        try:
            one = tunable(entry) if isinstance(entry, Declaration) else None
        except Rejected as rejected:
            messages = "\n\n".join(render(diagnostic, loaded.source) for diagnostic in rejected.diagnostics)
            raise Failure(f"{entry.kernel.name} cannot be built\n{messages}") from None
        if one is not None:
            found.append(one)
        elif names:
            raise Failure(f"{entry.kernel.name} has no choice of plans: it has no matmul that is blocked")
    return found


def _kept(options: argparse.Namespace, loaded: SpecFile) -> dict[str, Entry]:
    """Entries of the present lockfile that stay: those of kernels that are declared and are not tuned now."""
    from tt_build.cli.terminal import Failure
    from tt_build.spec.lockfile import read_lock
    from tt_build.spec.positions import SourceMap
    from tt_build.spec.render import render

    source = SourceMap()
    source.files += loaded.source.files[:1]
    lock = read_lock(options.spec, source)
    if lock.problems and options.kernels:
        messages = "\n\n".join(render(problem, source) for problem in lock.problems)
        raise Failure(f"the lockfile has errors; 'tt-build tune' without names makes it anew\n{messages}")
    there = {entry.kernel.name for entry in loaded.declarations}
    return {name: entry for name, entry in lock.entries.items() if name in there}


def _tuned(one: Tunable, options: argparse.Namespace) -> Entry:
    """Run the plans of a kernel, say how each did, and give its entry."""
    from tt_build.cli.terminal import Failure, table
    from tt_build.spec.nearest import plural
    from tt_build.tune.plans import lowered_plans
    from tt_build.tune.ranking import entry_of, ranked

    plans, refused = lowered_plans(one, options.top)
    if not plans:
        raise Failure(f"{one.name}: no plan passes: {refused[0].diagnostics[0].message}")
    order = ranked(one, _runs(one, plans, options.on))
    where = "a device" if options.on == "ttnn" else "the emulator"
    print(f"{one.name}: {len(plans)} of {one.legal:,} legal plans ran on {where}")
    for message, count in Counter(rejected.diagnostics[0].message for rejected in refused).items():
        print(f"  {plural(count, 'plan')} left out: {message}")
    print("\n".join(table([_HEADS[options.on], *(_cells(one, run, at) for at, run in enumerate(order))])))
    return entry_of(one, order)


def _runs(one: Tunable, plans: list[Lowered], on: str) -> list[Run]:
    from tt_build.cli.terminal import Failure, Progress
    from tt_build.emulator.report import EmulationError
    from tt_build.emulator.toolchain import ToolchainError
    from tt_build.runtime import LaunchError
    from tt_build.tune.measure import measure

    progress = Progress(f"{one.name}: plan", len(plans))
    runs: list[Run] = []
    try:
        for count, plan in enumerate(plans):
            progress.at(count, plan.candidate.algorithm)
            runs.append((plan.candidate, measure(plan.kernel, on)))
    except (EmulationError, ToolchainError, LaunchError) as error:
        raise Failure(f"{one.name}: {error}") from None
    finally:
        progress.done()
    return runs


_PLAN_HEADS = ("", "algorithm", "cores", "block", "K a step")
_HEADS = {
    "emulator": (*_PLAN_HEADS, "cycles", "DRAM", "NoC", "tile operations"),
    "ttnn": (*_PLAN_HEADS, "a launch"),
}


def _cells(one: Tunable, run: Run, at: int) -> tuple[str, ...]:
    from tt_build.passes.locked_plans import plan_of

    plan = plan_of(run[0])
    place = "locked" if at == 0 else ""
    if plan == one.planner:
        place = "locked, the planner's" if place else "the planner's"
    columns, rows = plan.cores
    sizes = (f"{columns} x {rows}", f"{plan.block[0]} x {plan.block[1]}", str(plan.k_block))
    return place, plan.algorithm, *sizes, *_figures(run[1])


def _figures(measured: Measured) -> tuple[str, ...]:
    if measured.on == "ttnn":
        return (f"{measured.nanoseconds or 0:,} ns",)
    return (
        f"{measured.cycles or 0:,}",
        f"{measured.dram_bytes or 0:,} B",
        f"{measured.noc_bytes or 0:,} B",
        f"{measured.tile_ops or 0:,}",
    )


def _check(options: argparse.Namespace) -> int:
    """Say what of the lockfile is stale, or is not what the planner chose then; accepted warnings, too."""
    from tt_build.cli.arguments import declaration, load
    from tt_build.cli.terminal import Failure, paint_for
    from tt_build.spec.lockfile import lock_path
    from tt_build.spec.model import Declaration
    from tt_build.spec.nearest import plural
    from tt_build.spec.render import in_order, render

    path = lock_path(options.spec)
    if not path.exists():
        raise Failure(f"there is no {path}; run 'tt-build tune'")
    loaded = load(options)
    chosen = [declaration(loaded, name) for name in dict.fromkeys(options.kernels)] or list(loaded.declarations)
    found = [entry.diagnostic for entry in loaded.diagnostics if entry.diagnostic.code == "TTB105"]
    locked = [entry for entry in chosen if isinstance(entry, Declaration) and entry.locked is not None]
    for entry in locked:
        found += _stale(entry)
    for located in in_order(found, loaded.source):
        print(render(located.diagnostic, loaded.source, paint_for(sys.stderr)) + "\n", file=sys.stderr)
    if not found:
        print(f"{path}: {plural(len(locked), 'plan')}, none stale")
    return 1 if found else 0


def _stale(entry: Declaration) -> tuple[Diagnostic, ...]:
    """What a build says of the kernel's locked plan, whatever it allows."""
    import msgspec

    from tt_build.passes import apply_defaults, infer_schedule
    from tt_build.passes.locked_plans import lock_warnings
    from tt_build.spec.diagnostics import Rejected
    from tt_build.targets import load_arch

    bare = msgspec.structs.replace(entry, kernel=msgspec.structs.replace(entry.kernel, allow=()))
    try:
        kernel: DefaultedKernel = apply_defaults.apply(bare)
        return lock_warnings(bare, infer_schedule.apply(kernel, load_arch(kernel.arch)))
    except Rejected as rejected:
        return rejected.diagnostics
