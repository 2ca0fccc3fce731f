"""The command line without SCons, on the same passes: one module a command.

Exit codes: 0 done, 1 diagnostics, a mismatch or a failed run, 2 usage, 70 a fault of tt-build, 130 interrupted.
A command module has ``add(commands)``, which declares its arguments and imports nothing of the compiler: what a command
needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from tt_build.cli import compile as compile_command
from tt_build.cli import completion, estimate, explain, graph, init, schema, show, templates, tune, validate
from tt_build.cli import run as run_command
from tt_build.cli.terminal import Failure, Usage, system_error
from tt_build.version import __version__

Command = Callable[[argparse.Namespace], int]

COMMANDS = (
    init,
    validate,
    compile_command,
    show,
    graph,
    explain,
    estimate,
    tune,
    run_command,
    schema,
    templates,
    completion,
)


def run() -> NoReturn:
    """The program: one command, then the end of the process, without taking apart what it built in memory."""
    code = main()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        command: Command = options.command
        code = command(options)
        sys.stdout.flush()
        return code
    except Usage as error:
        print(f"tt-build: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"tt-build: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tt-build: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone; the flush at exit must not complain either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"tt-build: {system_error(error)}", file=sys.stderr)
        return 1
    except Exception:
        return _our_fault()


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = argparse.ArgumentParser(
        prog="tt-build",
        description="Declarative builds of TT-Metalium kernels.",
        epilog="exit codes: 0 done, 1 errors were found, 2 wrong usage, 70 a fault of tt-build",
    )
    made.add_argument("--version", action="version", version=f"tt-build {__version__}")
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return made


def _our_fault() -> int:
    with tempfile.NamedTemporaryFile("w", prefix="tt-build-fault-", suffix=".txt", delete=False) as report:
        report.write(f"tt-build {__version__}, Python {sys.version}\n{sys.argv}\n{traceback.format_exc()}")
    print(f"tt-build: this is a fault of tt-build; please report it with {report.name}", file=sys.stderr)
    return 70
