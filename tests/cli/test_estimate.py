"""``tt-build estimate``: the table, JSON, plans, what has no estimate; and what ``explain`` says of time."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.support import tt_build as run
from tests.support import ROOT, elementwise, write_spec
from tt_build.codegen.compile import compile_files
from tt_build.spec.loader import load_file

SPEC = ROOT / "kernels.yaml"
LLAMA = ROOT / "library" / "llama.yaml"
HANDWRITTEN = ROOT / "examples" / "handwritten-entries" / "kernels.yaml"


def test_the_table_names_what_bounds_a_kernel() -> None:
    ran = run("estimate", "gemm", "swiglu_block_sharded", "--spec", SPEC)
    assert ran.code == 0
    head, gemm, sharded = ran.out.splitlines()
    assert head.split()[:4] == ["kernel", "cycles", "time", "bound"]
    assert gemm.split()[0] == "gemm"
    assert "dram" in gemm.split()
    assert "5.67" in gemm.split()
    assert "vector" in sharded.split()
    assert "-" in sharded.split()  # nothing lies in DRAM


def test_json_is_what_the_plan_has(tmp_path: Path) -> None:
    declared = {"one": elementwise("C = A + B"), "two": elementwise("C = gelu(A)")}
    spec = write_spec(tmp_path, declared)
    ran = run("estimate", "--spec", spec, "--format", "json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert list(found["kernels"]) == ["one", "two"]
    for entry in load_file(spec).declarations:
        plan = json.loads(compile_files(entry)["tt.plan.json"])
        assert plan["estimate"] == found["kernels"][entry.kernel.name]


def test_a_plan_is_estimated_by_what_it_says(tmp_path: Path) -> None:
    (entry,) = load_file(write_spec(tmp_path, {"k": elementwise("C = A + B")})).declarations
    (tmp_path / "tt.plan.json").write_bytes(compile_files(entry)["tt.plan.json"])
    by_folder, by_file = run("estimate", tmp_path), run("estimate", tmp_path / "tt.plan.json")
    assert by_folder.out == by_file.out == run("estimate", "--spec", tmp_path / "kernels.yaml").out
    (tmp_path / "tt.plan.json").write_text("{}")
    assert run("estimate", tmp_path).code == 1


def test_sources_written_by_hand_have_no_estimate() -> None:
    ran = run("estimate", "--spec", HANDWRITTEN)
    assert ran.code == 0
    assert ran.out.startswith("no estimate: ")
    assert json.loads(run("estimate", "--spec", HANDWRITTEN, "--format", "json").out)["kernels"] == {}


def test_an_unknown_kernel_is_usage() -> None:
    ran = run("estimate", "gem", "--spec", SPEC)
    assert ran.code == 2
    assert "there is no kernel 'gem'" in ran.err


def test_a_program_is_the_sum_of_its_steps(there: Path) -> None:
    ran = run("estimate", "llama_mlp", "llama_norm", "--spec", LLAMA)
    assert ran.code == 0
    kernels, program = ran.out.split("\n\n")
    assert "llama_norm.llama_mlp" in [line.split()[0] for line in kernels.splitlines()]  # asked for itself
    title, head, *steps, total = program.splitlines()
    assert title == "llama_mlp: 3 steps, one after the other"
    assert head.split()[:2] == ["kernel", "cycles"]
    assert [step.split()[:2] for step in steps] == [
        ["1:", "llama_norm.llama_mlp"], ["2:", "llama_gate_up.llama_mlp"], ["3:", "llama_down.llama_mlp"],
    ]  # fmt: skip
    cycles = [int(step.split()[2].replace(",", "")) for step in steps]
    assert int(total.split()[1].replace(",", "")) == sum(cycles) > 0
    data = json.loads(run("estimate", "llama_mlp", "--spec", LLAMA, "--format", "json").out)
    assert data["kernels"] == {}
    assert data["programs"]["llama_mlp"]["cycles"] == sum(cycles)
    assert [step["estimate"]["cycles"] for step in data["programs"]["llama_mlp"]["steps"]] == cycles

    assert run("compile", LLAMA, "--output", there).code == 0
    by_plan = run("estimate", there / "tenstorrent" / "llama_mlp")
    assert by_plan.out == program


def test_a_name_without_variant_is_all_of_them() -> None:
    ran = run("estimate", "matmul_square", "--spec", ROOT / "library" / "matmuls.yaml")
    assert ran.code == 0
    names = [line.split()[0] for line in ran.out.splitlines()[1:]]
    assert len(names) > 1
    assert all(name.startswith("matmul_square.") for name in names)


def test_a_program_has_no_kernel_of_its_name() -> None:
    ran = run("tune", "llama_mlp", "--spec", LLAMA)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("; it is a program: name the kernel of a step\n")


def test_explain_says_how_long_and_who_waits() -> None:
    out = run("explain", "gemm", "--spec", SPEC).out
    assert "bound by DRAM" in out
    assert "5.67 of the compulsory 384 KiB" in out
    assert "compute waits" in out
    assert "; bound by DRAM, for which the reader's processor waits\n" in out


def test_explain_tells_plan_from_kernel_and_why_it_is_bound() -> None:
    out = run("explain", "gemm_bias_gelu", "--spec", SPEC).out
    squeezed = re.sub(r" +", " ", out)
    assert "legal plans; " in out
    (head,) = [line for line in out.splitlines() if line.startswith("estimate")]
    assert head.startswith("estimate of the whole kernel: ")
    assert head.endswith("; bound by the vector engine, counted with the other engine")
    rows = dict(re.findall(r"\n ([^\n]+?) ([\d,]+) \d+ %", squeezed[squeezed.index(head) :]))
    cycles = {name: int(text.replace(",", "")) for name, text in rows.items()}
    both = cycles["both engines, which one processor drives"]
    assert both == cycles["the vector engine"] + cycles["the matrix engine"] == max(cycles.values())


def test_explain_says_how_cores_share_an_attention() -> None:
    decode = run("explain", "attention_decode_one", "--spec", SPEC).out
    assert "steps of 16 tiles of keys; no score leaves a core" in decode
    assert "128 tiles of keys are 8 parts of 16 tiles on cores of their own" in decode
    assert "16 cores each share keys and values" in run("explain", "attention_2k", "--spec", SPEC).out
    prefill = run("explain", "attention_prefill", "--spec", SPEC).out
    assert "no unit meets keys behind its last query; every other 4 matrices hand units out in reverse" in prefill
    assert "8 cores each share keys and values: one reads, and multicasts" in prefill
