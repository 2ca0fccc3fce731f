"""``tt-build validate``: every error of a specification, in the form that is asked for."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tt_build.cli.arguments import Commands, add_spec

if TYPE_CHECKING:
    from tt_build.spec.formats import Report

SPEC = "kernels.yaml"
_MOST_ROUNDS = 8


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("validate", help="check a specification and report every error")
    add_spec(parser, several=True)
    parser.add_argument("--fix", action="store_true", help="apply the fixes that are mechanical, then check again")
    parser.add_argument(
        "--format", choices=("text", "json", "github", "sarif", "junit"), default="text", help="default: text"
    )
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="also write every diagnostic as SARIF 2.1.0 there")
    parser.add_argument("--quick", action="store_true", help="the language only, without the compiler's passes")
    parser.add_argument("--fresh", action="store_true", help="all passes, proofs too, over all kernels")
    parser.add_argument(
        "--nearest",
        action="store_true",
        help="SPEC are files that changed (an include, a template): check the kernels.yaml nearest above each",
    )
    parser.set_defaults(command=validate)


def validate(options: argparse.Namespace) -> int:
    """Check, report, and fix before that where it is asked for."""
    from tt_build.cli.check import check
    from tt_build.cli.terminal import Usage

    specs = nearest_specs(options.specs) if options.nearest else options.specs
    one = options.format in ("json", "sarif", "junit") or options.sarif is not None
    if one and len(specs) > 1:
        raise Usage("--sarif and the formats json, sarif and junit take one SPEC")
    code = 0
    for spec in specs:
        if options.fix:
            fix(spec)
        report = check(spec, arch=options.arch, grid=options.grid, quick=options.quick, fresh=options.fresh)
        failed = any(entry.diagnostic.severity == "error" for entry in report.found)
        if options.sarif is not None:
            from tt_build.codegen.write import write_group
            from tt_build.spec.formats import sarif

            write_group({options.sarif: sarif(report).encode()})
        _say(spec, report, options, failed=failed)
        code |= failed
    return code


def nearest_specs(changed: list[Path]) -> list[Path]:
    """The kernels.yaml in the folder of each file, or in the nearest one above it in the working folder; each once."""
    found: dict[Path, None] = {}
    for path in changed:
        if path.name == SPEC:
            found[path] = None
            continue
        folders = itertools.chain((path.parent,), path.parent.parents)
        found.update(dict.fromkeys(itertools.islice((f / SPEC for f in folders if (f / SPEC).is_file()), 1)))
    return list(found)


def _say(spec: Path, report: Report, options: argparse.Namespace, *, failed: bool) -> None:
    """Text goes to the error stream, what machines read to the standard one."""
    from tt_build.cli.terminal import paint_for

    if options.format != "text":
        from tt_build.spec.formats import FORMATS

        sys.stdout.write(FORMATS[options.format](report))
        return
    if report.found:
        from tt_build.spec.formats import text

        sys.stderr.write(text(report, paint_for(sys.stderr)))
    if not failed:
        from tt_build.spec.nearest import kernels_and_programs

        print(f"{spec}: {kernels_and_programs(len(report.kernels), len(report.programs))}, no errors")


def fix(spec: Path) -> None:
    """Apply mechanical fixes until none is left, then write what changed, all files or none, and say what was done."""
    from tt_build.codegen.write import write_group
    from tt_build.spec.fixes import fixed_texts
    from tt_build.spec.loader import load_file

    for _ in range(_MOST_ROUNDS):
        loaded = load_file(spec)
        texts = fixed_texts(loaded)
        if not texts:
            return
        changed: dict[Path, bytes] = {}
        modes: dict[Path, int] = {}
        for index, text in texts.items():
            path = loaded.source.files[index].path.resolve()  # a symbolic link stays one
            with_mark = path.read_bytes().startswith(b"\xef\xbb\xbf")
            changed[path] = (b"\xef\xbb\xbf" if with_mark else b"") + text.encode()
            modes[path] = path.stat().st_mode & 0o7777
        write_group(changed)
        for path, mode in modes.items():
            path.chmod(mode)
        for entry in loaded.diagnostics:
            if entry.diagnostic.fix is not None:
                place = f"{entry.span.file}:{entry.span.line}:{entry.span.column}"
                wrote = entry.diagnostic.fix.replacement
                print(f"{place}: fixed {entry.diagnostic.code}: wrote {wrote}", file=sys.stderr)
