"""One DST section: values of the program -> steps on DST slots.

Used by ``plan_stages``. A section evaluates expression trees depth first, the operand that needs more slots first
(Sethi and Ullman), in place where it can. Leaves come from circular buffers: two leaves under + - * meet on the matrix
engine without a load; others are loaded when they are needed, again for each use. A value with several readers stays in
its slot until the last of them. When the slots do not suffice, ``Overflow`` tells the planner to cut.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tt_build.ir.lowered import BroadcastMode
from tt_build.ir.stages import (
    FillStep,
    FpuStep,
    LoadStep,
    MaskStep,
    MathMode,
    MatmulStep,
    MoveStep,
    SectionPlan,
    SfpuStep,
    Step,
)
from tt_build.lang.ops import scratch_of
from tt_build.lang.program import Program, Value
from tt_build.passes.sfpu_calls import (
    Link,
    NoCall,
    chain,
    const_word,
    is_comparison,
    is_integer,
    select_call,
)
from tt_build.targets.dtypes import DTYPES

_FPU = ("add", "sub", "mul")
_COMMUTATIVE = ("add", "mul")


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A value that lies in a circular buffer; ``fpu`` when the matrix engine can take it from there.

    ``shift`` as in ``LoadStep``.
    """

    cb: str
    bcast: BroadcastMode
    transpose: bool
    fpu: bool
    shift: int = 0


class MatmulOperands(msgspec.Struct, frozen=True, kw_only=True):
    """Where the operands of a matmul come from."""

    a: str
    b: str
    k_tiles: int
    transpose_b: bool


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a section packs, and the circular buffer that takes it.

    ``mask`` names the buffer of the mask that zeroes its padding columns, or rows, first, empty where they may hold
    anything.
    """

    value: int
    cb: str
    mask: str = ""
    axis: Literal["columns", "rows"] = "columns"


class Overflow(Exception):
    """A section of these stores needs more DST slots than there are."""

    def __init__(self, group: list[Store]) -> None:
        super().__init__("DST overflow")
        self.group = group


class NoForm(Exception):
    """The SDK has no call for that value on its dtype."""

    def __init__(self, value: int, function: str, dtype: str) -> None:
        super().__init__(function)
        self.value, self.function, self.dtype = value, function, dtype


class BadNumber(Exception):
    """A number of the expression has no 32-bit word that the SDK's call could take; ``value`` is the id of the call."""

    def __init__(self, value: int, message: str) -> None:
        super().__init__(message)
        self.value = value


def evaluated(program: Program, roots: list[int], known: set[int]) -> list[int]:
    """Values that a section of these roots computes itself, operands before readers; ``known`` ones are loaded."""
    seen: set[int] = set()
    todo = list(roots)
    while todo:
        index = todo.pop()
        if index in seen or index in known or program.values[index].op in ("const", "scalar"):
            continue
        seen.add(index)
        if program.values[index].op != "matmul":
            todo += program.values[index].args
    return sorted(seen)


