"""The command line without SCons, on the same passes.

Exit codes: 0 done, 1 diagnostics or a mismatch, 2 usage, 70 a fault of tt-build.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tt_build.targets import available_archs
from tt_build.version import __version__

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        command: Command = options.command
        return command(options)
    except KeyboardInterrupt:
        print("tt-build: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"tt-build: {place}{error.strerror}", file=sys.stderr)
        return 1
    except Exception:
        return _our_fault()


def _our_fault() -> int:
    with tempfile.NamedTemporaryFile("w", prefix="tt-build-fault-", suffix=".txt", delete=False) as report:
        report.write(f"tt-build {__version__}, Python {sys.version}\n{sys.argv}\n{traceback.format_exc()}")
    print(f"tt-build: this is a fault of tt-build; please report it with {report.name}", file=sys.stderr)
    return 70


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tt-build", description="Declarative builds of TT-Metalium kernels.")
    parser.add_argument("--version", action="version", version=f"tt-build {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    validate = commands.add_parser("validate", help="check a specification and report every error")
    _spec_arguments(validate)
    validate.set_defaults(command=_validate)

    compile_ = commands.add_parser("compile", help="write every kernel's files, as scons does")
    _spec_arguments(compile_)
    compile_.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder; files go to DIR/tenstorrent"
    )
    compile_.set_defaults(command=_compile)

    schema = commands.add_parser("schema", help="print the JSON Schema of kernels.yaml")
    schema.set_defaults(command=_schema)
    return parser


def _spec_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", type=Path, metavar="SPEC", help="kernels.yaml")
    parser.add_argument("--arch", choices=available_archs(), help="architecture of kernels that do not name one")
    parser.add_argument("--grid", type=_grid, metavar="8x8", help="worker cores of kernels that do not name a grid")


def _grid(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    if not columns.isdecimal() or not rows.isdecimal() or not int(columns) * int(rows):
        raise argparse.ArgumentTypeError("write COLUMNSxROWS, as in 8x8")
    return int(columns), int(rows)


def _validate(options: argparse.Namespace) -> int:
    from tt_build.codegen.compile import compile_specification

    result = compile_specification(options.spec, arch=options.arch, grid=options.grid)
    if result.text:
        print(result.text, file=sys.stderr)
    if not result.failed:
        print(f"{options.spec}: {len(result.kernels)} kernels, no errors")
    return 1 if result.failed else 0


def _compile(options: argparse.Namespace) -> int:
    from tt_build.codegen.compile import compile_specification
    from tt_build.codegen.write import write_group

    result = compile_specification(options.spec, arch=options.arch, grid=options.grid)
    if result.text:
        print(result.text, file=sys.stderr)
    if result.failed:
        return 1
    folder = options.output / "tenstorrent"
    for name, files in result.kernels.items():
        write_group({folder / name / path: data for path, data in files.items()})
    print(f"{len(result.kernels)} kernels written to {folder}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    from importlib import resources

    sys.stdout.write((resources.files("tt_build.spec") / "kernels.schema.json").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
