"""A program, compiled in memory and run on the emulator: right against the reference, equal under every schedule."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from tests.model.counters import counted, without_operations
from tests.programs.schedules import Kernel
from tt_build.codegen.files import emit
from tt_build.emulator.run import Result, compile_plans, run
from tt_build.ir.plan import load_plan
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import compile_kernel
from tt_build.scons.verify_worker import describe
from tt_build.spec.loader import load_file
from tt_build.spec.model import VerifySpec
from tt_build.spec.render import report
from tt_build.verify.driver import Job, examine
from tt_build.verify.prepare import Prepared

RUNS = ((0, 0), (1, 1))  # interleaving seed and padding fill; each variant runs under a seed of its own


class InvalidProgram(Exception):
    """A program that is not of the language: the mistake of whoever wrote or drew it."""


def prove(program: Kernel, variants: Sequence[Kernel]) -> None:
    """``AssertionError`` when the program is wrong, or when a variant gives another bit."""
    for failure in prove_all([(program, variants)]):
        if failure is not None:
            raise failure


def prove_all(cases: Iterable[tuple[Kernel, Sequence[Kernel]]]) -> Iterator[Exception | None]:
    """Why each program with its variants is wrong, or None; the kernels of all of them are compiled together."""
    with tempfile.TemporaryDirectory(prefix="tt-build-program-") as name:
        built = [_build_case(*case, Path(name) / str(number)) for number, case in enumerate(cases)]
        plans = [
            path
            for case in built
            if isinstance(case, _Case)
            for path in (case.plan, *(path for _, path in case.others))
        ]
        compile_plans((load_plan(path), path.parent) for path in plans)
        for case in built:
            yield _failure(case) if isinstance(case, _Case) else case


def prove_built(program: Kernel, built: Sequence[tuple[VerifiedKernel, Path]]) -> None:
    """As ``prove``, of one program that was built in several ways: kernels and the paths of their plans."""
    (kernel, plan), *others = built
    compile_plans((load_plan(path), path.parent) for _, path in built)
    _judge(_Case(program, [program] * len(others), kernel, plan, others))


class _Case(msgspec.Struct, frozen=True):
    """A program and its variants, built."""

    program: Kernel
    variants: Sequence[Kernel]
    kernel: VerifiedKernel
    plan: Path
    others: list[tuple[VerifiedKernel, Path]]


def _build_case(program: Kernel, variants: Sequence[Kernel], folder: Path) -> _Case | Exception:
    try:
        kernel, plan = build(program, folder / "base")
        others = [build(variant, folder / f"variant{number}") for number, variant in enumerate(variants)]
    except Exception as error:  # whatever it is, it is this program's failure and not that of its neighbours
        return error
    return _Case(program, variants, kernel, plan, others)


def _failure(case: _Case) -> Exception | None:
    try:
        _judge(case)
    except Exception as error:
        return error
    return None


def _judge(case: _Case) -> None:
    spec = kernel_spec(case.program)
    job = Job(kernel=case.kernel, verify=VerifySpec(), sizes={}, scalars={})
    verdict, prepared, results = examine(job, case.plan, runs=RUNS)
    assert verdict.passed, f"{describe(verdict)}\n{spec}"
    assert counted(case.kernel) == without_operations(results[0].counters), f"the model counts other bytes:\n{spec}"
    for number, (variant, (lowered, other)) in enumerate(zip(case.variants, case.others, strict=True)):
        result = _run(other, prepared, number)
        same = counted(lowered) == without_operations(result.counters)
        assert same, f"the model counts other bytes:\n{kernel_spec(variant)}"
        for tensor, values in result.outputs.items():
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
    if loaded.errors:
        raise InvalidProgram(report([entry.diagnostic for entry in loaded.diagnostics], loaded.source))
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
