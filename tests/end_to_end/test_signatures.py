"""What reruns when the compiler itself changes: a copy of the package is edited under a built tree."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import PASSES, SPEC
from tests.support import ROOT, Tree, replace_once


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A built tree whose compiler is a copy of its own."""
    compiler = tmp_path / "compiler"
    for part in ("tt_build", "templates", "site_scons"):
        shutil.copytree(ROOT / part, compiler / part, ignore=shutil.ignore_patterns("__pycache__"))
    tree = Tree(tmp_path / "project", SPEC, compiler=compiler)
    tree.scons()
    return tree


def change(tree: Tree, path: str, old: str, new: str) -> None:
    replace_once(tree.compiler / path, old, new)


def test_a_comment_in_a_helper_reruns_the_passes_that_import_it_and_stops_there(tree: Tree) -> None:
    change(tree, "tt_build/passes/shards.py", "from __future__", "# changed\nfrom __future__")
    by_way_of_the_first = ("plan_stages", "memory_space_lower", "tensorize", "verify_ir")
    importing = ("infer_schedule", "infer_shard", *by_way_of_the_first)
    steps = [f"{kernel}:{step}" for kernel in ("gemm", "add") for step in importing]
    assert tree.steps(tree.scons()) == steps
    assert tree.steps(tree.scons()) == []


def test_a_pass_that_decides_otherwise_reruns_what_follows(tree: Tree) -> None:
    change(tree, "tt_build/passes/barriers.py", "by_depth[min(same) if same else deeper]", "by_depth[deeper]")
    # plan_stages reads from it what fits L1
    following = ["plan_stages", *PASSES[PASSES.index("memory_space_lower") :], "generate"]
    assert tree.steps(tree.scons()) == [f"{k}:{step}" for k in ("gemm", "add") for step in following]
    assert '"num_pages": 2' in (tree.folder / "build/tenstorrent/add/tt.plan.json").read_text()


def test_a_macro_reruns_code_generation_only(tree: Tree) -> None:
    change(tree, "templates/macros/cb.j2", "cb_push_back(", "cb_push_back( ")
    assert tree.steps(tree.scons()) == ["gemm:generate", "add:generate"]


def test_an_architecture_s_data_is_part_of_the_passes_that_read_it(tree: Tree) -> None:
    change(tree, "tt_build/targets/arch/wormhole_b0.json", '"dram_page": 32', '"dram_page": 4096')
    steps = tree.steps(tree.scons())
    assert "gemm:infer_shard" in steps
    assert "gemm:generate" in steps


def test_a_variable_reruns_what_reads_it(tree: Tree) -> None:
    steps = tree.steps(tree.scons("grid=4x4"))
    assert steps[0] == "gemm:apply_defaults"
    assert steps[-1] == "add:generate"
    tree.scons("-q", "grid=4x4")
