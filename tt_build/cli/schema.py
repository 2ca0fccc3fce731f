"""``tt-build schema``: the JSON Schema of kernels.yaml, or of ops.yaml."""

from __future__ import annotations

import argparse
import sys

from tt_build.cli.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("schema", help="print the JSON Schema of kernels.yaml, or of ops.yaml")
    parser.add_argument("--ops", action="store_true", help="the schema of ops.yaml (see extensions)")
    parser.add_argument("--path", action="store_true", help="print where the installed schema lies instead")
    parser.add_argument(
        "--problem-matcher", action="store_true", help="print where the installed problem matcher for GitHub lies"
    )
    parser.set_defaults(command=schema)


def schema(options: argparse.Namespace) -> int:
    """Print it."""
    from importlib import resources

    from tt_build.spec import ops_schema
    from tt_build.spec.schema import schema_text

    if options.problem_matcher:
        print(resources.files("tt_build.cli") / "data" / "problem-matcher.json")
    elif options.path:
        print(resources.files("tt_build.spec") / ("ops.schema.json" if options.ops else "kernels.schema.json"))
    else:
        sys.stdout.write(ops_schema.schema_text() if options.ops else schema_text())
    return 0
