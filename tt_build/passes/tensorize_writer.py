"""The writer's body: tiles of every output from circular buffers to memory."""

from __future__ import annotations

from tt_build.ir.lowered import Barrier, Pointer, Pop, Stmt, Wait, WritePage
from tt_build.ir.stages import OutputStream, PaddedKernel
from tt_build.passes import loops


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``writer.cpp``. A page may be reused once its write has left; the last writes are acknowledged."""
    size = loops.batch(kernel)
    before: list[Stmt] = [Wait(cb=r.cb, pages=size) for r in kernel.results]
    before += [Pointer(name=_pointer(r), cb=r.cb, side="read") for r in kernel.results]
    writes: list[Stmt] = [
        WritePage(
            tensor=r.tensor,
            page=r.page,
            pointer=_pointer(r),
            slot=loops.unit_slot(kernel),
            cb=r.cb,
        )
        for r in kernel.results
    ]
    after: list[Stmt] = [Barrier(what="flushed"), *(Pop(cb=r.cb, pages=size) for r in kernel.results)]
    loop = loops.unit_loop(kernel, before, [*loops.definitions(kernel), *writes], after)
    return (loop, Barrier(what="write"))


def _pointer(result: OutputStream) -> str:
    return f"{result.cb.removeprefix('cb_')}_l1"
