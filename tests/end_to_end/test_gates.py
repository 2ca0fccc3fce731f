"""The gates as a user runs them: the real SDK's headers and mock device, and the emulator, over kernels.yaml."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.library_table import dram_bytes
from tests.model.counters import counted as bytes_of
from tests.model.counters import without_operations
from tests.support import ROOT, Tree, acceptance_text
from tt_build.codegen.compile import compile_files, stage_file
from tt_build.ir.plan import AccessorRef, load_plan
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import PASSES, read_stage
from tt_build.sdk.mock import run_mock
from tt_build.spec.loader import load_file

SPEC = ROOT / "kernels.yaml"
ALL = {d.kernel.name: d for d in load_file(SPEC).declarations}
NAMES = [name for name, declaration in ALL.items() if declaration.file == "kernels.yaml"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("gates") / "project", acceptance_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The repository's specification with its library."""
    tree = Tree(tmp_path_factory.mktemp("library") / "project", SPEC.read_text())
    shutil.copytree(ROOT / "library", tree.folder / "library")
    return tree


@pytest.mark.parametrize("arguments", [(), ("arch=blackhole", "out=blackhole"), ("sdk=0.78", "out=older")])
def test_check_sdk_is_green(tree: Tree, arguments: tuple[str, ...]) -> None:
    tree.scons("check-sdk", *arguments)
    out = next((a.removeprefix("out=") for a in arguments if a.startswith("out=")), "build")
    results = [json.loads(path.read_text()) for path in (tree.folder / out).glob("tenstorrent/*/sdk_check.json")]
    assert sorted(r["kernel"] for r in results) == sorted(NAMES)
    assert {r["status"] for r in results} == {"pass"}


PLANTED = {
    "a removed name": ("templates/macros/tile.j2", "matmul_init(", "mm_init(", "mm_init"),
    "an old include path": (
        "templates/reader.cpp.j2",
        "api/dataflow/dataflow_api.h",
        "dataflow_api.h",
        "dataflow_api.h",
    ),
    "a wrong argument count": ("templates/macros/cb.j2", "cb_push_back({{ s.cb }}, ", "cb_push_back(", "cb_push_back"),
    "a sign-compare warning": ("templates/macros/loops.j2", "(uint32_t {{ s.var }}", "(int {{ s.var }}", "comparison"),
    "a compile-time argument out of range": (
        "templates/macros/frame.j2",
        "get_compile_time_arg_val({{ loop.index0 }})",
        "get_compile_time_arg_val({{ loop.index0 + 40 }})",
        "Index out of range",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_makes_it_red_with_the_kernel_s_own_line(name: str, tmp_path: Path) -> None:
    path, old, new, word = PLANTED[name]
    compiler = tmp_path / "compiler"
    for part in ("tt_build", "templates", "site_scons"):
        shutil.copytree(ROOT / part, compiler / part, ignore=shutil.ignore_patterns("__pycache__"))
    template = compiler / path
    assert old in template.read_text()
    template.write_text(template.read_text().replace(old, new))
    project = Tree(tmp_path / "project", acceptance_text(), compiler=compiler)
    output = project.scons("build/tenstorrent/gemm/sdk_check.json", code=2)
    reports = [line for line in output.splitlines() if ": error: " in line and word in line and "[gemm: " in line]
    assert reports, output
    file, line, *_ = reports[0].split(":")
    planted = (project.folder / "build/tenstorrent/gemm" / file).read_text().splitlines()[int(line) - 1]
    assert planted.strip()


def test_verify_is_green_and_then_has_nothing_to_do(whole: Tree) -> None:
    output = whole.scons("verify")
    assert output.count(" pass") >= len(ALL)
    result = json.loads((whole.folder / "build/tenstorrent/gemm/verify.json").read_text())
    assert result["counters"]["buffers"]["A"]["dram_read_bytes"] == 8 * 8 * 8 * 2048  # Mt Nt Kt tiles
    assert (result["seeds"], result["fills"]) == ([0, 1, 2], [0, 1])
    assert whole.steps(whole.scons("verify")) == []
    for name, declaration in ALL.items():
        check_counted(whole.folder / "build/tenstorrent" / name, smaller=declaration.smaller is not None)


def check_counted(folder: Path, *, smaller: bool) -> None:
    """The pages that ``verify_ir`` proved, and the bytes of the cost model, are those that the emulator counted."""
    result = json.loads((folder / "verify.json").read_text())
    stage = (folder / ("verify" if smaller else "") / stage_file(len(PASSES))).read_bytes()
    kernel = read_stage(stage, VerifiedKernel)
    for name, proven in dram_bytes(kernel).items():
        counted = result["counters"]["buffers"][name]
        assert proven == (counted["dram_read_bytes"], counted["dram_write_bytes"]), f"{kernel.name}: {name}"
    assert bytes_of(kernel) == without_operations(result["counters"]), kernel.name


@pytest.mark.long
def test_check_sdk_is_green_over_the_library(whole: Tree) -> None:
    whole.scons("check-sdk")
    results = [json.loads(path.read_text()) for path in (whole.folder / "build").glob("tenstorrent/*/sdk_check.json")]
    assert sorted(r["kernel"] for r in results) == sorted(ALL)
    assert {r["status"] for r in results} == {"pass"}


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
def test_the_real_runtime_takes_every_plan(arch: str, tmp_path: Path) -> None:
    plans: list[Path] = []
    for declaration in load_file(SPEC, arch=arch).declarations:
        if declaration.target.arch != arch:
            continue
        folder = tmp_path / declaration.kernel.name
        folder.mkdir()
        for name, data in compile_files(declaration).items():
            if not name.startswith("ir/"):
                (folder / name).write_bytes(data)
        plans.append(folder / "tt.plan.json")
    assert plans
    for path, result in zip(plans, run_mock(plans, arch).results, strict=True):
        assert result.error == "", path.parent.name
        assert result.hash == result.hash_again
        for kernel in load_plan(path).kernels:
            for argument in kernel.compile_time_args:
                if isinstance(argument, AccessorRef):
                    assert list(argument.words) == result.words[argument.accessor_of]
