"""The compute text, typed: a list of values in dependency order (static single assignment).

Shapes are NumPy's, rank 2 to 4 (a rank 1 tensor ``[N]`` is ``[1, N]``). Numbers are weak: a ``const`` has the dtype of
the value it is combined with and the shape ``(1, 1)``.
"""

from __future__ import annotations

import msgspec

from tt_build.spec.model import OpSpec, Struct


class Value(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value. ``op`` is ``input``, ``const``, ``scalar`` a key of ``tt_build.lang.functions.FUNCTIONS``
    or of ``Program.ops``.

    op          args      params / name
    input       ()        name: the tensor
    const       ()        params: (number,)
    scalar      ()        name: the run-time scalar
    matmul      (a, b)    transpose: (a transposed, b transposed)
    transpose   (x,)
    sum ... min (x,)      axes: reduced axes, negative, e.g. (-1,)
    cast        (x,)      dtype: the new one
    where       (c, a, b)
    permute     (x,)      ints: for each new axis the old one, negative, e.g. (-4, -2, -3, -1)
    slice       (x,)      ints: (axis, start, stop), axis negative
    concat      (a, b)    ints: (axis,), negative
    repeat      (x,)      ints: (n, axis): every element of the axis n times in a row, as numpy.repeat
    split_heads (x,)      ints: (n,): columns h * d to h * d + d - 1 are matrix h of n, on a new third axis from the end
    join_heads  (x,)      ints: (n,): the inverse, n matrices side by side
    rotate_half (x,)
    causal      (x,)
    others      operands  params: extra numbers in the function's order (slope, low, high, ...)
    """

    op: str
    args: tuple[int, ...] = ()
    shape: tuple[int, ...]
    dtype: str
    name: str = ""
    params: tuple[float, ...] = ()
    transpose: tuple[bool, bool] = (False, False)
    axes: tuple[int, ...] = ()
    ints: tuple[int, ...] = ()


class Binding(Struct, frozen=True, kw_only=True):
    """An output tensor and the id of the value that is stored in it."""

    tensor: str
    value: int


class Program(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The kernel's meaning: ``values[i]`` has id i and refers to lower ids only; ``outputs`` in declared order.

    ``ops`` are the ops of ``extensions`` that the text uses.
    """

    values: tuple[Value, ...]
    outputs: tuple[Binding, ...]
    ops: dict[str, OpSpec] = msgspec.field(default_factory=dict)

    def runtime_scalars(self) -> dict[str, str]:
        """Scalars that are given at launch and their dtypes, by name."""
        return {value.name: value.dtype for value in self.values if value.op == "scalar"}
