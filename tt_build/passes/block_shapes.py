"""Blocks of a matmul's output, the cores that have them, and their order: every way in which cores work in step.

Used by ``blockings``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from tt_build.ir.stages import Parts
from tt_build.ir.work import Grid
from tt_build.model.matmul import Algorithm
from tt_build.passes.block_costs import l1_bytes
from tt_build.passes.block_problem import Problem
from tt_build.passes.block_steps import SHARES, fits_in_turn, least
from tt_build.passes.placement import Placement

FEWEST_TILES = 8
"""Of K in a part, unless parts are declared: less is done faster than sent."""


_MOST_ROUNDS = 64
"""Blocks of a core at most."""


WIDE_STEP = 4
"""K tiles of a step in which the matrix engine takes longer than the packer."""


class Split(msgspec.Struct, frozen=True):
    """Blocks of which several cores have a part of K each."""

    cores: tuple[int, int]
    block: tuple[int, int]
    grid: Grid
    policy: str
    order: str
    parts: Parts


def splits(problem: Problem, algorithm: Algorithm) -> Iterator[Split]:
    """Where fewer than half of the cores have blocks: rows of cores, or columns, with the parts of K.

    The output is one block along the axis of the parts. How many there are follows from the shape, or is declared.
    """
    fixed, (width, height) = problem.fixed, problem.cores
    if problem.placement is not None or fixed.k_split == 1 or algorithm == "mcast_2d":
        return
    if problem.matmuls > 1 or problem.prologues:
        return
    for axis in ("rows", "columns"):
        whole, cut = (problem.m, problem.n) if axis == "rows" else (problem.n, problem.m)
        for size in _parts_of(cut, width * height // 2):
            block = (whole, size) if axis == "rows" else (size, whole)
            blocks = -(-cut // size)
            if fixed.block not in (None, block) or (axis == "columns" and problem.m == size):
                continue
            for parts in _k_parts(problem, axis):
                across, down = (blocks, parts.count) if axis == "rows" else (parts.count, blocks)
                grid = Grid(x=across, y=down, z=problem.z)
                if grid.units > width * height:
                    continue
                if algorithm == "reuse":
                    policy = fixed.policy or "contiguous"
                    yield Split((width, height), block, grid, policy, fixed.order or "row_major", parts)
                elif SHARES[algorithm] == (("in0",) if axis == "rows" else ("in1",)) and blocks > 1 and problem.z == 1:
                    order = "row_major" if axis == "rows" else "column_major"
                    if width % blocks == 0 or blocks % width == 0:  # cores with the same part lie side by side
                        yield Split((width, height), block, grid, "contiguous", order, parts)
                    elif across <= width and down <= height:
                        yield Split((across, down), block, grid, "rectangular", "row_major", parts)


def _k_parts(problem: Problem, axis: Literal["rows", "columns"]) -> Iterator[Parts]:
    """Parts of K of equal size but the last, none of which is empty."""
    wished = [problem.fixed.k_split] if problem.fixed.k_split else [2, 4, 8, 16, 32, 64]
    for count in wished:
        tiles = -(-problem.k // count)
        if -(-problem.k // tiles) == count and (problem.fixed.k_split or tiles >= FEWEST_TILES):
            yield Parts(axis=axis, count=count, tiles=tiles, total=problem.k, spread=True)


def shapes(problem: Problem, algorithm: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Cores in use, block, policy and order."""
    if problem.placement is not None:
        yield from _on_shards(problem, problem.placement, algorithm)
    elif algorithm == "reuse":
        yield from _independent(problem)
    elif algorithm == "mcast_2d":
        yield from _planes(problem)
    else:
        yield from _lines(problem, algorithm)


