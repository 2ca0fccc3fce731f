"""Where the elements of a moved value come from, found in elements: the proof's own reading of movement.

Used by ``verify_ir``. It knows nothing of the page expressions: ``locate`` follows single elements from the value down
to the inputs, and ``tiles_at`` shows that three corners of each tile lie in one tile of one tensor, at the same places
inside it: two on the diagonal, and one beside it, which a transposed tile has elsewhere.
"""

from __future__ import annotations

import msgspec
import numpy as np

from tt_build.ir.index import evaluate
from tt_build.ir.lowered import PatternTile, walk
from tt_build.ir.stages import TILE, LoweredKernel
from tt_build.lang.program import Program, Value
from tt_build.passes.movement import sunk
from tt_build.passes.proof import fail
from tt_build.passes.proof_rows import tile_fields

Elements = dict[int, np.ndarray]
"""Axis (-1 is the column) -> the element's index along it, one for each sample."""


class Located(msgspec.Struct, frozen=True):
    """For each sample the input or pattern that it comes from (ids of the sunk program), and its indices there."""

    source: np.ndarray
    at: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def locate(program: Program, index: int, at: Elements) -> Located:
    """Where elements of a moved value come from; indices along axes of extent 1 are ignored."""
    value = program.values[index]
    rank = len(value.shape)
    size = next(iter(at.values())).shape
    zero = np.zeros(size, dtype=np.int64)
    at = {axis: zero if value.shape[axis] == 1 else at[axis] for axis in range(-rank, 0)}
    if value.op in ("input", "pattern"):
        a, b, c, d = (at.get(axis, zero) for axis in (-4, -3, -2, -1))
        return Located(np.full(size, index), (a, b, c, d))
    if value.op == "concat":
        return _joined(program, value, at)
    below = program.values[value.args[0]].shape
    if value.op == "transpose":
        at = {**at, -1: at[-2], -2: at[-1]}
    elif value.op == "permute":
        at = {old: at[new - len(value.ints)] for new, old in enumerate(value.ints)}
    elif value.op == "slice":
        at = {**at, value.ints[0]: at[value.ints[0]] + value.ints[1]}
    elif value.op == "split_heads":
        outer = {axis + 1: where for axis, where in at.items() if axis < -3}
        at = {**outer, -2: at[-2], -1: at[-3] * value.shape[-1] + at[-1]}
    elif value.op == "join_heads":
        outer = {axis - 1: where for axis, where in at.items() if axis < -2}
        at = {**outer, -3: at[-1] // below[-1], -2: at[-2], -1: at[-1] % below[-1]}
    elif value.op == "repeat":
        at = {**at, value.ints[1]: at[value.ints[1]] // value.ints[0]}
    else:
        axis, shift = value.ints
        at = {**at, axis: (at[axis] + shift) % below[axis]}
    return locate(program, value.args[0], at)


def _joined(program: Program, value: Value, at: Elements) -> Located:
    (axis,) = value.ints
    length = program.values[value.args[0]].shape[axis]
    first = at[axis] < length
    one = locate(program, value.args[0], {**at, axis: np.minimum(at[axis], length - 1)})
    two = locate(program, value.args[1], {**at, axis: np.maximum(at[axis] - length, 0)})
    a, b, c, d = (np.where(first, x, y) for x, y in zip(one.at, two.at, strict=True))
    return Located(np.where(first, one.source, two.source), (a, b, c, d))


class Tiles(msgspec.Struct, frozen=True):
    """The tile that each sample of a value is: its source, leading indices, row and column in tiles."""

    source: np.ndarray
    place: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def tiles_at(
    kernel: LoweredKernel,
    index: int,
    matrix: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    *,
    transposed: bool,
    spread: bool,
    unturned: bool = False,
) -> Tiles:
    """The tiles of a moved value at these matrices (of the output), rows and columns in tiles.

    ``unturned``: the value is one of the program whose matmuls transpose no first operand (``movement.sunk``).
    ``spread``: compute repeats the one row or column of a tensor over the tile. Fails (TTB403) where
    a tile's first element, the last of its first row and its last are not the same places of the same tile.
    """
    program = sunk(kernel.program, unturned=unturned).program
    shape = program.values[index].shape
    batch = (1, 1, *kernel.outputs[0].batch)[-2:]
    leading = {-4: matrix // batch[1], -3: matrix % batch[1]}
    last_row = np.minimum(row * TILE + TILE, shape[-2]) - 1
    last_column = np.minimum(column * TILE + TILE, shape[-1]) - 1
    at = [(row * TILE, column * TILE), (row * TILE, last_column), (last_row, last_column)]
    ends = [(np.maximum(r, 0), np.maximum(c, 0)) for r, c in at]
    found = [locate(program, index, {**leading, -2: r, -1: c}) for r, c in ends]
    corners = []
    for located, (r, c) in zip(found, ends, strict=True):
        inside = (c % TILE, r % TILE) if transposed else (r % TILE, c % TILE)
        for axis, want in zip((-2, -1), inside, strict=True):
            one = spread & (found[0].at[axis] == found[-1].at[axis])  # row or column 0 of the tensor's tile is repeated
            if not np.array_equal(located.at[axis] % TILE, np.where(one, 0, want)):
                fail(kernel, "TTB403", "a tile of a moved value is not a tile of a tensor")
        a, b, row_, column_ = located.at
        corners.append(Tiles(located.source, (a, b, row_ // TILE, column_ // TILE)))
    first, *others = corners
    for other in others:
        same = np.array_equal(first.source, other.source)
        if not same or any(not np.array_equal(x, y) for x, y in zip(first.place, other.place, strict=True)):
            fail(kernel, "TTB403", "a tile of a moved value is spread over several tiles")
    return first


def fields_of(kernel: LoweredKernel, tensor: str, tiles: Tiles) -> tuple[np.ndarray, ...]:
    """Pages of these tiles in that tensor, and the parts of them (``proof_rows.tile_fields``).

    Tiles that are another tensor's get any page.
    """
    batch, buffer = (1, 1, *kernel.tensor(tensor).batch)[-2:], kernel.buffer(tensor)
    shape = (*batch, *buffer.tiles)
    a, b, row, column = (np.minimum(x, extent - 1) for x, extent in zip(tiles.place, shape, strict=True))
    return tuple(np.asarray(field.reshape(shape)[a, b, row, column]) for field in tile_fields(kernel, tensor))


def pattern_slots(pattern: Value, tiles: Tiles) -> np.ndarray:
    """Which tile of a pattern these are, from their elements."""
    _, _, row, column = tiles.place
    if pattern.name == "halves":
        return np.asarray((column * TILE >= pattern.ints[0]).astype(np.int64))
    return np.asarray(np.where(column > row, 2, np.where(column == row, 1, 0)))


def check_patterns(kernel: LoweredKernel) -> None:
    """The reader makes exactly the tiles of each pattern, once a core, in front of all loops."""
    made = [s for body in kernel.bodies for s in body.body if isinstance(s, PatternTile)]
    if made != [s for body in kernel.bodies for s in walk(body.body) if isinstance(s, PatternTile)]:
        fail(kernel, "TTB403", "a pattern is made inside a loop")
    expected = [
        (plan.cb, slot, *bits) for plan in kernel.patterns for slot, bits in enumerate(_expected_bits(plan.name))
    ]
    if [(s.cb, evaluate(s.slot, {}), s.below, s.above) for s in made] != expected:
        fail(kernel, "TTB403", "the tiles of a pattern are not those that its elements need")


def _expected_bits(name: str) -> list[tuple[int, int]]:
    """bfloat16 bits of the elements on or below, and above the diagonal, for each tile."""
    numbers = {"halves": ((-1, -1), (1, 1)), "lower": ((1, 1), (1, 0), (0, 0))}[name]
    words = np.array(numbers, dtype=np.float32).view(np.uint32) >> 16
    return [(int(below), int(above)) for below, above in words]
