"""The model against tt-metal's published matmuls, within the errors that docs/cost-model.md states."""

from __future__ import annotations

import pytest

from benchmarks.published_matmuls import PAGE, table
from tests.model.published import error, rows
from tt_build.model.matmul import estimate

WORST = {
    ("wormhole_b0", False): (55, 0.055, 0.18),
    ("wormhole_b0", True): (23, 0.078, 0.18),
    ("blackhole", False): (55, 0.034, 0.22),
    ("blackhole", True): (23, 0.055, 0.15),
}
"""Rows, mean and largest relative error of the cycles, by architecture and whether the rows were held out."""


@pytest.mark.parametrize(("arch", "held_out"), WORST)
def test_published_matmuls_are_reproduced(arch: str, held_out: bool) -> None:
    errors = [abs(error(row)) for row in rows() if (row.arch, row.held_out) == (arch, held_out)]
    count, mean, largest = WORST[arch, held_out]
    assert len(errors) == count
    assert sum(errors) / count <= mean
    assert max(errors) <= largest


def test_what_bounds_the_published_matmuls() -> None:
    """Wormhole's bfloat16 HiFi2 waits for the unpackers and its HiFi4 for the engine; short M waits for the sender."""
    bounds = {(row.arch, row.name): estimate(row.candidate, row.arch).bound for row in rows()}
    assert bounds["wormhole_b0", "bfloat16 HiFi2 2048 x 2048 x 2048"] == "unpack"
    assert bounds["wormhole_b0", "bfloat16 HiFi4 2048 x 2048 x 2048"] == "math"
    assert bounds["blackhole", "bfloat16 HiFi2 2560 x 3328 x 3328"] == "math"
    assert bounds["wormhole_b0", "bfloat16 HiFi2 512 x 1024 x 2048"] == "reader"


def test_the_page_s_table_is_current() -> None:
    assert table() in PAGE.read_text(), "run python -m benchmarks.published_matmuls --write"
