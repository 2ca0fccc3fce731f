"""``tt-build templates``: the package's templates, to start one of a repository's own from."""

from __future__ import annotations

import argparse
import sys

from tt_build.cli.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("templates", help="list the package's templates, or print one")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a template, as in macros/noc.j2")
    parser.set_defaults(command=templates)


def templates(options: argparse.Namespace) -> int:
    """Print names, or the text of one."""
    from tt_build.cli.terminal import Usage
    from tt_build.spec.nearest import did_you_mean
    from tt_build.spec.templates import packaged

    if options.name is None:
        print("\n".join(packaged()))
    elif options.name in packaged():
        sys.stdout.write(packaged()[options.name])
    else:
        raise Usage(
            f"there is no template '{options.name}'; {did_you_mean(options.name, packaged(), what='templates')}"
        )
    return 0
