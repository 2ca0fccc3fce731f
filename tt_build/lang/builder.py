"""The list of values while it grows: equal values are one, unused ones are dropped at the end."""

from __future__ import annotations

from tt_build.lang.program import Value

Span = tuple[int, int]


class Num:
    """A number that no tensor has met yet (weak: it takes the other side's dtype)."""

    __slots__ = ("span", "value")

    def __init__(self, value: int | float, span: Span) -> None:
        self.value = value
        self.span = span


class Builder:
    """``values[i]`` with its span of text and its NumPy rank (0 for numbers and run-time scalars)."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.spans: list[Span | None] = []
        self.ranks: list[int] = []
        self._ids: dict[Value, int] = {}
        self.stands_for: Span | None = None

    def add(self, value: Value, span: Span | None, rank: int) -> int:
        """The id of ``value``; the first text that means it is its span, or the call whose definition it is part of."""
        known = self._ids.get(value)
        if known is not None:
            return known
        self._ids[value] = new = len(self.values)
        self.values.append(value)
        self.spans.append(self.stands_for or span)
        self.ranks.append(rank)
        return new

    def const(self, number: Num, dtype: str) -> int:
        """A number as a value of that dtype, shape (1, 1)."""
        value = Value(op="const", shape=(1, 1), dtype=dtype, params=(float(number.value),))
        return self.add(value, number.span, 0)

    def prune(self, roots: list[int]) -> tuple[list[Value], list[Span | None], dict[int, int]]:
        """The values that ``roots`` need, renumbered, their spans, and old id -> new id."""
        needed = set(roots)
        for at in range(len(self.values) - 1, -1, -1):
            if at in needed:
                needed.update(self.values[at].args)
        new: dict[int, int] = {}
        values: list[Value] = []
        for at, value in enumerate(self.values):
            if at not in needed:
                continue
            args = tuple(new[arg] for arg in value.args)
            new[at] = len(values)
            values.append(value if args == value.args else _with_args(value, args))
        return values, [span for at, span in enumerate(self.spans) if at in needed], new


def _with_args(value: Value, args: tuple[int, ...]) -> Value:
    return Value(
        op=value.op,
        args=args,
        shape=value.shape,
        dtype=value.dtype,
        name=value.name,
        params=value.params,
        transpose=value.transpose,
        axes=value.axes,
        ints=value.ints,
    )
