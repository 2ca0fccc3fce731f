"""Proofs about DST, used by ``verify_ir``: slots within the capacity, written before they are read, clean where the
engine adds to them; the tiles of a section, where it has several, apart from each other.
"""

from __future__ import annotations

import msgspec

from tt_build.ir.index import Bin, Dim, Index, Num, Var
from tt_build.ir.lowered import Block, Let, Loop, MatmulBlock, Pack, Section, SfpuOp, Stmt, TileOp, When, walk
from tt_build.ir.stages import LoweredKernel
from tt_build.lang.ops import scratch_of
from tt_build.passes.proof import fail
from tt_build.passes.tensorize_steps import FILL
from tt_build.targets import DTYPES, Arch

_Operation = TileOp | SfpuOp | Pack


def check_dst(kernel: LoweredKernel, arch: Arch) -> int:
    """The slots that sections use (TTB404)."""
    capacity = arch.dst_capacity(fp32=kernel.math.fp32_accumulate)
    most = 0
    _check_operands(kernel)
    for body in kernel.bodies:
        _check_outside(kernel, body.body)
        defined = [stmt for stmt in walk(body.body) if isinstance(stmt, Let)]
        for section in walk(body.body):
            if not isinstance(section, Section):
                continue
            lanes = _lanes(kernel, section, defined)
            math, packs = (_spread(part, lanes) for part in (section.math, section.packs))
            written: set[int] = set()
            _check_math(kernel, math, written, capacity)
            operations = [s for s in walk(packs) if isinstance(s, TileOp | MatmulBlock | SfpuOp | Pack)]
            if not packs or any(not isinstance(s, Pack) or s.dst not in written for s in operations):
                fail(kernel, "TTB404", "a section packs nothing, or a slot that nothing wrote")
            if any(not 0 <= slot < capacity for slot in written):
                fail(kernel, "TTB404", f"DST slots {sorted(written)} of {capacity}")
            slots = [slot for s in walk(math) if isinstance(s, SfpuOp) for slot in s.slots]
            most = max(most, 1 + max((*written, *slots)))
    return most


_COMPUTES = ("add", "sub", "mul", "matmul")
"""What the matrix engine computes; the other tile operations move."""


def _check_operands(kernel: LoweredKernel) -> None:
    """The matrix engine computes with floats only (TTB402)."""
    floats = {cb.name for cb in kernel.circular_buffers if DTYPES[cb.dtype].is_float}
    for stmt in (stmt for body in kernel.bodies for stmt in walk(body.body)):
        if not isinstance(stmt, TileOp | MatmulBlock) or (isinstance(stmt, TileOp) and stmt.op not in _COMPUTES):
            continue
        if not floats.issuperset(stmt.cbs):
            fail(kernel, "TTB402", f"the matrix engine would compute with integers in {', '.join(stmt.cbs)}")


def _lanes(kernel: LoweredKernel, section: Section, defined: list[Let]) -> int:
    """How many tiles a section has at most: each of its operations is in a loop over all of them, or none is.

    Slots of different use are so far apart that no tile has another one's.
    """
    statements = (*section.math, *section.packs)
    operations = [s for s in walk(statements) if isinstance(s, _Operation)]
    if all(stmt.lane is None for stmt in operations):
        return 1
    loops = [stmt for stmt in statements if isinstance(stmt, Loop)]
    over = [stmt for loop in loops for stmt in loop.body if isinstance(stmt, _Operation) and stmt.lane == Var(loop.var)]
    if len(over) != len(operations) or len({loop.count for loop in loops}) != 1:
        fail(kernel, "TTB404", "not every step of a section is done for all of its tiles")
    lanes = _at_most(loops[0].count, defined)
    if lanes is None:
        fail(kernel, "TTB404", "a section of as many tiles as there are")
    slots = {slot for stmt in over for slot in _all_slots(stmt)}
    if any(slot % lanes for slot in slots):
        fail(kernel, "TTB404", f"{lanes} tiles in DST from slots {sorted(slots)} on")
    return lanes


def _all_slots(stmt: _Operation) -> tuple[int, ...]:
    return (*stmt.slots, stmt.out) if isinstance(stmt, SfpuOp) else (stmt.dst,)


def _at_most(index: Index, defined: list[Let]) -> int | None:
    """A number that the index does not exceed; None where none is known."""
    if isinstance(index, Num | Dim):
        return index.value
    if isinstance(index, Bin):
        known = [value for value in (_at_most(index.a, defined), _at_most(index.b, defined)) if value is not None]
        return min(known) if known and index.op == "min" else None
    found = [_at_most(stmt.value, defined) for stmt in defined if stmt.name == index.name]
    return max((value for value in found if value is not None), default=None) if None not in found else None


def _spread(statements: tuple[Stmt, ...], lanes: int) -> tuple[Stmt, ...]:
    """The statements of a section of that many tiles, each for every tile."""
    if lanes == 1:
        return statements
    loops = [stmt for stmt in statements if isinstance(stmt, Loop)]
    return tuple(_of_lane(stmt, lane) for loop in loops for lane in range(lanes) for stmt in loop.body)


def _of_lane(stmt: Stmt, lane: int) -> Stmt:
    if isinstance(stmt, SfpuOp):
        return msgspec.structs.replace(stmt, slots=tuple(slot + lane for slot in stmt.slots), out=stmt.out + lane)
    return msgspec.structs.replace(stmt, dst=stmt.dst + lane) if isinstance(stmt, TileOp | Pack) else stmt


def _check_outside(kernel: LoweredKernel, statements: tuple[Stmt, ...]) -> None:
    for stmt in statements:
        if isinstance(stmt, TileOp | MatmulBlock | SfpuOp | Pack):
            fail(kernel, "TTB404", f"{type(stmt).__name__} outside a DST section")
        if isinstance(stmt, Loop | When | Block):
            _check_outside(kernel, stmt.body)


def _check_math(kernel: LoweredKernel, statements: tuple[Stmt, ...], written: set[int], capacity: int) -> None:
    for stmt in statements:
        if isinstance(stmt, Pack):
            fail(kernel, "TTB404", "Pack in the math part of a section")
        if isinstance(stmt, Loop | When | Block):
            _check_math(kernel, stmt.body, written, capacity)
        elif isinstance(stmt, MatmulBlock):
            slots = set(range(stmt.rows * stmt.columns))
            if slots & written:
                fail(kernel, "TTB404", f"matmul_block adds to DST slots {sorted(slots & written)}, which are not clean")
            written |= slots
        elif isinstance(stmt, TileOp):
            if stmt.op in ("matmul", "mul") and stmt.dst in written:
                fail(kernel, "TTB404", f"{stmt.op} adds to DST slot {stmt.dst}, which is not clean")
            written.add(stmt.dst)
        elif isinstance(stmt, SfpuOp):
            operands, scratch = _slots(kernel, stmt)
            if not set(operands) <= written or (not operands and stmt.function != FILL):
                fail(kernel, "TTB404", f"{stmt.function} reads DST slots {operands} of {sorted(written)} written ones")
            if not set(scratch) <= set(range(capacity)) - {*operands, stmt.out}:
                fail(kernel, "TTB404", f"{stmt.function} has DST slots {scratch} for itself, of {capacity}")
            written -= set(scratch)
            written.add(stmt.out)


def _slots(kernel: LoweredKernel, stmt: SfpuOp) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The slots that a call reads, and those that it only writes over."""
    count = len(stmt.slots) - scratch_of(stmt.function, kernel.program.ops)
    return stmt.slots[:count], stmt.slots[count:]
