"""The acceptance cases: expected attributes, assignments, orders and refusals, checked against what the compiler
emits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, rejection, verified
from tt_build.codegen.plan import plan_text
from tt_build.ir.work import block_of, order_positions
from tt_build.targets import TargetError, determine_target

CASES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "seed_cases.json").read_text())

# Cases that later work lowers; until then each must be refused by name, never miscompiled.
NOT_YET = {
    "local shard: global tile ids by core": "TTB206",
    "a softmax works by tile rows": "TTB201",
}
# Cases whose reads are counted by the emulator's trace.
TRACED = {"gemm reads the right tiles"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_seed_case(case: dict[str, Any], tmp_path: Path) -> None:
    expect = case["expect"]
    if "determine_target" in case:
        with pytest.raises(TargetError) as refused:
            determine_target(case["determine_target"])
        assert all(word in str(refused.value) for word in expect["message_has"])
        return
    if expect.get("rejected"):
        text = rejection(tmp_path, case["kernel"], target=case["target"])
        assert all(word in text for word in expect["message_has"]), text
        return
    if case["name"] in NOT_YET:
        assert f"error[{NOT_YET[case['name']]}]" in rejection(tmp_path, case["kernel"], target=case["target"])
        return
    kernel = verified(tmp_path, case["kernel"], target=case["target"])
    plan = json.loads(plan_text(kernel))
    attrs = plan["attrs"]
    known = {"attrs", "absent", "core_ranges", "block_index", "order", "padding", "tiles_read"}
    known |= {"assignments", "assignment_has"}
    assert set(expect) <= known, "an expectation that this test does not check"
    assert {name: attrs.get(name) for name in expect.get("attrs", {})} == expect.get("attrs", {})
    assert not set(expect.get("absent", ())) & set(attrs)
    if "core_ranges" in expect:
        assert attrs["tt_core_ranges"] == expect["core_ranges"]
    if "order" in expect:
        assert list(order_positions(kernel.order, kernel.grid)) == expect["order"]
    for tensor, padding in expect.get("padding", {}).items():
        assert attrs["tt_padding_info"][tensor] == padding
    assignments = plan["cores"]["assignments"]
    if "assignments" in expect:
        assert [{key: item[key] for key in ("core", "rect")} for item in assignments] == expect["assignments"]
    assert all(item[key] == value for item in assignments for key, value in expect.get("assignment_has", {}).items())
    blocks = expect.get("block_index", {})
    for size in (2, 3):
        wanted = blocks.get("bx_by" if size == 2 else "bx_by_bz")
        if wanted:
            assert [list(block_of(t, kernel.grid)[:size]) for t in blocks["tile_ids"]] == wanted
    assert ("tiles_read" in expect) == (case["name"] in TRACED)
