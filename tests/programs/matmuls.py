"""Random matmuls, and random plans of those that the planner may choose for them."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.programs.prove import build
from tests.programs.schedules import Kernel
from tests.support import write_spec
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.ir.stages import TILE
from tt_build.passes import apply_defaults
from tt_build.passes.blockings import Candidate, legal
from tt_build.passes.matmul_schedule import matmul_problem
from tt_build.spec.loader import load_file
from tt_build.targets import load_arch

Draw = Any

MOST_TILES = 600  # products of tiles: a run on the emulator stays well under a second

extents = st.one_of(st.integers(1, 9).map(lambda n: TILE * n), st.integers(1, 300))
floats = st.sampled_from(["bfloat16", "bfloat16", "float32", "bfloat8_b"])
EPILOGUES = (
    "{}", "{}", "relu({})", "gelu({} + row)", "{} * column + full", "({} + full) * scalar", "silu({}) * full + row",
)  # fmt: skip


@st.composite
def matmuls(draw: Draw) -> Kernel:
    """A kernel with one matmul and what may stand behind it; a plan is still the planner's choice."""
    m, k, n = draw(extents), draw(extents), draw(extents)
    batch = draw(st.sampled_from([(), (), (), (2,), (2, 2)]))
    while -(-m // TILE) * -(-k // TILE) * -(-n // TILE) * 2 ** len(batch) > MOST_TILES:
        m, k, n = (max(1, extent * 2 // 3) for extent in (m, k, n))
    turned, shared = draw(st.booleans()), draw(st.booleans())
    epilogue = draw(st.sampled_from(EPILOGUES))
    first = draw(floats) if k % TILE == 0 else draw(st.sampled_from(["bfloat16", "float32"]))
    inputs: dict[str, Any] = {
        "A": {"shape": [*batch, m, k], "dtype": first},
        "B": {"shape": [*(() if shared else batch), *((n, k) if turned else (k, n))], "dtype": draw(floats)},
    }
    shapes = {"row": [1, n], "column": [*batch, m, 1], "full": [*batch, m, n], "scalar": [1, 1]}
    product = "(A @ B.T)" if turned else "(A @ B)"
    if draw(st.integers(0, 4)) == 0:  # a gate: a second matmul that goes through K with the first
        inputs["G"] = {**inputs["B"], "dtype": draw(floats)}
        product = f"(sigmoid({product.replace('B', 'G')}) * {product})"
    inputs |= {name: {"shape": shape, "dtype": draw(floats)} for name, shape in shapes.items() if name in epilogue}
    kernel = {
        "inputs": inputs,
        "outputs": {"C": {"shape": [*batch, m, n], "dtype": draw(floats)}},
        "compute": f"C = {epilogue.format(product)}",
        "math": {"fp32_accumulate": draw(st.booleans())},
    }
    grid = draw(st.sampled_from([(2, 2), (3, 2), (2, 4), (5, 3), (8, 8)]))
    arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
    return {"kernel": kernel, "target": {"arch": arch, "grid": list(grid)}}


def plans(program: Kernel) -> list[Candidate]:
    """Every legal plan of the kernel."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_file(write_spec(Path(folder), {"k": program["kernel"]}, target=program["target"]))
    assert not loaded.errors, loaded.errors
    declaration = loaded.declarations[0]
    arch = load_arch(declaration.target.arch)
    return legal(matmul_problem(apply_defaults.apply(declaration), arch))


@st.composite
def planned(draw: Draw) -> tuple[Kernel, Kernel]:
    """A matmul under a legal plan, and under another that may not change a bit: other subblock, NoC, depth, order."""
    program = draw(matmuls())
    plan = draw(st.sampled_from(plans(program)))
    return _under(program, plan, draw), _under(program, plan, draw)


def _under(program: Kernel, plan: Candidate, draw: Draw) -> Kernel:
    program, block = copy.deepcopy(program), plan.blocking.block
    most = 4 if program["kernel"]["math"]["fp32_accumulate"] else 8
    subblocks = [
        (rows, columns)
        for rows in range(1, most + 1)
        for columns in range(1, most // rows + 1)
        if block[0] % rows == 0 and block[1] % columns == 0
    ]
    rows, columns = draw(st.sampled_from(subblocks))
    matmul: dict[str, Any] = {
        "algorithm": plan.algorithm,
        "block": [block[0] * TILE, block[1] * TILE],
        "k_block": plan.blocking.k_block * TILE,
        "subblock": [rows * TILE, columns * TILE],
        "noc": draw(st.integers(0, 1)),
        "depth": draw(st.integers(1, 2)),
    }
    if plan.algorithm in ("reuse", "mcast_2d"):
        matmul["order"] = draw(st.sampled_from(["row_major", "column_major", "serpentine", "z_order"]))
    program["kernel"]["schedule"] = {"matmul": matmul}
    return program


def check_bytes(program: Kernel) -> None:
    """The planner counts the bytes from DRAM that ``verify_ir`` proves, and those over the NoC that a run counts."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, plan = build(program, Path(folder) / "k")
        assert kernel.matmul_choice is not None
        taken, size = kernel.matmul_choice.taken, {b.name: b.page_size for b in kernel.buffers}
        moved = sum(size[n] * pages for n, pages in (*kernel.pages_read.items(), *kernel.pages_written.items()))
        assert taken.dram_bytes == moved
        inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
        counters = run(load_plan(plan), plan.parent, inputs).counters
        assert counters["dram_read_bytes"] + counters["dram_write_bytes"] == moved
        assert counters["noc_multicast_delivered_bytes"] + counters["noc_unicast_bytes"] == taken.noc_bytes
