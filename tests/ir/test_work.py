"""Orders and policies: bijections, exact covers, the formulas of the semantics page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tt_build.ir.work import ORDERS, POLICIES, Grid, assign, block_of, order_positions, split, tiles_per_core
from tt_build.spec.model import CoreRegion

grids = st.builds(Grid, x=st.integers(1, 20), y=st.integers(1, 20), z=st.integers(1, 4))
regions = st.builds(
    CoreRegion,
    at=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    size=st.tuples(st.integers(1, 10), st.integers(1, 7)),
)


@given(grids, st.sampled_from(ORDERS))
def test_an_order_is_a_bijection(grid: Grid, order: str) -> None:
    assert sorted(order_positions(order, grid)) == list(range(grid.units))


@given(st.integers(0, 500), st.integers(1, 130))
def test_contiguous_parts_follow_each_other(total: int, parts: int) -> None:
    end = 0
    for index in range(parts):
        start, count = split(total, parts, index)
        assert start == (end if count else total)
        assert count in (total // parts, total // parts + 1)
        end += count
    assert end == total


@given(grids, regions, st.sampled_from(POLICIES))
def test_a_policy_hands_out_every_unit_once(grid: Grid, region: CoreRegion, policy: str) -> None:
    done: list[int] = []
    for item in assign(policy, grid, region, (13, 10)):
        assert item.core_id == item.core[1] * 13 + item.core[0]
        assert region.at[0] <= item.core[0] < region.at[0] + region.size[0]
        assert region.at[1] <= item.core[1] < region.at[1] + region.size[1]
        if item.rect is None:
            done += range(item.start, item.start + item.count * (item.stride or 1), item.stride or 1)
        else:
            bx, by, w, h = item.rect
            first, planes = item.planes or (0, 0)
            done += [
                (z * grid.y + y) * grid.x + x
                for z in range(first, first + planes)
                for y in range(by, by + h)
                for x in range(bx, bx + w)
            ]
    assert sorted(done) == list(range(grid.units))


@given(grids, regions, st.sampled_from(("contiguous", "strided")))
def test_no_core_has_two_units_more_than_another(grid: Grid, region: CoreRegion, policy: str) -> None:
    counts = [item.count for item in assign(policy, grid, region, (13, 10))]
    counts += [0] * (region.size[0] * region.size[1] - len(counts))
    assert max(counts) - min(counts) <= 1


@given(grids, regions)
def test_rectangles_differ_by_one_column_and_one_row(grid: Grid, region: CoreRegion) -> None:
    work = assign("rectangular", grid, region, (13, 10))
    widths = {item.rect[2] for item in work if item.rect}
    heights = {item.rect[3] for item in work if item.rect}
    assert max(widths) - min(widths) <= 1
    assert max(heights) - min(heights) <= 1
    (columns, rows), counts = region.size, [item.count for item in work]
    assert max(counts) == -(-grid.x // columns) * -(-grid.y // rows) * grid.z
    if len(work) == columns * rows:
        assert min(counts) == (grid.x // columns) * (grid.y // rows) * grid.z


def test_block_indices_use_the_modulo() -> None:
    grid = Grid(x=2, y=3, z=2)
    assert [block_of(t, grid) for t in (0, 5, 6, 11)] == [(0, 0, 0), (1, 2, 0), (0, 0, 1), (1, 2, 1)]


def test_cores_without_work_are_marked() -> None:
    work = assign("contiguous", Grid(x=3, y=1), CoreRegion(at=(0, 0), size=(2, 2)), (2, 2))
    assert tiles_per_core(work, 3, (2, 2)) == [[0, 1], [1, 1], [2, 1], [3, 0]]