def _on_shards(
    problem: Problem, placement: Placement, algorithm: str
) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """A block for each shard; cores share what is the same in a row or a column of the grid of units."""
    cores, fixed = _extent(placement.cores), problem.fixed
    if problem.z > 1 and problem.m % placement.rows:  # a shard that spans two matrices
        return
    across, down = placement.across, -(-problem.m // placement.rows)
    lines = {"mcast_1d_in0": down * problem.z, "mcast_1d_in1": across}  # one line of cores
    shares = SHARES[algorithm]
    if ("in0" in shares and (across < 2 or placement.local)) or ("in1" in shares and (down < 2 or problem.z > 1)):
        return
    if lines.get(algorithm, 1) > 1:
        return
    widths = [placement.columns] if placement.columns else _parts_of(problem.n, _MOST_ROUNDS)
    for columns in widths:
        if fixed.block is None or fixed.block == (placement.rows, columns):
            yield cores, (placement.rows, columns), "rectangular", fixed.order or "row_major"


def _extent(cores: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Columns and rows of the smallest rectangle that holds the cores."""
    columns, rows = zip(*cores, strict=True)
    return max(columns) - min(columns) + 1, max(rows) - min(rows) + 1


def _independent(problem: Problem) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    fixed, (width, height) = problem.fixed, problem.cores
    most = 2 * width * height
    rows = [fixed.block[0]] if fixed.block else _parts_of(problem.m, most)
    columns = [fixed.block[1]] if fixed.block else sorted({*_parts_of(problem.n, most), *_bank_blocks(problem)})
    for m in rows:
        for n in columns:
            yield (width, height), (m, n), fixed.policy or "contiguous", fixed.order or "row_major"


def _parts_of(extent: int, most: int) -> list[int]:
    """Sizes of the blocks of an axis that is cut into 1, 2, ... parts, each size once."""
    return sorted({-(-extent // parts) for parts in range(1, min(extent, most) + 1)})


def _planes(problem: Problem) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Rectangles of at least 2 x 2 cores, each with as many blocks across and down."""
    order = problem.fixed.order or "row_major"
    useful = min(problem.cores[0], problem.n) * min(problem.cores[1], problem.m) if problem.fixed.block is None else 0
    for across, down in _rectangles(problem.cores):
        if across < 2 or down < 2 or 2 * across * down < useful:
            continue
        for rows, columns in _blocks(problem, down, across):
            yield (across, down), (rows, columns), "rectangular", order


def _lines(problem: Problem, algorithm: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, str]]:
    """Cores side by side along the operand that they do not share."""
    along_columns = algorithm == "mcast_1d_in0"
    for across, down in _rectangles(problem.cores):
        count = across * down
        if count < 2:
            continue
        parts = (1, count) if along_columns else (count, 1)
        for rows, columns in _blocks(problem, *parts):
            yield (across, down), (rows, columns), "strided", "row_major" if along_columns else "column_major"
    for columns in _bank_blocks(problem) if along_columns else ():
        count = -(-problem.n // columns)
        fits = [cores for cores in _rectangles(problem.cores) if cores[0] * cores[1] == count > 1]
        known = -(-problem.n // count) == columns or problem.fixed.block not in (None, (problem.m, columns))
        if fits and not known:
            yield fits[0], (problem.m, columns), "strided", "row_major"


def _bank_blocks(problem: Problem) -> list[int]:
    """Columns of blocks that lie in one bank each."""
    return [size for size in range(1, problem.bank_columns + 1) if problem.bank_columns % size == 0]


def _rectangles(cores: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for across in range(cores[0], 0, -1):
        for down in range(cores[1], 0, -1):
            yield across, down


def _blocks(problem: Problem, down: int, across: int) -> Iterator[tuple[int, int]]:
    """Blocks of which each core has as many rows and columns of blocks as the others; the largest that fit L1.

    Where the output does not fit L1 in one block a core, several follow each other: smaller blocks would let results
    leave earlier, and read operands again. Where blocks of all cores fit beside short steps along K alone, there are
    smaller ones, too: in each step the packer adds to the whole product.
    """
    fixed = problem.fixed.block
    if fixed is not None:
        if -(-problem.m // fixed[0]) % down == 0 and -(-problem.n // fixed[1]) % across == 0:
            yield fixed
        return
    deepest, widest = problem.m // down, problem.n // across  # more blocks a core than tiles are none
    for rounds in range(1, min(_MOST_ROUNDS, deepest * widest) + 1):
        fits = False
        for below in range(1, min(rounds, deepest) + 1):
            if rounds % below or rounds // below > widest:
                continue
            parts = down * below, across * (rounds // below)
            block = -(-problem.m // parts[0]), -(-problem.n // parts[1])
            if (-(-problem.m // block[0]), -(-problem.n // block[1])) != parts:
                continue
            whole = l1_bytes(problem, least(problem, block, 1)) <= problem.budget
            if not whole and rounds == 1 and problem.prologues:
                yield from [block] if fits_in_turn(problem, block) else []
            if whole:
                wide = min(WIDE_STEP, problem.k) if across * down == problem.cores[0] * problem.cores[1] else 1
                fits |= l1_bytes(problem, least(problem, block, wide)) <= problem.budget
                yield block
        if fits:
            return
