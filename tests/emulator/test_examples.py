"""Every hand-written example gives what NumPy says, bit-equal under every interleaving and every padding fill."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulator.examples import EXAMPLES, FOLDER, encoded, inputs
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_right_and_reproducible(name: str) -> None:
    example = EXAMPLES[name]()
    plan = load_plan(FOLDER / name / "tt.plan.json")
    given = inputs(example)
    expected = example.expect(given)
    first = None
    for seed, fill in ((0, 0), (1, 0), (2, 1), (3, 2)):
        result = run(plan, FOLDER / name, given, seed=seed, fill=fill)
        for output, want in expected.items():
            error = np.abs(result.outputs[output] - want).max() / np.abs(want).max()
            assert error <= example.tolerance, f"{output}: relative error {error}"
        bits = {k: v.tobytes() for k, v in result.outputs.items()}
        first = first or (bits, result.counters)
        assert (bits, result.counters) == first, f"seed {seed}, fill {fill} gives other results"


@pytest.mark.parametrize("name", EXAMPLES)
def test_plan_file_is_current(name: str) -> None:
    assert (FOLDER / name / "tt.plan.json").read_bytes() == encoded(EXAMPLES[name]())
