"""Programs in the build: a step of its own behind the kernels', verified and rebuilt with them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import Tree

SPEC = """version: 1
kernels:
  norm:
    sizes: {M: 128, N: 64}
    inputs: {X: {shape: [M, N]}}
    outputs: {Y: {shape: [M, N]}}
    compute: Y = rmsnorm(X, 1e-5)
    verify: {sizes: {M: 64}}
  add:
    sizes: {M: 128, N: 64}
    inputs: {A: {shape: [M, N]}, B: {shape: [M, N]}}
    outputs: {Y: {shape: [M, N]}}
    compute: Y = A + B
    verify: {sizes: {M: 64}}
programs:
  residual:
    inputs: [x]
    steps:
      - {kernel: norm, inputs: {X: x}, outputs: {Y: h}}
      - {kernel: add, inputs: {A: x, B: h}, outputs: {Y: y}}
    outputs: [y]
"""
FOLDER = "build/tenstorrent/residual"


def test_a_program_is_built_verified_and_rebuilt(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC)
    output = tree.scons()
    steps = tree.steps(output)
    assert steps[-1] == "residual:generate"
    assert f"{len(steps)} steps for 2 kernels and 1 program (norm, add, residual)" in output
    program = json.loads((tree.folder / FOLDER / "program.json").read_text())
    plan = tree.folder / FOLDER / program["steps"][0]["plan"]
    assert json.loads(plan.read_text())["buffers"]["Y"]["shape"] == program["tensors"]["h"]["shape"] == [128, 64]
    assert "tt-build: 2 kernels and 1 program up to date" in tree.scons()

    assert "residual:verify" in tree.steps(tree.scons("verify"))
    verdict = json.loads((tree.folder / FOLDER / "verify.json").read_text())
    assert verdict["status"] == "pass"
    assert list(verdict["outputs"]) == ["h", "y"]
    assert [step["sizes"]["M"] for step in verdict["steps"]] == [64, 64]
    assert tree.steps(tree.scons("verify")) == []

    tree.edit("compute: Y = A + B", "compute: Y = A - B")
    steps = tree.steps(tree.scons("verify", "explain=residual"))
    assert {"add:verify", "residual:verify", "residual:generate"} <= set(steps)
    assert not any(step.startswith("norm:") for step in steps)

    steps = tree.steps(tree.scons("verify-residual"))
    assert steps == []
    dry = tree.scons("-n", "check-sdk-residual")
    assert dry.count("sdk_check.json") == 2
    assert "verify.json" not in dry

    tree.edit("{A: x, B: h}", "{A: h, B: h}")
    steps = tree.steps(tree.scons("program-residual"))
    assert steps == ["residual:generate"]
    tree.edit("  residual:", "  other:")
    tree.scons()
    assert not (tree.folder / FOLDER).exists()
    tree.scons("-c")
    assert not (tree.folder / "build").exists()


def test_kernels_that_do_not_fit_stop_the_build_before_its_first_step(tmp_path: Path) -> None:
    tree = Tree(
        tmp_path / "project", SPEC.replace("Y: {shape: [M, N]}", "Y: {shape: [M, N], layout: l1_interleaved}", 1)
    )
    output = tree.scons(code=1)
    assert (
        "error[TTB220]: tensor 'h' is dram_interleaved in kernel 'add', and l1_interleaved in kernel 'norm'" in output
    )
    assert tree.steps(output) == []
    output = tree.scons("-k", code=2)
    assert "norm:generate" in tree.steps(output)
    assert not (tree.folder / FOLDER / "program.json").exists()


def test_a_wrong_program_fails(tmp_path: Path) -> None:
    """A correlation that the vector engine's fast exp cannot reach; the kernels themselves are right."""
    fast = "compute: Y = A + exp(B)\n    math: {approximate: true}"
    spec = SPEC.replace("compute: Y = A + B", fast) + "    verify: {pcc: 1.0}\n"
    tree = Tree(tmp_path / "project", spec)
    output = tree.scons("verify", code=2)
    assert "program 'residual' is wrong" in output
    assert "the chain in NumPy" in output
    assert (tree.folder / FOLDER / "verify.failed.json").exists()
    assert (tree.folder / "build/tenstorrent/add/verify.json").exists()
