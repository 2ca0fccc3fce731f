"""The tutorial's kernel is what it says: its entry is valid, and the lines shown of it are those generated."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.support import ROOT
from tt_build.cli import main

PAGE = (ROOT / "docs" / "tutorial.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def test_the_lines_that_are_shown_are_generated(tmp_path: Path) -> None:
    entry = textwrap.indent(textwrap.dedent(block("yaml")), "  ")
    (tmp_path / "kernels.yaml").write_text(f"version: 1\nkernels:\n{entry}")
    assert main(["compile", str(tmp_path / "kernels.yaml"), "--output", str(tmp_path)]) == 0
    assert block("cpp") in (tmp_path / "tenstorrent/my_first/compute.cpp").read_text()
