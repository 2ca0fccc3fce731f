"""Mutants of the examples' kernels are caught: by a report, or because the result is not NumPy's."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.emulator.examples import EXAMPLES, FOLDER, Example, inputs
from tests.emulator.mutants import Mutant, mutants
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run


def sample(count: int, seed: int) -> list[tuple[str, Mutant]]:
    """``count`` mutants, spread over all kernels of all examples."""
    rng = random.Random(seed)
    pool: list[tuple[str, Mutant]] = []
    for name in sorted(EXAMPLES):
        for path in sorted((FOLDER / name).glob("*.cpp")):
            pool += [(name, m) for m in mutants(path.name, path.read_text(), rng, 40)]
    return rng.sample(pool, count)


def verdict(example: Example, name: str, mutant: Mutant, folder: Path) -> str:
    """What catches the mutant; "" when it survives."""
    for source in (FOLDER / name).glob("*.cpp"):
        shutil.copy(source, folder)
    (folder / mutant.file).write_text(mutant.text)
    given = inputs(example)
    for seed in range(3):
        try:
            result = run(example.plan, folder, given, seed=seed, fill=seed, timeout=10)
        except EmulationError as error:
            return error.report.code
        for output, want in example.expect(given).items():
            error = np.abs(result.outputs[output] - want).max() / np.abs(want).max()
            if not error <= example.tolerance:
                return "wrong result"
    return ""


def survivors(chosen: list[tuple[str, Mutant]], folder: Path) -> list[str]:
    out = []
    for index, (name, mutant) in enumerate(chosen):
        place = folder / str(index)
        place.mkdir()
        if not verdict(EXAMPLES[name](), name, mutant, place):
            out.append(f"{name}/{mutant.change}")
    return out


def test_mutants_are_caught(tmp_path: Path) -> None:
    left = survivors(sample(24, 1), tmp_path)
    assert len(left) <= 1, "\n".join(left)


@pytest.mark.long
def test_95_percent_of_200_mutants_are_caught(tmp_path: Path) -> None:
    left = survivors(sample(200, 2), tmp_path)
    assert len(left) <= 10, "\n".join(left)
