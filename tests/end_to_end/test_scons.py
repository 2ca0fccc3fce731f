"""The build as a user sees it: the real SCons on real trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Tree

SPEC = """version: 1
kernels:
  gemm:
    sizes: {M: 64, N: 96, K: 64}
    inputs:
      A: {shape: [M, K]}
      B: {shape: [K, N]}
    outputs:
      C: {shape: [M, N]}
    compute: C = A @ B
    schedule: {matmul: {algorithm: streaming}}
  add:
    inputs: {X: {shape: [64, 64]}, Y: {shape: [64, 64]}}
    outputs: {Z: {shape: [64, 64]}}
    compute: Z = X + Y
"""
PASSES = [
    "apply_defaults",
    "infer_schedule",
    "infer_shard",
    "grid_to_persistent",
    "shard_to_core_map",
    "plan_stages",
    "memory_space_lower",
    "tile_pad",
    "tensorize",
    "verify_ir",
]
OUTPUTS = ["CMakeLists.txt", "compute.cpp", "host_program.cpp", "reader.cpp", "tt.plan.json", "writer.cpp"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "project", SPEC)


def chain(kernel: str) -> list[str]:
    return [f"{kernel}:{step}" for step in (*PASSES, "generate")]


def test_first_build_writes_every_file_and_the_second_does_nothing(tree: Tree) -> None:
    assert tree.steps(tree.scons()) == chain("gemm") + chain("add")
    expected = {f"tenstorrent/{k}/{name}" for k in ("gemm", "add") for name in OUTPUTS}
    expected |= {
        f"tenstorrent/{k}/ir/{number:02d}_{name}.json" for k in ("gemm", "add") for number, name in enumerate(PASSES, 1)
    }
    assert set(tree.files()) == expected
    assert tree.steps(tree.scons()) == []
    tree.scons("-q")


def test_a_schedule_edit_reruns_that_kernel_only(tree: Tree) -> None:
    tree.scons()
    tree.edit("schedule: {matmul: {algorithm: streaming}}", "schedule: {order: column_major}")
    steps = tree.steps(tree.scons())
    assert steps == chain("gemm")
    tree.scons("-q")


def test_comments_blank_lines_and_descriptions_rerun_as_little_as_they_can(tree: Tree) -> None:
    tree.scons()
    tree.edit("  gemm:\n", "\n  # a comment\n  gemm:   # another\n\n")
    tree.edit("compute: Z = X + Y", "compute: |\n      # sums\n\n      Z = X   +  Y   # here")
    assert tree.steps(tree.scons()) == []
    tree.edit("  add:\n", "  add:\n    description: what it is for\n")
    assert tree.steps(tree.scons()) == ["add:apply_defaults"]  # its output is what it was: the wave stops


def test_an_undone_edit_restores_the_bytes(tree: Tree) -> None:
    tree.scons()
    before = tree.files()
    tree.edit("M: 64", "M: 100")
    tree.scons()
    assert tree.files() != before
    tree.edit("M: 100", "M: 64")
    tree.scons()
    assert tree.files() == before


def test_deleted_outputs_come_back(tree: Tree) -> None:
    tree.scons()
    before = tree.files()
    (tree.folder / "build/tenstorrent/gemm/compute.cpp").unlink()
    assert tree.steps(tree.scons()) == ["gemm:generate"]
    assert tree.files() == before


def test_clean_removes_what_was_built_and_nothing_else(tree: Tree) -> None:
    tree.scons()
    mine = tree.folder / "build/tenstorrent/gemm/notes.txt"
    mine.write_text("mine")
    tree.scons("-c")
    assert tree.files() == {"tenstorrent/gemm/notes.txt": b"mine"}
    mine.unlink()
    tree.scons()
    tree.scons("-c")
    assert not (tree.folder / "build").exists()


def test_targets_by_alias_and_by_path(tree: Tree) -> None:
    assert tree.steps(tree.scons("kernel-add")) == chain("add")
    assert tree.steps(tree.scons("build/tenstorrent/gemm/reader.cpp")) == chain("gemm")


def test_dry_run_tree_and_question(tree: Tree) -> None:
    assert tree.steps(tree.scons("-n")) == chain("gemm") + chain("add")
    assert tree.files() == {}
    tree.scons("-q", code=1)
    tree.scons()
    assert "infer_schedule.json" in tree.scons("--tree=prune", "kernel-gemm")


def test_up_and_down_from_a_subfolder(tree: Tree) -> None:
    (tree.folder / "sub").mkdir()
    tree.scons("-D", cwd="sub")
    assert "tenstorrent/gemm/reader.cpp" in tree.files()
    tree.scons("-u", "../build/tenstorrent/add/reader.cpp", cwd="sub")


def test_variables(tree: Tree) -> None:
    assert "spec: " in tree.scons("-h")
    tree.scons("out=elsewhere", "arch=blackhole", "grid=4x4")
    plan = (tree.folder / "elsewhere/tenstorrent/gemm/tt.plan.json").read_text()
    assert '"arch": "blackhole"' in plan
    assert '"num_cores": 16' in plan
    assert "did you mean 'target'" in tree.scons("tagret=tenstorrent", code=2)
    assert "tenstorrent" in tree.scons("target=cuda", code=2)
    assert "COLUMNSxROWS" in tree.scons("grid=eight", code=2)
    assert "COLUMNSxROWS" in tree.scons("grid=0x0", code=2)
    assert "wormhole_b0" in tree.scons("arch=grayskull", code=2)
    assert "out" in tree.scons("out=", code=2)


def test_an_invalid_kernel_stops_the_build_before_its_first_step(tree: Tree) -> None:
    tree.edit("compute: C = A @ B", "compute: C = A @ Q")
    tree.edit("Z = X + Y", "Z = X @ softmax(Y, axis=-1)")
    output = tree.scons(code=1)
    assert "kernels.yaml:10:" in output
    assert "'Q'" in output
    assert "[TTB20" in output  # a pass refuses it, not the reader
    assert tree.files() == {}


def test_keep_going_builds_the_valid_kernels(tree: Tree) -> None:
    tree.edit("compute: C = A @ B", "compute: C = A @ Q")
    output = tree.scons("-k", code=2)
    assert tree.steps(output) == ["gemm:rejected", *chain("add")]
    assert {name.split("/")[1] for name in tree.files()} == {"add"}


def test_parallel_builds_write_what_serial_ones_write(tree: Tree) -> None:
    tree.scons("-j1")
    serial = tree.files()
    tree.scons("-j8", "out=parallel")
    assert tree.files("parallel") == serial


def test_a_folder_as_target_builds_what_a_plain_build_does(tree: Tree) -> None:
    tree.scons("build/tenstorrent/gemm")
    names = {name.split("/")[-1] for name in tree.files()}
    assert not names & {"run.ttnn.json", "verify.json", "sdk_check.json"}
    assert "reader.cpp" in names


def test_two_specifications_and_a_subfolder(tmp_path: Path) -> None:
    sconstruct = Tree.SCONSTRUCT + 'env.TTKernels("more.yaml", out="build/more")\nSConscript("sub/SConscript", "env")\n'
    tree = Tree(tmp_path / "project", SPEC, sconstruct)
    (tree.folder / "more.yaml").write_text(SPEC)
    (tree.folder / "sub").mkdir()
    (tree.folder / "sub/kernels.yaml").write_text(SPEC)
    (tree.folder / "sub/SConscript").write_text('Import("env")\nenv.TTKernels("kernels.yaml")\n')
    tree.scons()
    first = tree.files("build/tenstorrent")
    assert first == tree.files("sub/build/tenstorrent")
    assert set(first) == set(more := tree.files("build/more/tenstorrent"))
    assert b"from more.yaml: kernels.gemm" in more["gemm/reader.cpp"]
    assert tree.steps(tree.scons()) == []


def test_the_same_kernel_twice_is_refused(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC, Tree.SCONSTRUCT + 'env.TTKernels("more.yaml")\n')
    (tree.folder / "more.yaml").write_text(SPEC)
    assert "give one another out" in tree.scons(code=2)
