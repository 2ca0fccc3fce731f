"""``python -m tt_build``."""

import sys

from tt_build.cli import main

sys.exit(main())
