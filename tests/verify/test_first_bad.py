"""The core that a verdict names for the first wrong element is the one that computed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.programs.prove import build
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.spec.model import VerifySpec
from tt_build.verify.driver import Job, compare_outputs, examine

KERNELS: dict[str, dict[str, Any]] = {
    "rows": {
        "inputs": {"X": {"shape": [128, 256]}}, "outputs": {"Y": {"shape": [128, 256]}},
        "compute": "Y = softmax(X, axis=-1)",
    },
    "blocks": {
        "inputs": {"A": {"shape": [256, 64]}, "B": {"shape": [64, 256]}}, "outputs": {"Y": {"shape": [256, 256]}},
        "compute": "Y = A @ B", "schedule": {"matmul": {"algorithm": "reuse", "block": [64, 128]}},
    },
    "tiles": {
        "inputs": {"X": {"shape": [2, 64, 96]}}, "outputs": {"Y": {"shape": [2, 64, 96]}}, "compute": "Y = relu(X)",
        "schedule": {"policy": "strided", "order": "serpentine"},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_the_core_of_a_wrong_element_is_the_one_that_wrote_it(name: str, tmp_path: Path) -> None:
    program = {"target": {"arch": "wormhole_b0", "grid": [2, 2]}, "kernel": KERNELS[name]}
    kernel, path = build(program, tmp_path / "k")
    plan = load_plan(path)
    job = Job(kernel=kernel, verify=VerifySpec(), sizes={}, scalars={})
    verdict, prepared, _ = examine(job, path, runs=((0, 0),))
    assert verdict.passed
    found = run(plan, path.parent, prepared.inputs, seed=0, fill=0)
    wrong = np.array(found.outputs["Y"])
    place = tuple(extent - 1 for extent in wrong.shape)
    wrong[place] += 100
    result = compare_outputs(job, plan, prepared.references, {"Y": wrong})["Y"]
    assert result.first_bad is not None
    assert result.first_bad.index == place
    # the last unit is the last core's: run with the others' work taken away, its element is all that is left
    core = result.first_bad.core
    assert core is not None
    alone = msgspec.structs.replace(
        plan,
        cores=msgspec.structs.replace(
            plan.cores, assignments=tuple(item for item in plan.cores.assignments if item.core == core)
        ),
    )
    assert len(alone.cores.assignments) == 1 < len(plan.cores.assignments)
    left = run(alone, path.parent, prepared.inputs, seed=0, fill=0).outputs["Y"]
    assert np.array_equal(left[place], found.outputs["Y"][place])
