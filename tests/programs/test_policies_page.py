"""docs/policies.md holds what the emulator counts today."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT


def test_the_page_is_current() -> None:
    script = str(ROOT / "benchmarks" / "policies.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in (ROOT / "docs" / "policies.md").read_text(), "run benchmarks/policies.py --write"
