"""``Y = X`` between layouts: right, and with the fewest bytes: a page that lies where it belongs is not moved."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.programs.prove import build
from tt_build.ir.stages import Buffer, memory_of
from tt_build.spec.model import VerifySpec
from tt_build.verify.driver import RUNS, Job, examine

ROWS, COLUMNS = 4, 3  # tiles
PAGE = 2048


def shards(kind: str, *grid: int, memory: str = "l1") -> dict[str, Any]:
    return {"memory": memory, "sharding": kind, "grid": list(grid)}


LAYOUTS: dict[str, Any] = {
    "dram": "dram_interleaved",
    "dram_width": shards("width", 3, 1, memory="dram"),
    "height": shards("height", 4, 1),
    "width": shards("width", 3, 1),
    "block": shards("block", 3, 2),
    "block_down": {**shards("block", 2, 3), "order": "column_major"},
}
PAIRS = list(itertools.permutations(LAYOUTS, 2))
USUAL = [("dram", "block"), ("height", "dram_width"), ("width", "height"), ("block", "block_down")]


def _core_of(buffer: Buffer, row: int, column: int) -> tuple[int, int]:
    lies = buffer.shards
    assert lies is not None
    return lies.cores[row // lies.tiles[0] * lies.counts[1] + column // lies.tiles[1]]


def _check(source: str, target: str) -> None:
    shape = [32 * ROWS, 32 * COLUMNS]
    program = {
        "kernel": {
            "inputs": {"X": {"shape": shape, "layout": LAYOUTS[source]}},
            "outputs": {"Y": {"shape": shape, "layout": LAYOUTS[target]}},
            "compute": "Y = X",
        },
        "target": {"arch": "wormhole_b0", "grid": [4, 4]},
    }
    with tempfile.TemporaryDirectory() as name:
        kernel, plan = build(program, Path(name) / "k")
        job = Job(kernel=kernel, verify=VerifySpec(), sizes={}, scalars={})
        verdict = examine(job, plan, RUNS[:1])[0]
    assert verdict.passed, verdict.outputs
    x, y = kernel.buffers
    in_l1 = [memory_of(buffer.layout) == "l1" for buffer in (x, y)]
    places = itertools.product(range(ROWS), range(COLUMNS))
    elsewhere = sum(_core_of(x, *place) != _core_of(y, *place) for place in places) if all(in_l1) else 0
    moved = [verdict.counters[name] for name in ("dram_read_bytes", "dram_write_bytes", "noc_unicast_bytes")]
    pages = ROWS * COLUMNS
    assert moved == [PAGE * count for count in (pages * (not in_l1[0]), pages * (not in_l1[1]), elsewhere)]
    assert sum(bool(cb.buffer) for cb in kernel.circular_buffers) == (1 if any(in_l1) else 0)


@pytest.mark.parametrize(("source", "target"), USUAL)
def test_a_layout_becomes_another(source: str, target: str) -> None:
    _check(source, target)


@pytest.mark.long
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_layout_becomes_every_other(source: str, target: str) -> None:
    _check(source, target)
