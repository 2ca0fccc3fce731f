"""Host programs as executables: the same bits as the plan gives, and the reports of the emulator."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.emulator.examples import EXAMPLES, FOLDER
from tests.emulator.examples import inputs as example_inputs
from tests.support import ROOT, write_spec
from tt_build.codegen.compile import compile_files
from tt_build.codegen.host import render_host
from tt_build.emulator.host import HostError, build
from tt_build.emulator.run import run
from tt_build.ir.plan import Plan, load_plan
from tt_build.spec.loader import load_file
from tt_build.targets import DTYPES

SPEC = ROOT / "kernels.yaml"


def generated(name: str, folder: Path) -> Path:
    """The generated files of a kernel of kernels.yaml."""
    declaration = next(d for d in load_file(SPEC).declarations if d.kernel.name == name)
    for path, data in compile_files(declaration).items():
        if not path.startswith("ir/"):
            (folder / path).write_bytes(data)
    return folder


def random_inputs(plan: Plan) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {
        name: rng.standard_normal(buffer.shape).astype(np.float32)
        for name, buffer in plan.buffers.items()
        if buffer.role != "output"
    }


def test_a_run_time_scalar(tmp_path: Path) -> None:
    plan = load_plan(generated("axpy", tmp_path) / "tt.plan.json")
    given = random_inputs(plan)
    execute(tmp_path, plan, given, "--scalar", "alpha=0.375")
    assert_same_bits(tmp_path, run(plan, tmp_path, given, scalars={"alpha": 0.375}).outputs)
    assert "alpha" in execute(tmp_path, plan, given, code=1)


@pytest.mark.parametrize("name", ["mlp_bfloat8", "quantize", "dequantize"])
def test_block_floats_and_integers_of_generated_kernels(name: str, tmp_path: Path) -> None:
    plan = load_plan(generated(name, tmp_path) / "tt.plan.json")
    floats = random_inputs(plan)
    kinds = {"int32": np.int32, "uint16": np.uint16}
    given = {n: a.astype(kinds.get(plan.buffers[n].dtype, np.float32)) for n, a in floats.items()}
    execute(tmp_path, plan, given)
    assert_same_bits(tmp_path, run(plan, tmp_path, given).outputs)


def execute(folder: Path, plan: Plan, given: dict[str, Any], *more: str, code: int = 0, **environment: str) -> str:
    """Builds the folder's host program (once) and runs it on those inputs; outputs lie beside it. What it says."""
    program = folder / "program"
    if not program.exists():
        build(folder / "host_program.cpp", program, arch=plan.arch)
    arguments: list[str] = []
    for name, array in given.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
        arguments += ["--input", f"{name}={name}.npy"]
    for name, buffer in plan.buffers.items():
        if buffer.role == "output":
            arguments += ["--output", f"{name}={name}.npy"]
    done = subprocess.run(
        [str(program), *arguments, *more],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_same_bits(folder: Path, outputs: dict[str, Any]) -> None:
    assert outputs
    for name, want in outputs.items():
        got = np.load(folder / f"{name}.npy")
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert got.tobytes() == np.ascontiguousarray(want).tobytes(), name


@pytest.mark.parametrize("name", ["gemm_bias_gelu", "attention_scores"])
def test_a_host_program_gives_the_bits_of_the_plan(name: str, tmp_path: Path) -> None:
    plan = load_plan(generated(name, tmp_path) / "tt.plan.json")
    given = random_inputs(plan)
    execute(tmp_path, plan, given, TT_BUILD_SEED="1")
    assert_same_bits(tmp_path, run(plan, tmp_path, given, fill=1).outputs)


def test_padded_tensors_and_a_fault_in_the_kernel_that_the_program_names(tmp_path: Path) -> None:
    plan = load_plan(generated("gemm_ragged", tmp_path) / "tt.plan.json")
    given = random_inputs(plan)
    execute(tmp_path, plan, given)
    assert_same_bits(tmp_path, run(plan, tmp_path, given, fill=1).outputs)
    kernel = tmp_path / "reader.cpp"
    kernel.write_text(re.sub(r"^ *noc_async_read_barrier\(\);\n", "", kernel.read_text(), flags=re.M))
    said = execute(tmp_path, plan, given, code=1)
    assert "gemm_ragged: error[EMU201]" in said
    assert re.search(r"at reader\.cpp:\d+ \(core \(\d, \d\), ", said)


def test_float32_tensors_and_an_output_that_nobody_writes(tmp_path: Path) -> None:
    plan = load_plan(generated("scaled_residual", tmp_path) / "tt.plan.json")
    given = random_inputs(plan)
    execute(tmp_path, plan, given)
    assert_same_bits(tmp_path, run(plan, tmp_path, given).outputs)
    writer = tmp_path / "writer.cpp"
    writer.write_text(re.sub(r"^ *noc_async_write_page\(.*\n", "", writer.read_text(), flags=re.M))
    said = execute(tmp_path, plan, given, code=1)
    assert "first at page 0, byte 0: tensor buffer2, where nobody has written" in said


@pytest.mark.parametrize("dtype", ["bfloat8_b", "bfloat4_b"])
def test_block_float_tensors(dtype: str, tmp_path: Path) -> None:
    kind, plan = DTYPES[dtype], EXAMPLES["copy"]().plan
    change = msgspec.structs.replace
    plan = change(
        plan,
        buffers={n: change(b, dtype=dtype, page_size=kind.tile_bytes) for n, b in plan.buffers.items()},
        circular_buffers=tuple(
            change(cb, data_format=kind.data_format, page_size=kind.tile_bytes) for cb in plan.circular_buffers
        ),
    )
    for source in (FOLDER / "copy").glob("*.cpp"):
        shutil.copy(source, tmp_path)
    (tmp_path / "host_program.cpp").write_text(render_host(plan))
    given = random_inputs(plan)
    given["A"][:2, :20] *= 1e30
    execute(tmp_path, plan, given)
    assert_same_bits(tmp_path, run(plan, tmp_path, given).outputs)


@pytest.mark.parametrize("name", ["multicast", "sharded_copy"])
def test_semaphores_coordinates_and_shards_of_hand_written_kernels(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]()
    for source in (FOLDER / name).glob("*.cpp"):
        shutil.copy(source, tmp_path)
    (tmp_path / "host_program.cpp").write_text(render_host(example.plan))
    given = example_inputs(example)
    said = execute(tmp_path, example.plan, given, "--repeat", "2")
    assert "us a run" in said
    assert_same_bits(tmp_path, run(example.plan, tmp_path, given).outputs)


def test_what_does_not_compile_is_the_compiler_s_message(tmp_path: Path) -> None:
    generated("gemm_ragged", tmp_path)
    program = tmp_path / "host_program.cpp"
    program.write_text(program.read_text().replace("CreateProgram()", "CreateNothing()"))
    with pytest.raises(HostError, match="CreateNothing"):
        build(program, tmp_path / "program")


def test_row_major_tensors(tmp_path: Path) -> None:
    kernel = {
        "inputs": {
            "X": {"shape": [2, 50, 70], "format": "row_major"},
            "r": {"shape": [1, 70], "format": "row_major", "dtype": "float32"},
        },
        "outputs": {"Y": {"shape": [2, 50, 70], "format": "row_major"}},
        "compute": "Y = exp(X) * r",
    }
    (declaration,) = load_file(write_spec(tmp_path, {"rows": kernel})).declarations
    for path, data in compile_files(declaration).items():
        if not path.startswith("ir/"):
            (tmp_path / path).write_bytes(data)
    plan = load_plan(tmp_path / "tt.plan.json")
    given = random_inputs(plan)
    execute(tmp_path, plan, given)
    assert_same_bits(tmp_path, run(plan, tmp_path, given).outputs)
