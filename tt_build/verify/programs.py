"""A program, proven: its kernels run one after the other, each on what the one before it left in device memory.

A program is right when every step is right on what it was given and every tensor is handed on as it is. So each step
is compared with its own reference, evaluated on the very values that the device computed before it: the bounds are as
tight as those of a kernel alone, and no bound has to be carried through a matmul, where the worst case of thousands of
terms would allow anything. What rounding makes of the whole is said beside it: the correlation of each output with the
same chain in NumPy, float64 inside of a kernel and rounded to the dtype of each tensor between two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tt_build.emulator.formats import round_to
from tt_build.emulator.programs import Launch, run_launches
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import WALL_CLOCK_SECONDS, Result
from tt_build.ir.handwritten import DefaultedSources
from tt_build.ir.plan import Plan, load_plan
from tt_build.ir.stages import DefaultedKernel
from tt_build.spec.model import VerifySpec
from tt_build.spec.program import ProgramDeclaration, ProgramStep
from tt_build.targets import DTYPES
from tt_build.verify.compare import LOOSE, OutputResult, correlation
from tt_build.verify.driver import RUNS, Job, Verdict, compare_outputs, math_of, unequal
from tt_build.verify.inputs import make_inputs
from tt_build.verify.prepare import is_defined
from tt_build.verify.reference import Ref, evaluate

LEAST_PCC = 0.99
"""Of an output with the chain in NumPy, where the program's ``verify`` says no other."""


DOMAINS = ("free", "small", "unit", "positive")
"""Of all float inputs of a program, tried in this order."""


class ProgramJob(msgspec.Struct, frozen=True):
    """A program, and of each of its kernels what is verified and where its plan lies (at ``verify.sizes``)."""

    program: ProgramDeclaration
    kernels: dict[str, Job]
    plans: dict[str, Path]

    def job(self, step: ProgramStep) -> Job:
        """The kernel of a step."""
        return self.kernels[step.kernel]


class EndToEnd(msgspec.Struct, frozen=True, kw_only=True):
    """An output against the chain in NumPy."""

    pcc: float
    least: float


class ProgramVerdict(Verdict, frozen=True, kw_only=True):
    """``verify.json`` of a program: ``outputs`` are all tensors that its steps write, ``steps`` their counters."""

    steps: list[dict[str, Any]]
    end_to_end: dict[str, EndToEnd]


class Chain(msgspec.Struct, frozen=True):
    """Inputs on which every step is defined, and every tensor of the chain in NumPy, rounded to its dtype.

    A tensor behind a kernel without a reference is not there.
    """

    inputs: dict[str, Any]
    tensors: dict[str, Any]
    domains: dict[str, str]


ProgramRunner = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Of the program's inputs all tensors that its steps write."""


def verify_program(job: ProgramJob, *, timeout: float = WALL_CLOCK_SECONDS) -> ProgramVerdict:
    """Run the program on the emulator under every seed and fill, and compare. ``timeout`` bounds each launch."""
    plans = {name: load_plan(path) for name, path in job.plans.items()}
    chain, steps = make_chain(job), _launches(job, plans)
    runs: list[list[Result]] = []
    for seed, fill in RUNS:
        done: list[Result] = []
        try:
            for result in run_launches(steps, chain.inputs, seed=seed, fill=fill, timeout=timeout):
                done.append(result)
        except EmulationError as error:
            step = job.program.steps[len(done)]
            text = f"step {len(done) + 1} ('{step.kernel}'): {error}"
            return _verdict(job, chain, {}, "fail", done, text)
        runs.append(done)
    tensors = _written(job, [result.outputs for result in runs[0]])
    outputs = compare_steps(job, plans, {**chain.inputs, **tensors})
    difference = ""
    for number, step in enumerate(job.program.steps):
        found = unequal(RUNS, [done[number] for done in runs])
        difference = difference or (found and f"step {number + 1} ('{step.kernel}'): {found}")
    ends = _ends(job, chain, tensors)
    return _verdict(job, chain, outputs, _status(job, outputs, ends, difference), runs[0], difference, ends)


def check_program_once(job: ProgramJob, runner: ProgramRunner) -> ProgramVerdict:
    """Run the program once wherever ``runner`` runs it, and compare; a verdict without counters."""
    plans = {name: load_plan(path) for name, path in job.plans.items()}
    chain = make_chain(job)
    tensors = runner(chain.inputs)
    outputs = compare_steps(job, plans, {**chain.inputs, **tensors})
    ends = _ends(job, chain, tensors)
    return _verdict(job, chain, outputs, _status(job, outputs, ends, ""), None, "", ends)


def _launches(job: ProgramJob, plans: Mapping[str, Plan]) -> list[Launch]:
    frees: dict[int, list[str]] = {}
    for name, number in job.program.last_reads.items():
        frees.setdefault(number, []).append(name)
    return [
        Launch(
            plan=plans[step.kernel],
            root=job.plans[step.kernel].parent,
            inputs=step.inputs,
            outputs=step.outputs,
            scalars=_numbers(job.job(step), step),
            frees=tuple(frees.get(number, ())),
        )
        for number, step in enumerate(job.program.steps)
    ]


