"""Plans: the shipped schema is the structures', every plan of kernels.yaml keeps it, wrong files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.support import ROOT
from tt_build.codegen.compile import compile_files, stage_file
from tt_build.codegen.files import emit
from tt_build.ir.jsontext import to_text
from tt_build.ir.plan import PlanError, load_plan, plan_schema
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import PASSES, read_stage
from tt_build.spec.loader import load_file

SCHEMA = ROOT / "tt_build" / "ir" / "tt.plan.schema.json"


def test_the_shipped_schema_is_current(update_goldens: bool) -> None:
    if update_goldens:
        SCHEMA.write_bytes(to_text(plan_schema()))
    assert SCHEMA.read_bytes() == to_text(plan_schema()), "run ./dev test --update-goldens"


@pytest.mark.parametrize("declaration", load_file(ROOT / "kernels.yaml").declarations, ids=lambda d: d.kernel.name)
def test_every_plan_keeps_the_schema_and_reads_back(declaration: object, tmp_path: Path) -> None:
    files = compile_files(declaration)  # type: ignore[arg-type]
    text = files["tt.plan.json"]
    # what SCons reads from the last stage's file gives the same bytes
    assert emit(read_stage(files[stage_file(len(PASSES))], VerifiedKernel))["tt.plan.json"] == text
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))
    path = tmp_path / "tt.plan.json"
    path.write_bytes(text)
    plan = load_plan(path)
    assert plan.order()[-1] in {name for name, buffer in plan.buffers.items() if buffer.role == "output"}
    cores = {core for r in plan.cores.core_ranges for core in r.cores()}
    for kernel in plan.kernels:
        assert {args.core for args in kernel.runtime_args} == cores


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "[1]", '{"version": "one"}'])
def test_a_file_that_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tt.plan.json"
    path.write_text(text)
    with pytest.raises(PlanError, match=r"tt\.plan\.json"):
        load_plan(path)
    with pytest.raises(PlanError, match="cannot read"):
        load_plan(tmp_path / "missing.json")
