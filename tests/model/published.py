"""The published matmuls as candidates: their blocks as tt-metal's benchmark chooses them."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec

from tt_build.model.matmul import PHASES, Candidate, estimate
from tt_build.targets import DTYPES

DATA = Path(__file__).parent / "data" / "gemm_flops.csv"
MORE_STEPS = {("bfloat16", 64, 96, 96): 2, ("bfloat16", 96, 96, 96): 4, ("bfloat16", 128, 128, 128): 4}
"""in0_block_w_div by dtype and tiles, 1 where it is not named (tests/ttnn/unit_tests/benchmarks/test_benchmark.py)."""


class Row(msgspec.Struct, frozen=True):
    """A published matmul. ``utilization`` is the matrix engine's shortest time over that of the compute kernel, which
    ends before the last results have left.
    """

    name: str
    arch: str
    held_out: bool
    candidate: Candidate
    utilization: float


def error(row: Row) -> float:
    """Estimated over published cycles, minus one."""
    found = estimate(row.candidate, row.arch)
    return (found.cycles - found.drain_cycles) / (found.ideal_cycles / row.utilization) - 1


def rows() -> list[Row]:
    """Every row of the data file. The rows whose tensors all lie in DRAM were not used to fit the constants."""
    lines = [line for line in DATA.read_text().splitlines() if not line.startswith("#")]
    return [_row(cells) for cells in csv.DictReader(lines)]


def _row(cells: dict[str, str]) -> Row:
    m, k, n = (int(cells[key]) // 32 for key in ("m", "k", "n"))
    columns, lines = int(cells["grid_x"]), int(cells["grid_y"])
    dtype, in_dram = cells["dtype"], cells["in0"] == "dram"
    tile = DTYPES[dtype].tile_bytes
    share = -(-m // lines), -(-n // columns)
    steps = columns * MORE_STEPS.get((dtype, m, k, n), 1)
    candidate = Candidate(
        m=m,
        n=n,
        k=k,
        algorithm="mcast_2d",
        grid=(columns, lines),
        block=share,
        k_block=-(-k // steps),
        subblock=_subblock(share),
        a=tile,
        b=tile,
        out=tile,
        partials=tile,
        phases=PHASES[cells["fidelity"]],
        a_memory="dram" if in_dram else "local",
        out_memory="dram" if in_dram else "local",
        processors=2,
    )
    name = f"{dtype} {cells['fidelity']} {cells['m']} x {cells['k']} x {cells['n']}"
    return Row(name, cells["arch"], in_dram, candidate, float(cells["utilization"]) / 100)


def _subblock(share: tuple[int, int]) -> tuple[int, int]:
    """The largest of at most eight tiles that divides the share, the wider of two."""
    sizes = [(h, w) for h in range(1, 9) for w in range(1, 9) if h * w <= 8 and not share[0] % h and not share[1] % w]
    return max(sizes, key=lambda size: (size[0] * size[1], size[1]))
