"""Shards: work where they lie, circular buffers on them, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support import rejection, verified
from tt_build.codegen.plan import make_plan
from tt_build.emulator.memory import lay_out
from tt_build.ir.plan import PlanSharding
from tt_build.ir.work import tile_ids
from tt_build.passes.dram_tensors import bytes_in_dram, check_dram
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

TARGET = {"arch": "wormhole_b0", "grid": [8, 8]}


def l1(kind: str, grid: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"memory": "l1", "sharding": kind, **({"grid": grid} if grid else {}), **more}


def scaled(shape: list[int], layout: Any, output: Any = "dram_interleaved", **more: Any) -> dict[str, Any]:
    inputs, outputs = {"A": {"shape": shape, "layout": layout}}, {"C": {"shape": shape, "layout": output}}
    return {"inputs": inputs, "outputs": outputs, "compute": "C = A * 2", **more}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
    batch=st.lists(st.integers(1, 3), max_size=2),
    kind=st.sampled_from(["height", "width", "block"]),
    grid=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    order=st.sampled_from(["row_major", "column_major"]),
)
def test_each_core_has_its_shard_of_equal_size_but_the_last(
    rows: int, columns: int, batch: list[int], kind: str, grid: tuple[int, int], order: str, tmp_path: Path
) -> None:
    shape = [*batch, rows, columns]
    lines = -(-rows // 32)
    for extent in batch:
        lines *= extent
    down, across = grid if order == "column_major" else (grid[1], grid[0])
    if kind != "block":
        down, across = (grid[0] * grid[1], 1) if kind == "height" else (1, grid[0] * grid[1])
    for total, count in ((lines, down), (-(-columns // 32), across)):
        assume((count - 1) * -(-total // count) < total)
    assume(lines * -(-columns // 32) <= 300)  # fits one core
    layout = l1(kind, list(grid), order=order)
    kernel = verified(tmp_path, scaled(shape, layout, layout), target=TARGET)
    shards = kernel.buffer("C").shards
    assert shards is not None
    assert shards.counts == (down, across)
    assert all(cb.buffer for cb in kernel.circular_buffers)
    assert max(item.count for item in kernel.work) <= shards.pages
    by_core = {item.core: item for item in kernel.work}
    for index, core in enumerate(shards.cores):
        last = index // across == down - 1 or index % across == across - 1
        assert last or by_core[core].count == shards.pages
    assert not kernel.pages_read
    assert not kernel.pages_written


def test_the_plan_binds_the_circular_buffers(tmp_path: Path) -> None:
    layout = l1("block", [3, 2])
    plan = make_plan(verified(tmp_path, scaled([100, 280], layout, layout), target=TARGET))
    assert [(cb.name, cb.buffer, cb.num_pages) for cb in plan.circular_buffers] == [
        ("cb_a", "A", 6),
        ("cb_c", "C", 6),
    ]
    sharding = plan.buffers["C"].layout
    assert isinstance(sharding, PlanSharding)
    assert (sharding.shard, sharding.grid) == ((64, 96), (3, 2))
    assert sharding.cores == ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1))


def test_the_first_input_places_the_work_where_no_output_does(tmp_path: Path) -> None:
    kernel = verified(tmp_path, scaled([128, 128], l1("block", [2, 2])), target=TARGET)
    assert kernel.placed_by == "A"
    assert kernel.pages_written == {"C": 16}
    assert tile_ids(kernel.work[1], kernel.order, kernel.grid) == [2, 3, 6, 7]


def test_tensors_in_dram_place_nothing(tmp_path: Path) -> None:
    layout = {"memory": "dram", "sharding": "width", "grid": [4, 1]}
    kernel = verified(tmp_path, scaled([128, 128], layout, layout), target=TARGET)
    assert (kernel.placed_by, kernel.policy) == ("", "contiguous")
    assert kernel.pages_read == {"A": 16}


def test_a_grid_follows_from_the_shard(tmp_path: Path) -> None:
    kernel = verified(tmp_path, scaled([320, 64], l1("height", shard=[32, 64])), target=TARGET)
    shards = kernel.buffer("A").shards
    assert shards is not None
    assert shards.counts == (10, 1)
    assert shards.cores[4:6] == ((4, 0), (0, 1))


def test_a_schedule_may_say_what_the_shards_say(tmp_path: Path) -> None:
    layout = l1("height", [4, 1])
    spec = scaled([256, 64], layout, layout, schedule={"policy": "contiguous", "cores": [4, 1]})
    assert verified(tmp_path, spec, target=TARGET).placed_by == "C"


@pytest.mark.parametrize(
    ("code", "words", "spec"),
    [
        ("TTB211", ["strided", "C"], scaled([128, 128], l1("block", [2, 2]), l1("block", [2, 2]),
                                            schedule={"policy": "strided"})),
        ("TTB211", ["cores"], scaled([128, 128], l1("block", [2, 2]), l1("block", [2, 2]), schedule={"cores": [3, 3]})),
        ("TTB209", ["9", "8"], scaled([512, 64], l1("height", [9, 1]))),
        ("TTB209", ["banks"], scaled([512, 64], {"memory": "dram", "sharding": "height", "grid": [4, 2]})),
        ("TTB208", ["5", "160"], scaled([96, 160], l1("width", [4, 1]))),
        ("TTB208", ["grid"], scaled([96, 160], l1("width"))),
        ("TTB303", ["L1"], scaled([4096, 4096], l1("height", [1, 1]))),
        ("TTB304", ["DRAM", "C ", "A "], scaled([160000, 32768], "dram_interleaved")),
        ("TTB304", ["1,342,177,280"], scaled([65536, 10240], {"memory": "dram", "sharding": "height", "grid": [1, 1]})),
    ],
)  # fmt: skip
def test_refused(code: str, words: list[str], spec: dict[str, Any], tmp_path: Path) -> None:
    text = rejection(tmp_path, spec, target=TARGET)
    assert f"error[{code}]" in text, text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
@pytest.mark.parametrize("layout", ["dram_interleaved", {"memory": "dram", "sharding": "width", "grid": [4, 1]}])
def test_tensors_fill_dram_and_no_more(arch: str, layout: Any, tmp_path: Path) -> None:
    kernel = verified(tmp_path, scaled([200, 500], layout), target={"arch": arch})
    chip = load_arch(arch)
    placed = lay_out(make_plan(kernel), chip).buffers
    sizes = {buffer.name: bytes_in_dram(buffer, chip) for buffer in kernel.buffers}
    assert sizes == {name: buffer.bank_bytes for name, buffer in placed.items()}
    check_dram(kernel, kernel.buffers, msgspec.structs.replace(chip, dram_bank_bytes=sum(sizes.values())))
    with pytest.raises(Rejected) as rejected:
        check_dram(kernel, kernel.buffers, msgspec.structs.replace(chip, dram_bank_bytes=sum(sizes.values()) - 1))
    assert rejected.value.diagnostics[0].code == "TTB304"
