"""Blocks of elementwise kernels: the estimate before lowering is that of the lowered kernel, and the choice pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support import elementwise, verified
from tt_build.model.constants import load_constants
from tt_build.model.kernel import estimate
from tt_build.model.streaming import BLOCKS, Share, choose, cycles

SHARE = Share(
    tiles=64,
    cores=64,
    compute=100.0,
    streams=1,
    results=1,
    dram_read=2048,
    l1_read=0,
    dram_written=2048,
    l1_written=0,
)
KERNELS: dict[str, dict[str, Any]] = {
    "bound by DRAM": elementwise("C = A + B", [1024, 1024]),
    "bound by the vector engine": elementwise("C = gelu(A)", [1024, 512]),
    "few tiles": elementwise("C = A * 2", [256, 512]),
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_choice_is_known_from_what_the_kernel_costs(name: str, tmp_path: Path) -> None:
    kernel = verified(tmp_path, KERNELS[name])
    launch = load_constants(kernel.arch).launch_cycles
    expected = dict(kernel.block_costs)[kernel.batch]
    assert estimate(kernel).cycles - launch == pytest.approx(expected, rel=0.12)


def test_small_blocks_overlap_a_short_share() -> None:
    short = replace(SHARE, tiles=4, compute=1500.0)
    assert cycles(short, 1, "wormhole_b0") < cycles(short, 4, "wormhole_b0")


def test_large_blocks_spread_latency_where_reading_is_fast() -> None:
    alone = replace(SHARE, cores=1)
    assert cycles(alone, 16, "wormhole_b0") < cycles(alone, 1, "wormhole_b0")


def test_a_share_takes_at_least_as_long_as_each_stage() -> None:
    for block in BLOCKS:
        found = cycles(SHARE, block, "blackhole")
        assert found >= SHARE.tiles * SHARE.compute
        assert found >= SHARE.tiles * SHARE.dram_read * SHARE.cores / load_constants("blackhole").dram_total_rate


def test_the_largest_of_those_that_are_alike_is_taken() -> None:
    assert choose(((1, 1200), (2, 1000), (4, 1015), (8, 1030))) == 4
    assert choose(((1, 500), (2, 600))) == 1
