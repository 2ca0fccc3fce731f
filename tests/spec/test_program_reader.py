"""``programs``: what a declaration of steps becomes. What is refused: tests/diagnostics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tt_build.codegen.compile import compile_loaded
from tt_build.codegen.program import make_program
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.program import ProgramDeclaration

NORM = {"inputs": {"X": {"shape": ["M", 128]}}, "outputs": {"Y": {"shape": ["M", 128]}}, "sizes": {"M": 64}}
UP = {"inputs": {"X": {"shape": ["M", 128]}, "W": {"shape": [128, 128]}}, "outputs": {"Y": {"shape": ["M", 128]}}}
KERNELS: dict[str, Any] = {
    "norm": {**NORM, "compute": "Y = rmsnorm(X, 1e-5)"},
    "up": {**UP, "sizes": {"M": 64}, "compute": "Y = X @ W"},
}
STEPS = [
    {"kernel": "norm", "inputs": {"X": "x"}, "outputs": {"Y": "h"}},
    {"kernel": "up", "inputs": {"X": "h", "W": "w"}, "outputs": {"Y": "y"}},
]
LAYER: dict[str, Any] = {"inputs": ["x", "w"], "steps": STEPS, "outputs": ["y"]}


def load(tmp_path: Path, programs: dict[str, Any], kernels: dict[str, Any] = KERNELS) -> SpecFile:
    path = tmp_path / "kernels.yaml"
    path.write_text(json.dumps({"version": 1, "kernels": kernels, "programs": programs}))
    loaded = load_file(path)
    assert not loaded.errors, [entry.diagnostic.message for entry in loaded.errors]
    return loaded


def called(program: ProgramDeclaration) -> list[tuple[str, dict[str, str]]]:
    return [(step.kernel, step.inputs | step.outputs) for step in program.steps]


def test_steps_follow_each_other(tmp_path: Path) -> None:
    (program,) = load(tmp_path, {"layer": LAYER}).sequences
    assert called(program) == [("norm", {"X": "x", "Y": "h"}), ("up", {"X": "h", "W": "w", "Y": "y"})]
    assert program.between == ("h",)
    assert program.last_reads == {"h": 1}
    assert program.tensors["h"].shape == (64, 128)
    assert program.tensors["h"].dtype == "bfloat16"
    assert [step.frees for step in make_program(program).steps] == [(), ("h",)]


def test_a_program_in_a_program_has_tensors_of_its_own(tmp_path: Path) -> None:
    twice = {
        "inputs": ["x", "w0", "w1"],
        "steps": [
            {"program": "layer", "inputs": {"x": "x", "w": "w0"}, "outputs": {"y": "a"}},
            {"program": "layer", "inputs": {"x": "a", "w": "w1"}, "outputs": {"y": "b"}},
        ],
        "outputs": ["b"],
    }
    layer = {**LAYER, "keep": {"h": "l1_interleaved"}}
    program = load(tmp_path, {"layer": layer, "twice": twice}).sequences[1]
    assert called(program) == [
        ("norm.layer", {"X": "x", "Y": "layer_1.h"}),
        ("up.layer", {"X": "layer_1.h", "W": "w0", "Y": "a"}),
        ("norm.layer", {"X": "a", "Y": "layer_2.h"}),
        ("up.layer", {"X": "layer_2.h", "W": "w1", "Y": "b"}),
    ]
    assert program.keep == {"layer_1.h": "l1_interleaved", "layer_2.h": "l1_interleaved"}
    assert [step.at for step in program.steps] == [0, 0, 1, 1]


def test_keep_gives_the_program_kernels_of_its_own(tmp_path: Path) -> None:
    shards = {"memory": "l1", "sharding": "height", "grid": [1, 2]}
    layer, other = {**LAYER, "keep": {"h": "l1_interleaved"}}, {**LAYER, "keep": {"h": shards}}
    loaded = load(tmp_path, {"layer": layer, "other": other, "plain": LAYER})
    layouts = {d.kernel.name: d.kernel.outputs["Y"].layout for d in loaded.declarations}
    assert list(layouts) == ["norm", "up", "norm.layer", "up.layer", "norm.other", "up.other"]
    assert layouts["norm"] is None
    assert layouts["norm.layer"] == "l1_interleaved"
    assert layouts["up.layer"] is None
    assert not compile_loaded(loaded)[1]


def test_one_kernel_laid_out_in_two_ways(tmp_path: Path) -> None:
    steps = [
        {"kernel": "norm", "inputs": {"X": "x"}, "outputs": {"Y": "a"}},
        {"kernel": "norm", "inputs": {"X": "a"}, "outputs": {"Y": "b"}},
        {"kernel": "norm", "inputs": {"X": "b"}, "outputs": {"Y": "y"}},
    ]
    program = {"inputs": ["x"], "steps": steps, "outputs": ["y"], "keep": {"a": "l1_interleaved"}}
    (read,) = load(tmp_path, {"three": program}).sequences
    assert [step.kernel for step in read.steps] == ["norm.three", "norm.three_2", "norm"]


def test_at_verify_sizes(tmp_path: Path) -> None:
    kernels = {name: {**kernel, "verify": {"sizes": {"M": 32}}} for name, kernel in KERNELS.items()}
    (program,) = load(tmp_path, {"layer": {**LAYER, "keep": {"h": "l1_interleaved"}}}, kernels).sequences
    assert program.tensors["h"].shape == (64, 128)
    assert program.verify_tensors is not None
    assert program.verify_tensors["h"].shape == (32, 128)


def test_run_time_scalars_have_values(tmp_path: Path) -> None:
    up = {**KERNELS["up"], "scalars": {"alpha": {"runtime": "float32"}}, "compute": "Y = X @ W * alpha"}
    layer = {**LAYER, "steps": [STEPS[0], {**STEPS[1], "scalars": {"alpha": 0.5}}]}
    (program,) = load(tmp_path, {"layer": layer}, {**KERNELS, "up": up}).sequences
    assert program.steps[1].scalars == {"alpha": 0.5}


def test_a_change_of_a_kernel_changes_its_programs(tmp_path: Path) -> None:
    before = load(tmp_path, {"layer": LAYER}).sequences
    after = load(tmp_path, {"layer": LAYER}, {**KERNELS, "norm": {**KERNELS["norm"], "math": {"fidelity": "LoFi"}}})
    assert before != after.sequences


def test_included_programs_and_their_places(tmp_path: Path) -> None:
    main, other = tmp_path / "kernels.yaml", tmp_path / "layers.yaml"
    main.write_text(json.dumps({"version": 1, "include": ["layers.yaml"], "kernels": KERNELS}))
    other.write_text(json.dumps({"version": 1, "programs": {"layer": LAYER, "bad": {**LAYER, "outputs": ["z"]}}}))
    loaded = load_file(main)
    assert [program.file for program in loaded.sequences] == ["layers.yaml"]
    assert [(entry.span.file.rpartition("/")[2], entry.diagnostic.code) for entry in loaded.errors] == [
        ("layers.yaml", "TTB052")
    ]
    assert loaded.rejected == ("bad",)


def test_a_rejected_kernel_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "kernels.yaml"
    kernels = {**KERNELS, "up": {**KERNELS["up"], "compute": "Y = X @ V"}}
    outer = {**LAYER, "steps": [{"program": "layer", "inputs": {"x": "x", "w": "w"}, "outputs": {"y": "y"}}]}
    path.write_text(json.dumps({"version": 1, "kernels": kernels, "programs": {"layer": LAYER, "outer": outer}}))
    loaded = load_file(path)
    assert [entry.diagnostic.code for entry in loaded.errors] == ["TTB012"]
    assert loaded.rejected == ("up", "layer", "outer")


def test_programs_of_programs_are_bounded(tmp_path: Path) -> None:
    """Twice as many launches at each level: a small file must not become an endless program."""
    wires = {"inputs": {"x": "x", "w": "w"}, "outputs": {"y": "a"}}
    programs: dict[str, Any] = {"p0": LAYER}
    for level in range(1, 40):
        second = {"program": f"p{level - 1}", "inputs": {"x": "a", "w": "w"}, "outputs": {"y": "y"}}
        programs[f"p{level}"] = {**LAYER, "steps": [{"program": f"p{level - 1}", **wires}, second]}
    path = tmp_path / "kernels.yaml"
    path.write_text(json.dumps({"version": 1, "kernels": KERNELS, "programs": programs}))
    assert [entry.diagnostic.code for entry in load_file(path).errors] == ["TTB034"]
