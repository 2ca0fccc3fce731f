"""Random matmuls, and random plans of those that the planner may choose for them."""

from __future__ import annotations

import copy
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from tests.programs.moved import moved
from tests.programs.prove import build
from tests.programs.schedules import Kernel
from tests.support import write_spec
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan
from tt_build.ir.stages import TILE, memory_of
from tt_build.passes import apply_defaults
from tt_build.passes.block_costs import Candidate
from tt_build.passes.blockings import legal
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
PROLOGUES = (
    "silu({})", "(sigmoid(gate) * {})", "exp({} * gamma)", "({} * column - scalar)", "(rmsnorm({}, 1e-5) * gamma)",
    "layernorm({}, 1e-5)", "softmax({} + bias, axis=-1)", "cast(tanh({}) + gate, bfloat16)",
    "cast(rmsnorm({}, 1e-5), bfloat8_b)", "({} - max({}, axis=-1))",
)  # fmt: skip
SECONDS = (
    "silu({})", "({} * scale)", "({} + offset * 0.5)", "cast(sigmoid({}) + scale, bfloat16)", "softmax({}, axis={k})",
    "({} - mean({}, axis={k}))", "({} * ({} + scale))",
)  # fmt: skip
"""Of second operands: ``scale`` is a number of each column, ``offset`` one of each row of the product's K."""


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
    shapes |= {"gate": [*batch, m, k], "gamma": [1, k], "bias": [*batch, 1, k]}
    prologue = draw(st.sampled_from(("{}", *PROLOGUES))) if draw(st.booleans()) else "{}"
    first_turned = (
        not batch and first != "float32" and prologue.count("{}") == 1 and "(" not in prologue and draw(st.booleans())
    )
    if first_turned:
        inputs["A"]["shape"] = [k, m]
        prologue = prologue.replace("{}", "{}.T")
    second = draw(st.sampled_from(("{}", "{}", *SECONDS)))
    shapes |= {"scale": [n, 1] if turned else [1, n], "offset": [1, k] if turned else [k, 1]}
    a = _operand(draw, "A", inputs)
    b = _operand(draw, "B", inputs)
    second = second.replace("{k}", "-1" if turned else "-2").replace("{}", b)
    product = f"({prologue.replace('{}', a)} @ {second}{'.T' if turned else ''})"
    if draw(st.integers(0, 4)) == 0:  # a gate: a second matmul that goes through K with the first
        dtype = draw(floats)  # a 16-bit DST has no float32 to transpose
        inputs["G"] = {**inputs["B"], "dtype": inputs["B"]["dtype"] if b.endswith(".T") else dtype}
        product = f"(sigmoid({product.replace('B', 'G')}) * {product})"
    text = epilogue.format(product)
    inputs |= {
        name: {"shape": shape, "dtype": draw(floats)}
        for name, shape in shapes.items()
        if re.search(rf"\b{name}\b", text)
    }
    kernel = {
        "inputs": inputs,
        "outputs": {"C": {"shape": [*batch, m, n], "dtype": draw(floats)}},
        "compute": f"C = {text}",
        "math": {"fp32_accumulate": draw(st.booleans())},
    }
    grid = draw(st.sampled_from([(2, 2), (3, 2), (2, 4), (5, 3), (8, 8)]))
    arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
    _lay(draw, kernel, grid, first_moved=a != "A")
    return {"kernel": kernel, "target": {"arch": arch, "grid": list(grid)}}


def _operand(draw: Draw, name: str, inputs: dict[str, Any]) -> str:
    """The operand of that name, one time in two a view of a tensor."""
    tensor = inputs[name]
    if 1 in tensor["shape"][-2:] or draw(st.booleans()):
        return name
    others = ("plain", "concat", "transpose") if name == "A" else ("plain", "concat")
    return moved(draw, name, tensor["shape"], inputs, dtype=tensor["dtype"], operand=True, without=others)


