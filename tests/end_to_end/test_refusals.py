"""What goes wrong before or beside the steps: misspelt names, things in the way, readers that left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import SPEC
from tests.support import ROOT, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "project", SPEC)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("kernel-gem", "kernel-gemm"),
        ("gemm", "kernel-gemm"),
        ("verify-gem", "verify-gemm"),
        ("check-sdk-ad", "check-sdk-add"),
        ("verfy", "verify"),
    ],
)
def test_a_misspelt_target_is_told_the_nearest(tree: Tree, target: str, meant: str) -> None:
    tree.scons()
    output = tree.scons(target, code=2)
    assert f"no target '{target}': did you mean '{meant}'?" in output
    assert "up to date" not in output


def test_a_crash_of_the_sconstruct_is_not_up_to_date(tree: Tree) -> None:
    tree.scons()
    with (tree.folder / "SConstruct").open("a") as file:
        file.write("1 / 0\n")
    assert "up to date" not in tree.scons(code=2)


def test_a_target_of_somebody_else_that_fails_is_no_kernel(tree: Tree) -> None:
    tree.scons()
    with (tree.folder / "SConstruct").open("a") as file:
        file.write("env.Alias('kernels-mine', env.Command('mine', [], 'false'))\n")
    output = tree.scons("kernels-mine", code=2)
    assert "did you mean" not in output
    assert "up to date" not in output


@pytest.mark.parametrize("target", [(), ("kernel-add",), ("build/tenstorrent/add/reader.cpp",)])
def test_explaining_a_kernel_that_is_not_there_is_refused(tree: Tree, target: tuple[str, ...]) -> None:
    assert "explain=gem: there is no such kernel; did you mean 'gemm'?" in tree.scons("explain=gem", *target, code=2)
    assert tree.files() == {}


def test_a_kernel_of_the_second_specification_is_explained(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC, Tree.SCONSTRUCT + 'env.TTKernels("more.yaml", out="build/more")\n')
    (tree.folder / "more.yaml").write_text(SPEC.replace("gemm", "other"))
    assert "explain: other: there is no record of a complete build" in tree.scons("explain=other")
    assert "did you mean 'other'" in tree.scons("explain=othr", code=2)


def test_what_is_in_the_way_is_named(tree: Tree) -> None:
    (tree.folder / "build").write_text("a file")
    output = tree.scons(code=2)
    assert f"{tree.folder / 'build'} is a file, and the build needs a folder there" in output
    assert "Traceback" not in output
    (tree.folder / "build").unlink()
    (tree.folder / "build/tenstorrent/gemm/reader.cpp").mkdir(parents=True)
    for target in ((), ("kernel-gemm",)):
        output = tree.scons(*target, code=2)
        assert "gemm/reader.cpp is a folder, and the build needs a file there" in output
        assert "TypeError" not in output
        assert "File " not in output


def test_a_reader_that_leaves_is_no_traceback(tree: Tree) -> None:
    done = subprocess.run(
        f"{sys.executable} -m SCons --tree=prune | head -n 1",
        shell=True,
        cwd=tree.folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stdout == "scons: Reading SConscript files ...\n"
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr


def test_values_that_are_not_known_and_no_place_in_our_sources(tree: Tree) -> None:
    output = tree.scons("arch=blakhole", code=2)
    assert "arch=blakhole: did you mean 'blackhole'? known: wormhole_b0, blackhole" in output
    assert "rehash=perhaps: write yes or no" in tree.scons("rehash=perhaps", code=2)
    secret = tree.scons("cache=https://me:secret@host/x", code=2)
    assert "do not belong into an address" in secret
    for said in (output, secret, tree.scons("grid=eight", code=2)):
        assert "File " not in said
    assert "secret" not in secret


def test_a_grid_that_does_not_fit_is_said_once(tree: Tree) -> None:
    for spec in (SPEC, SPEC.replace("version: 1\n", "version: 1\ntarget: {arch: wormhole_b0}\n")):
        (tree.folder / "kernels.yaml").write_text(spec)
        output = tree.scons("grid=99x99", code=1)
        assert output.count("error[TTB032]: grid=99x99 of the command line does not fit wormhole_b0") == 1


def test_names_in_capitals_are_near_where_they_can_only_be_ours(tree: Tree) -> None:
    assert "arch=BLACKHOLE: did you mean 'blackhole'?" in tree.scons("arch=BLACKHOLE", code=2)
    assert "unknown variable 'explian': did you mean 'explain'?" in tree.scons("explian=gemm", code=2)
    assert "unknown variable" not in tree.scons("-n", "OUT=what the SConstruct itself reads")


def test_clean_leaves_nothing_of_the_repository_s_own_sconstruct(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC, (ROOT / "SConstruct").read_text())
    tree.scons()
    assert (tree.folder / "build/.sconsign.dblite").exists()
    tree.scons("-c")
    assert not (tree.folder / "build").exists()
    tree.scons()
    (tree.folder / "build/mine.txt").write_text("mine")
    tree.scons("-c")
    assert (tree.folder / "build/mine.txt").exists()


def test_verify_and_the_sdk_check_of_one_kernel(tree: Tree) -> None:
    assert "verify 1/1 add: pass" in tree.scons("verify-add")
    assert {path.parent.name for path in tree.folder.rglob("verify.json")} == {"add"}
    assert "gemm: pass" in tree.scons("verify")
    dry = tree.scons("-n", "check-sdk-gemm")
    assert "gemm/sdk_check.json" in dry
    assert "add/sdk_check.json" not in dry


def test_help(tree: Tree) -> None:
    told = tree.scons("-h", "grid=4x4", "rehash=yes")
    assert "verify-NAME, check-sdk-NAME" in told
    assert "\narch: architecture of kernels that do not name one (wormhole_b0|blackhole)\n\nsdk:" in told
    assert "\n    default: kernels.yaml\n" in told
    assert "do not name a grid\n    here: 4x4\n" in told
    assert "(yes|no)\n    default: no\n    here: yes\n" in told
    assert not any(line.endswith(": ") for line in told.splitlines())
