"""What a bfloat16 DST loses while ``sum`` and ``mean`` add up tiles.

A sum goes through the vector engine (``passes/tensorize_sweeps.py``): tiles are added into one tile, element by
element, which is then summed within itself, once for each reduced axis; where several cores have parts of the sum,
their tiles are added at last. Additions are fp32 inside; what goes back to DST is truncated (``MAD`` of the op table).
So for one result, with the places ``i`` of a tile, tiles ``t`` and ``u`` the spacing of bfloat16:

- ``h[i, t]`` is what place ``i`` holds after tile ``t``. Parts begin anywhere, so it is at most the distance of the sum
  up to ``t`` from any sum before it, along rows of tiles, and along rows of tiles within any columns of tiles.
- Truncation takes ``u(h) / 2`` towards zero, and up to as much of either sign by chance. The first depends on the sign
  of the sums alone: with ``b[i]`` the sum of ``u(h) / 2`` over ``t`` it is the sum over places of ``b[i]`` times the
  mean sign of its sums, and by chance ``4 sqrt(sum b^2)`` beside that, where parts have other signs than the whole. The
  second is ``4 sqrt(sum (u / 2)^2)``, seven standard deviations. Never more than ``sum u(h)``.
- Within a tile each line is stored once for each axis, columns first, and a result is added to for each part: ``u`` of
  what is held each time, which is at most the largest distance of two sums over these lines.
"""

from __future__ import annotations

import math

import numpy as np

from tt_build.verify.values import TINY, Array, magnitude, ulp

MOST_PARTS, FEWEST_TILES = 64, 8
"""Parts of a sum at most, and tiles in each at least, whatever schedule computes it."""

_TILE = 32
_DEVIATIONS = 4.0


def lost_in_bf16(data: Array, axes: tuple[int, ...]) -> Array:
    """The most that a sum of ``data`` [b, a, M, N] over negative ``axes`` loses, dimensions kept."""
    finite = np.where(np.isfinite(data), data, 0.0)
    rows, columns = (-(-extent // _TILE) for extent in finite.shape[-2:])
    padding = [(0, 0), (0, 0)] + [(0, -extent % _TILE) for extent in finite.shape[-2:]]
    places = np.pad(finite, padding).reshape(*finite.shape[:-2], rows, _TILE, columns, _TILE)
    tiles = tuple({-2: -4, -1: -2}[axis] for axis in sorted(axes))
    lines = tuple({-2: -3, -1: -1}[axis] for axis in sorted(axes))
    sums, held = _held(places, tiles)
    spacing = ulp(held, 7)
    common = 0.5 * spacing.sum(axis=tiles, keepdims=True)
    signed = (common * np.sign(sums).mean(axis=tiles, keepdims=True)).sum(axis=lines, keepdims=True)
    chance = np.sqrt((common**2).sum(axis=lines, keepdims=True))
    chance = chance + np.sqrt((0.25 * spacing**2).sum(axis=(*tiles, *lines), keepdims=True))
    whole = spacing.sum(axis=(*tiles, *lines), keepdims=True)
    lost = np.minimum(whole, magnitude(signed) + _DEVIATIONS * chance) + _within(places, tiles, lines)
    kept = [1 if axis in axes else finite.shape[axis] for axis in (-2, -1)]
    lost = lost.reshape(*finite.shape[:-2], lost.shape[-4] * lost.shape[-3], lost.shape[-2] * lost.shape[-1])
    return np.asarray(lost[..., : kept[0], : kept[1]] + TINY)


def _held(places: Array, tiles: tuple[int, ...]) -> tuple[Array, Array]:
    """The sum up to each tile, and how far it is at most from one before it."""
    if len(tiles) == 1:
        sums = np.cumsum(places, axis=tiles[0])
        return sums, _distance(sums, tiles[0])
    *leading, rows, height, columns, width = places.shape
    in_turn = np.moveaxis(places, -2, -3).reshape(*leading, rows * columns, height, width)
    sums = np.cumsum(in_turn, axis=-3)
    sums, along = (
        np.moveaxis(found.reshape(*leading, rows, columns, height, width), -3, -2)
        for found in (sums, _distance(sums, -3))
    )
    within = np.cumsum(places, axis=-2)
    above = np.cumsum(within, axis=-4) - within  # of all the rows before, up to each column
    spread = np.maximum(above.max(axis=-2, keepdims=True), 0.0) - np.minimum(above.min(axis=-2, keepdims=True), 0.0)
    return sums, np.maximum(along, spread + _distance(within, -2))


def _distance(sums: Array, axis: int) -> Array:
    """How far each of the sums is at most from one before it, 0 among them."""
    least = np.minimum(np.minimum.accumulate(sums, axis=axis), 0.0)
    most = np.maximum(np.maximum.accumulate(sums, axis=axis), 0.0)
    return np.asarray(np.maximum(sums - least, most - sums))


def _within(places: Array, tiles: tuple[int, ...], lines: tuple[int, ...]) -> Array:
    """What is lost within the last tile, and while parts are added."""
    lost, spacing = np.zeros(()), np.zeros(())
    for count, line in enumerate(lines, 1):
        places = places.sum(axis=line, keepdims=True)
        spacing = ulp(_held(places, tiles)[1].max(axis=tiles, keepdims=True), 7)
        left = lines[count:]
        lost = lost + (spacing.sum(axis=left, keepdims=True) if left else spacing)
    parts = min(MOST_PARTS, math.prod(places.shape[axis] for axis in tiles) // FEWEST_TILES)
    return np.asarray(lost + (parts * spacing if parts > 1 else 0.0))
