"""Movement pushed down to the tensors: ``slice(X * 2 + r, ...)`` becomes ``slice(X, ...) * 2 + slice(r, ...)``.

Movement commutes with elementwise functions, with matmuls on the axes that are not reduced, and with reductions along
other axes; splitting and joining heads with elementwise functions alone. What is moved in the end are inputs, and a
moved input is a *view* (``tt_build.passes.views``): the reader fetches other pages, nothing is copied. Two functions of
the language become simpler ones on the way:

    rotate_half(x)   roll(x, half) * pattern "halves"             (-1 before the half, 1 from there on)
    causal(x)        where(pattern "lower", x, -inf)              (1 on and below the diagonal, 0 above)

The program that comes out has two kinds of values that the language has not:

    roll     (x,)   ints: (axis, shift): element i of the axis is element (i + shift) % extent of x
    pattern  ()     name: halves or lower; ints: (half,) for halves. A matrix of numbers that depend on the place only
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tt_build.lang.ops import is_elementwise
from tt_build.lang.program import Binding, Program, Value

MOVES = ("transpose", "permute", "slice", "concat", "repeat", "split_heads", "join_heads", "roll")
_HEADS = ("split_heads", "join_heads")
_LANGUAGE = (*MOVES, "rotate_half", "causal")
_LEAVES = ("input", "pattern")
_WEAK = ("const", "scalar")


class Sunk(msgspec.Struct, frozen=True):
    """A program of the same meaning; ``origin[i]`` is the value of the declared program that value i stems from."""

    program: Program
    origin: tuple[int, ...]


def sunk(program: Program, *, unturned: bool = False) -> Sunk:
    """The program with its movement as far down as it goes; a program without movement is returned as it is.

    A movement that cannot go down stays where it is, above a value that is computed. ``unturned``: what matmuls
    transpose as their first operand becomes a transpose of its own, which goes down, too.
    """
    turns = unturned and any(value.op == "matmul" and value.transpose[0] for value in program.values)
    if (
        not turns
        and not any(value.op in _LANGUAGE and value.op != "transpose" for value in program.values)
        and not any(value.op == "transpose" and program.values[value.args[0]].op != "input" for value in program.values)
    ):
        return Sunk(program, tuple(range(len(program.values))))
    return _Sinker(program, unturned=unturned).run()


def is_moved_leaf(program: Program, index: int) -> bool:
    """Whether the value is an input or a pattern, or movement of nothing else."""
    value = program.values[index]
    return value.op in _LEAVES or (value.op in MOVES and all(is_moved_leaf(program, arg) for arg in value.args))


def turns_tiles(value: Value) -> bool:
    """Whether a movement transposes each tile."""
    return value.op == "transpose" or (value.op == "permute" and value.ints[-2:] == (-1, -2))


def replaced(shape: tuple[int, ...], axis: int, extent: int) -> tuple[int, ...]:
    """The shape with another extent on that (negative) axis."""
    at = len(shape) + axis
    return (*shape[:at], extent, *shape[at + 1 :])


class _Move(msgspec.Struct, frozen=True):
    """A movement of one operand, apart from its operand: of heads, ``permute``, ``slice``, ``repeat`` or ``roll``."""

    op: str
    ints: tuple[int, ...]

    @property
    def axis(self) -> int:
        """The one axis that it touches; not for ``permute`` and heads."""
        return self.ints[1] if self.op == "repeat" else self.ints[0]

    def along(self, axis: int) -> _Move:
        """The same along another axis."""
        return _Move(self.op, (self.ints[0], axis) if self.op == "repeat" else (axis, *self.ints[1:]))

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that comes out."""
        if self.op == "permute":
            padded = (1,) * (len(self.ints) - len(shape)) + shape
            return tuple(padded[axis] for axis in self.ints)
        if self.op == "split_heads":
            return (*shape[:-2], self.ints[0], shape[-2], shape[-1] // self.ints[0])
        if self.op == "join_heads":
            return (*shape[:-3], shape[-2], shape[-3] * shape[-1])
        if self.op == "slice":
            return replaced(shape, self.axis, self.ints[2] - self.ints[1])
        if self.op == "repeat":
            return replaced(shape, self.axis, shape[self.axis] * self.ints[0])
        return shape

    def does_nothing(self, shape: tuple[int, ...]) -> bool:
        """Whether every element stays where it is."""
        if self.op in _HEADS:
            return False
        if self.op == "permute":
            return self.ints == tuple(range(-len(self.ints), 0)) and len(shape) == len(self.ints)
        if self.op == "slice":
            return (self.ints[1], self.ints[2]) == (0, shape[self.axis])
        return self.ints[0] == 1 if self.op == "repeat" else self.ints[1] % shape[self.axis] == 0


class _Sinker:
    def __init__(self, program: Program, *, unturned: bool) -> None:
        self.source = program
        self.unturned = unturned
        self.values: list[Value] = []
        self.origin: list[int] = []
        self.at = 0
        self.known: dict[tuple[object, ...], int] = {}

    def run(self) -> Sunk:
        new: list[int] = []
        for index, value in enumerate(self.source.values):
            self.at = index
            args = tuple(new[arg] for arg in value.args)
            new.append(self._value(value, args))
        outputs = tuple(Binding(tensor=b.tensor, value=new[b.value]) for b in self.source.outputs)
        return _without_unread(
            Program(values=tuple(self.values), outputs=outputs, ops=self.source.ops), tuple(self.origin)
        )

    def _value(self, value: Value, args: tuple[int, ...]) -> int:
        if value.op == "transpose":
            return self._push(_swap(len(value.shape)), args[0])
        if value.op in ("permute", "slice", "repeat", *_HEADS):
            return self._push(_Move(value.op, value.ints), args[0])
        if value.op == "concat":
            return self._concat(args[0], args[1], value.ints[0])
        if value.op == "rotate_half":
            half = value.shape[-1] // 2
            turned = self._push(_Move("roll", (-1, half)), args[0])
            signs = self._pattern("halves", value, (half,))
            return self._add(Value(op="mul", args=(turned, signs), shape=value.shape, dtype=value.dtype))
        if value.op == "causal":
            kept = self._pattern("lower", value, ())
            masked = Value(op="const", params=(float("-inf"),), shape=(1, 1), dtype=value.dtype)
            where = (kept, args[0], self._add(masked))
            return self._add(Value(op="where", args=where, shape=value.shape, dtype=value.dtype))
        return self._product(msgspec.structs.replace(value, args=args))

    def _product(self, value: Value) -> int:
        """A value that is as it is, but for a matmul's first operand."""
        if self.unturned and value.transpose[0]:
            first, second = value.args
            turned = self._push(_swap(len(self.values[first].shape)), first)
            value = msgspec.structs.replace(value, args=(turned, second), transpose=(False, value.transpose[1]))
        return self._add(value)

    def _add(self, value: Value) -> int:
        self.values.append(value)
        self.origin.append(self.at)
        return len(self.values) - 1

    def _pattern(self, name: str, value: Value, ints: tuple[int, ...]) -> int:
        """The pattern for a value's matrices; values of one shape share it."""
        new = Value(op="pattern", name=name, ints=ints, shape=value.shape[-2:], dtype=value.dtype)
        return self._once(("pattern", new), lambda: self._add(new))

    def _once(self, key: tuple[object, ...], make: Callable[[], int]) -> int:
        """What ``make`` gives, made once for each key: shared values stay shared."""
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    # -- one operand ------------------------------------------------------------------------------------------------

    def _push(self, move: _Move, index: int) -> int:
        return self._once((move, index), lambda: self._pushed(move, index))

    def _pushed(self, move: _Move, index: int) -> int:
        value = self.values[index]
        if value.op in _WEAK or move.does_nothing(value.shape):
            return index
        args: tuple[int, ...] | None = None
        if move.op in _HEADS and not self._passes(move, value):
            return self._moved(move, index)
        if is_elementwise(value.op, self.source.ops) or value.op == "cast":
            args = tuple(self._operand(move, value, arg) for arg in value.args)
        elif value.op == "matmul":
            return self._matmul(move, index)
        elif value.axes:
            return self._reduction(move, index)
        if args is None:
            return self._moved(move, index)
        return self._add(msgspec.structs.replace(value, args=args, shape=move.shape(value.shape)))

    def _passes(self, move: _Move, value: Value) -> bool:
        """Whether heads can be split or joined below a value: not below what is no elementwise function, and joined
        only where every operand has all heads and columns.
        """
        if not is_elementwise(value.op, self.source.ops) and value.op != "cast":
            return False
        operands = [self.values[arg] for arg in value.args if self.values[arg].op not in _WEAK]
        if move.op == "split_heads":
            return all(operand.op != "pattern" for operand in operands)
        return all(v.shape[-3:-2] == value.shape[-3:-2] and v.shape[-1] == value.shape[-1] for v in operands)

    def _moved(self, move: _Move, index: int) -> int:
        """The movement itself, above a value that it cannot pass."""
        value = self.values[index]
        if move == _swap(len(move.ints)) and len(value.shape) == len(move.ints):
            if value.op == "transpose":
                return value.args[0]
            return self._add(Value(op="transpose", args=(index,), shape=move.shape(value.shape), dtype=value.dtype))
        shape = move.shape(value.shape)
        return self._add(Value(op=move.op, args=(index,), shape=shape, dtype=value.dtype, ints=move.ints))

    def _operand(self, move: _Move, reader: Value, index: int) -> int:
        """An operand of an elementwise value that is moved: what is broadcast along the axis stays."""
        shape = self.values[index].shape
        if move.op == "split_heads" and shape[-1] != reader.shape[-1]:
            return self._push(_Move("split_heads", (1,)), index)
        if move.op in ("permute", *_HEADS):
            return self._push(move, index)
        extent = shape[move.axis] if len(shape) >= -move.axis else 1
        if extent != reader.shape[move.axis] or len(shape) < -move.axis:
            return index
        return self._push(move, index)

    def _matmul(self, move: _Move, index: int) -> int:
        """Rows move the first operand, columns the second, leading axes both; what is swapped changes places."""
        value = self.values[index]
        (a, b), (turn_a, turn_b), rank = value.args, value.transpose, len(value.shape)
        new = msgspec.structs.replace(value, shape=move.shape(value.shape))
        if move.op == "permute":
            tail = move.ints[-2:]
            if len(move.ints) != rank or sorted(tail) != [-2, -1]:
                return self._moved(move, index)
            inner = _Move("permute", (*move.ints[:-2], -2, -1))
            args = tuple(self._push(inner, arg) if rank > 2 else arg for arg in (a, b))
            if tail == (-1, -2):
                args, turn_a, turn_b = (args[1], args[0]), not turn_b, not turn_a
            return self._product(msgspec.structs.replace(new, args=args, transpose=(turn_a, turn_b)))
        if move.axis == -2:
            a = self._push(move.along(-1 if turn_a else -2), a)
        elif move.axis == -1:
            b = self._push(move.along(-2 if turn_b else -1), b)
        else:
            a, b = self._operand(move, value, a), self._operand(move, value, b)
        return self._add(msgspec.structs.replace(new, args=(a, b)))

    def _reduction(self, move: _Move, index: int) -> int:
        """A reduction, or a function along an axis, lets movement of the other axes pass."""
        value = self.values[index]
        (operand,) = value.args
        axes = value.axes
        if move.op == "permute":
            if len(move.ints) != len(value.shape):
                return self._moved(move, index)
            axes = tuple(sorted(move.ints.index(axis) - len(move.ints) for axis in axes))
        elif move.axis in axes:
            return self._moved(move, index)
        shape = move.shape(value.shape)
        return self._add(msgspec.structs.replace(value, args=(self._push(move, operand),), axes=axes, shape=shape))

    # -- two operands -----------------------------------------------------------------------------------------------

    def _concat(self, a: int, b: int, axis: int) -> int:
        return self._once(("concat", a, b, axis), lambda: self._concatenated(a, b, axis))

    def _concatenated(self, a: int, b: int, axis: int) -> int:
        x, y = self.values[a], self.values[b]
        shape = replaced(x.shape, axis, x.shape[axis] + y.shape[axis])
        plain = Value(op="concat", args=(a, b), shape=shape, dtype=x.dtype, ints=(axis,))
        alike = (x.op, x.params, x.dtype, len(x.args)) == (y.op, y.params, y.dtype, len(y.args))
        if not is_elementwise(x.op, self.source.ops) or not alike:
            return self._add(plain)
        pairs = list(zip(x.args, y.args, strict=True))
        if not all(self._joins(x, y, p, q, axis) for p, q in pairs):
            return self._add(plain)
        args = tuple(p if self._is_common(x, p, q, axis) else self._concat(p, q, axis) for p, q in pairs)
        return self._add(msgspec.structs.replace(x, args=args, shape=shape))

    def _joins(self, x: Value, y: Value, p: int, q: int, axis: int) -> bool:
        """Whether operands p of x and q of y are joined on the axis, or are one value that is broadcast along it."""
        if self._is_common(x, p, q, axis):
            return True
        one, two = self.values[p].shape, self.values[q].shape
        if self.values[p].op in _WEAK or self.values[q].op in _WEAK or len(one) != len(two) or len(one) < -axis:
            return False
        whole = one[axis] == x.shape[axis] and two[axis] == y.shape[axis]
        return whole and replaced(one, axis, 1) == replaced(two, axis, 1)

    def _is_common(self, reader: Value, p: int, q: int, axis: int) -> bool:
        """Whether both are one number, or one value that is broadcast along the axis."""
        one, two = self.values[p], self.values[q]
        if one.op in _WEAK:
            return (one.op, one.params, one.name) == (two.op, two.params, two.name)
        return p == q and (len(one.shape) < -axis or (one.shape[axis] == 1 and reader.shape[axis] != 1))


def _swap(rank: int) -> _Move:
    return _Move("permute", (*range(-rank, -2), -1, -2))


def _without_unread(program: Program, origin: tuple[int, ...]) -> Sunk:
    """Only the values that an output needs, in the same order."""
    needed = {binding.value for binding in program.outputs}
    for index in range(len(program.values) - 1, -1, -1):
        if index in needed:
            needed |= set(program.values[index].args)
    kept = sorted(needed)
    new = {old: index for index, old in enumerate(kept)}
    values = tuple(
        msgspec.structs.replace(program.values[old], args=tuple(new[arg] for arg in program.values[old].args))
        for old in kept
    )
    outputs = tuple(Binding(tensor=b.tensor, value=new[b.value]) for b in program.outputs)
    return Sunk(Program(values=values, outputs=outputs, ops=program.ops), tuple(origin[old] for old in kept))