def _lay(draw: Draw, kernel: dict[str, Any], grid: tuple[int, int], *, first_moved: bool) -> None:
    """In most kernels shards in L1: of the output, of the first operand's rows, or of both alike."""
    where = draw(st.sampled_from(["", "", "", "output", "rows", *(["both", "turns"] if not first_moved else [])]))
    first, output = kernel["inputs"]["A"], kernel["outputs"]["C"]
    if not first_moved and first["shape"][-2] != output["shape"][-2]:  # transposed: no core has its own rows
        where = "output" if where else ""
    if where == "output":
        output["layout"] = _shards(draw, output["shape"], ["height", "width", "block"], grid)
        if "full" in kernel["inputs"] and draw(st.booleans()):
            kernel["inputs"]["full"]["layout"] = output["layout"]
    elif where == "turns":
        first["layout"] = _shards(draw, output["shape"], ["block", "width"], grid, first["shape"][-1])
        output["layout"] = first["layout"]
    elif where:
        first["layout"] = _shards(draw, first["shape"], ["height"], grid)
        if where == "both":
            output["layout"] = first["layout"]


def _shards(draw: Draw, shape: list[int], kinds: list[str], grid: tuple[int, int], other: int = 0) -> dict[str, Any]:
    """A layout whose shards cover the tensor on as many cores as the drawn kind of cut can use, or fewer.

    They also cover one with ``other`` columns.
    """
    rows = -(-shape[-2] // TILE) * math.prod(shape[:-2])
    widths = [-(-columns // TILE) for columns in (shape[-1], other or shape[-1])]
    kind, order = draw(st.sampled_from(kinds)), draw(st.sampled_from(["row_major", "column_major"]))
    x, y = draw(st.integers(1, grid[0])), draw(st.integers(1, grid[1]))

    def covers(x: int, y: int) -> bool:
        down, across = {"height": (x * y, 1), "width": (1, x * y), "block": (y, x)}[kind]
        if kind == "block" and order == "column_major":
            down, across = across, down
        return all((n - 1) * -(-total // n) < total for n, total in ((down, rows), *((across, w) for w in widths)))

    while not covers(x, y):
        x, y = (x - 1, y) if x >= y else (x, y - 1)
    return {"memory": "l1", "sharding": kind, "grid": [x, y], "order": order}


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
    """A matmul under a legal plan, and under another that may not change a bit: subblock, NoC, depth, order, links."""
    program = draw(matmuls())
    program["kernel"]["schedule"] = {"matmul": {"k_split": draw(st.sampled_from([1, 1, 2, 3]))}}
    found = plans(program)
    if not found:
        del program["kernel"]["schedule"]
        found = plans(program)
    assume(found)  # a shard that spans two matrices has no blocks
    plan = draw(st.sampled_from(found))
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
        "k_split": plan.blocking.k_parts,
        "subblock": [rows * TILE, columns * TILE],
        "noc": draw(st.integers(0, int(plan.blocking.k_parts == 1))),
        "depth": draw(st.integers(1, 2)),
    }
    if draw(st.integers(0, 2)) == 0:
        matmul["linked"] = False
    if plan.algorithm in ("reuse", "mcast_2d") and plan.blocking.k_parts == 1:
        matmul["order"] = draw(st.sampled_from(["row_major", "column_major", "serpentine", "z_order"]))
    program["kernel"]["schedule"] = {"matmul": matmul}
    return program


def check_bytes(program: Kernel) -> None:
    """The planner counts the bytes from DRAM that ``verify_ir`` proves, and those over the NoC that a run counts."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, plan = build(program, Path(folder) / "k")
        assert kernel.matmul_choice is not None
        taken = kernel.matmul_choice.taken
        size = {b.name: b.page_size * (memory_of(b.layout) == "dram") for b in kernel.buffers}
        moved = sum(size[n] * pages for n, pages in (*kernel.pages_read.items(), *kernel.pages_written.items()))
        assert taken.dram_bytes == moved
        inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
        counters = run(load_plan(plan), plan.parent, inputs).counters
        assert counters["dram_read_bytes"] + counters["dram_write_bytes"] == moved
        bound = {cb.buffer for cb in kernel.circular_buffers}
        if all(size[b.name] or b.name in bound for b in kernel.buffers):
            assert counters["noc_multicast_delivered_bytes"] + counters["noc_unicast_bytes"] == taken.noc_bytes
