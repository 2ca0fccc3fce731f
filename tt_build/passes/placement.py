"""Work where the data lie: a tensor sharded in L1 decides which core computes what (semantics.md, ``Local shards``).

Used by ``infer_schedule``.
"""

from __future__ import annotations

import math

import msgspec

from tt_build.ir.stages import TILE, DefaultedKernel, Shards, Tensor
from tt_build.ir.work import CoreWork, Grid, tile_ids
from tt_build.passes.common import refuse
from tt_build.passes.pages import tiles_of
from tt_build.passes.shard_to_core_map import cover
from tt_build.passes.shards import shards_of
from tt_build.spec.model import CoreRegion, Sharding
from tt_build.targets import Arch

Core = tuple[int, int]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Shards in L1 that place the blocks of a matmul: those of the output, or of the rows of the first operand.

    A shard has ``rows`` x ``columns`` output tiles; ``columns`` is 0 where the first operand places rows, which a core
    may cut into blocks of any width. Shards lie on ``cores``, row by row, ``across`` of them side by side. ``local``:
    what a core needs of the first operand lies on it. ``k_tiles``: the first operand is cut like the output, and each
    core of a row holds so many of its columns; else 0.
    """

    tensor: str
    rows: int
    columns: int
    across: int
    cores: tuple[Core, ...]
    local: bool
    k_tiles: int = 0

    @property
    def by_operand(self) -> bool:
        """Whether the first operand places the work."""
        return self.columns == 0


def block_placement(kernel: DefaultedKernel, first: Tensor | None, arch: Arch) -> Placement | None:
    """What places the blocks of the kernel's matmuls, whose first operand is ``first`` where they share one."""
    output = kernel.outputs[0]
    rows_of_first = _held_rows(kernel, first, arch) if first is not None else None
    if _in_l1(output):
        shards = shards_of(kernel, output, arch)
        (rows, columns), (_, across) = shards.tiles, shards.counts
        alike = rows_of_first is not None and (rows_of_first.tiles[0], rows_of_first.cores) == (rows, shards.cores)
        return Placement(
            tensor=output.name,
            rows=rows,
            columns=columns,
            across=across,
            cores=shards.cores,
            local=alike,
            k_tiles=_held_columns(kernel, first, shards, arch) if first is not None else 0,
        )
    if first is None or rows_of_first is None:
        return None
    rows, cores = rows_of_first.tiles[0], rows_of_first.cores
    return Placement(tensor=first.name, rows=rows, columns=0, across=1, cores=cores, local=True)


def _held_rows(kernel: DefaultedKernel, first: Tensor, arch: Arch) -> Shards | None:
    """The shards of a first operand in L1 where each has whole rows, and nothing of them need be zeroed."""
    output = kernel.outputs[0]
    if not _in_l1(first) or first.batch != output.batch or first.matrix[1] % TILE:
        return None
    shards = shards_of(kernel, first, arch)
    return shards if shards.counts[1] == 1 else None


def _held_columns(kernel: DefaultedKernel, first: Tensor, placing: Shards, arch: Arch) -> int:
    """Columns of tiles that each core of a row of output shards holds of a first operand, 0 where it is cut otherwise.

    The cores of a row are one rectangle, so that each can send its columns to all of them at once.
    """
    output = kernel.outputs[0]
    if not _in_l1(first) or first.batch != output.batch or first.matrix[1] % TILE or placing.counts[1] < 2:
        return 0
    shards, across = shards_of(kernel, first, arch), placing.counts[1]
    alike = (shards.counts, shards.cores, shards.tiles[0]) == (placing.counts, placing.cores, placing.tiles[0])
    rows = [placing.cores[at : at + across] for at in range(0, len(placing.cores), across)]
    return shards.tiles[1] if alike and all(len(cover(row)) == 1 for row in rows) else 0


def spans_matrices(tensor: Tensor, rows: int) -> bool:
    """Whether a shard of so many rows of tiles has some of two matrices."""
    return math.prod(tensor.batch) > 1 and tiles_of(tensor)[0] % rows != 0


def placing_tensor(kernel: DefaultedKernel) -> Tensor | None:
    """The first output where it is sharded in L1, else the first input where it is and has the output's tiles."""
    output = kernel.outputs[0]
    if _in_l1(output):
        return output
    for tensor in kernel.inputs[:1]:
        alike = tiles_of(tensor) == tiles_of(output) and tensor.batch == output.batch
        if _in_l1(tensor) and alike and not any(v.op == "matmul" for v in kernel.program.values):
            return tensor
    return None


def _in_l1(tensor: Tensor) -> bool:
    return isinstance(tensor.layout, Sharding) and tensor.layout.memory == "l1"


def shard_work(
    kernel: DefaultedKernel,
    tensor: Tensor,
    grid: Grid,
    scheduled: tuple[CoreWork, ...],
    arch: Arch,
    extent: tuple[int, int] | None = None,
) -> tuple[CoreWork, ...]:
    """Each core's shard as its work, in order of core ids; rejects a stated schedule that says otherwise (TTB211).

    A shard has ``extent`` units (down, across); where a unit is a tile, its tiles.
    """
    shards = shards_of(kernel, tensor, arch)
    (height, width), lines = extent or shards.tiles, grid.y * grid.z
    work: list[CoreWork] = []
    for index, core in enumerate(shards.cores):
        down, across = divmod(index, shards.counts[1])
        x, y = across * width, down * height
        w, h = min(width, grid.x - x), min(height, lines - y)
        work.append(
            CoreWork(
                core=core,
                core_id=core[1] * kernel.core_grid[0] + core[0],
                start=y * grid.x + x,
                count=w * h,
                rect=(x, y, w, h),
                planes=(0, 1) if grid.z == 1 else None,
            )
        )
    work.sort(key=lambda item: item.core_id)
    _check_stated(kernel, tensor, grid, tuple(work), scheduled)
    return tuple(work)


def _check_stated(
    kernel: DefaultedKernel, tensor: Tensor, grid: Grid, work: tuple[CoreWork, ...], scheduled: tuple[CoreWork, ...]
) -> None:
    choice = kernel.choice
    region = choice.cores if "cores" in choice.stated else None
    policy = choice.policy if "policy" in choice.stated else "rectangular"
    if region is None and policy == "rectangular":
        return
    if policy == "rectangular" and region is not None:
        agrees = region == shard_region(work)
    else:
        places = [{i.core: set(tile_ids(i, choice.order, grid)) for i in items} for items in (work, scheduled)]
        agrees = places[0] == places[1]
    if not agrees:
        key = "policy" if "policy" in choice.stated and policy != "rectangular" else "cores"
        stated = f"policy {policy}" if key == "policy" else f"a region of {region.size if region else ()} cores"
        refuse(
            kernel,
            "TTB211",
            f"'{tensor.name}' is sharded in L1, and work is placed where its shards lie; {stated} places it otherwise",
            path=("schedule", key),
            help="leave it out, or use an interleaved layout",
        )


def shard_region(work: tuple[CoreWork, ...]) -> CoreRegion:
    """The smallest rectangle of cores that holds the shards."""
    columns, rows = [item.core[0] for item in work], [item.core[1] for item in work]
    at = (min(columns), min(rows))
    return CoreRegion(at=at, size=(max(columns) - at[0] + 1, max(rows) - at[1] + 1))
