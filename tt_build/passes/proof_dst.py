"""Proofs about DST, used by ``verify_ir``: slots within the capacity, written before they are read, clean where the
engine adds to them.
"""

from __future__ import annotations

from tt_build.ir.lowered import Block, Loop, MatmulBlock, Pack, Section, SfpuOp, Stmt, TileOp, When, walk
from tt_build.ir.stages import LoweredKernel
from tt_build.lang.ops import scratch_of
from tt_build.passes.proof import fail
from tt_build.passes.tensorize_steps import FILL
from tt_build.targets import DTYPES, Arch


def check_dst(kernel: LoweredKernel, arch: Arch) -> int:
    """The slots that sections use (TTB404)."""
    capacity = arch.dst_capacity(fp32=kernel.math.fp32_accumulate)
    most = 0
    _check_operands(kernel)
    for body in kernel.bodies:
        _check_outside(kernel, body.body)
        for section in walk(body.body):
            if not isinstance(section, Section):
                continue
            written: set[int] = set()
            _check_math(kernel, section.math, written, capacity)
            if not section.packs or any(not isinstance(s, Pack) or s.dst not in written for s in _operations(section)):
                fail(kernel, "TTB404", "a section packs nothing, or a slot that nothing wrote")
            if any(not 0 <= slot < capacity for slot in written):
                fail(kernel, "TTB404", f"DST slots {sorted(written)} of {capacity}")
            slots = [slot for s in walk(section.math) if isinstance(s, SfpuOp) for slot in s.slots]
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


def _operations(section: Section) -> list[Stmt]:
    return [s for s in walk(section.packs) if isinstance(s, TileOp | MatmulBlock | SfpuOp | Pack)]


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