def make_chain(job: ProgramJob) -> Chain:
    """Inputs of the program's kind and seed, of the first of ``DOMAINS`` in which every reference says something.

    A random network soon saturates: weights of unit variance make scores whose softmax has no accuracy left. So a bound
    must be small beside the values that it bounds; else the first domain in which the references are defined is taken.
    """
    spec = job.program.verify or VerifySpec()
    shapes = job.program.verify_tensors or job.program.tensors
    drawn = {name: (shapes[name].shape, shapes[name].dtype) for name in job.program.inputs}
    floats = [name for name, (_, dtype) in drawn.items() if DTYPES[dtype].is_float]
    chains: list[tuple[bool, Chain]] = []
    for domain in DOMAINS:
        domains = {} if domain == "free" else dict.fromkeys(floats, domain)
        inputs = make_inputs(drawn, kind=spec.inputs or "normal", seed=spec.seed or 0, domains=domains)
        tensors, refs = _in_numpy(job, inputs)
        chain = Chain(inputs, tensors, domains)
        defined = all(map(is_defined, refs))
        if defined and all(map(_says_something, refs)):
            return chain
        chains.append((defined, chain))
    return next((chain for defined, chain in chains if defined), chains[0][1])


def _in_numpy(job: ProgramJob, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Ref]]:
    """Every tensor of the chain as far as kernels have a meaning, and the reference of each that is written."""
    tensors: dict[str, Any] = dict(inputs)
    refs: list[Ref] = []
    for step in job.program.steps:
        if job.job(step).meaning and all(name in tensors for name in step.inputs.values()):
            found = references(job.job(step), step, tensors)
            refs += found.values()
            tensors |= {step.outputs[t]: round_to(ref.value, ref.dtype) for t, ref in found.items()}
    return tensors, refs


def _says_something(ref: Ref) -> bool:
    """Whether the bound is small beside the spread of the values, on average: one that is about to overflow is not."""
    value = ref.value.astype(np.float64)
    finite = np.isfinite(value)
    spread = float(np.std(value[finite])) if finite.any() else 0.0
    return spread == 0.0 or float(np.mean(ref.bound[finite])) <= LOOSE * spread


def references(job: Job, step: ProgramStep, tensors: Mapping[str, Any]) -> dict[str, Ref]:
    """What a step's kernel should give on these values of the program's tensors, by the kernel's names."""
    kernel = job.kernel
    return evaluate(
        job.meaning,
        {tensor: tensors[name] for tensor, name in step.inputs.items()},
        dtypes={t.name: t.dtype for t in (*kernel.inputs, *kernel.outputs)},
        outputs={t.name: t.shape for t in kernel.outputs},
        sizes=job.sizes,
        scalars={**job.scalars, **_numbers(job, step)},
        math=math_of(kernel),
    )


def compare_steps(job: ProgramJob, plans: Mapping[str, Plan], tensors: Mapping[str, Any]) -> dict[str, OutputResult]:
    """Each tensor that a step wrote, against the step's reference on the values that it was given."""
    outputs: dict[str, OutputResult] = {}
    for step in job.program.steps:
        kernel = job.job(step)
        if not kernel.meaning:
            continue
        results = {tensor: tensors[name] for tensor, name in step.outputs.items()}
        found = compare_outputs(kernel, plans[step.kernel], references(kernel, step, tensors), results)
        outputs |= {step.outputs[tensor]: result for tensor, result in found.items()}
    return outputs


def _numbers(job: Job, step: ProgramStep) -> dict[str, float | int]:
    """Values of the run-time scalars, as their dtypes have them."""
    kernel: DefaultedKernel | DefaultedSources = job.kernel
    kinds = kernel.program.runtime_scalars() if isinstance(kernel, DefaultedKernel) else {}
    return {
        name: int(value) if "int" in kinds.get(name, "float32") else float(np.float32(value))
        for name, value in step.scalars.items()
    }


def _written(job: ProgramJob, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step, outputs in zip(job.program.steps, results, strict=True):
        found |= {name: outputs[tensor] for tensor, name in step.outputs.items()}
    return found


def _ends(job: ProgramJob, chain: Chain, tensors: Mapping[str, Any]) -> dict[str, EndToEnd]:
    spec = job.program.verify or VerifySpec()
    least = LEAST_PCC if spec.pcc is None else spec.pcc
    return {
        name: EndToEnd(pcc=correlation(tensors[name], chain.tensors[name]), least=least)
        for name in job.program.outputs
        if name in chain.tensors
    }


def _status(job: ProgramJob, outputs: Mapping[str, OutputResult], ends: Mapping[str, EndToEnd], difference: str) -> str:
    if difference or not all(result.ok for result in outputs.values()):
        return "fail"
    if any(end.pcc < end.least for end in ends.values()):
        return "fail"
    return "pass" if all(job.job(step).meaning for step in job.program.steps) else "not compared"


def _verdict(
    job: ProgramJob,
    chain: Chain,
    outputs: dict[str, OutputResult],
    status: str,
    results: Sequence[Result] | None,
    error: str,
    ends: dict[str, EndToEnd] | None = None,
) -> ProgramVerdict:
    low = [
        f"output '{name}' has a correlation of {end.pcc:.6f} with the chain in NumPy, and needs {end.least}"
        for name, end in (ends or {}).items()
        if end.pcc < end.least
    ]
    counters = [result.counters for result in results or ()]
    return ProgramVerdict(
        kernel=job.program.name,
        status=status,
        sizes={},
        seeds=sorted({seed for seed, _ in RUNS}) if results is not None else [],
        fills=sorted({fill for _, fill in RUNS}) if results is not None else [],
        inputs=chain.domains,
        outputs=outputs,
        counters=_summed(counters),
        error="\n".join([*([error] if error else []), *low]),
        steps=[
            {"kernel": step.kernel, "sizes": job.job(step).sizes, "counters": counted}
            for step, counted in zip(job.program.steps, counters, strict=False)
        ],
        end_to_end=ends or {},
    )


def _summed(counters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Bytes of all launches."""
    return {key: sum(c[key] for c in counters) for key in counters[0] if key.endswith("_bytes")} if counters else {}
