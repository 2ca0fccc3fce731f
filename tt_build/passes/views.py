"""Views: which tile of which tensor is the tile (row, column) of a value that only moves inputs.

``view`` follows the movement from the value down to the inputs, with the tile's place as ``Index`` expressions: rows
and columns counted in tiles, leading axes in matrices. A ``concat`` makes two pieces, of which the place decides. What
would cut through a tile is refused with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tt_build.ir.index import Index, Num, fold, minimum, num, var
from tt_build.ir.stages import TILE, Condition
from tt_build.lang.program import Program, Value
from tt_build.passes.movement import turns_tiles

Place = Mapping[int, Index]
"""Axis (-1 is the column) -> tile or matrix along it."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a view: where ``when`` holds the tile is that at ``place`` of the input or pattern ``source``."""

    source: int
    place: tuple[Index, Index, Index, Index]
    when: tuple[Condition, ...] = ()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a value reads. ``transposed``: each tile is transposed after it was fetched. ``spread``: axes along which
    the one row or column of the source is repeated.
    """

    pieces: tuple[Piece, ...]
    transposed: bool = False
    spread: frozenset[int] = frozenset()


class NoView(msgspec.Struct, frozen=True, kw_only=True):
    """Why tiles of a value are not tiles of a tensor; ``value`` is the movement that cannot be done by pages."""

    value: int
    message: str
    help: str


def view(program: Program, index: int, place: Place) -> View | NoView:
    """The view of a moved leaf (``movement.is_moved_leaf``) at that place."""
    try:
        return _look(program, index, dict(place))
    except _Refused as refused:
        return refused.reason


def batch_place(batch: tuple[int, ...]) -> dict[int, Index]:
    """The unit's matrix ``bz`` as a place along the leading axes of that shape."""
    found: dict[int, Index] = {}
    stride, total = 1, 1
    for extent in batch:
        total *= extent
    for number, extent in enumerate(reversed(batch)):
        outer = var("bz") // stride
        found[-3 - number] = num(0) if extent == 1 else outer if stride * extent == total else outer % extent
        stride *= extent
    return found


class _Refused(Exception):
    def __init__(self, reason: NoView) -> None:
        super().__init__(reason.message)
        self.reason = reason


def _refuse(value: int, message: str, help: str) -> _Refused:
    return _Refused(NoView(value=value, message=message, help=help))


def _look(program: Program, index: int, place: dict[int, Index]) -> View:
    value = program.values[index]
    rank = len(value.shape)
    place = {axis: num(0) if value.shape[axis] == 1 else place[axis] for axis in range(-rank, 0)}
    if value.op in ("input", "pattern"):
        a, b, c, d = (place.get(axis, num(0)) for axis in (-4, -3, -2, -1))
        return View(pieces=(Piece(source=index, place=(a, b, c, d)),))
    if value.op == "concat":
        return _concat(program, index, place)
    below = _look(program, value.args[0], _below(program, index, place))
    turned = turns_tiles(value)
    spread = frozenset({-1: -2, -2: -1}[axis] for axis in below.spread) if turned else below.spread
    if value.op == "repeat" and value.ints[1] >= -2:
        spread |= {value.ints[1]}
    return View(pieces=below.pieces, transposed=below.transposed != turned, spread=spread)


