"""Random shapes: half of the extents ragged, ranks 1 to 4, few tiles."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

Draw = Any
MOST_TILES = 40  # of an output: keeps a run on the emulator well under a second

extents = st.one_of(st.integers(1, 3).map(lambda n: 32 * n), st.integers(1, 100))


def batch(draw: Draw) -> list[int]:
    """Leading dimensions, often none."""
    found: list[int] = draw(st.one_of(st.just([]), st.lists(st.integers(1, 3), min_size=1, max_size=2)))
    return found


def broadcast(draw: Draw, shape: list[int]) -> list[int]:
    """A shape that broadcasts to ``shape``: some extents 1, some leading dimensions left out."""
    if draw(st.booleans()):
        return shape
    found = [1 if draw(st.booleans()) else extent for extent in shape]
    return found[draw(st.integers(0, len(found) - 1)) :]


def elementwise_shape(draw: Draw) -> list[int]:
    """Of an elementwise output: of rank 1 now and then."""
    shape = [*batch(draw), draw(extents), draw(extents)]
    if draw(st.integers(0, 7)) == 0:
        shape = shape[-1:]
    return bounded(shape)


def bounded(shape: list[int]) -> list[int]:
    """The shape with its leading extents cut until it has few tiles."""
    shape = list(shape)
    while math.prod(shape[:-2]) * -(-shape[-1] // 32) * -(-(shape[-2] if len(shape) > 1 else 1) // 32) > MOST_TILES:
        largest = max(range(len(shape) - 2), key=lambda i: shape[i])
        shape[largest] -= 1
    return shape
