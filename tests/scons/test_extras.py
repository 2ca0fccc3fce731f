"""What is declared where something names it: the aliases of one kernel, files, and the processes of ``verify``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import SPEC
from tests.support import ROOT, Tree

TELLS = (
    "from tt_build.scons.workers import Workers\n"
    "Workers.start = lambda self, count: print('processes start')\n"
    "from tt_build.scons.extras import Extras\n"
    "declare = Extras.declare\n"
    "def told(self, kind, names):\n    print('declared:', kind)\n    return declare(self, kind, names)\n"
    "Extras.declare = told\n"
)


def test_an_alias_of_one_kernel_is_that_of_every_specification_that_has_it(tmp_path: Path) -> None:
    """The first was named before the second was there."""
    more = 'env.Alias("all", "verify-add")\nenv.TTKernels("kernels.yaml", out="build/more", arch="blackhole")\n'
    tree = Tree(tmp_path / "tree", SPEC, Tree.SCONSTRUCT + more)
    said = tree.scons("-n", "verify-add")
    assert "add -> build/tenstorrent/add/verify.json" in said
    assert "add -> build/more/tenstorrent/add/verify.json" in said


def test_an_alias_that_a_project_has_already_gets_ours_too(tmp_path: Path) -> None:
    sconstruct = Tree.SCONSTRUCT.replace("env.TT", 'env.Alias("verify-add", env.Command("x", [], "touch x"))\nenv.TT')
    said = Tree(tmp_path / "tree", SPEC, sconstruct).scons("-n", "verify-add")
    assert "touch x" in said
    assert "add -> build/tenstorrent/add/verify.json" in said


@pytest.mark.parametrize(
    ("file", "kind"),
    [("verify.json", "verify"), ("sdk_check.json", "check-sdk"), ("run.ttnn.json", "run"), ("report.json", "report")],
)
def test_a_file_of_an_extra_declares_that_one_alone(tmp_path: Path, file: str, kind: str) -> None:
    said = Tree(tmp_path / "tree", SPEC, TELLS + Tree.SCONSTRUCT).scons("-n", f"build/tenstorrent/add/{file}")
    assert f"add -> build/tenstorrent/add/{file}" in said
    assert [line for line in said.splitlines() if line.startswith("declared")] == [f"declared: {kind}"]


def test_processes_start_where_a_target_asks_for_them(tmp_path: Path) -> None:
    """An alias of the project that has a verification in it was enough, in builds that verify nothing."""
    tree = Tree(tmp_path / "tree", SPEC, TELLS + Tree.SCONSTRUCT + 'env.Alias("all", "verify-add")\n')
    assert "processes start" not in tree.scons("-q", "verify", code=1)
    assert "processes start" not in tree.scons("kernel-gemm")
    assert "processes start" in tree.scons("verify-add")


def test_declaring_extras_needs_no_numpy() -> None:
    """Its import takes as long as a null build of a thousand kernels."""
    code = "import sys, tt_build.scons.extras; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
