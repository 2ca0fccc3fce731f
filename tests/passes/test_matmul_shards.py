"""Matmuls on shards: outputs and rows of first operands in L1, second operands over DRAM banks, K shared by cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import rejection, verified
from tt_build.ir.stages import VerifiedKernel
from tt_build.ir.work import tile_ids

TARGET = {"arch": "wormhole_b0", "grid": [8, 8]}


def shards(kind: str, *grid: int, memory: str = "l1") -> dict[str, Any]:
    return {"memory": memory, "sharding": kind, "grid": list(grid)}


def matmul(
    m: int, k: int, n: int, *, layouts: dict[str, Any] | None = None, compute: str = "Y = A @ B", **schedule: Any
) -> dict[str, Any]:
    shapes = {"A": [m, k], "B": [k, n], "R": [m, n], "r": [1, n]}
    where = {name: {"layout": layout} for name, layout in (layouts or {}).items()}
    return {
        "inputs": {name: {"shape": shape, **where.get(name, {})} for name, shape in shapes.items() if name in compute},
        "outputs": {"Y": {"shape": [m, n], **where.get("Y", {})}},
        "compute": compute,
        **({"schedule": {"matmul": schedule}} if schedule else {}),
    }


def bound(kernel: VerifiedKernel) -> set[str]:
    return {cb.buffer for cb in kernel.circular_buffers} - {""}


@pytest.mark.parametrize(
    ("layout", "algorithm"),
    [
        (shards("block", 4, 8), "mcast_2d"),
        (shards("height", 8, 2), "mcast_1d_in1"),
        (shards("width", 8, 2), "mcast_1d_in0"),
        (shards("block", 4, 8), "reuse"),
    ],
)
def test_an_output_in_l1_is_computed_where_it_lies(layout: dict[str, Any], algorithm: str, tmp_path: Path) -> None:
    kernel = verified(tmp_path, matmul(500, 200, 500, layouts={"Y": layout}, algorithm=algorithm), target=TARGET)
    lies = kernel.buffer("Y").shards
    assert lies is not None
    assert (kernel.placed_by, kernel.unit_tiles, kernel.algorithm) == ("Y", lies.tiles, f"{algorithm}_matmul")
    assert bound(kernel) == {"Y"}
    assert not kernel.pages_written
    assert {item.core for item in kernel.work} == {*lies.cores}


def test_what_the_output_is_added_to_lies_beside_it(tmp_path: Path) -> None:
    layout = shards("block", 4, 4)
    kernel = verified(
        tmp_path, matmul(500, 200, 500, layouts={"Y": layout, "R": layout}, compute="Y = A @ B + R + r"), target=TARGET
    )
    assert bound(kernel) == {"Y", "R"}
    assert "R" not in kernel.pages_read


@pytest.mark.parametrize("output", ["dram_interleaved", shards("height", 8, 2)])
def test_rows_of_a_first_operand_are_read_where_they_lie(output: Any, tmp_path: Path) -> None:
    layouts = {"A": shards("height", 8, 2), "Y": output}
    kernel = verified(tmp_path, matmul(500, 256, 300, layouts=layouts, algorithm="mcast_1d_in1"), target=TARGET)
    assert kernel.placed_by == ("A" if output == "dram_interleaved" else "Y")
    assert "A" in bound(kernel)
    assert kernel.pages_read == {"B": 8 * 10}


@pytest.mark.parametrize(
    ("layout", "n", "algorithm"),
    [
        (shards("block", 8, 4), 500, "mcast_2d"),
        ({**shards("block", 4, 8), "order": "column_major"}, 500, "mcast_2d"),
        (shards("width", 8, 2), 500, "mcast_1d_in0"),
    ],
)
def test_cores_of_a_row_send_their_columns_in_turn(
    layout: dict[str, Any], n: int, algorithm: str, tmp_path: Path
) -> None:
    kernel = verified(
        tmp_path, matmul(128, 512, n, layouts=dict.fromkeys("AY", layout), algorithm=algorithm), target=TARGET
    )
    held = kernel.buffer("A").shards
    assert held is not None
    assert kernel.blocking is not None
    assert (kernel.blocking.rotates, kernel.blocking.k_block) == (True, held.tiles[1])
    assert bound(kernel) == {"A", "Y"}
    assert {*kernel.pages_read} == {"B"}


def test_rows_that_must_be_padded_with_zeros_are_copied(tmp_path: Path) -> None:
    layouts = dict.fromkeys("AY", shards("height", 8, 2))
    kernel = verified(tmp_path, matmul(500, 250, 300, layouts=layouts), target=TARGET)
    assert bound(kernel) == {"Y"}
    assert kernel.pages_read["A"] == 16 * 8


def test_shards_of_two_matrices_stream(tmp_path: Path) -> None:
    kernel = matmul(96, 64, 64)
    kernel["inputs"] = {name: {"shape": [2, *tensor["shape"]]} for name, tensor in kernel["inputs"].items()}
    kernel["outputs"] = {"Y": {"shape": [2, 96, 64], "layout": shards("height", 3, 1)}}
    assert verified(tmp_path, kernel, target=TARGET).algorithm == "streaming_matmul"
    text = rejection(tmp_path, {**kernel, "schedule": {"matmul": {"algorithm": "reuse"}}}, target=TARGET)
    assert "error[TTB202]" in text
    assert "a shard of 'Y' has rows of two matrices" in text


@pytest.mark.parametrize(("banks", "cores"), [(8, 64), (12, 12)])
def test_columns_of_a_core_lie_in_one_bank(banks: int, cores: int, tmp_path: Path) -> None:
    layouts = {"B": shards("width", banks, 1, memory="dram")}
    kernel = verified(tmp_path, matmul(32, 4096, 4096, layouts=layouts), target=TARGET)
    lies = kernel.buffer("B").shards
    assert lies is not None
    assert len(kernel.work) == cores
    for item in kernel.work:
        columns = [
            column
            for tile in tile_ids(item, kernel.order, kernel.grid)
            for column in range(tile * kernel.unit_tiles[1], min((tile + 1) * kernel.unit_tiles[1], 128))
        ]
        assert len({column // lies.tiles[1] for column in columns}) == 1
    assert kernel.pages_read == {"A": 128, "B": 128 * 128}


def test_cores_share_the_inner_dimension_of_a_narrow_matmul(tmp_path: Path) -> None:
    kernel = verified(tmp_path, matmul(32, 14336, 64), target=TARGET)
    assert kernel.parts is not None
    assert kernel.parts.count * 2 == len(kernel.work)
    assert len(kernel.work) >= 32
    assert kernel.pages_read == {"A": 448, "B": 448 * 2}
    assert kernel.pages_written == {"Y": 2}


@pytest.mark.parametrize("grid", [[8, 8], [5, 4]])
def test_declared_parts_do_not_depend_on_the_grid(grid: list[int], tmp_path: Path) -> None:
    spec = matmul(32, 1480, 60, compute="Y = A @ B + r", k_split=5, k_block=64)
    kernel = verified(tmp_path, spec, target={"arch": "wormhole_b0", "grid": grid})
    assert kernel.parts is not None
    assert (kernel.parts.count, kernel.parts.tiles, kernel.parts.total) == (5, 10, 47)


def test_no_parts_where_blocks_keep_the_cores_busy(tmp_path: Path) -> None:
    assert verified(tmp_path, matmul(512, 4096, 512), target=TARGET).parts is None
    assert verified(tmp_path, matmul(32, 14336, 64, k_split=1), target=TARGET).parts is None


@pytest.mark.parametrize(
    ("words", "spec"),
    [
        (["has that block", "the shards of 'Y' are its blocks"],
         matmul(256, 64, 256, layouts={"Y": shards("block", 4, 4)}, block=[32, 32])),
        (["mcast_1d_in0", "the shards of 'Y' are its blocks, 1 of them in a row"],
         matmul(256, 64, 256, layouts={"Y": shards("height", 8, 1)}, algorithm="mcast_1d_in0")),
        (["k_split", "2 x 8 x 2 tiles cannot be cut so"], matmul(64, 256, 64, k_split=5)),
        (["k_split", "cannot be cut so"], matmul(256, 2048, 256, k_split=2, algorithm="mcast_2d")),
    ],
)  # fmt: skip
def test_refused(words: list[str], spec: dict[str, Any], tmp_path: Path) -> None:
    text = rejection(tmp_path, spec, target=TARGET)
    assert "error[TTB202]" in text, text
    assert all(word in text for word in words), text
