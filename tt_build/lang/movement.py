"""Functions that move elements: permute, slice, concat, repeat, heads, rotate_half, causal. Axes end up negative."""

from __future__ import annotations

from tt_build.lang.builder import Num
from tt_build.lang.operations import Operand, Operations, show
from tt_build.lang.parse import expression_text
from tt_build.lang.program import Value
from tt_build.lang.signatures import Signature
from tt_build.lang.syntax import Call, Expr, Tuple


class Movement(Operations):
    """Adds movement to the operators."""

    def integers(self, node: Expr, name: str) -> tuple[int, ...] | None:
        """An integer or a tuple of them."""
        items = node.items if isinstance(node, Tuple) else (node,)
        found = []
        for item in items:
            number = self.expression(item)
            if number is None:
                return None
            if not isinstance(number, Num) or number.value != int(number.value):
                place = (item.start, item.end)
                self.error("TTB017", f"'{name}' must be an integer known at build time", place)
                return None
            found.append(int(number.value))
        return tuple(found)

    def integer(self, node: Expr, name: str) -> int | None:
        if isinstance(node, Tuple):
            self.error("TTB017", f"'{name}' must be one integer", (node.start, node.end))
            return None
        found = self.integers(node, name)
        return found[0] if found else None

    def axis(self, node: Expr, value: int) -> int | None:
        """One axis of the value, counted from the end."""
        axis = self.integer(node, "axis")
        rank = max(self.builder.ranks[value], 1)
        if axis is None:
            return None
        if not -rank <= axis < rank:
            help_ = f"-{rank} to -1, or 0 to {rank - 1}"
            self.error("TTB033", f"axis {axis} of a tensor of rank {rank}", (node.start, node.end), help_)
            return None
        return axis - rank if axis >= 0 else axis

    def move(self, signature: Signature, nodes: list[Expr], given: dict[str, Expr], node: Call) -> Operand:
        """One movement; all its operands are tensors."""
        span = (node.start, node.end)
        values: list[int] = []
        for part in nodes:
            value = self.expression(part)
            if isinstance(value, Num) or (isinstance(value, int) and self.builder.ranks[value] == 0):
                what = expression_text(part)
                self.error("TTB017", f"'{signature.name}' needs a tensor; '{what}' is a number", span)
                return None
            if value is not None:
                values.append(value)
        if len(values) < len(nodes):
            return None
        old = self.builder.values[values[0]]
        if not self.allowed(signature.name, old.dtype, span):
            return None
        made = {
            "permute": self.permute,
            "slice": self.slice,
            "concat": self.concat,
            "repeat": self.repeat,
            "split_heads": self.split_heads,
            "join_heads": self.join_heads,
            "rotate_half": self.rotate_half,
            "causal": self.causal,
        }[signature.name](values, nodes, given, node)
        if made is None:
            return None
        shape, ints = made
        new = Value(op=signature.name, args=tuple(values), shape=shape, dtype=old.dtype, ints=ints)
        return self.builder.add(new, span, self.builder.ranks[values[0]] + _RANKS.get(signature.name, 0))

    def permute(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        axes = self.integers(given["axes"], "axes")
        shape = self.shown(values[0])
        rank = len(shape)
        if axes is None:
            return None
        normal = tuple(axis - rank if axis >= 0 else axis for axis in axes)
        if sorted(normal) != list(range(-rank, 0)):
            message = f"axes {expression_text(given['axes'])} do not name each axis of {show(shape)} once"
            help_ = f"write all of {', '.join(map(str, range(rank)))} in the new order"
            self.error("TTB033", message, (given["axes"].start, given["axes"].end), help_)
            return None
        full = self.builder.values[values[0]].shape
        ints = normal if rank > 1 else (-2, -1)
        return tuple(full[axis] for axis in ints), ints

    def slice(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        axis = self.axis(given["axis"], values[0])
        start, stop = self.integer(given["start"], "start"), self.integer(given["stop"], "stop")
        if axis is None or start is None or stop is None:
            return None
        shape = self.builder.values[values[0]].shape
        if not 0 <= start < stop <= shape[axis]:
            message = f"slice from {start} to {stop} of an axis of {shape[axis]}"
            help_ = f"0 <= start < stop <= {shape[axis]}"
            self.error("TTB033", message, (node.start, node.end), help_)
            return None
        return _replaced(shape, axis, stop - start), (axis, start, stop)

    def concat(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        a, b = (self.builder.values[value] for value in values)
        axis = self.axis(given["axis"], values[0])
        if axis is None:
            return None
        span = (node.start, node.end)
        if a.dtype != b.dtype:
            self.error("TTB016", f"concat of {a.dtype} and {b.dtype}", span, f"cast one, as in cast(x, {a.dtype})")
            return None
        same_rank = self.builder.ranks[values[0]] == self.builder.ranks[values[1]]
        if not same_rank or _replaced(a.shape, axis, 1) != _replaced(b.shape, axis, 1):
            mine, other = show(self.shown(values[0])), show(self.shown(values[1]))
            related = self.declarations([(nodes[0], None), (nodes[1], None)])
            help_ = "they must be equal on every other axis"
            self.error("TTB015", f"shapes {mine} and {other} do not join on axis {axis}", span, help_, related)
            return None
        return _replaced(a.shape, axis, a.shape[axis] + b.shape[axis]), (axis,)

    def repeat(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        count, axis = self.integer(given["n"], "n"), self.axis(given["axis"], values[0])
        if count is None or axis is None:
            return None
        if not 1 <= count <= 1 << 20:
            place = (given["n"].start, given["n"].end)
            self.error("TTB036", f"repeat {count} times", place, "1 or more, at most 1048576")
            return None
        shape = self.builder.values[values[0]].shape
        return _replaced(shape, axis, shape[axis] * count), (count, axis)

    def split_heads(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        heads, span, shape = self.integer(given["n"], "n"), (node.start, node.end), self.builder.values[values[0]].shape
        if heads is None or not self.has_matrix(values[0], nodes[0], span, "'split_heads'"):
            return None
        if len(shape) > 3:
            self.error("TTB033", f"split_heads of {show(shape)} would have rank 5", span, "rank 2 or 3")
            return None
        if heads < 1 or shape[-1] % heads:
            what = expression_text(nodes[0])
            message = f"split_heads needs heads of equal width; '{what}' has {shape[-1]} columns for {heads} of them"
            self.error("TTB033", message, span, f"a divisor of {shape[-1]}", self.declarations([(nodes[0], -1)]))
            return None
        return (*shape[:-2], heads, shape[-2], shape[-1] // heads), (heads,)

    def join_heads(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        shape = self.builder.values[values[0]].shape
        if self.builder.ranks[values[0]] < 3:
            what, shown = expression_text(nodes[0]), show(self.shown(values[0]))
            message = f"join_heads needs an axis of heads; '{what}' is {shown}"
            related = self.declarations([(nodes[0], None)])
            self.error("TTB033", message, (node.start, node.end), "[..., heads, rows, columns]", related)
            return None
        heads, rows, columns = shape[-3:]
        return (*shape[:-3], rows, heads * columns), (heads,)

    def rotate_half(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        shape = self.builder.values[values[0]].shape
        if shape[-1] % 2:
            message = f"rotate_half needs an even last dimension; '{expression_text(nodes[0])}' has {shape[-1]}"
            related = self.declarations([(nodes[0], -1)])
            self.error("TTB033", message, (node.start, node.end), "", related)
            return None
        return shape, ()

    def causal(self, values: list[int], nodes: list[Expr], given: dict[str, Expr], node: Call) -> Moved:
        if not self.has_matrix(values[0], nodes[0], (node.start, node.end), "'causal'"):
            return None
        return self.builder.values[values[0]].shape, ()


_RANKS = {"split_heads": 1, "join_heads": -1}
"""By how much the rank grows."""

Moved = tuple[tuple[int, ...], tuple[int, ...]] | None
"""Shape of the result and the integers of the movement."""


def _replaced(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    at = len(shape) + axis
    return (*shape[:at], size, *shape[at + 1 :])
