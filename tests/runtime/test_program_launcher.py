"""Programs through the launcher: without a device, and with the real ttnn on its mock device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import ROOT
from tt_build.codegen.compile import compile_specification
from tt_build.codegen.write import write_group
from tt_build.ir.plan import PlanError
from tt_build.runtime import LaunchError, load_program, run_program
from tt_build.sdk.mock import available_tag, python
from tt_build.targets.sdk import load_sdk


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``llama_mlp`` of the library, built."""
    folder = tmp_path_factory.mktemp("program")
    built = compile_specification(ROOT / "library" / "llama.yaml")
    assert not built.failed, built.text
    for name, files in built.kernels.items():
        write_group({folder / name / path: data for path, data in files.items()})
    return folder / "llama_mlp" / "program.json"


def test_arguments_are_checked_before_ttnn_is_needed(program: Path) -> None:
    mlp = load_program(program)
    assert (mlp.inputs, mlp.outputs) == (("x", "gamma", "w_gate", "w_up", "w_down"), ("y",))
    x = np.zeros((1, 64, 256), np.float32)
    with pytest.raises(LaunchError, match=r"^llama_mlp takes 5 tensors \(x, gamma, w_gate, w_up, w_down\), not 1$"):
        mlp(x)
    with pytest.raises(LaunchError, match=r"^gamma has shape \[1, 64, 256\]; the program wants \[1, 256\]$"):
        mlp(x, x, x, x, x)
    with pytest.raises(LaunchError, match=r"^the program has no input h; its inputs are x, "):
        run_program(program, {"h": x})
    with pytest.raises(LaunchError, match=r"^no value for input gamma, w_gate, w_up, w_down$"):
        run_program(program, {"x": x})


def test_files_that_do_not_belong_together(program: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot read"):
        load_program(tmp_path / "program.json")
    for text, message in (
        (program.read_text().replace('"version": 1', '"version": 2'), "reads version 1"),
        (program.read_text().replace("[1, 64, 512]", "[1, 64, 544]"), "disagree about act; build both again"),
        (program.read_text().replace('"gamma": "gamma"', '"weight": "gamma"'), "have other tensors"),
        ("{}", "is no program"),
    ):
        other = program.with_name("other.json")
        other.write_text(text)
        with pytest.raises(PlanError, match=message):
            load_program(other)


def test_on_the_mock_device(program: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("on_mock_program.py")
    printed = python(load_sdk("0.81"), available_tag(), "wormhole_b0", [str(script), str(program)], folder=tmp_path)
    found = dict(line.split(" ", 2)[1:] for line in printed.splitlines() if line.startswith("ANSWER program"))
    assert found == {
        "program_numpy": "ndarray (1, 64, 256)",
        "program_tensors": "Tensor (1, 64, 256) DataType.BFLOAT16 DRAM",
        "program_places": "h:L1:freed act:L1:freed y:DRAM:kept",
        "program_every": "h (1, 64, 256) act (1, 64, 512) y (1, 64, 256)",
        "program_layout": "LaunchError: w_down has shape [1, 64, 256]; the plan wants [512, 256]",
    }, printed[-3000:]
    assert "ANSWER run_program y (1, 64, 256)" in printed


def test_the_example_runs_on_the_mock_device(program: Path, tmp_path: Path) -> None:
    script = ROOT / "examples" / "llama_mlp.py"
    printed = python(load_sdk("0.81"), available_tag(), "wormhole_b0", [str(script), str(program)], folder=tmp_path)
    assert "llama_mlp: [1, 64, 256], correlation with NumPy " in printed, printed[-3000:]
