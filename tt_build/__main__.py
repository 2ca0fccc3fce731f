"""``python -m tt_build``."""

from tt_build.cli import run

run()
