"""Leaves of random expressions: tensors of every dtype, moved, broadcast, row-major; scalars that come at launch."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.programs.moved import moved

Draw = Any
Matrix = tuple[int, int]

FLOATS = ("bfloat16",) * 6 + ("float32",) * 4 + ("bfloat8_b",) * 2 + ("bfloat4_b",)
BLOCK_FLOATS = ("bfloat8_b", "bfloat4_b")
MOST_INPUTS = 6

# Of an integer tensor, near one: small numbers of either sign, from 0 where unsigned.
_OF_INTEGERS = ("cast({}, float32) * 0.02", "cast({} * 3 + 7, float32) * 0.01", "cast({}, bfloat16) * 0.02")
_OF_UINT16 = ("cast({}, float32) * 0.02", "cast({}, bfloat16) * 0.02")
# Of a float tensor: what is rounded to an integer is exact, so that no rounding is in doubt.
_THROUGH_INTEGERS = "cast(cast({} * 8, int32), float32) * 0.125"


class Tensors:
    """Inputs and scalars of a program, as its leaves ask for them."""

    def __init__(self, draw: Draw, batch: list[int], matrix: Matrix, *, is_wide: bool, formats: bool) -> None:
        """``matrix``: rows and columns of the whole. ``is_wide``: DST has 32 bits, which int32 and uint32 need.

        ``formats``: some are row-major.
        """
        self.draw, self.batch, self.matrix = draw, batch, matrix
        self.is_wide, self.formats = is_wide, formats
        self.inputs: dict[str, Any] = {}
        self.scalars: dict[str, Any] = {}

    def leaf(self, shape: Matrix) -> str:
        """A text that broadcasts to that shape."""
        kinds = ["tensor"] * 6
        if shape == self.matrix and len(self.inputs) < MOST_INPUTS:
            kinds += ["moved", "moved", "integers"]
        kind = self.draw(st.sampled_from(kinds))
        if kind == "moved":
            return self._moved(shape)
        return self._integers(shape) if kind == "integers" else self.tensor(shape)

    def tensor(self, shape: Matrix, *, whole: bool = False, exact: bool = False) -> str:
        """A float tensor as it is, a known one or a new one; ``whole``: of that shape itself.

        ``exact``: DST holds its elements without rounding them.
        """
        dtypes = [dtype for dtype in FLOATS if self.is_wide or not exact or dtype != "float32"]
        fitting = [n for n, t in self.inputs.items() if t["dtype"] in dtypes and self._fits(t, shape, whole=whole)]
        if fitting and (len(self.inputs) >= MOST_INPUTS or self.draw(st.booleans())):
            return str(self.draw(st.sampled_from(fitting)))
        own = list(shape)
        if not whole and self.draw(st.integers(0, 3)) == 0:
            own[self.draw(st.integers(0, 1))] = 1
        batch = self.batch if whole or self.draw(st.integers(0, 3)) else []
        return self._new([*batch, *own], self.draw(st.sampled_from(dtypes)))

    def scalar(self) -> str:
        """The name of a scalar that is given at launch."""
        name = str(self.draw(st.sampled_from(["alpha", "beta"])))
        self.scalars[name] = {"runtime": "float32"}
        return name

    def result(self, shape: Matrix) -> dict[str, Any]:
        """An output of that shape."""
        dtype = self.draw(st.sampled_from(FLOATS))
        return self._declared([*self.batch, *shape], dtype)

    def _moved(self, shape: Matrix) -> str:
        dtype = self.draw(st.sampled_from(("bfloat16", *FLOATS)))
        return moved(self.draw, self._name(), [*self.batch, *shape], self.inputs, dtype=dtype, operand=False)

    def _integers(self, shape: Matrix) -> str:
        """A tensor of integers, or one that is rounded to some."""
        kinds = ["uint16", "int32", "uint32", "rounded"] if self.is_wide else ["uint16"]
        kind = self.draw(st.sampled_from(kinds))
        if kind == "rounded":
            return _THROUGH_INTEGERS.format(self._new([*self.batch, *shape], "bfloat16"))
        text = self.draw(st.sampled_from(_OF_UINT16 if kind == "uint16" else _OF_INTEGERS))
        return str(text).format(self._new([*self.batch, *shape], kind))

    def _new(self, shape: list[int], dtype: str) -> str:
        name = self._name()
        self.inputs[name] = self._declared(shape, dtype)
        return name

    def _declared(self, shape: list[int], dtype: str) -> dict[str, Any]:
        declared = {"shape": shape, "dtype": dtype}
        by_rows = self.formats and dtype not in BLOCK_FLOATS and self.draw(st.integers(0, 5)) == 0
        return {**declared, "format": "row_major"} if by_rows else declared

    def _name(self) -> str:
        return next(c for c in "ABCDEFGHIJKLMNOP" if c not in self.inputs)

    def _fits(self, tensor: dict[str, Any], shape: Matrix, *, whole: bool) -> bool:
        own, batch = tuple(tensor["shape"][-2:]), tensor["shape"][:-2]
        if whole:
            return own == tuple(shape) and batch == self.batch
        return all(a in (1, b) for a, b in zip(own, shape, strict=True)) and batch in ([], self.batch)
