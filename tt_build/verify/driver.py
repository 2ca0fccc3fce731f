"""One kernel, proven: its generated sources run on the emulator under several seeds and fills.

The results are compared with the reference; what comes out is ``verify.json``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import WALL_CLOCK_SECONDS, Result, run
from tt_build.ir.handwritten import DefaultedSources
from tt_build.ir.plan import Plan, load_plan
from tt_build.ir.stages import TILE, DefaultedKernel, ScheduledKernel, Tensor
from tt_build.ir.work import CoreWork, Grid, tile_ids
from tt_build.spec.model import VerifySpec
from tt_build.verify.compare import OutputResult, Tolerance, compare
from tt_build.verify.inputs import make_inputs
from tt_build.verify.prepare import Prepared, prepare
from tt_build.verify.values import Math

# Interleaving seed and padding fill of each run: three seeds, two fills. Results must be equal bit for bit.
RUNS = ((0, 0), (1, 1), (2, 0))


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is verified beside the plan: the meaning of the kernel and the ``verify`` part of its declaration."""

    kernel: DefaultedKernel | DefaultedSources
    verify: VerifySpec
    sizes: dict[str, int] = {}
    scalars: dict[str, float] = {}

    @property
    def meaning(self) -> str:
        """The text that the reference evaluates; empty for sources without one: nothing is compared then."""
        return self.kernel.compute if isinstance(self.kernel, DefaultedKernel) else self.kernel.reference


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``verify.json``. ``error`` holds the emulator's report when a run was stopped.

    ``status`` is ``pass``, ``fail``, or ``not compared``: sources without a reference ran, alike under all seeds and
    fills, and nothing says what they should compute.
    """

    kernel: str
    status: str
    sizes: dict[str, int]
    seeds: list[int]
    fills: list[int]
    inputs: dict[str, str]
    scalars: dict[str, float] = {}
    outputs: dict[str, OutputResult]
    counters: dict[str, Any]
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.status != "fail"


Runner = Callable[[Path, Mapping[str, Any], Mapping[str, float | int]], Mapping[str, Any]]
"""Of a plan, input arrays and run-time scalars the output arrays."""


def verify(job: Job, plan_path: Path, *, timeout: float = WALL_CLOCK_SECONDS) -> Verdict:
    """Run the kernel of that plan on the emulator under every seed and fill, and compare.

    ``timeout`` bounds each run, in seconds of wall clock.
    """
    return examine(job, plan_path, timeout=timeout)[0]


def examine(
    job: Job, plan_path: Path, runs: Sequence[tuple[int, int]] = RUNS, *, timeout: float = WALL_CLOCK_SECONDS
) -> tuple[Verdict, Prepared, list[Result]]:
    """As ``verify``, with the inputs and the result of each run (seed, fill); fewer results when one was stopped."""
    plan = load_plan(plan_path)
    prepared = _prepare(job)
    results: list[Result] = []
    try:
        for seed, fill in runs:
            results.append(
                run(
                    plan,
                    plan_path.parent,
                    prepared.inputs,
                    seed=seed,
                    fill=fill,
                    timeout=timeout,
                    scalars=prepared.scalars,
                )
            )
    except EmulationError as error:
        return _verdict(job, runs, "fail", prepared, {}, {}, str(error)), prepared, results
    outputs = compare_outputs(job, plan, prepared.references, results[0].outputs)
    difference = unequal(runs, results)
    status = "fail" if difference else _status(job, outputs)
    return _verdict(job, runs, status, prepared, outputs, results[0].counters, difference), prepared, results


def check_once(job: Job, plan_path: Path, runner: Runner) -> Verdict:
    """Run the kernel once wherever ``runner`` runs it, and compare; a verdict without counters."""
    prepared = _prepare(job)
    results = runner(plan_path, prepared.inputs, prepared.scalars)
    outputs = compare_outputs(job, load_plan(plan_path), prepared.references, results)
    status = _status(job, outputs)
    return _verdict(job, (), status, prepared, outputs, {}, "")


def _status(job: Job, outputs: Mapping[str, OutputResult]) -> str:
    if not job.meaning:
        return "not compared"
    return "pass" if all(result.ok for result in outputs.values()) else "fail"


def _prepare(job: Job) -> Prepared:
    """Inputs and references."""
    kernel, spec = job.kernel, job.verify
    inputs = {t.name: (t.shape, t.dtype) for t in kernel.inputs}
    if not job.meaning:
        arrays = make_inputs(inputs, kind=spec.inputs or "normal", seed=spec.seed or 0, domains={})
        return Prepared(inputs=arrays, references={}, domains={})
    return prepare(
        job.meaning,
        inputs,
        {t.name: (t.shape, t.dtype) for t in kernel.outputs},
        sizes=job.sizes,
        scalars=job.scalars,
        runtime=kernel.program.runtime_scalars() if isinstance(kernel, DefaultedKernel) else {},
        math=math_of(kernel),
        kind=spec.inputs or "normal",
        seed=spec.seed or 0,
        ops=kernel.program.ops if isinstance(kernel, DefaultedKernel) else kernel.ops,
    )


def math_of(kernel: DefaultedKernel | DefaultedSources) -> Math:
    """The kernel's ``math`` as the reference takes it."""
    math = kernel.math
    return Math(fidelity=math.fidelity, fp32_accumulate=math.fp32_accumulate, approximate=math.approximate)


