"""Sources written by hand as entries of kernels.yaml: built, run, checked and rebuilt like the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT, Tree
from tt_build.sdk.gate import check

EXAMPLE = ROOT / "examples" / "handwritten-entries"
STEPS = ["source_defaults", "source_schedule", "bind_sources", "verify_sources", "generate"]
ADD = """  add:
    inputs: {A: {shape: [64, 64]}}
    outputs: {C: {shape: [64, 64]}}
    compute: C = A + 1
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A built copy of the example, with a kernel that is an expression beside it."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder)
    tree = Tree(folder, (EXAMPLE / "kernels.yaml").read_text() + "\n" + ADD)
    tree.scons()
    return tree


def all_steps(*kernels: str) -> list[str]:
    return [f"{kernel}:{step}" for kernel in kernels for step in STEPS]


def test_the_examples_compute_what_their_references_say(tree: Tree) -> None:
    tree.scons("verify")
    for kernel in ("transpose", "gated"):
        verdict = json.loads((tree.folder / f"build/tenstorrent/{kernel}/verify.json").read_text())
        assert verdict["status"] == "pass"
        assert len(verdict["seeds"]) > 1
        assert all(output["bad"] == 0 for output in verdict["outputs"].values())


@pytest.mark.parametrize("kernel", ["transpose", "gated"])
def test_the_sdk_accepts_the_examples_and_their_host_programs(tree: Tree, kernel: str) -> None:
    assert check(tree.folder / f"build/tenstorrent/{kernel}/tt.plan.json", sdk="0.81") == []


def test_a_wrong_source_fails(tree: Tree) -> None:
    tree.edit("tile % columns * rows + tile / columns", "tile", file="transpose/reader.cpp")
    assert "kernel 'transpose' is wrong" in tree.scons("verify", code=2)
    assert not (tree.folder / "build/tenstorrent/transpose/verify.json").exists()


def test_nothing_to_do(tree: Tree) -> None:
    assert "3 kernels up to date" in tree.scons()
    assert tree.steps(tree.scons("-q")) == []


def test_an_edited_source_reruns_exactly_its_kernel(tree: Tree) -> None:
    tree.edit("// C =", "// so C =", file="gated/compute.cpp")
    assert tree.steps(tree.scons()) == all_steps("gated")
    assert "3 kernels up to date" in tree.scons()
    assert b"// so C =" in tree.files()["tenstorrent/gated/compute.cpp"]


def test_an_edited_header_reruns_the_kernels_that_include_it(tree: Tree) -> None:
    tree.edit("of this core", "of a core", file="common/tiles.h")
    assert tree.steps(tree.scons()) == all_steps("transpose", "gated")


def test_an_undone_edit_leaves_the_first_build(tree: Tree) -> None:
    before = tree.files()
    tree.edit("// C =", "// so C =", file="gated/compute.cpp")
    tree.scons()
    tree.edit("// so C =", "// C =", file="gated/compute.cpp")
    tree.scons()
    assert tree.files() == before


def test_a_missing_source_stops_a_build_that_was_clean(tree: Tree) -> None:
    (tree.folder / "common/tiles.h").unlink()
    assert "TTB038" in tree.scons(code=1)


def test_an_expression_that_becomes_sources_leaves_no_stage_of_the_other_chain(tree: Tree) -> None:
    tree.edit("    compute: C = A + 1\n", "    description: gone\n")
    tree.edit(
        "    description: gone\n",
        "    sources: {reader: transpose/reader.cpp, compute: transpose/compute.cpp, writer: common/writer.cpp}\n"
        "    circular_buffers: {cb_in: {of: A, pages: 2}, cb_out: {of: C, pages: 2}}\n",
    )
    assert tree.steps(tree.scons()) == all_steps("add")
    stages = {Path(name).name for name in tree.files() if name.startswith("tenstorrent/add/ir/")}
    assert stages == {f"{number:02d}_{step}.json" for number, step in enumerate(STEPS[:-1], 1)}
    own = tree.folder / "build/tenstorrent/add/ir/05_shard_to_core_map.json"
    own.write_text("somebody's own, where a stage was once")
    (tree.folder / "build/tenstorrent/add/reader.cpp").unlink()
    assert tree.steps(tree.scons()) == ["add:generate"]
    assert own.exists()


def test_clean_removes_everything(tree: Tree) -> None:
    tree.scons("-c")
    assert tree.files() == {}


def test_without_a_reference_nothing_is_compared_and_that_is_said(tree: Tree) -> None:
    tree.edit("    reference: Y = X.T\n", "")
    assert "not compared" in tree.scons("verify")
    verdict = json.loads((tree.folder / "build/tenstorrent/transpose/verify.json").read_text())
    assert verdict["status"] == "not compared"
    assert verdict["outputs"] == {}
    assert verdict["counters"]["dram_write_bytes"] > 0


def test_the_plan_says_what_was_checked_and_what_each_core_is_given(tree: Tree) -> None:
    plan = json.loads((tree.folder / "build/tenstorrent/transpose/tt.plan.json").read_text())
    assert plan["attrs"]["tt_handwritten"] is True
    assert plan["attrs"]["tt_checked"] == ["work", "circular_buffer_ids", "l1", "arguments"]
    reader = plan["kernels"][0]
    assert reader["named_compile_time_args"] == {"cb_in": 0, "cb_out": 1}
    assert reader["compile_time_args"][:2] == [0, 1]
    assert [row["args"] for row in reader["runtime_args"]] == [[{"address_of": "X"}, 3, 2, n, 1] for n in range(6)]


def test_a_step_comes_from_the_cache(tree: Tree, tmp_path: Path) -> None:
    tree.scons(f"cache={tmp_path / 'cache'}", "out=one")
    made = tree.scons(f"cache={tmp_path / 'cache'}", "out=two")
    assert tree.steps(made) == []
    assert tree.files("one") == tree.files("two")


def test_verify_alone_regenerates_what_it_runs(tree: Tree) -> None:
    """The only target is made of C++ files, for whose includes SCons would look before they are built."""
    tree.edit("C = A + 1", "C = A + 2")
    ran = tree.steps(tree.scons("verify"))
    assert "add:generate" in ran
    assert "add:verify" in ran
