"""``tt-build compile``: every kernel's files, as scons writes them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tt_build.cli.arguments import Commands, add_spec


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("compile", help="write every kernel's files, as scons does")
    add_spec(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder; files go to DIR/tenstorrent")
    parser.set_defaults(command=compile_)


def compile_(options: argparse.Namespace) -> int:
    """Compile all, then write: with an error anywhere nothing is written."""
    from tt_build.cli.terminal import Progress, paint_for
    from tt_build.codegen.compile import compile_loaded
    from tt_build.codegen.write import write_group
    from tt_build.spec.loader import load_file
    from tt_build.spec.nearest import plural
    from tt_build.spec.render import in_order, render

    loaded = load_file(options.spec, arch=options.arch, grid=options.grid)
    progress = Progress("compiling", len(loaded.declarations))
    written, failed, found = compile_loaded(loaded, progress.at)
    progress.done()
    paint = paint_for(sys.stderr)
    if found:
        shown = (render(entry.diagnostic, loaded.source, paint) for entry in in_order(found, loaded.source))
        print("\n\n".join(shown), file=sys.stderr)
    if failed:
        return 1
    folder = options.output / "tenstorrent"
    for name, files in written.items():
        write_group({folder / name / path: data for path, data in files.items()})
    made = plural(len(loaded.declarations), "kernel")
    if loaded.sequences:
        made += f" and {plural(len(loaded.sequences), 'program')}"
    print(f"{made} written to {folder}")
    return 0