class SectionBuilder:
    """Builds one section; used once."""

    def __init__(
        self,
        program: Program,
        math: MathMode,
        capacity: int,
        leaves: dict[int, Leaf],
        matmul: dict[int, MatmulOperands],
        *,
        reserved: int = 0,
        looped: bool = False,
    ) -> None:
        """``reserved`` slots are somebody else's. ``looped``: the steps run several times in one section."""
        self.program, self.math, self.leaves, self.matmul = program, math, leaves, matmul
        self.looped = looped
        self.free = list(range(reserved, capacity))
        self.used: set[int] = set()
        self.steps: list[Step] = []
        self.live: dict[int, int] = {}
        self.readers: dict[int, int] = {}
        self.group: list[Store] = []
        self.inner: list[int] = []

    def build(self, group: list[Store]) -> SectionPlan:
        """Steps and stores of a section that computes the values of ``group`` into their circular buffers.

        Raises ``Overflow`` when the section does not fit DST.
        """
        self.group = group
        self.inner = evaluated(self.program, [store.value for store in group], set(self.leaves))
        for index in self.inner:
            if self._value(index).op != "matmul":
                for arg in self._value(index).args:
                    self.readers[arg] = self.readers.get(arg, 0) + 1
        for store in group:
            self.readers[store.value] = self.readers.get(store.value, 0) + 1
        for index in self.inner:  # a matmul accumulates, so it takes its slot while DST is still clean
            if self._value(index).op == "matmul":
                self.live[index] = self._matmul(index)
        stores = []
        for store in group:  # a store's share of ``readers`` is never taken, so its slot stays until it is packed
            slot = self.live[store.value] if store.value in self.live else self._evaluate(store.value)
            if store.value in self.inner:
                self.live[store.value] = slot
            stores.append((slot, store.cb))
        self._mask(group, [slot for slot, _ in stores])
        return SectionPlan(steps=tuple(self.steps), stores=tuple(stores))

    def _mask(self, group: list[Store], slots: list[int]) -> None:
        """Zero the padding of what goes into a block-float buffer, or becomes an operand, each slot once."""
        masks = {slot: store for store, slot in zip(group, slots, strict=True) if store.mask}
        for slot, store in masks.items():
            spare = self._take()
            self.steps.append(MaskStep(cb=store.mask, axis=store.axis, out=slot, slots=(spare,)))
            self._release(spare)

    def _value(self, index: int) -> Value:
        return self.program.values[index]

    def _take(self) -> int:
        if not self.free:
            raise Overflow(self.group)
        slot = self.free.pop(0)
        self.used.add(slot)
        return slot

    def _release(self, slot: int) -> None:
        self.free.append(slot)
        self.free.sort()

    def _operand(self, index: int) -> tuple[int, bool]:
        """The slot of a value, and whether the reader owns it and may overwrite it."""
        shared = self._is_shared(index)
        if index not in self.live:
            slot = self._evaluate(index)
            if not shared:
                return slot, True
            self.live[index] = slot
        slot = self.live[index]
        self.readers[index] -= 1
        if self.readers[index] == 0:
            del self.live[index]
            return slot, True
        return slot, False

    def _is_shared(self, index: int) -> bool:
        return index in self.inner and self.readers[index] > 1

    def _owned(self, index: int) -> int:
        slot, owned = self._operand(index)
        if owned:
            return slot
        copy = self._take()
        dtype = self._value(index).dtype
        integers = DTYPES[dtype].data_format if is_integer(dtype) else ""
        self.steps.append(MoveStep(source=slot, out=copy, data_format=integers))
        return copy

    def _evaluate(self, index: int) -> int:
        leaf = self.leaves.get(index)
        if leaf is not None:
            slot = self._take()
            load = LoadStep(cb=leaf.cb, out=slot, bcast=leaf.bcast, transpose=leaf.transpose, shift=leaf.shift)
            self.steps.append(load)
            return slot
        value = self._value(index)
        try:
            if value.op == "const":
                data_format, bits = const_word(value)
                slot = self._take()
                self.steps.append(FillStep(bits=bits, out=slot, data_format=data_format))
                return slot
            if value.op == "scalar":
                slot = self._take()
                data_format = DTYPES[value.dtype].data_format if is_integer(value.dtype) else ""
                self.steps.append(FillStep(bits=value.name, out=slot, data_format=data_format))
                return slot
            links = chain(self.program, value, wide_dst=self.math.fp32_accumulate)
            if links is not None:
                return self._chain(value, links)
            return self._fpu(value) if self._fpu_fits(value) else self._sfpu(value)
        except NoCall as missing:
            raise NoForm(index, missing.function, missing.dtype) from None
        except ZeroDivisionError:
            raise BadNumber(index, "the reciprocal of 0 is not a number") from None
        except OverflowError:
            raise BadNumber(index, "a number here is beyond float32") from None
        except ValueError as error:
            raise BadNumber(index, str(error)) from None

    def _matmul(self, index: int) -> int:
        operands = self.matmul[index]
        slot = self._take()
        self.steps.append(
            MatmulStep(
                a=operands.a,
                b=operands.b,
                k_tiles=operands.k_tiles,
                out=slot,
                transpose_b=operands.transpose_b,
            )
        )
        return slot

    def _fpu_fits(self, value: Value) -> bool:
        if value.op not in _FPU or any(arg not in self.leaves for arg in value.args):
            return False
        a, b = (self.leaves[arg] for arg in value.args)
        if not (a.fpu and b.fpu) or (a.bcast and b.bcast):
            return False
        if a.bcast and value.op not in _COMMUTATIVE:
            return False
        if value.op == "mul" and self.looped:  # the engine adds the product to what the round before left there
            return False
        return value.op != "mul" or any(slot not in self.used for slot in self.free)

    def _fpu(self, value: Value) -> int:
        """a op b straight from two circular buffers; mul adds to DST, so it takes a slot that was never written."""
        a, b = (self.leaves[arg] for arg in value.args)
        if a.bcast:
            a, b = b, a
        if value.op == "mul":
            slot = next(slot for slot in self.free if slot not in self.used)
            self.free.remove(slot)
            self.used.add(slot)
        else:
            slot = self._take()
        op: Literal["add", "sub", "mul"] = "add" if value.op == "add" else "sub" if value.op == "sub" else "mul"
        self.steps.append(FpuStep(op=op, a=a.cb, b=b.cb, out=slot, bcast=b.bcast))
        return slot

    def _sfpu(self, value: Value) -> int:
        chosen = select_call(self.program, value, self.math)
        form, operands, params = chosen.form, chosen.operands, chosen.params
        if len(operands) == 1:
            slot = self._owned(operands[0])
            scratch = self._scratch(value)
            self.steps.append(SfpuStep(function=value.op, form=form, slots=(slot, *scratch), out=slot, params=params))
            return slot
        slots: dict[int, tuple[int, bool]] = {}
        for position in sorted(range(len(operands)), key=lambda p: -self._need(operands[p])):
            index = operands[position]
            twin = next((p for p in slots if operands[p] == index and index in self.leaves), None)
            if value.op == "where" and position == 0 and self._may_be_minus_zero(index):
                slots[position] = self._condition(index)
            elif twin is not None and not (value.op == "where" and twin == 0):
                slots[position] = slots[twin]  # the same tile of the same buffer: one load serves both
            elif index in self.live or self._is_shared(index):
                if index not in self.live:
                    self.live[index] = self._evaluate(index)
            else:
                slots[position] = self._evaluate(index), True
        # Shared operands are taken last: until then what computes the others may read them, but not overwrite them.
        for position in range(len(operands)):
            if position not in slots:
                slots[position] = self._operand(operands[position])
        owned = [slot for slot, own in (slots[p] for p in range(len(operands))) if own]
        out = owned[0] if owned else self._take()
        self.steps.append(
            SfpuStep(
                function=value.op,
                form=form,
                slots=(*(slots[p][0] for p in range(len(operands))), *self._scratch(value)),
                out=out,
                params=params,
            )
        )
        for slot in dict.fromkeys(owned[1:]):
            if slot != out:
                self._release(slot)
        return out

    def _scratch(self, value: Value) -> list[int]:
        """Slots that the call of an op writes beside its result; free again after it."""
        taken = [self._take() for _ in range(scratch_of(value.op, self.program.ops))]
        for slot in taken:
            self._release(slot)
        return taken

    def _chain(self, value: Value, links: tuple[Link, ...]) -> int:
        """Several calls, in place."""
        slot = self._owned(value.args[0])
        for call in links:
            step = SfpuStep(function=call.function, form=call.form, slots=(slot,), out=slot, params=call.params)
            self.steps.append(step)
        return slot

    def _may_be_minus_zero(self, index: int) -> bool:
        value = self._value(index)
        return not is_comparison(value.op) and not is_integer(value.dtype)

    def _condition(self, index: int) -> tuple[int, bool]:
        """A condition whose zeros are plus zeros: where_tile looks at the bits, where a minus zero is neither.

        Comparisons and patterns are 0 or 1; of anything else the absolute value is taken, which keeps what is zero.
        """
        slot = self._owned(index)
        self.steps.append(SfpuStep(function="abs", form="float", slots=(slot,), out=slot))
        return slot, True

    def _need(self, index: int) -> int:
        """Slots that the tree below a value needs (an estimate: shared values count as trees)."""
        value = self._value(index)
        if index in self.live:
            return 0
        if index in self.leaves or value.op in ("const", "scalar") or self._fpu_fits(value):
            return 1
        needs = sorted((self._need(arg) for arg in value.args), reverse=True)
        return max((need + position for position, need in enumerate(needs)), default=1)