def compare_outputs(
    job: Job, plan: Plan, references: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, OutputResult]:
    """Each output against its reference; none where the kernel has no meaning to compare with."""
    spec = job.verify
    tolerance = Tolerance(pcc=spec.pcc, rtol=spec.rtol, atol=spec.atol)
    owners = _owners(plan)
    outputs: dict[str, OutputResult] = {}
    for tensor in job.kernel.outputs if job.meaning else ():
        unit = _unit_of(job.kernel, plan, tensor)

        def core_of(
            tile: tuple[int, ...], batch: tuple[int, ...] = tensor.batch, unit: tuple[int, int] | None = unit
        ) -> tuple[int, int] | None:
            return owners.get(_unit_id(plan, tile, batch, unit)) if unit is not None else None

        got, reference = results[tensor.name], references[tensor.name]
        outputs[tensor.name] = compare(got, reference, tolerance=tolerance, core_of=core_of)
    return outputs


def _unit_of(kernel: DefaultedKernel | DefaultedSources, plan: Plan, tensor: Tensor) -> tuple[int, int] | None:
    """Rows and columns in tiles of a unit of the plan in that output; None where several cores share a unit, or where
    the units do not tile the output.
    """
    unit = (1, 1)
    if isinstance(kernel, ScheduledKernel):
        unit = kernel.unit_tiles
        if kernel.parts is not None:
            return None
    rows, columns = (-(-extent // TILE) for extent in tensor.matrix)
    grid = -(-columns // unit[1]), -(-rows // unit[0]), math.prod(tensor.batch)
    return unit if (plan.grid.x, plan.grid.y, plan.grid.z) == grid else None


def _verdict(
    job: Job,
    runs: Sequence[tuple[int, int]],
    status: str,
    prepared: Prepared,
    outputs: dict[str, OutputResult],
    counters: dict[str, Any],
    error: str,
) -> Verdict:
    return Verdict(
        kernel=job.kernel.name,
        status=status,
        sizes=job.sizes,
        seeds=sorted({seed for seed, _ in runs}),
        fills=sorted({fill for _, fill in runs}),
        inputs=dict(prepared.domains),
        scalars=dict(prepared.scalars),
        outputs=outputs,
        counters=counters,
        error=error,
    )


def unequal(runs: Sequence[tuple[int, int]], results: Sequence[Result]) -> str:
    """Why the runs differ, or an empty text."""
    for (seed, fill), result in zip(runs[1:], results[1:], strict=True):
        for name, array in result.outputs.items():
            if not np.array_equal(_bits(array), _bits(results[0].outputs[name])):
                return f"output '{name}' under seed {seed} and fill {fill} differs from that under seed 0 and fill 0"
        if result.counters != results[0].counters:
            return f"the counters under seed {seed} and fill {fill} differ from those under seed 0 and fill 0"
    return ""


def _bits(array: Any) -> Any:
    return np.ascontiguousarray(array).view(np.uint8)


def _owners(plan: Plan) -> dict[int, tuple[int, int]]:
    """Which core computes each tile id."""
    grid = Grid(x=plan.grid.x, y=plan.grid.y, z=plan.grid.z)
    owners: dict[int, tuple[int, int]] = {}
    for item in plan.cores.assignments:
        work = CoreWork(
            core=item.core,
            core_id=item.core_id,
            start=item.start_tile or 0,
            count=item.count or 0,
            stride=item.stride,
            rect=item.rect,
            planes=item.planes,
        )
        owners |= dict.fromkeys(tile_ids(work, plan.schedule.order, grid), item.core)
    return owners


def _unit_id(plan: Plan, tile: tuple[int, ...], batch: tuple[int, ...], unit: tuple[int, int]) -> int:
    """The id of the unit that has (leading indices, tile row, tile column); ``unit``: its rows and columns of tiles."""
    *leading, row, column = tile
    matrix = int(np.ravel_multi_index(tuple(leading), batch)) if batch else 0
    return (matrix * plan.grid.y + row // unit[0]) * plan.grid.x + column // unit[1]
