"""``scons verify``: one node a kernel, ``verify.json``, made by running its generated files on the emulator."""

from __future__ import annotations

import atexit
from pathlib import Path
from typing import Any

import msgspec

from tt_build.codegen.write import write_group
from tt_build.decoding import decode
from tt_build.ir.handwritten import DefaultedSources
from tt_build.ir.jsontext import to_text
from tt_build.ir.stages import DefaultedKernel
from tt_build.passes.pipeline import read_stage
from tt_build.scons.actions import SignedAction, publish, read_source
from tt_build.scons.compiler import Compiler
from tt_build.scons.interrupt import interruptible
from tt_build.scons.messages import tell
from tt_build.scons.progress import Progress
from tt_build.scons.state import State
from tt_build.spec.model import Declaration, Declared, VerifySpec
from tt_build.spec.program import ProgramDeclaration
from tt_build.verify.driver import Job, Verdict, scalar_values, verify
from tt_build.verify.programs import ProgramJob, ProgramVerdict, verify_program

RESULT = "verify.json"
ALIAS = "verify"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What ``verify`` reads of a declaration beside what the passes read: the value of the node's own source."""

    verify: VerifySpec
    sizes: dict[str, int]
    scalars: dict[str, float]


def request_of(declaration: Declared) -> bytes:
    """The stored form of a kernel's request."""
    kernel = declaration.kernel
    scalars = scalar_values(declaration.kernel.scalars) if isinstance(declaration, Declaration) else {}
    request = Request(verify=kernel.verify or VerifySpec(), sizes=dict(kernel.sizes), scalars=scalars)
    return msgspec.json.encode(request)


def job_of(source: list[Any]) -> tuple[Job, Path]:
    """What a node's sources say: the job and the plan. The last source is the request."""
    by_name = {node.name: node for node in source}
    request = decode(read_source(source[-1]), Request)
    kernel: DefaultedKernel | DefaultedSources
    if "01_apply_defaults.json" in by_name:
        kernel = read_stage(Path(by_name["01_apply_defaults.json"].get_abspath()).read_bytes(), DefaultedKernel)
    else:
        kernel = read_stage(Path(by_name["01_source_defaults.json"].get_abspath()).read_bytes(), DefaultedSources)
    job = Job(
        kernel=kernel,
        verify=request.verify,
        sizes=request.sizes,
        scalars=request.scalars,
    )
    return job, Path(by_name["tt.plan.json"].get_abspath())


class VerifyAction(SignedAction):
    """Runs and compares; keeps the verdicts for the table at the end."""

    def __init__(self, compiler: Compiler, state: State) -> None:
        self._verdicts: list[Verdict] = []
        self.progress = Progress(ALIAS)
        super().__init__(self._execute, ALIAS, compiler.signature("tt_build.verify.driver"), state)
        summarize(self._verdicts)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        return self.conclude(interruptible(lambda: verify(*job_of(source))), target)

    def conclude(self, verdict: Verdict, target: Any) -> int:
        """Write the verdict and keep it for the table; the status of the step."""
        self._verdicts.append(verdict)
        self.progress.step(verdict.kernel, verdict.status)
        result = Path(target[0].get_abspath())
        text = to_text(msgspec.to_builtins(verdict))
        if verdict.passed:
            publish(target, [text])
            self.state.ran(verdict.kernel, ALIAS)
            return 0
        # The verdict of a failed run is kept for reading, under a name that no later build takes for a passed one.
        write_group({result.with_name("verify.failed.json"): text})
        self.state.failed(verdict.kernel, describe(verdict))
        return 1


class VerifyProgramAction(SignedAction):
    """Runs a program's kernels one after the other and compares; concludes as ``verify`` of a kernel does."""

    def __init__(self, compiler: Compiler, state: State, verify_kernel: VerifyAction) -> None:
        self._conclude = verify_kernel.conclude
        super().__init__(self._execute, ALIAS, compiler.signature("tt_build.verify.programs"), state)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        return self._conclude(interruptible(lambda: verify_program(program_job_of(target, source))), target)


def program_job_of(target: Any, source: list[Any]) -> ProgramJob:
    """What a program's node says: the program, and job and plan of each of its kernels."""
    program = decode(read_source(source[-1]), ProgramDeclaration)
    found = {name: job_of(nodes) for name, nodes in target[0].attributes.tt_kernels.items()}
    return ProgramJob(program, {n: job for n, (job, _) in found.items()}, {n: path for n, (_, path) in found.items()})


def summarize(verdicts: list[Verdict]) -> None:
    """Print a table of the verdicts when the build ends."""
    atexit.register(lambda: _table(verdicts))


def _table(verdicts: list[Verdict]) -> None:
    if not verdicts:
        return
    tell(f"{'kernel':<24} {'output':<10} {'PCC':>10} {'max ulp':>9} {'DRAM bytes':>12}  verdict")
    for verdict in verdicts:
        counters = verdict.counters
        moved = counters.get("dram_read_bytes", 0) + counters.get("dram_write_bytes", 0)
        for name, result in verdict.outputs.items() or [("-", None)]:
            pcc = f"{result.pcc:.6f}" if result else "-"
            ulp = f"{result.max_ulp_error:.2f}" if result and not isinstance(result.max_ulp_error, str) else "-"
            tell(f"{verdict.kernel:<24} {name:<10} {pcc:>10} {ulp:>9} {moved:>12}  {verdict.status}")


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
