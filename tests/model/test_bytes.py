"""Bytes that cross cores, against the emulator's counters: multicasts, a single receiver, exchanged parts, shards.

Every kernel of kernels.yaml and the library is compared where it is verified (``tests/end_to_end/test_gates.py``), and
every random program where it is proven (``tests/programs/prove.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.model.counters import counted, without_operations
from tests.support import elementwise, verified
from tt_build.codegen.files import emit
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.model.traffic import traffic_of
from tt_build.targets import load_arch

BLOCK = {"memory": "l1", "sharding": "block", "grid": [2, 2]}
KERNELS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "a row for three cores and one": (elementwise("C = A + row", [160, 96]), [5, 1]),
    "a row for one other core": (elementwise("C = A + row", [64, 96]), [2, 1]),
    "parts that are exchanged": (
        {
            "inputs": {"A": {"shape": [32, 2048]}},
            "outputs": {"C": {"shape": [32, 1]}},
            "compute": "C = sum(A, axis=-1)",
        },
        [4, 4],
    ),
    "operands along rows and columns": (
        {
            "inputs": {"A": {"shape": [96, 160]}, "B": {"shape": [160, 96]}, "r": {"shape": [1, 96]}},
            "outputs": {"C": {"shape": [96, 96]}},
            "compute": "C = A @ B + r",
            "schedule": {"matmul": {"algorithm": "mcast_2d", "block": [32, 32], "k_block": 64}},
        },
        [3, 3],
    ),
    "shards that are sent in turn": (
        {
            "inputs": {"A": {"shape": [128, 192], "layout": BLOCK}, "B": {"shape": [192, 128]}},
            "outputs": {"C": {"shape": [128, 128], "layout": BLOCK}},
            "compute": "C = A @ B",
            "schedule": {"matmul": {"algorithm": "mcast_2d"}},
        },
        [2, 2],
    ),
    "parts of K": (
        {
            "inputs": {"A": {"shape": [64, 320]}, "B": {"shape": [320, 64]}},
            "outputs": {"C": {"shape": [64, 64]}},
            "compute": "C = A @ B",
            "schedule": {"matmul": {"k_split": 3}},
        },
        [3, 2],
    ),
    "an operand for all cores": (
        {
            "inputs": {"A": {"shape": [64, 128]}, "B": {"shape": [128, 256]}},
            "outputs": {"C": {"shape": [64, 256]}},
            "compute": "C = A @ B",
            "schedule": {"matmul": {"algorithm": "mcast_1d_in0"}},
        },
        [4, 1],
    ),
    "shards in L1 that are read from elsewhere": (
        {
            "inputs": {
                "A": {"shape": [128, 128], "layout": BLOCK},
                "B": {"shape": [128, 128], "layout": "l1_interleaved"},
            },
            "outputs": {"C": {"shape": [128, 128]}},
            "compute": "C = A @ B",
        },
        [4, 2],
    ),
    "rows of a row-major tensor": (
        {
            "inputs": {"A": {"shape": [70, 50], "format": "row_major", "dtype": "float32"}},
            "outputs": {
                "C": {"shape": [70, 50], "format": "row_major", "dtype": "float32", "layout": "l1_interleaved"}
            },
            "compute": "C = A * 2",
        },
        [2, 2],
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_bytes_are_the_emulator_s(name: str, tmp_path: Path) -> None:
    declared, grid = KERNELS[name]
    kernel = verified(tmp_path, declared, target={"arch": "wormhole_b0", "grid": grid})
    for file, content in emit(kernel).items():
        (tmp_path / file).write_bytes(content)
    inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
    counters = run(load_plan(tmp_path / "tt.plan.json"), tmp_path, inputs).counters
    assert counted(kernel) == without_operations(counters)


def test_cores_and_banks_add_up(tmp_path: Path) -> None:
    """Each core and each bank has its part: 3 x 3 output tiles with K of 2 on four cores, 12 banks."""
    declared = {
        "inputs": {"A": {"shape": [96, 64]}, "B": {"shape": [64, 96]}},
        "outputs": {"C": {"shape": [96, 96]}},
        "compute": "C = A @ B",
        "schedule": {"matmul": {"algorithm": "streaming"}},
    }
    kernel = verified(tmp_path, declared, target={"arch": "wormhole_b0", "grid": [4, 1]})
    traffic = traffic_of(kernel, load_arch("wormhole_b0"))
    tile = 2048
    units = [item.count for item in kernel.work]
    assert [core.dram_read for core in traffic.cores.values()] == [4 * n * tile for n in units]
    assert [core.dram_written for core in traffic.cores.values()] == [n * tile for n in units]
    assert traffic.bank_written == (*(tile for _ in range(9)), 0, 0, 0)
    assert traffic.bank_requests[:6] == tuple(
        3 + 3 + 1 for _ in range(6)
    )  # A and B have 6 pages, each read three times
    assert traffic.tensors == {"A": (18 * tile, 0), "B": (18 * tile, 0), "C": (0, 9 * tile)}
    assert traffic.compulsory == (6 + 6 + 9) * tile
    assert traffic.ratio == pytest.approx(45 / 21)
