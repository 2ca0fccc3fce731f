"""The real runtime of the wheel on its mock device takes our programs, and compiles as the gate believes it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tt_build.ir.plan import AccessorRef, Plan, load_plan
from tt_build.sdk.compile_env import defines, generated_headers, include_folders, processors
from tt_build.sdk.mock import Compile, MockRun, run_mock
from tt_build.targets.arch import load_arch
from tt_build.targets.sdk import load_sdk

ARCHS = ["wormhole_b0", "blackhole"]
Run = tuple[list[Path], MockRun]


@pytest.fixture(scope="module", params=ARCHS)
def run(request: pytest.FixtureRequest, plans: Callable[[str], list[Path]]) -> Run:
    paths = plans(request.param)
    return paths, run_mock(paths, request.param)


def test_the_runtime_takes_every_program(run: Run) -> None:
    paths, outcome = run
    assert [(Path(r.plan), r.error) for r in outcome.results] == [(path, "") for path in paths]


def test_outputs_come_back_in_their_shapes(run: Run) -> None:
    for path, result in zip(run[0], run[1].results, strict=True):
        plan = load_plan(path)
        wanted = {name: list(b.shape) for name, b in plan.buffers.items() if b.role == "output"}
        assert result.outputs == wanted


def test_accessor_words_are_those_of_the_real_tensors(run: Run) -> None:
    for path, result in zip(run[0], run[1].results, strict=True):
        refs = [arg for kernel in load_plan(path).kernels for arg in kernel.compile_time_args]
        words = [(ref.accessor_of, list(ref.words)) for ref in refs if isinstance(ref, AccessorRef)]
        assert words
        assert words == [(name, result.words[name]) for name, _ in words]


def test_the_program_hash_does_not_depend_on_the_tensors(run: Run) -> None:
    hashes = [result.hash for result in run[1].results]
    assert all(hashes)
    assert [result.hash_again for result in run[1].results] == hashes
    assert len(set(hashes)) == len(hashes)


def test_the_jit_compiles_each_kernel_as_the_gate_does(run: Run) -> None:
    """The same -D options and the same generated headers, for every kernel on every processor."""
    expected = sorted(line for path in run[0] for line in _expected(load_plan(path)))
    assert sorted({_actual(compile) for compile in run[1].compiles}) == sorted(set(expected))


def _check_folders(run: MockRun, sdk: str, arch: str) -> None:
    """The -I options inside the wheel are those that the gate uses, in the same order."""
    wanted = include_folders(load_sdk(sdk), arch)
    assert run.compiles
    for compile in run.compiles:
        paths = [argument[2:].rstrip("/") for argument in compile.arguments if argument.startswith("-I")]
        root = next(path for path in paths if path.endswith("/ttnn"))[: -len("/ttnn")]
        inside = [path[len(root) + 1 :] or "." for path in paths if path.startswith(root)]
        compute = any("trisck.cc" in argument for argument in compile.arguments)
        expected = [folder for folder in wanted if compute or "llk_api" not in folder]
        assert [folder for folder in inside if folder != "runtime/sfpi/include"] == expected


def test_the_jit_searches_the_folders_that_the_gate_does(run: Run) -> None:
    _check_folders(run[1], "0.81", load_plan(run[0][0]).arch)


def _expected(plan: Plan) -> list[tuple[tuple[str, ...], str]]:
    arch = load_arch(plan.arch)
    lines = []
    for kernel in plan.kernels:
        texts = generated_headers(plan, kernel, "KERNEL", arch)
        for processor in processors(kernel.config):
            lines.append((tuple(sorted(defines(kernel, processor, arch))), _texts(texts)))
    return lines


def _actual(compile: Compile) -> tuple[tuple[str, ...], str]:
    options = [a for a in compile.arguments if a.startswith("-D") and not a.startswith("-DFULL_KERNEL_NAME")]
    return tuple(sorted(options)), _texts(compile.generated)


def _texts(generated: dict[str, str]) -> str:
    """What a kernel can see of the generated headers: definitions without comments and layout."""
    lines = []
    for name in ("chlkc_descriptors.h", "defines_generated.h", "named_ct_arg_map_generated.h"):
        text = re.sub(r"//.*", "", generated.get(name, ""))
        pairs = re.search(r"ARG_MAP (.*)", text)
        if pairs:
            text = " ".join(sorted(re.findall(r'\{"\w+",\d+\}', pairs[1])))
        lines.append(name + " " + " ".join(text.split()))
    return "\n".join(lines)


def test_0_78_takes_the_same_programs(plans: Callable[[str], list[Path]]) -> None:
    """The launcher's oldest version, in an environment of its own."""
    outcome = run_mock(plans("wormhole_b0"), "wormhole_b0", sdk="0.78")
    assert [result.error for result in outcome.results] == ["", ""]
    _check_folders(outcome, "0.78", "wormhole_b0")


@pytest.mark.long
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("sdk", ["0.78", "0.79", "0.80"])
def test_older_versions(plans: Callable[[str], list[Path]], sdk: str, arch: str) -> None:
    outcome = run_mock(plans(arch), arch, sdk=sdk)
    assert [result.error for result in outcome.results] == ["", ""]
    _check_folders(outcome, sdk, arch)


@pytest.mark.long
def test_python_3_12(plans: Callable[[str], list[Path]]) -> None:
    outcome = run_mock(plans("wormhole_b0"), "wormhole_b0", python_tag="cp312")
    assert [result.error for result in outcome.results] == ["", ""]
