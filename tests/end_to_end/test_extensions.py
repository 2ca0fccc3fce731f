"""Ops and templates of a repository's own: built, proven, checked, and rebuilt exactly where one is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT, Tree
from tt_build.codegen.compile import compile_specification
from tt_build.passes.pipeline import PASSES
from tt_build.sdk.gate import check

EXAMPLE = ROOT / "examples" / "extensions"
KERNELS = ["capped_scores", "gated", "ratio", "plain"]
STEPS = [*(step.name for step in PASSES), "generate"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built copy of the example, verified."""
    folder = tmp_path_factory.mktemp("extensions") / "project"
    shutil.copytree(EXAMPLE, folder)
    Tree(folder, (EXAMPLE / "kernels.yaml").read_text()).scons("target=tenstorrent", "verify")
    return folder


@pytest.fixture
def tree(built: Path, tmp_path: Path) -> Tree:
    """A copy of that of the test's own; its ledger vouches by content."""
    folder = tmp_path / "project"
    shutil.copytree(built, folder, copy_function=shutil.copy2)
    return Tree(folder, (EXAMPLE / "kernels.yaml").read_text())


def all_steps(*kernels: str) -> list[str]:
    return [f"{kernel}:{step}" for kernel in kernels for step in STEPS]


def test_the_example_is_proven_on_the_emulator(built: Path) -> None:
    for kernel in KERNELS:
        verdict = json.loads((built / f"build/tenstorrent/{kernel}/verify.json").read_text())
        assert verdict["status"] == "pass"
        assert all(output["bad"] == 0 for output in verdict["outputs"].values())


@pytest.mark.parametrize("kernel", ["capped_scores", "ratio"])
def test_the_sdk_accepts_the_ops_without_a_header_beside_the_kernel(built: Path, kernel: str) -> None:
    folder = built / f"build/tenstorrent/{kernel}"
    assert not list(folder.rglob("*.h"))
    errors = [finding for finding in check(folder / "tt.plan.json", sdk="0.81") if finding.severity == "error"]
    assert errors == []


def test_an_op_with_cpp_that_computes_something_else_fails(tree: Tree) -> None:
    tree.edit("mul_unary_tile(dst, cap);", "", file="ops/softcap.h")
    assert "kernel 'capped_scores' is wrong" in tree.scons("verify", code=2)


def test_an_edited_definition_reruns_the_kernels_that_use_it(tree: Tree) -> None:
    assert "4 kernels up to date" in tree.scons()
    tree.edit("1.702", "1.7", file="ops/ops.yaml")
    said = tree.scons("explain=gated")
    assert {step.split(":")[0] for step in tree.steps(said)} == {"gated", "ratio"}
    assert 'ops.yaml:7: ops.quick_gelu.meaning: "x * sigmoid(1.702 * x)" -> "x * sigmoid(1.7 * x)"' in said


def test_an_edited_header_reruns_the_kernels_whose_ops_it_has(tree: Tree) -> None:
    before = tree.files()
    tree.edit("What DST holds", "What the DST holds", file="ops/dst_format.h")
    said = tree.scons("explain=ratio")
    assert tree.steps(said) == all_steps("ratio")
    assert "ops.soft_ratio.sfpu.header.text: another text" in said
    tree.edit("What the DST holds", "What DST holds", file="ops/dst_format.h")
    tree.scons()
    assert tree.files() == before


def test_an_op_that_nothing_uses_reruns_nothing(tree: Tree) -> None:
    (tree.folder / "ops/ops.yaml").open("a").write("  unused: {operands: [x], define: x + 1}\n")
    assert "4 kernels up to date" in tree.scons()


def test_a_template_reruns_the_generation_of_the_kernels_that_include_it(tree: Tree) -> None:
    tree.edit("-Wall", "-Wall -Werror", file="ops/templates/CMakeLists.txt.j2")
    said = tree.scons("explain=plain")
    assert tree.steps(said) == [f"{kernel}:generate" for kernel in KERNELS]
    assert "explain: plain: generate: the template CMakeLists.txt.j2 of 'extensions' changed" in said
    assert b"-Wall -Werror" in tree.files()["tenstorrent/plain/CMakeLists.txt"]
    assert "4 kernels up to date" in tree.scons()


def test_a_template_that_comes_or_goes_is_noticed(tree: Tree) -> None:
    own = tree.folder / "ops/templates/macros/loops.j2"
    own.parent.mkdir()
    own.write_text((ROOT / "templates/macros/loops.j2").read_text().replace("for (uint32_t", "for (std::uint32_t"))
    assert tree.steps(tree.scons()) == [f"{kernel}:generate" for kernel in KERNELS]
    assert b"for (std::uint32_t" in tree.files()["tenstorrent/plain/compute.cpp"]
    own.unlink()
    assert tree.steps(tree.scons()) == [f"{kernel}:generate" for kernel in KERNELS]
    assert b"for (std::uint32_t" not in tree.files()["tenstorrent/plain/compute.cpp"]


def test_a_template_that_fails_stops_a_build_before_its_first_step(tree: Tree) -> None:
    tree.edit("{{ p.version }}", "{{ p.versoin }}", file="ops/templates/CMakeLists.txt.j2")
    said = tree.scons(code=1)
    assert "error[TTB042]: templates/CMakeLists.txt.j2:3: 'dict object' has no attribute 'versoin'" in said
    assert tree.steps(said) == []


def test_scons_and_the_command_line_write_the_same(built: Path) -> None:
    compiled = compile_specification(built / "kernels.yaml")
    assert not compiled.text
    for kernel, files in compiled.kernels.items():
        for path, data in files.items():
            assert (built / "build/tenstorrent" / kernel / path).read_bytes() == data, path
