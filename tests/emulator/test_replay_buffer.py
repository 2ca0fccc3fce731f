"""The replay buffer: a matmul over instructions that something else recorded there is a fault, unless set up anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.prove import build, prove
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan

TILES = 3


def program(arch: str, *, fp32: bool = False, **math: Any) -> dict[str, Any]:
    """A streaming matmul with exp behind it, several tiles a core, so that matmul and exp take turns."""
    kernel = {
        "inputs": {"A": {"shape": [32, 64]}, "B": {"shape": [64, 32 * TILES]}},
        "outputs": {"C": {"shape": [32, 32 * TILES]}},
        "compute": "C = exp((A @ B) * 0.01)",
        "schedule": {"matmul": {"algorithm": "streaming"}, "cores": [1, 1]},
        "math": {"fp32_accumulate": fp32, **math},
    }
    return {"target": {"arch": arch, "grid": [1, 1]}, "kernel": kernel}


def without_inits(spec: dict[str, Any], folder: Path) -> Path:
    """The built kernel with its matmul set up once, before the loop."""
    _, path = build(spec, folder)
    source = path.parent / "compute.cpp"
    text = source.read_text()
    assert "matmul_init(cb_a, cb_b);" in text
    text = text.replace("matmul_init(cb_a, cb_b);", "")
    start = text.index(";", text.index("compute_kernel_hw_startup<")) + 1
    source.write_text(f"{text[:start]}\n    matmul_init(cb_a, cb_b);{text[start:]}")
    return path


def emulate(path: Path) -> None:
    plan = load_plan(path)
    inputs = {"A": np.ones((32, 64), np.float32), "B": np.ones((64, 32 * TILES), np.float32)}
    run(plan, path.parent, inputs)


def test_exp_records_over_a_matmul_in_a_narrow_dst_on_wormhole(tmp_path: Path) -> None:
    with pytest.raises(EmulationError) as fault:
        emulate(without_inits(program("wormhole_b0"), tmp_path / "k"))
    assert fault.value.report.code == "EMU315"
    assert "exp_tile has recorded over the matmul's own" in str(fault.value)


@pytest.mark.parametrize(
    ("arch", "math"),
    [("wormhole_b0", {"fp32": True}), ("blackhole", {}), ("wormhole_b0", {"approximate": True})],
)
def test_others_leave_it_alone(arch: str, math: dict[str, Any], tmp_path: Path) -> None:
    emulate(without_inits(program(arch, **math), tmp_path / "k"))


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
def test_what_is_generated_sets_the_matmul_up_again(arch: str) -> None:
    prove(program(arch), [])
