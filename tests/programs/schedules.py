"""Random schedules and layouts for a program: policies, orders, regions of cores, interleaved and sharded tensors.

No bit of a result may depend on them (semantics.md, ``Results``).
"""

from __future__ import annotations

import copy
import math
from typing import Any

from hypothesis import strategies as st

Kernel = dict[str, Any]
Draw = Any

POLICIES = ("contiguous", "strided", "rectangular")
ORDERS = ("row_major", "column_major", "serpentine", "z_order")


def scheduled(program: Kernel, draw: Draw) -> Kernel:
    """The same program under a drawn policy, order, region and layouts."""
    program = copy.deepcopy(program)
    kernel, (columns, rows) = program["kernel"], program["target"]["grid"]
    schedule: dict[str, Any] = {"policy": draw(st.sampled_from(POLICIES)), "order": draw(st.sampled_from(ORDERS))}
    if draw(st.booleans()):
        x, y = draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1))
        size = [draw(st.integers(1, columns - x)), draw(st.integers(1, rows - y))]
        schedule["cores"] = {"at": [x, y], "size": size}
    for tensor in (*kernel["inputs"].values(), *kernel["outputs"].values()):
        tensor["layout"] = draw(st.sampled_from(["dram_interleaved", "l1_interleaved"]))
    if draw(st.integers(0, 2)) == 0:
        _shard(draw, kernel, columns, rows)
    if not _places_itself(kernel):
        kernel["schedule"] = schedule
    else:
        kernel["schedule"] = {"order": schedule["order"]}
    return program


def _shard(draw: Draw, kernel: Kernel, columns: int, rows: int) -> None:
    """Shard some tensors; often several of one shape alike, so that circular buffers lie on shards."""
    known: dict[str, Any] = {}
    for tensor in (*kernel["outputs"].values(), *kernel["inputs"].values()):
        if draw(st.integers(0, 2)) == 0 or "format" in tensor:
            continue
        shape = str(tensor["shape"])
        if shape not in known or draw(st.integers(0, 3)) == 0:
            known[shape] = draw(_sharding(tensor["shape"], columns, rows))
        if known[shape] is not None:
            tensor["layout"] = known[shape]


@st.composite
def _sharding(draw: Draw, shape: list[int], columns: int, rows: int) -> Any:
    """A sharded layout that fits the tensor, None where the drawn one does not."""
    lines = math.prod(shape[:-2]) * -(-(shape[-2] if len(shape) > 1 else 1) // 32)
    tiles = lines, -(-shape[-1] // 32)
    memory = draw(st.sampled_from(["l1", "l1", "dram"]))
    kind = draw(st.sampled_from(["height", "width", "block"] if memory == "l1" else ["height", "width"]))
    order = draw(st.sampled_from(["row_major", "column_major"]))
    limit = (columns, rows) if memory == "l1" else (7, 1)
    grid = draw(st.integers(1, limit[0])), draw(st.integers(1, limit[1]))
    counts = (grid[1], grid[0]) if order == "row_major" else grid
    if kind != "block":
        counts = (grid[0] * grid[1], 1) if kind == "height" else (1, grid[0] * grid[1])
    for total, count in zip(tiles, counts, strict=True):
        if (count - 1) * -(-total // count) >= total:
            return None
    return {"memory": memory, "sharding": kind, "grid": list(grid), "order": order}


def _places_itself(kernel: Kernel) -> bool:
    """Whether a schedule may contradict the shards: work may be placed where they lie."""
    first = [next(iter(kernel["outputs"].values())), next(iter(kernel["inputs"].values()))]
    return any(isinstance(t["layout"], dict) and t["layout"]["memory"] == "l1" for t in first)


@st.composite
def variants(draw: Draw, program: Kernel) -> Kernel:
    """The program under another schedule, perhaps on another grid of cores."""
    other = copy.deepcopy(program)
    other["target"]["grid"] = list(draw(st.sampled_from([(1, 1), (2, 3), (4, 4), (8, 8)])))
    return scheduled(other, draw)
