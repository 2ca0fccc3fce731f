"""``tt-build estimate``: the table, JSON, plans, what has no estimate; and what ``explain`` says of time."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.support import tt_build as run
from tests.support import ROOT, elementwise, write_spec
from tt_build.codegen.compile import compile_files
from tt_build.spec.loader import load_file

SPEC = ROOT / "kernels.yaml"
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


def test_explain_says_how_long_and_who_waits() -> None:
    out = run("explain", "gemm", "--spec", SPEC).out
    assert "bound by DRAM" in out
    assert "5.67 of the compulsory 384 KiB" in out
    assert "compute waits" in out


def test_explain_says_how_cores_share_an_attention() -> None:
    decode = run("explain", "attention_decode_one", "--spec", SPEC).out
    assert "steps of 16 tiles of keys; no score leaves a core" in decode
    assert "128 tiles of keys are 8 parts of 16 tiles on cores of their own" in decode
    assert "16 cores each share keys and values" in run("explain", "attention_2k", "--spec", SPEC).out
    prefill = run("explain", "attention_prefill", "--spec", SPEC).out
    assert "no unit meets keys behind its last query; every other 4 matrices hand units out in reverse" in prefill
    assert "8 cores each share keys and values: one reads, and multicasts" in prefill
