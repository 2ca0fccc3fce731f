"""The acceptance cases: expected attributes, assignments, orders and refusals, checked against what the compiler
emits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import ROOT, rejection, verified
from tt_build.codegen.files import emit
from tt_build.codegen.plan import plan_text
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.ir.stages import VerifiedKernel
from tt_build.ir.work import block_of, order_positions, tile_ids
from tt_build.targets import TargetError, determine_target

CASES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "seed_cases.json").read_text())


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
    kernel = verified(tmp_path, case["kernel"], target=case["target"])
    plan = json.loads(plan_text(kernel))
    attrs = plan["attrs"]
    known = {"attrs", "absent", "core_ranges", "block_index", "order", "padding", "tiles_read"}
    known |= {"assignments", "assignment_has", "tiles_by_core"}
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
    if "tiles_by_core" in expect:
        walks = {str(item.core).replace(" ", ""): tile_ids(item, kernel.order, kernel.grid) for item in kernel.work}
        assert walks == expect["tiles_by_core"]
    if "tiles_read" in expect:
        _check_tiles_read(kernel, tmp_path, expect["tiles_read"])


def _check_tiles_read(kernel: VerifiedKernel, folder: Path, expect: dict[str, Any]) -> None:
    """What an output tile is made of, found out on the emulator: tiles of ones where it reads, or everywhere else."""
    for name, content in emit(kernel).items():
        (folder / name).write_bytes(content)
    plan = load_plan(folder / "tt.plan.json")
    height, width = kernel.buffer("A").tiles
    row, column = divmod(expect["out_tile"], kernel.buffer("C").tiles[1])
    for tensor, other in (("A", "B"), ("B", "A")):
        inside = np.zeros(height * width, np.float32)
        inside[expect[tensor]] = 1.0
        for tiles, total in ((inside, 32.0 * len(expect[tensor])), (1.0 - inside, 0.0)):
            array = np.kron(tiles.reshape(height, width), np.ones((32, 32), np.float32))
            result = run(plan, folder, {tensor: array, other: np.ones_like(array)})
            tile = result.outputs["C"].reshape(height, 32, width, 32)[row, :, column]
            assert (tile == total).all()
            read = result.counters["buffers"][tensor]["dram_read_bytes"]
            assert read == kernel.grid.units * len(expect[tensor]) * kernel.buffer(tensor).page_size
    assert expect["C"] == expect["out_tile"]
