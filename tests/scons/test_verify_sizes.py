"""``scons verify`` of kernels with ``verify: {sizes: ...}``, and that it never looks at stale files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import Tree
from tt_build.passes.pipeline import PASSES

SPEC = """version: 1
kernels:
  scale:
    sizes: {M: 512, N: 1024}
    inputs: {X: {shape: [M, N]}}
    outputs: {Y: {shape: [M, N]}}
    compute: Y = X * 2
    verify: {sizes: {M: 64, N: 96}}
"""
STEPS = [*(step.name for step in PASSES), "generate"]
SMALL = "scale at verify.sizes"


def verdict(tree: Tree) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tree.folder / "build/tenstorrent/scale/verify.json").read_text())
    return found


def ran(tree: Tree, output: str, kernel: str) -> list[str]:
    return [step.partition(":")[2] for step in tree.steps(output) if step.partition(":")[0] == kernel]


def test_the_smaller_kernel_is_built_beside_and_run(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC)
    output = tree.scons("verify")
    assert sorted(ran(tree, output, SMALL)) == sorted(STEPS)
    assert sorted(ran(tree, output, "scale")) == sorted([*STEPS, "verify"])
    found = verdict(tree)
    assert found["sizes"] == {"M": 64, "N": 96}
    assert found["counters"]["dram_read_bytes"] == 2 * 3 * 2048
    plan = json.loads((tree.folder / "build/tenstorrent/scale/tt.plan.json").read_text())
    assert plan["buffers"]["X"]["shape"] == [512, 1024]
    assert tree.steps(tree.scons("verify")) == []

    tree.edit("sizes: {M: 64, N: 96}", "sizes: {M: 96, N: 96}")
    output = tree.scons("verify")
    assert ran(tree, output, "scale") == ["apply_defaults", "verify"]  # which gives what it gave
    assert ran(tree, output, SMALL)[-1] == "generate"
    assert verdict(tree)["sizes"] == {"M": 96, "N": 96}

    tree.edit("    verify: {sizes: {M: 96, N: 96}}\n", "")
    tree.edit("M: 512, N: 1024", "M: 128, N: 64")
    tree.scons("verify")
    assert verdict(tree)["sizes"] == {"M": 128, "N": 64}
    assert not (tree.folder / "build/tenstorrent/scale/verify").exists()


def test_clean_removes_it_all(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC)
    tree.scons("verify")
    tree.scons("-c")
    assert not (tree.folder / "build").exists()


def test_another_structure_stops_the_build_before_its_first_step(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC.replace("X * 2", "softmax(X, -1)").replace("M: 64, N: 96", "M: 64, N: 32"))
    output = tree.scons(code=1)
    assert "kernels.yaml:8:21: error[TTB212]" in output
    assert tree.steps(output) == []


@pytest.mark.parametrize("target", ["verify", "kernel-scale"])
def test_what_is_asked_for_is_built_in_order(target: str, tmp_path: Path) -> None:
    """SCons' scan for #include once decided about generated files before the passes behind them had run."""
    tree = Tree(tmp_path / "project", SPEC.replace("    verify: {sizes: {M: 64, N: 96}}\n", "").replace("512", "64"))
    tree.scons(target)
    assert tree.steps(tree.scons(target)) == []
    tree.edit("M: 64", "M: 96")
    assert "scale:generate" in tree.steps(tree.scons(target))
    assert tree.steps(tree.scons(target)) == []
    plan = json.loads((tree.folder / "build/tenstorrent/scale/tt.plan.json").read_text())
    assert plan["buffers"]["X"]["shape"] == [96, 1024]
