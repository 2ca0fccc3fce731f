"""Attention of few queries and a long cache, used by ``flash_schedule``: how many cores share the keys of a unit."""

from __future__ import annotations

import msgspec

from tt_build.ir.stages import Parts

MOST_ROWS = 4  # tiles of queries: with more of them there are blocks of queries for other cores
FEWEST_KEYS = 4  # tiles a part: less is done faster than sent
PART_COST = 1.5  # what a part more costs the core that puts them together, in tiles of keys
MOST_KEYS = (16, 8, 4)  # tiles a step, the first that fit


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's tiles of keys and of values; how many units there are, on as many cores; L1 for circular buffers.

    Bytes: ``unit`` of what does not depend on the parts, ``key`` of a tile of keys a step, ``part`` of each part.
    """

    sequence: int
    units: int
    cores: int
    budget: int
    unit: int
    key: int
    part: int


def split_keys(problem: Problem) -> tuple[Parts, int] | None:
    """The parts of a unit and the tiles of keys a step; None where one core does it as fast, or all cores have work."""
    best: tuple[float, int, int, int] | None = None
    for wished in range(1, min(problem.cores // problem.units, problem.sequence // FEWEST_KEYS) + 1):
        for most in MOST_KEYS:
            size, keys = _steps(-(-problem.sequence // wished), most)
            count = -(-problem.sequence // size)
            if problem.unit + problem.key * keys + problem.part * count <= problem.budget:
                cost = size + PART_COST * (count if count > 1 else 0)
                best = min(best or (cost, count, size, keys), (cost, count, size, keys))
                break
    if best is None or best[1] < 2:
        return None
    _, count, size, keys = best
    return Parts(axis="columns", count=count, tiles=size, total=problem.sequence, spread=True), keys


def _steps(tiles: int, most: int) -> tuple[int, int]:
    """Tiles of a part of about so many, in whole steps, and tiles a step: fours, which are subblocks of DST."""
    steps = -(-tiles // most)
    keys = -(-tiles // steps)
    keys += -keys % 4
    return steps * keys, keys
