"""What steps that run kernels leave and say, passed or failed: ``verify`` and ``run`` conclude alike."""

from __future__ import annotations

import re
from pathlib import Path

from tests.end_to_end.test_scons import SPEC
from tests.support import Tree

ANSWERS = """
import tt_build.scons.run
from tt_build.scons.outcomes import Answer, Outcome, Row

def answer(task):
    name = task.plan.split("/")[-2]
    wrong = "tt-build: kernel 'add' is wrong" if name == "add" else ""
    status, text = "fail" if wrong else "pass", b"{}\\n"
    return Answer(Outcome(kernel=name, status=status, text=text, why=wrong, rows=(Row(),), dram_bytes=0))

tt_build.scons.run._answer = answer
"""


def test_a_failed_run_on_a_device_leaves_no_result_that_looks_passed(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC, ANSWERS + Tree.SCONSTRUCT)
    output = tree.scons("-k", "run", code=2)
    assert re.findall(r"run (\d)/2 ", output) == ["1", "2"]  # in either order: two may run at once
    assert re.search(r"run \d/2 gemm: pass", output)
    assert re.search(r"run \d/2 add: fail", output)
    built = tree.folder / "build/tenstorrent"
    assert (built / "gemm/run.ttnn.json").exists()
    assert not (built / "add/run.ttnn.json").exists()
    assert (built / "add/run.ttnn.failed.json").exists()
    assert "2 kernels up to date" in tree.scons()
    assert "gemm:run" in tree.steps(tree.scons("-k", "run", code=2))  # always anew
    tree.scons("-c")
    assert not built.exists()


def test_a_run_that_cannot_be_is_told_with_its_kind_and_kernel(tmp_path: Path) -> None:
    broken = ANSWERS.split("def answer")[0] + "tt_build.scons.run._answer = lambda task: Answer(error='no card')\n"
    tree = Tree(tmp_path / "project", SPEC, broken + Tree.SCONSTRUCT)
    output = tree.scons("-k", "run", code=2)
    assert "tt-build: run of gemm: no card" in output
    assert not list(tree.folder.rglob("run.ttnn*.json"))
