"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.cli.terminal import Failure, Usage

if TYPE_CHECKING:
    from tt_build.spec.loader import SpecFile
    from tt_build.spec.model import Declared, Locked

SPEC = Path("kernels.yaml")
# argparse has no public name for what add_subparsers returns.
Commands = Any


def add_spec(parser: argparse.ArgumentParser, *, option: bool = False, several: bool = False) -> None:
    """SPEC (as ``--spec`` where the positional argument is something else), ``--arch`` and ``--grid``."""
    if several:
        parser.add_argument(
            "specs", type=Path, nargs="+", metavar="SPEC", help="kernels.yaml; several with text and github"
        )
    elif option:
        parser.add_argument("--spec", type=Path, default=SPEC, help="default: kernels.yaml")
    else:
        parser.add_argument("spec", type=Path, metavar="SPEC", help="kernels.yaml")
    parser.add_argument("--arch", type=_arch, help="architecture of kernels that do not name one")
    parser.add_argument("--grid", type=_grid, metavar="8x8", help="worker cores of kernels that do not name a grid")


def _arch(text: str) -> str:
    from tt_build.targets import available_archs

    if text not in available_archs():
        raise argparse.ArgumentTypeError(f"there is no architecture '{text}'; known: {', '.join(available_archs())}")
    return text


def _grid(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    if not columns.isdecimal() or not rows.isdecimal() or not int(columns) or not int(rows):
        raise argparse.ArgumentTypeError("write COLUMNSxROWS, as in 8x8")
    return int(columns), int(rows)


def load(options: argparse.Namespace, locks: dict[str, Locked] | None = None) -> SpecFile:
    """The specification; ``Failure`` with every message where it has an error. ``locks`` as for ``load_file``."""
    from tt_build.spec.loader import load_file
    from tt_build.spec.render import render

    if not options.spec.exists():
        here = f"{options.spec} here" if options.spec == SPEC else options.spec
        raise Failure(f"there is no {here}; name one with --spec FILE, or start with 'tt-build init'")
    loaded = load_file(options.spec, arch=options.arch, grid=options.grid, locks=locks)
    if loaded.errors:
        shown = "\n\n".join(render(entry.diagnostic, loaded.source) for entry in loaded.errors)
        raise Failure(f"{options.spec} has errors\n{shown}")
    return loaded


def declaration(loaded: SpecFile, name: str) -> Declared:
    """The kernel of that name; ``Usage`` that names the nearest when there is none."""
    from tt_build.spec.nearest import nearest

    names = {entry.kernel.name: entry for entry in loaded.declarations}
    if name in names:
        return names[name]
    variants = [entry.kernel.name for entry in family(loaded, name)]
    programs = [program.name for program in loaded.sequences]
    close = nearest(name, [*names, *programs])
    hint = f"; its variants: {', '.join(variants[:8])}" if variants else f"; did you mean '{close}'?" if close else ""
    if name in programs:
        hint = "; it is a program: name the kernel of a step"
    raise Usage(f"there is no kernel '{name}' in {loaded.path}{hint}")


def family(loaded: SpecFile, name: str) -> list[Declared]:
    """The variants of a kernel that is named without one."""
    return [entry for entry in loaded.declarations if entry.kernel.name.startswith(f"{name}.")]