def _below(program: Program, index: int, place: dict[int, Index]) -> dict[int, Index]:
    """The place in the operand of a movement."""
    value = program.values[index]
    source = program.values[value.args[0]].shape
    if value.op == "transpose":
        return {**place, -1: place[-2], -2: place[-1]}
    if value.op == "permute":
        if sorted(value.ints[-2:]) != [-2, -1]:
            raise _refuse(
                index,
                "'permute' moves a leading axis into rows or columns, which cuts through tiles",
                "keep the last two axes last, in either order",
            )
        return {old: place[new - len(value.ints)] for new, old in enumerate(value.ints)}
    if value.op == "slice":
        axis, start, _ = value.ints
        _check_tiles(index, "slice", axis, start, "start")
        return {**place, axis: place[axis] + _units(axis, start)}
    if value.op in ("split_heads", "join_heads"):
        return _other_heads(program, index, place)
    if value.op == "repeat":
        count, axis = value.ints
        if axis >= -2 and source[axis] != 1:
            raise _refuse(
                index,
                f"'repeat' of each of {source[axis]} {_AXES[axis]} cuts through tiles",
                "repeat along a leading axis, or repeat one row or column",
            )
        return {**place, axis: place[axis] // count if axis < -2 else num(0)}
    axis, shift = value.ints
    extent = source[axis]
    _check_tiles(index, "rotate_half", axis, shift, "half")
    _check_tiles(index, "rotate_half", axis, extent, "extent")
    return {**place, axis: (place[axis] + _units(axis, shift)) % _units(axis, extent)}


def _other_heads(program: Program, index: int, place: dict[int, Index]) -> dict[int, Index]:
    """The place in what heads are split or joined of: matrices beside each other are columns one behind the other."""
    value = program.values[index]
    splits = value.op == "split_heads"
    columns = value.shape[-1] // (1 if splits else value.ints[0])
    if value.ints[0] > 1:
        _check_tiles(index, value.op, -1, columns, "columns of a head")
    tiles = -(-columns // TILE)
    outer = {axis: where for axis, where in place.items() if axis < -2}
    if splits:
        above = {axis + 1: where for axis, where in outer.items() if axis < -3}
        return {**above, -2: place[-2], -1: place[-3] * tiles + place[-1] if value.ints[0] > 1 else place[-1]}
    below = {axis - 1: where for axis, where in outer.items()}
    head, column = (place[-1] // tiles, place[-1] % tiles) if value.ints[0] > 1 else (num(0), place[-1])
    return {**below, -3: head, -2: place[-2], -1: column}


_AXES = {-1: "columns", -2: "rows"}


def _units(axis: int, elements: int) -> int:
    """Elements along an axis as tiles or matrices."""
    return elements // TILE if axis >= -2 else elements


def _check_tiles(index: int, function: str, axis: int, elements: int, what: str) -> None:
    if axis >= -2 and elements % TILE:
        raise _refuse(
            index,
            f"'{function}' at {_AXES[axis]} {elements} cuts through tiles: the {what} must be a multiple of {TILE}",
            f"use a multiple of {TILE}, or do it along a leading axis",
        )


def _concat(program: Program, index: int, place: dict[int, Index]) -> View:
    value = program.values[index]
    (axis,) = value.ints
    length = program.values[value.args[0]].shape[axis]
    _check_tiles(index, "concat", axis, length, "first length")
    border = _units(axis, length)
    here = place[axis]
    if isinstance(here, Num):
        first = here.value < border
        inner = place if first else {**place, axis: here - border}
        return _look(program, value.args[0 if first else 1], inner)
    second = _units(axis, value.shape[axis] - length + TILE - 1) if axis >= -2 else value.shape[axis] - length
    arms = (
        _look(program, value.args[0], place),
        _look(program, value.args[1], {**place, axis: here - border}),
    )
    if (arms[0].transposed, arms[0].spread) != (arms[1].transposed, arms[1].spread):
        raise _refuse(
            index,
            "'concat' of tiles that are read in different ways (one transposed or broadcast, the other not)",
            "declare one of the tensors as the other is",
        )
    # Which side of the border: 0 before, 1 from there on. Twice the border or less, the quotient itself says it.
    side = fold("/", here, num(border))
    side = side if second <= border else minimum(side, 1)
    pieces = tuple(
        Piece(source=p.source, place=p.place, when=(Condition(index=side, value=number), *p.when))
        for number, arm in enumerate(arms)
        for p in arm.pieces
    )
    return View(pieces=pieces, transposed=arms[0].transposed, spread=arms[0].spread)


def pattern_tile(value: Value, place: tuple[Index, Index, Index, Index]) -> Index:
    """Which tile of a pattern lies at that place: for halves 0 (-1) or 1, for lower 0 (below), 1 (diagonal), 2."""
    _, _, row, column = place
    if value.name == "halves":
        return minimum(column // (value.ints[0] // TILE), 1)
    return minimum(column + 1 - minimum(column + 1, row), 2)


PATTERN_DTYPE = "bfloat16"
"""What patterns are made of: -1, 0 and 1 are exact in it."""

PATTERN_TILES = {"halves": 2, "lower": 3}
"""Tiles of each pattern, in the order that ``pattern_tile`` counts."""
