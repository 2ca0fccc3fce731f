"""The bound of sums in a bfloat16 DST, against tiles added with truncation as the vector engine stores them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tt_build.passes import parts as passes_parts
from tt_build.verify import tile_sums
from tt_build.verify.tile_sums import lost_in_bf16

Array = Any
AXES = [(-1,), (-2,), (-2, -1)]
DATA = {
    "normal": lambda chance, shape: chance.standard_normal(shape),
    "positive": lambda chance, shape: np.abs(chance.standard_normal(shape)) + 0.1,
    "cancelling": lambda chance, shape: chance.standard_normal(shape) + 8 * np.sign(np.arange(shape[1]) - shape[1] / 2),
    "tiny beside large": lambda chance, shape: 2.0 ** chance.integers(-12, 6, shape),
}  # fmt: skip


def truncated(data: Array) -> Array:
    bits = np.asarray(data, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(np.float64)


def summed(data: Array, axes: tuple[int, ...], parts: int) -> Array:
    """Tiles added element by element, lines within the tile, then the parts along the first axis."""
    rows, columns = data.shape[0] // 32, data.shape[1] // 32
    tiles = truncated(data).reshape(rows, 32, columns, 32).swapaxes(1, 2)
    if axes == (-2,):
        chains = [[tiles[row, column] for row in range(rows)] for column in range(columns)]
    elif axes == (-1,):
        chains = [list(tiles[row]) for row in range(rows)]
    else:
        chains = [list(tiles.reshape(-1, 32, 32))]
    found = []
    for chain in chains:
        total = np.zeros(())
        for part in np.array_split(np.stack(chain), parts):
            held = np.zeros((32, 32))
            for tile in part:
                held = truncated(held + tile)
            for axis in sorted(axes):
                held = truncated(held.sum(axis=axis, keepdims=True))
            total = truncated(total + held)
        found.append(total)
    return np.concatenate(found, axis=1 if axes == (-2,) else 0)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("kind", DATA)
def test_truncated_sums_stay_within_the_bound(kind: str, axes: tuple[int, ...]) -> None:
    chance = np.random.default_rng(7)
    for shape in ((32, 32), (128, 160), (64, 512), (512, 64)):
        for parts in (1, 2, 4):
            tiles = {(-1,): shape[1] // 32, (-2,): shape[0] // 32}.get(axes, shape[0] * shape[1] // 1024)
            if parts > 1 and tiles // 8 < parts:
                continue
            data = truncated(DATA[kind](chance, shape))
            lost = lost_in_bf16(data[None, None], axes)[0, 0]
            error = np.abs(summed(data, axes, parts) - data.sum(axis=axes, keepdims=True))
            assert lost.shape == error.shape
            assert np.all(error <= lost), (kind, shape, parts, (error / lost).max())


def test_the_bound_says_something() -> None:
    """Not more than fifty times what truncation really takes, over both axes as along one."""
    chance = np.random.default_rng(3)
    for axes in AXES:
        for kind in ("normal", "positive"):
            data = truncated(DATA[kind](chance, (128, 128)))
            error = np.abs(summed(data, axes, 1) - data.sum(axis=axes, keepdims=True))
            assert lost_in_bf16(data[None, None], axes).max() <= 50 * error.max(), (axes, kind)


def test_a_ragged_matrix_is_its_padding_with_zeros() -> None:
    data = truncated(np.random.default_rng(1).standard_normal((2, 3, 45, 70)))
    padded = np.pad(data, [(0, 0), (0, 0), (0, 19), (0, 26)])
    for axes in AXES:
        kept = tuple(slice(0, 1 if axis in axes else data.shape[axis]) for axis in (-2, -1))
        assert np.array_equal(lost_in_bf16(data, axes), lost_in_bf16(padded, axes)[..., kept[0], kept[1]])


def test_the_compiler_makes_no_more_parts_than_the_bound_allows() -> None:
    assert passes_parts.MOST_PARTS <= tile_sums.MOST_PARTS
    assert passes_parts.FEWEST_TILES >= tile_sums.FEWEST_TILES
