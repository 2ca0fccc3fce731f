"""Mutants of generated kernels are caught by what ``scons verify`` does: a report, a wrong result, or unequal runs.

The kernels are small, on 2 x 2 cores, with blocks of at most 4 tiles: several units a core, several blocks and a last
one that is not full, so that few mutants are right programs still. docs/evidence.md records the long run.
"""

from __future__ import annotations

import functools
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests.emulator.mutants import Mutant, mutants
from tt_build.codegen.files import emit
from tt_build.emulator.run import run
from tt_build.ir.stages import DefaultedKernel
from tt_build.passes import memory_space_lower
from tt_build.passes.pipeline import compile_kernel
from tt_build.spec.loader import load_file
from tt_build.spec.model import VerifySpec, scalar_values
from tt_build.verify import driver
from tt_build.verify.driver import Job, Verdict, verify

SPEC = """version: 1
target: {arch: wormhole_b0}
kernels:
  gemm:
    inputs: {A: {shape: [128, 256]}, B: {shape: [256, 160]}}
    outputs: {C: {shape: [128, 160]}}
    compute: C = A @ B
    schedule: {order: column_major, matmul: {algorithm: streaming}}
  gemm_bias_gelu:
    inputs: {X: {shape: [100, 300]}, W: {shape: [300, 90]}, b: {shape: [1, 90]}}
    outputs: {Y: {shape: [100, 90]}}
    compute: |
      h = X @ W + b
      Y = gelu(h)
    schedule: {matmul: {algorithm: streaming}}
  scores:
    inputs: {Q: {shape: [2, 2, 64, 192]}, K: {shape: [2, 2, 96, 192]}}
    outputs: {P: {shape: [2, 2, 64, 96]}}
    compute: P = Q @ K.T * 0.125
    schedule: {matmul: {algorithm: streaming}}
  add_column:
    inputs: {X: {shape: [192, 224]}, c: {shape: [192, 1]}}
    outputs: {Y: {shape: [192, 224]}}
    compute: Y = X + c
    schedule: {policy: strided}
  residual:
    scalars: {alpha: 0.7071}
    inputs: {X: {shape: [192, 224], dtype: float32}, R: {shape: [192, 224], dtype: float32}}
    outputs: {Y: {shape: [192, 224], dtype: float32}}
    compute: Y = alpha * X + R
    schedule: {policy: rectangular}
  polar:
    inputs: {x: {shape: [170, 220], dtype: float32}, y: {shape: [170, 220]}}
    outputs: {r: {shape: [170, 220]}, q: {shape: [170, 220], dtype: float32}}
    compute: |
      s = x * x + y * y
      r = sqrt(s)
      q = s * rsqrt(s + 1) - where(x > y, x, y)
    schedule: {order: column_major}
"""


class Generated(NamedTuple):
    """A kernel: its files, and what is asked of them."""

    files: dict[str, bytes]
    job: Job


def kernels(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Generated]:
    path = folder / "kernels.yaml"
    path.write_text(SPEC)
    loaded = load_file(path, grid=(2, 2))
    assert not loaded.errors
    found: dict[str, Generated] = {}
    patch.setattr(memory_space_lower, "MAX_BLOCK", 4)
    patch.setattr(driver, "run", functools.partial(run, timeout=10))  # a mutant may loop for ever
    for declaration in loaded.declarations:
        kernel, trail = compile_kernel(declaration)
        defaulted = trail[0][1]
        assert isinstance(defaulted, DefaultedKernel)
        declared = declaration.kernel
        job = Job(kernel=defaulted, verify=VerifySpec(), scalars=scalar_values(declared.scalars))
        found[declared.name] = Generated(emit(kernel), job)
    return found


def judged(kernel: Generated, mutant: Mutant | None, folder: Path) -> Verdict:
    folder.mkdir(parents=True)
    for name, data in kernel.files.items():
        (folder / name).write_bytes(data)
    if mutant:
        (folder / mutant.file).write_text(mutant.text)
    return verify(kernel.job, folder / "tt.plan.json")


def sample(found: dict[str, Generated], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """``count`` mutants, from as many of each kernel text as it has, up to 40."""
    rng = random.Random(seed)
    pool: list[tuple[str, Mutant]] = []
    for name, kernel in found.items():
        for file in ("reader.cpp", "compute.cpp", "writer.cpp"):
            pool += [(name, m) for m in mutants(file, kernel.files[file].decode(), rng, 40)]
    return rng.sample(pool, count)


def survivors(folder: Path, patch: pytest.MonkeyPatch, count: int, seed: int) -> list[str]:
    found = kernels(folder, patch)
    chosen = sample(found, count, seed)

    def survives(index: int) -> bool:
        name, mutant = chosen[index]
        return judged(found[name], mutant, folder / str(index)).passed

    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(survives, range(count)))
    return [f"{name}/{m.change}" for (name, m), left in zip(chosen, passed, strict=True) if left]


def test_the_kernels_themselves_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kernel in kernels(tmp_path, monkeypatch).items():
        verdict = judged(kernel, None, tmp_path / name)
        assert verdict.passed, f"{name}: {msgspec.json.encode(verdict).decode()}"


def test_mutants_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = survivors(tmp_path, monkeypatch, 40, 1)
    assert len(left) <= 2, "\n".join(left)


@pytest.mark.long
def test_95_percent_of_200_mutants_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = survivors(tmp_path, monkeypatch, 200, 2)
    print("\n".join(left))
    assert len(left) <= 10, "\n".join(left)
