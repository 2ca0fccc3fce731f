"""Overlap: the recurrence, its closed form, and processors that run against each other."""

from __future__ import annotations

import itertools

import pytest

from tt_build.model.actions import Action, Compute, End, Meet, Move, Receive, Sections, Send, Settle, Spend, Transfer
from tt_build.model.constants import Constants, load_constants
from tt_build.model.overlap import finished, overlapped
from tt_build.model.pipeline import CoreJob, Rates, Stuck, run_cores

RATES = Rates(read=1000.0, write=1000.0, shared=1000.0, second=1000.0)
FREE = load_constants("wormhole_b0")


def figures(**changed: float) -> Constants:
    """Wormhole's figures, but calls on buffers cost nothing."""
    return Constants(
        **{**{name: getattr(FREE, name) for name in Constants.__struct_fields__}, "cb_cycles": 0.0, **changed}
    )


def chain(blocks: int, reader: float, compute: float, writer: float) -> dict[str, list[Action]]:
    """Blocks of one page from reader over compute to writer."""
    return {
        "reader": [a for _ in range(blocks) for a in (Move("reserve", "in", 1), Spend(reader), Move("push", "in", 1))],
        "compute": [
            action
            for _ in range(blocks)
            for action in (
                Move("wait", "in", 1),
                Move("reserve", "out", 1),
                Compute(0.0, compute, 0.0),
                End(0.0),
                Move("pop", "in", 1),
                Move("push", "out", 1),
            )
        ],
        "writer": [a for _ in range(blocks) for a in (Move("wait", "out", 1), Spend(writer), Move("pop", "out", 1))],
    }


@pytest.mark.parametrize(("depth", "cycles"), [(1, 12_900), (2, 6_600), (3, 6_600)])
def test_the_recurrence_at_equal_blocks(depth: int, cycles: int) -> None:
    """64 blocks of 100 cycles at each stage: three depths, as kernel-performance figures have them."""
    _, _, writer = finished(100, 100, 100, 64, depth, depth)
    assert writer[-1] == cycles


@pytest.mark.parametrize("depths", [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2)])
@pytest.mark.parametrize(
    "cost", [(100.0, 100.0, 100.0), (50.0, 300.0, 20.0), (300.0, 50.0, 200.0), (10.0, 20.0, 400.0)]
)
def test_processors_follow_the_recurrence(depths: tuple[int, int], cost: tuple[float, float, float]) -> None:
    job = CoreJob(actions=chain(20, *cost), rates=RATES)
    (found,) = run_cores([job], {"in": depths[0], "out": depths[1]}, figures())
    _, _, w = finished(*cost, 20, *depths)
    if depths[1] > 1:
        assert found.end == pytest.approx(w[-1])
    else:  # the halves of DST are room that the recurrence does not know
        assert finished(*cost, 20, depths[0], 3)[2][-1] <= found.end <= w[-1]
    assert found.busy["reader"] == pytest.approx(20 * cost[0])
    assert found.busy["engine"] == pytest.approx(20 * cost[1])


def test_closed_form_is_the_recurrence_of_two_stages() -> None:
    for moving, computing in ((10.0, 4.0), (4.0, 10.0), (7.0, 7.0)):
        _, compute, _ = finished(moving, computing, 0, 12, 2, 2)
        assert overlapped(12 * moving, 12 * computing, 12, 2) == pytest.approx(compute[-1])
        assert overlapped(12 * moving, 12 * computing, 12, 1) == 12 * (moving + computing)


def test_sections_that_are_alike_cost_as_much_together_as_one_by_one() -> None:
    for work, pack in ((Compute(30.0, 10.0, 5.0), 20.0), (Compute(5.0, 4.0, 3.0), 50.0), (Compute(9.0, 9.0, 0.0), 9.0)):
        together = CoreJob(actions={"compute": [Sections(40, work, pack)]}, rates=RATES)
        apart = CoreJob(actions={"compute": [Sections(1, work, pack) for _ in range(40)]}, rates=RATES)
        one, other = run_cores([together, apart], {}, figures())
        assert one.end == pytest.approx(other.end)
        assert one.busy == pytest.approx(other.busy)


def test_a_barrier_waits_for_latency_and_for_bytes() -> None:
    """NL: 1, 4 and 16 tiles of 2 KB a barrier take 470, 661 and 1457 cycles."""
    for tiles, cycles in ((1, 470), (4, 661), (16, 1457)):
        job = CoreJob(actions={"reader": [Transfer(True, "dram", tiles, 2048 * tiles), Settle("read")]}, rates=RATES)
        assert run_cores([job], {}, FREE)[0].end == pytest.approx(cycles, rel=0.02)


def test_a_sender_waits_for_its_receivers_and_they_for_it() -> None:
    figure = figures(semaphore_cycles=100.0)
    sender = CoreJob(actions={"reader": [Spend(50.0), Send("all", ((3, 2500),), 2)]}, rates=RATES)
    late = CoreJob(actions={"reader": [Spend(500.0), Receive("all")]}, rates=RATES, senders={"all": 0})
    early = CoreJob(actions={"reader": [Receive("all")]}, rates=RATES, senders={"all": 0})
    found = run_cores([sender, late, early], {}, figure)
    sent = 500 + 100 + 2500 / figure.multicast_rate + 2 * figure.multicast_path + figure.write_latency
    assert found[0].end == pytest.approx(sent)
    assert found[1].end == found[2].end == pytest.approx(sent + 100)
    assert found[2].stalls["reader", "sender"] == pytest.approx(sent + 100)


def test_an_exchange_costs_more_with_more_parts() -> None:
    ends = [
        run_cores([CoreJob(actions={"writer": [Meet(parts, 4096)]}, rates=RATES)], {}, FREE)[0].end
        for parts in (2, 4, 8)
    ]
    assert ends == sorted(ends)
    assert ends[0] > 2 * FREE.semaphore_cycles


def test_moves_that_do_not_fit_are_named() -> None:
    job = CoreJob(actions={"compute": [Move("wait", "in", 1)]}, rates=RATES)
    with pytest.raises(Stuck, match="compute"):
        run_cores([job], {"in": 2}, FREE)


def test_the_timeline_covers_each_processor_without_overlap() -> None:
    job = CoreJob(actions=chain(10, 40.0, 90.0, 20.0), rates=RATES, traced=True)
    (found,) = run_cores([job], {"in": 2, "out": 2}, figures())
    for lane in ("reader", "compute", "writer"):
        spans = [span for span in found.spans if span.lane == lane]
        assert spans
        assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(spans))
        assert all(span.end <= found.end for span in spans)
