"""The work of ``scons verify`` and ``scons run``, away from SCons: a task in, an outcome out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tt_build.decoding import decode
from tt_build.emulator.toolchain import ToolchainError, cache_folder, limit_compilers
from tt_build.ir.handwritten import DefaultedSources
from tt_build.ir.jsontext import to_text
from tt_build.ir.stages import DefaultedKernel
from tt_build.passes.pipeline import read_stage
from tt_build.scons.outcomes import Answer, Outcome, Row
from tt_build.scons.tasks import STAGES, KernelTask, ProgramTask, Question, Task
from tt_build.scons.workers import serve
from tt_build.verify.driver import Job, Verdict, verify
from tt_build.verify.programs import ProgramJob, ProgramVerdict, verify_program


def main(jobs: int) -> None:
    """Answer tasks until there are no more."""
    serve(lambda question: respond(decode(question, Question), jobs))


def respond(question: Question, jobs: int) -> bytes:
    """The answer, made with a share of the compilers that the build may run at once."""
    limit_compilers(max(1, jobs // question.working))
    return msgspec.json.encode(answer(question.task))


def answer(task: Task) -> Answer:
    """The outcome on the emulator, or why there can be none."""
    try:
        verdict = verify_program(program_job(task)) if isinstance(task, ProgramTask) else verify(*job_of(task))
    except ToolchainError as error:
        return Answer(error=str(error))
    except OSError as error:  # of the compiled kernels' cache and the temporary folder
        return Answer(error=f"cannot use {error.filename or cache_folder()}: {error.strerror}")
    return Answer(outcome_of(verdict))


def job_of(task: KernelTask) -> tuple[Job, Path]:
    """The job and its plan."""
    stage, request = Path(task.stage), task.request
    kind: type[DefaultedKernel | DefaultedSources] = DefaultedKernel if stage.name == STAGES[0] else DefaultedSources
    kernel = read_stage(stage.read_bytes(), kind)
    job = Job(kernel=kernel, verify=request.verify, sizes=request.sizes, scalars=request.scalars)
    return job, Path(task.plan)


def program_job(task: ProgramTask) -> ProgramJob:
    """The program with the jobs and plans of its kernels."""
    found = {name: job_of(kernel) for name, kernel in task.kernels.items()}
    return ProgramJob(
        task.program, {n: job for n, (job, _) in found.items()}, {n: path for n, (_, path) in found.items()}
    )


def outcome_of(verdict: Verdict) -> Outcome:
    """The verdict as SCons takes it."""
    counters = verdict.counters
    rows = [
        Row(
            output=name,
            pcc=f"{result.pcc:.6f}",
            max_ulp=f"{result.max_ulp_error:.2f}" if not isinstance(result.max_ulp_error, str) else "-",
        )
        for name, result in verdict.outputs.items()
    ]
    return Outcome(
        kernel=verdict.kernel,
        status=verdict.status,
        text=to_text(msgspec.to_builtins(verdict)),
        why="" if verdict.passed else describe(verdict),
        rows=tuple(rows or [Row()]),
        dram_bytes=counters.get("dram_read_bytes", 0) + counters.get("dram_write_bytes", 0),
    )


def describe(verdict: Verdict) -> str:
    """Why a kernel failed, in lines."""
    what = "program" if isinstance(verdict, ProgramVerdict) else "kernel"
    lines = [f"tt-build: {what} '{verdict.kernel}' is wrong"]
    if verdict.error:
        lines.append(verdict.error)
    for name, result in verdict.outputs.items():
        if result.ok:
            continue
        lines.append(f"  output '{name}': {result.reason}")
        bad = result.first_bad
        if bad is not None:
            core = f", core {bad.core}" if bad.core is not None else ""
            lines.append(
                f"  first at {list(bad.index)}, tile {list(bad.tile)}{core}: "
                f"expected {bad.expected}, got {bad.got}, allowed error {bad.allowed}"
            )
    return "\n".join(lines)
