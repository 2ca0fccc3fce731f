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
- Where all that a place adds up has one sign, an addition never leaves less than was held: it loses at most what it
  adds, and all of that where it is below ``u(h)``. So no sum of that kind is lost whole, however long it is.
- Within a tile each line is stored once for each axis, columns first, and a result is added to for each part: ``u`` of
  what is held each time, which is at most the largest distance of two sums over these lines.

Where that is much of the sum, it is looked at more closely: either parts are long, or there are many of them. ``k``
parts are equally long (``passes/parts.py``), so ``h`` is a distance over at most ``1 / k`` of the tiles.
"""

from __future__ import annotations

import math

import numpy as np

from tt_build.verify.values import TINY, Array, magnitude, ulp

MOST_PARTS, FEWEST_TILES = 64, 8
"""Parts of a sum at most, and tiles in each at least, whatever schedule computes it."""

_TILE = 32
_DEVIATIONS = 4.0
_MUCH = 0.25
_PARTS = ((2, 4), (5, 16), (17, MOST_PARTS))


def lost_in_bf16(data: Array, axes: tuple[int, ...]) -> Array:
    """The most that a sum of ``data`` [b, a, M, N] over negative ``axes`` loses, dimensions kept."""
    finite = np.where(np.isfinite(data), data, 0.0)
    rows, columns = (-(-extent // _TILE) for extent in finite.shape[-2:])
    padding = [(0, 0), (0, 0)] + [(0, -extent % _TILE) for extent in finite.shape[-2:]]
    places = np.pad(finite, padding).reshape(*finite.shape[:-2], rows, _TILE, columns, _TILE)
    tiles = tuple({-2: -4, -1: -2}[axis] for axis in sorted(axes))
    lines = tuple({-2: -3, -1: -1}[axis] for axis in sorted(axes))
    count = math.prod(places.shape[axis] for axis in tiles)
    most = max(1, min(MOST_PARTS, count // FEWEST_TILES))
    lost = _lost(places, tiles, lines, count, most)
    total = magnitude(places.sum(axis=(*tiles, *lines), keepdims=True))
    if len(axes) == 1 and most > 1 and (lost > _MUCH * total).any():
        closer = [_lost(places, tiles, lines, count, 1)]
        for parts in _PARTS:
            if parts[0] <= most:
                closer.append(_lost(places, tiles, lines, -(-count // parts[0]), min(parts[1], most)))
        lost = np.minimum(lost, np.maximum.reduce(closer))
    kept = [1 if axis in axes else finite.shape[axis] for axis in (-2, -1)]
    lost = lost.reshape(*finite.shape[:-2], lost.shape[-4] * lost.shape[-3], lost.shape[-2] * lost.shape[-1])
    return np.asarray(lost[..., : kept[0], : kept[1]] + TINY)


def _lost(places: Array, tiles: tuple[int, ...], lines: tuple[int, ...], longest: int, parts: int) -> Array:
    """The most that is lost by so many parts of at most ``longest`` tiles."""
    sums, held = _held(places, tiles, longest)
    spacing = ulp(held, 7)
    half = 0.5 * spacing
    one_sign = (places >= 0.0).all(axis=tiles, keepdims=True) | (places <= 0.0).all(axis=tiles, keepdims=True)
    if one_sign.any():
        added = np.abs(places)
        stays = one_sign & (added < spacing)
        half, spacing = np.where(stays, added, half), np.where(stays, added, spacing)
    common = half.sum(axis=tiles, keepdims=True)
    signed = (common * np.sign(sums).mean(axis=tiles, keepdims=True)).sum(axis=lines, keepdims=True)
    chance = np.sqrt((common**2).sum(axis=lines, keepdims=True))
    chance = chance + np.sqrt((0.25 * spacing**2).sum(axis=(*tiles, *lines), keepdims=True))
    whole = spacing.sum(axis=(*tiles, *lines), keepdims=True)
    lost = np.minimum(whole, magnitude(signed) + _DEVIATIONS * chance)
    return np.asarray(lost + _within(places, tiles, lines, longest, parts))


def _held(places: Array, tiles: tuple[int, ...], longest: int) -> tuple[Array, Array]:
    """The sum up to each tile, and how far it is at most from one before it, ``longest`` tiles or fewer."""
    if len(tiles) == 1:
        sums = np.cumsum(places, axis=tiles[0])
        near = longest < places.shape[tiles[0]]
        return sums, _near_distance(sums, tiles[0], longest) if near else _distance(sums, tiles[0])
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


def _near_distance(sums: Array, axis: int, longest: int) -> Array:
    """As ``_distance``, from those of the ``longest`` sums before it, of which the first is 0."""
    turned = np.moveaxis(sums, axis, 0)
    start = np.concatenate([np.zeros((1, *turned.shape[1:])), turned])
    least, most, width = start, start, 1
    while width < longest + 1:
        step = min(width, longest + 1 - width)
        least = np.concatenate([least[:step], np.minimum(least[step:], least[:-step])])
        most = np.concatenate([most[:step], np.maximum(most[step:], most[:-step])])
        width += step
    return np.asarray(np.moveaxis(np.maximum(start - least, most - start)[1:], 0, axis))


def _within(places: Array, tiles: tuple[int, ...], lines: tuple[int, ...], longest: int, parts: int) -> Array:
    """What is lost within the last tile, and while parts are added."""
    lost, spacing = np.zeros(()), np.zeros(())
    for count, line in enumerate(lines, 1):
        places = places.sum(axis=line, keepdims=True)
        spacing = ulp(_held(places, tiles, longest)[1].max(axis=tiles, keepdims=True), 7)
        left = lines[count:]
        lost = lost + (spacing.sum(axis=left, keepdims=True) if left else spacing)
    if parts > 1:  # they are added up to the whole
        spacing = ulp(_held(places, tiles, places.shape[tiles[0]])[1].max(axis=tiles, keepdims=True), 7)
        lost = lost + parts * spacing
    return np.asarray(lost)
