"""A program, compiled in memory and run on the emulator: right against the reference, equal under every schedule."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.model.counters import counted, without_operations
from tests.programs.generator import Kernel
from tt_build.codegen.files import emit
from tt_build.emulator.run import Result, run
from tt_build.ir.plan import load_plan
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import compile_kernel
from tt_build.scons.verify import describe
from tt_build.spec.loader import load_file
from tt_build.spec.model import VerifySpec
from tt_build.spec.render import report
from tt_build.verify.driver import Job, examine
from tt_build.verify.prepare import Prepared

RUNS = ((0, 0), (1, 1))  # interleaving seed and padding fill; each variant runs under a seed of its own


def prove(program: Kernel, variants: Sequence[Kernel]) -> None:
    """``AssertionError`` when the program is wrong, or when a variant gives another bit."""
    with tempfile.TemporaryDirectory(prefix="tt-build-program-") as name:
        folder = Path(name)
        kernel, plan = build(program, folder / "base")
        spec = kernel_spec(program)
        job = Job(kernel=kernel, verify=VerifySpec(), sizes={}, scalars={})
        verdict, prepared, results = examine(job, plan, runs=RUNS)
        assert verdict.passed, f"{describe(verdict)}\n{spec}"
        assert counted(kernel) == without_operations(results[0].counters), f"the model counts other bytes:\n{spec}"
        for number, variant in enumerate(variants):
            lowered, other = build(variant, folder / f"variant{number}")
            result = _run(other, prepared, number)
            same = counted(lowered) == without_operations(result.counters)
            assert same, f"the model counts other bytes:\n{kernel_spec(variant)}"
            outputs = result.outputs
            for tensor, values in outputs.items():
                same = np.array_equal(_bits(values), _bits(results[0].outputs[tensor]))
                assert same, f"output {tensor} depends on the schedule:\n{spec}\n{kernel_spec(variant)}"


def _run(plan: Path, prepared: Prepared, number: int) -> Result:
    scalars = prepared.scalars
    return run(load_plan(plan), plan.parent, prepared.inputs, seed=3 + number, fill=number % 2, scalars=scalars)


def build(program: Kernel, folder: Path) -> tuple[VerifiedKernel, Path]:
    """All generated files of a program under ``folder``: the kernel, and its plan's path."""
    folder.mkdir(parents=True)
    path = folder / "kernels.yaml"
    path.write_text(kernel_spec(program))
    loaded = load_file(path)
    assert not loaded.errors, report([entry.diagnostic for entry in loaded.diagnostics], loaded.source)
    kernel, _ = compile_kernel(loaded.declarations[0])
    for name, content in emit(kernel).items():
        (folder / name).write_bytes(content)
    return kernel, folder / "tt.plan.json"


def kernel_spec(program: Kernel) -> str:
    """The program as a kernels.yaml."""
    spec = {"version": 1, "target": program["target"], "kernels": {"program": program["kernel"]}}
    text: str = yaml.safe_dump(json.loads(json.dumps(spec)), sort_keys=False, default_flow_style=None, width=110)
    return text


def read_spec(path: Path) -> Kernel:
    """A kernels.yaml with one kernel as a program."""
    spec = yaml.safe_load(path.read_text())
    return {"target": spec["target"], "kernel": next(iter(spec["kernels"].values()))}


def _bits(array: Any) -> Any:
    return np.ascontiguousarray(array).view(np.uint8)
