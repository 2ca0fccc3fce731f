"""Blocks of elementwise kernels: the estimate before lowering is that of the lowered kernel, and the choice pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support import elementwise, verified
from tt_build.model.constants import load_constants
from tt_build.model.kernel import estimate
from tt_build.model.streaming import (
    BLOCKS,
    DEPTHS,
    Moved,
    Products,
    Share,
    choose,
    cycles,
    fewest,
    product_cycles,
)
from tt_build.passes import barriers

PAGE = Moved(commands=1, dram=2048)
SHARE = Share(tiles=64, cores=64, compute=100.0, section=40.0, pack=45.0, read=PAGE, written=PAGE)


def streaming_matmul(m: int, k: int, n: int) -> dict[str, Any]:
    return {
        "inputs": {"A": {"shape": [m, k]}, "B": {"shape": [k, n]}},
        "outputs": {"C": {"shape": [m, n]}},
        "compute": "C = A @ B",
        "schedule": {"matmul": {"algorithm": "streaming"}},
    }


KERNELS: dict[str, dict[str, Any]] = {
    "bound by DRAM": elementwise("C = A + B", [1024, 1024]),
    "bound by the vector engine": elementwise("C = gelu(A)", [1024, 512]),
    "few tiles": elementwise("C = A * 2", [256, 512]),
    "products": streaming_matmul(512, 1024, 512),
    "products, more of K than a barrier brings": streaming_matmul(256, 4096, 256),
    "products of one core": streaming_matmul(96, 640, 96) | {"target": {"grid": [1, 1]}},
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_choice_is_known_from_what_the_kernel_costs(name: str, tmp_path: Path) -> None:
    kernel = verified(tmp_path, KERNELS[name])
    launch = load_constants(kernel.arch).launch_cycles
    expected = dict(kernel.block_costs)[max(kernel.batch, kernel.k_block)]
    assert estimate(kernel).cycles - launch == pytest.approx(expected, rel=0.12)


ROWS: dict[str, dict[str, Any]] = {
    "one row a core": elementwise("C = softmax(A, axis=-1)", [256, 512]),
    "several rows a core": elementwise("C = A * rsqrt(mean(A * A, axis=-1) + 0.00001)", [1024, 1024]),
    "read by the sweeps": elementwise("C = B + softmax(A, axis=-1)", [64, 20000]),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_choice_of_rows_is_the_lowered_kernels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel is estimated to gain over blocks of 16 tiles is what the model said before there was one."""
    kernel = verified(tmp_path, ROWS[name])
    costs = dict(kernel.block_costs)
    largest = max(costs)
    monkeypatch.setattr(barriers, "choose", lambda _: largest)
    (tmp_path / "other").mkdir()
    other = verified(tmp_path / "other", ROWS[name])
    assert other.sweep_block == largest
    found, expected = (
        one - two
        for one, two in ((estimate(other).cycles, estimate(kernel).cycles), (costs[largest], costs[kernel.sweep_block]))
    )
    assert found == pytest.approx(expected, rel=0.3, abs=0.01 * estimate(kernel).cycles)
    assert found >= 0


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
        assert found >= SHARE.tiles * PAGE.dram * SHARE.cores / load_constants("blackhole").dram_total_rate


def test_the_largest_of_those_that_are_alike_is_taken() -> None:
    assert choose(((1, 1200), (2, 1000), (4, 1015), (8, 1030))) == 4
    assert choose(((1, 500), (2, 600))) == 1


def test_one_block_needs_no_second_and_two_need_one() -> None:
    once = [cycles(SHARE, 64, "wormhole_b0", depth) for depth in DEPTHS]
    assert len(set(once)) == 1
    often = [cycles(SHARE, 4, "wormhole_b0", depth) for depth in DEPTHS]
    assert often[1] < often[0] * 0.9
    assert often[1:] == [often[1]] * 3


def test_a_section_of_several_tiles_is_acquired_and_configured_once() -> None:
    busy = replace(SHARE, cores=1, compute=300.0, section=140.0)
    alone, together = (cycles(busy, 8, "wormhole_b0", 2, in_dst) for in_dst in (1, 4))
    assert alone - together == pytest.approx(140 * (64 - 16), rel=0.1)


def test_products_take_at_least_as_long_as_reading_and_computing_them() -> None:
    products = Products(k_tiles=20, product=66.0, step=Moved(commands=2, dram=4096), share=replace(SHARE, read=Moved()))
    for block in (1, 3, 16, 20):
        found = product_cycles(products, block, "wormhole_b0")
        assert found >= 64 * 20 * 66
        assert found >= 64 * 20 * 4096 * 64 / load_constants("wormhole_b0").dram_total_rate
        assert found <= product_cycles(products, block, "wormhole_b0", 1)


def test_the_smallest_number_is_taken_that_is_as_good_as_any() -> None:
    assert fewest(((1, 1015), (2, 1000), (4, 990))) == 2
    assert fewest(((1, 1000), (2, 990), (4, 985))) == 1
