"""Programs on the command line: show, graph, explain, validate, compile, run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.support import tt_build as run
from tests.support import ROOT
from tt_build.codegen.compile import compile_specification

SPEC = ROOT / "library" / "llama.yaml"
EIGHT = ROOT / "library" / "8b" / "llama.yaml"


def test_show_tells_steps_and_what_is_generated() -> None:
    ran = run("show", "llama_mlp", "--spec", SPEC)
    assert ran.code == 0
    assert (
        "kernel: llama_gate_up.llama_mlp\n      inputs: {X: h, Wg: w_gate, Wu: w_up}\n      outputs: {Y: act}"
        in ran.out
    )
    assert "frees: [h]" in ran.out
    assert run("show", "llama_mlp", "--spec", SPEC, "--stage", "generate").out.startswith("generate\n")
    assert "its stages: declaration, generate" in run("show", "llama_mlp", "--spec", SPEC, "--stage", "tensorize").err


def test_graph_goes_from_inputs_to_outputs() -> None:
    out = run("graph", "llama_mlp", "--spec", SPEC).out
    assert '"h" [label="h [1, 64, 256]\\nbfloat16 in L1", shape=cylinder];' in out
    assert '"act" -> "step 3";' in out
    assert '"step 3" -> "y";' in out
    assert '["2: llama_gate_up.llama_mlp"]' in run("graph", "llama_mlp", "--spec", SPEC, "--format", "mermaid").out


def test_explain_is_what_the_page_shows(update_goldens: bool) -> None:
    ran = run("explain", "llama_mlp", "--spec", SPEC)
    assert ran.code == 0
    page = ROOT / "docs" / "programs.md"
    head, _, rest = page.read_text().partition("$ tt-build explain llama_mlp --spec library/llama.yaml\n")
    shown, _, tail = rest.partition("```")
    if update_goldens:
        page.write_text(page.read_text().replace(shown, ran.out))
        shown = ran.out
    assert head
    assert tail
    assert shown == ran.out


def test_explain_of_what_cannot_be_built(there: Path) -> None:
    (there / "kernels.yaml").write_text((ROOT / "tests" / "diagnostics" / "TTB220_layouts.yaml").read_text())
    ran = run("explain", "p")
    assert ran.code == 1
    assert "p cannot be built\nkernels.yaml:16:34: error[TTB220]" in ran.err


def test_validate_counts_programs(there: Path) -> None:
    assert run("validate", SPEC).out.endswith("19 kernels and 4 programs, no errors\n")
    assert json.loads(run("validate", SPEC, "--format", "json").out)["programs"][-1] == "llama_two_layers"
    (there / "kernels.yaml").write_text((ROOT / "tests" / "diagnostics" / "TTB220_layouts.yaml").read_text())
    for _ in range(2):  # what is wrong is said also when the kernels are known to be valid
        ran = run("validate", "kernels.yaml", "--format", "junit")
        assert ran.code == 1
        assert 'name="p"' in ran.out
        assert "TTB220" in ran.out


def test_validate_mends_names(there: Path) -> None:
    text = SPEC.read_text()
    (there / "kernels.yaml").write_text(text.replace("{X: act, W: w_down", "{X: acts, w: w_down"))
    assert run("validate", "kernels.yaml", "--fix").code == 0
    assert (there / "kernels.yaml").read_text() == text


def test_the_sizes_of_llama_8b_are_built_and_fit() -> None:
    """The planner gives up larger blocks of the matmul for h, which stays in L1."""
    built = compile_specification(EIGHT)
    assert not built.failed, built.text
    program = json.loads(built.kernels["llama_mlp"]["program.json"])
    assert program["tensors"]["act"]["shape"] == [2048, 14336]
    assert program["kept_in_l1"] == ["h"]
    small = json.loads(compile_specification(SPEC).kernels["llama_mlp"]["program.json"])
    assert [step["tensors"] for step in program["steps"]] == [step["tensors"] for step in small["steps"]]


class TestRun:
    @pytest.fixture
    def folder(self, there: Path) -> Path:
        assert run("compile", SPEC, "--output", there / "out").out.startswith("19 kernels and 4 programs written to")
        return there / "out" / "tenstorrent" / "llama_mlp"

    def test_arrays_in_and_out(self, folder: Path, there: Path) -> None:
        rng = np.random.default_rng(1)
        shapes = {"x": (1, 64, 256), "gamma": (1, 256), "w_gate": (256, 512), "w_up": (256, 512), "w_down": (512, 256)}
        arrays = {name: rng.standard_normal(shape, np.float32) * 0.25 for name, shape in shapes.items()}
        given = []
        for name, array in arrays.items():
            np.save(there / f"{name}.npy", array)
            given += ["--input", f"{name}={name}.npy"]
        ran = run("run", folder, *given, "--output", "y=y.npy", "--output", "h=h.npy", "--counters", "counters.json")
        assert ran.out == "llama_mlp: ran on emulator; wrote y [1, 64, 256] to y.npy, h [1, 64, 256] to h.npy\n"
        x = arrays["x"].astype(np.float64)
        h = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5) * arrays["gamma"]
        gate = h @ arrays["w_gate"]
        y = x + (gate / (1 + np.exp(-gate)) * (h @ arrays["w_up"])) @ arrays["w_down"]
        assert np.corrcoef(np.load(there / "h.npy").ravel(), h.ravel())[0, 1] > 0.9999
        assert np.corrcoef(np.load(there / "y.npy").ravel(), y.ravel())[0, 1] > 0.999
        counters = json.loads((there / "counters.json").read_text())
        assert [step["kernel"] for step in counters["steps"]][1] == "llama_gate_up.llama_mlp"
        said = {
            ("run", folder, *given[2:]): "no --input for x",
            ("run", folder, *given, "--input", "v=x.npy"): "the program has no input 'v'; its inputs: x, gamma",
            ("run", folder, *given, "--output", "z=z.npy"): "the program writes no tensor 'z'; it writes act, h, y",
            ("run", folder, *given, "--scalar", "alpha=1"): "a program says its scalars",
            ("run", folder, *given, "--trace", "t.json"): "--trace is of one plan",
        }
        for arguments, message in said.items():
            refused = run(*arguments)
            assert refused.code == 2
            assert message in refused.err
