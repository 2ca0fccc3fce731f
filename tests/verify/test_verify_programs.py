"""Programs on the emulator: tensors handed on as they lie, each step compared, the whole against NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.support import write_spec
from tt_build.codegen.compile import compile_loaded
from tt_build.codegen.write import write_group
from tt_build.emulator.describe import RawPages
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.passes.apply_defaults import apply
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declaration, VerifySpec, scalar_values
from tt_build.spec.program import ProgramDeclaration
from tt_build.verify.driver import Job
from tt_build.verify.programs import ProgramJob, check_program_once, make_chain, verify_program

KERNELS: dict[str, Any] = {
    "norm": {
        "inputs": {"X": {"shape": [40, 70]}},
        "outputs": {"Y": {"shape": [40, 70]}},
        "compute": "Y = rmsnorm(X, 1e-5)",
    },
    "up": {
        "scalars": {"alpha": {"runtime": "float32"}},
        "inputs": {"X": {"shape": [40, 70]}, "W": {"shape": [70, 96], "dtype": "bfloat8_b"}},
        "outputs": {"Y": {"shape": [40, 96]}},
        "compute": "Y = X @ W * alpha",
    },
    "add": {
        "inputs": {"A": {"shape": [40, 96]}, "B": {"shape": [40, 96]}},
        "outputs": {"Y": {"shape": [40, 96], "dtype": "float32"}},
        "compute": "Y = gelu(A) + B",
    },
}
PROGRAM: dict[str, Any] = {
    "inputs": ["x", "v", "w"],
    "steps": [
        {"kernel": "norm", "inputs": {"X": "x"}, "outputs": {"Y": "h"}},
        {"kernel": "up", "inputs": {"X": "h", "W": "v"}, "outputs": {"Y": "a"}, "scalars": {"alpha": 0.25}},
        {"kernel": "up", "inputs": {"X": "h", "W": "w"}, "outputs": {"Y": "b"}, "scalars": {"alpha": -0.5}},
        {"kernel": "add", "inputs": {"A": "a", "B": "b"}, "outputs": {"Y": "y"}},
    ],
    "outputs": ["y"],
    "keep": {"h": "l1_interleaved", "a": {"memory": "l1", "sharding": "block", "grid": [3, 2]}},
}


def built(folder: Path, **changes: Any) -> ProgramJob:
    """The program's kernels in files, as a job; ragged shapes, so that padding is handed on, too."""
    loaded = load_file(write_spec(folder, KERNELS, programs={"p": {**PROGRAM, **changes}}))
    files, failed, _ = compile_loaded(loaded)
    assert not failed
    for name, made in files.items():
        write_group({folder / name / path: data for path, data in made.items()})
    (program,) = loaded.sequences
    jobs = {}
    for entry in loaded.declarations:
        if entry.kernel.name in program.kernels:
            assert isinstance(entry, Declaration)
            scalars = scalar_values(entry.kernel.scalars)
            jobs[entry.kernel.name] = Job(kernel=apply(entry), verify=VerifySpec(), sizes={}, scalars=scalars)
    return ProgramJob(program, jobs, {name: folder / name / "tt.plan.json" for name in jobs})


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ProgramJob:
    return built(tmp_path_factory.mktemp("program"))


def test_a_program_is_verified_step_by_step(job: ProgramJob) -> None:
    verdict = verify_program(job)
    assert verdict.error == ""
    assert verdict.status == "pass"
    assert list(verdict.outputs) == ["h", "a", "b", "y"]
    assert verdict.end_to_end["y"].pcc > 0.999
    assert verdict.end_to_end["y"].least == 0.99
    assert [step["kernel"] for step in verdict.steps] == ["norm.p", "up.p", "up.p_2", "add.p"]
    counters = [step["counters"] for step in verdict.steps]
    assert counters[0]["dram_write_bytes"] == counters[1]["buffers"]["X"]["dram_read_bytes"] == 0  # h lies in L1
    assert verdict.counters["dram_read_bytes"] == sum(counted["dram_read_bytes"] for counted in counters) > 0


def test_a_wrong_kernel_is_found_in_its_own_step(job: ProgramJob) -> None:
    """The kernel of the second step forgets its scalar; the steps around it are right on what they are given."""
    wrong = msgspec.structs.replace(job.kernels["up.p"].kernel, compute="Y = X @ W * alpha * 1.25")
    kernels = {**job.kernels, "up.p": msgspec.structs.replace(job.kernels["up.p"], kernel=wrong)}
    verdict = verify_program(ProgramJob(job.program, kernels, job.plans))
    assert verdict.status == "fail"
    assert [name for name, result in verdict.outputs.items() if not result.ok] == ["a"]


def test_results_from_elsewhere_are_compared(job: ProgramJob) -> None:
    chain = make_chain(job)
    exact = check_program_once(job, lambda inputs: chain.tensors)
    assert exact.status == "pass"
    assert exact.end_to_end["y"].pcc == pytest.approx(1.0)
    swapped = check_program_once(job, lambda inputs: {**chain.tensors, "b": -chain.tensors["b"]})
    assert [name for name, result in swapped.outputs.items() if not result.ok] == ["b", "y"]


def test_end_to_end_the_program_s_own_pcc_counts(job: ProgramJob) -> None:
    program: ProgramDeclaration = msgspec.structs.replace(job.program, verify=VerifySpec(pcc=1.0, seed=3))
    chain = make_chain(ProgramJob(program, job.kernels, job.plans))
    noisy = {**chain.tensors, "y": np.nextafter(chain.tensors["y"], np.float32(np.inf))}
    verdict = check_program_once(ProgramJob(program, job.kernels, job.plans), lambda inputs: noisy)
    assert all(result.ok for result in verdict.outputs.values())
    assert verdict.status == "fail"
    assert "correlation" in verdict.error


def test_pages_are_handed_on_with_what_is_undefined_in_them(job: ProgramJob) -> None:
    plan, root = load_plan(job.plans["norm.p"]), job.plans["norm.p"].parent
    x = make_chain(job).inputs["x"]
    pages = run(plan, root, {"X": x}).pages["Y"]
    assert pages.data.size == 2 * 3 * 2048
    once = run(plan, root, {"X": x}).outputs["Y"]
    twice = run(plan, root, {"X": pages}).outputs["Y"]
    np.testing.assert_array_equal(twice, run(plan, root, {"X": once}).outputs["Y"])
    hole = np.zeros(pages.data.size, np.uint8)
    hole[0] = 1
    with pytest.raises(EmulationError, match="EMU501"):
        run(plan, root, {"X": RawPages(pages.data, hole)})
    with pytest.raises(EmulationError, match="EMU710"):
        run(plan, root, {"X": RawPages(pages.data[:-7])})
