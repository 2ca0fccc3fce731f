"""Bytes of candidates against the closed forms, their order, and how the estimate reacts to a plan's numbers."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from tt_build.model.matmul import Candidate, estimate, rank

TILE = 2048


def square(t: int, algorithm: str, grid: tuple[int, int], block: tuple[int, int], **more: object) -> Candidate:
    """bfloat16, t x t x t tiles, everything in DRAM."""
    return Candidate(m=t, n=t, k=t, algorithm=algorithm, grid=grid, block=block, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("t", "grid", "block", "tiles"),
    [
        (8, (4, 1), (8, 2), 384),
        (16, (8, 1), (16, 2), 2_560),
        (32, (8, 1), (32, 4), 10_240),
        (64, (8, 4), (16, 8), 53_248),
    ],
)
def test_reuse_reads_an_operand_for_each_core_across(
    t: int, grid: tuple[int, int], block: tuple[int, int], tiles: int
) -> None:
    """The SDK's reuse example at 256 to 2048."""
    found = estimate(square(t, "reuse", grid, block, k_block=2), "wormhole_b0")
    assert found.dram_bytes == tiles * TILE
    assert found.noc_bytes == 0


@pytest.mark.parametrize(("t", "tiles"), [(8, 1_088), (16, 8_448), (32, 66_560), (64, 528_384)])
def test_streaming_reads_both_operands_for_each_tile(t: int, tiles: int) -> None:
    assert estimate(square(t, "streaming", (8, 8), (1, 1)), "wormhole_b0").dram_bytes == tiles * TILE


@pytest.mark.parametrize(("t", "mib"), [(8, 1.75), (16, 7), (32, 28), (64, 112), (128, 448)])
def test_multicast_reads_each_tile_once(t: int, mib: float) -> None:
    found = estimate(square(t, "mcast_2d", (8, 8), (t // 8, t // 8), k_block=1), "wormhole_b0")
    assert found.dram_ratio == 1
    assert found.dram_bytes == 3 * t * t * TILE
    assert found.noc_bytes == mib * 2**20


def test_one_dimensional_multicast_reads_each_tile_once() -> None:
    wide = Candidate(m=1, n=128, k=128, algorithm="mcast_1d_in0", grid=(8, 8), block=(1, 2), k_block=4, subblock=(1, 2))
    found = estimate(wide, "wormhole_b0")
    assert found.dram_ratio == 1
    assert found.noc_bytes == 128 * TILE * 63
    tall = replace(wide, m=128, n=1, algorithm="mcast_1d_in1", block=(2, 1), subblock=(2, 1))
    assert estimate(tall, "wormhole_b0").noc_bytes == 128 * TILE * 63


def test_blocks_smaller_than_the_share_read_again() -> None:
    whole = square(32, "mcast_2d", (4, 4), (8, 8), k_block=2)
    halves = replace(whole, block=(4, 8))
    assert estimate(halves, "wormhole_b0").dram_bytes == estimate(whole, "wormhole_b0").dram_bytes + 32 * 32 * TILE


def test_a_short_last_core_counts_what_it_has() -> None:
    """5 x 7 output tiles on 2 x 2 cores: shares of 3 x 4 tiles, the last 2 x 3."""
    found = estimate(Candidate(m=5, n=7, k=3, algorithm="reuse", grid=(2, 2), block=(3, 4)), "wormhole_b0")
    assert found.dram_read_bytes == (5 * 3 * 2 + 7 * 3 * 2) * TILE
    assert found.dram_write_bytes == 5 * 7 * TILE
    single = estimate(Candidate(m=5, n=7, k=3, algorithm="reuse", grid=(2, 2), block=(1, 4)), "wormhole_b0")
    assert single.dram_read_bytes == (5 * 3 * 2 + 7 * 3 * 5) * TILE


def test_a_plan_that_moves_less_is_faster() -> None:
    """At 1024 the order of the algorithms is that of their bytes, and the full grid beats eight cores."""
    plans = [
        square(32, "streaming", (8, 8), (1, 1), k_block=16),
        square(32, "reuse", (8, 1), (32, 4), k_block=2, subblock=(2, 4)),
        square(32, "reuse", (8, 8), (4, 4), k_block=2, subblock=(2, 4)),
        square(32, "mcast_2d", (8, 8), (4, 4), k_block=2, subblock=(2, 4)),
    ]
    order = [candidate.algorithm for candidate, _ in rank(plans, "wormhole_b0")]
    assert order[0] == "mcast_2d"
    assert order.index("mcast_2d") < order.index("reuse") < order.index("streaming")


def test_longer_steps_and_wider_subblocks_cost_nothing() -> None:
    base = square(64, "mcast_2d", (8, 8), (8, 8), k_block=2, subblock=(1, 1), phases=2)
    wider = estimate(replace(base, subblock=(2, 4)), "wormhole_b0")
    assert wider.cycles < estimate(base, "wormhole_b0").cycles
    assert wider.steps == 32
    assert estimate(replace(base, k_block=8), "wormhole_b0").busy["reader"] < wider.busy["reader"]


def test_depth_one_overlaps_nothing() -> None:
    base = square(32, "mcast_2d", (8, 8), (4, 4), k_block=4, subblock=(2, 4))
    assert estimate(replace(base, depth=1), "wormhole_b0").cycles > estimate(base, "wormhole_b0").cycles


def test_rank_does_not_depend_on_the_order_given() -> None:
    plans = [
        square(32, algorithm, (gx, gy), (-(-32 // gy), -(-32 // gx)), k_block=kb)
        for algorithm in ("reuse", "mcast_2d")
        for gx in (2, 4, 8)
        for gy in (2, 4, 8)
        for kb in (1, 2, 4, 8)
    ]
    expected = rank(plans, "blackhole")
    random.Random(1).shuffle(plans)
    assert rank(plans, "blackhole") == expected
    cycles = [found.cycles for _, found in expected]
    assert cycles[0] <= 1.06 * min(cycles)
    assert expected[0][1].dram_bytes == min(
        found.dram_bytes for _, found in expected if found.cycles <= 1.06 * min(cycles)
    )
