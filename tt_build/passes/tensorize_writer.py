"""The writer's body: tiles of every output from circular buffers to memory."""

from __future__ import annotations

from tt_build.ir.index import num
from tt_build.ir.lowered import Barrier, Pop, Stmt, Wait, WritePage
from tt_build.ir.stages import PaddedKernel
from tt_build.passes import loops
from tt_build.passes.blocks import awaited, pointer_of, popped
from tt_build.passes.pages import rows_fields


def writer(kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """Statements of ``writer.cpp``. A page may be reused once its write has left; the last writes are acknowledged.

    Results in shards lie where they belong: they are only taken from the circular buffer.
    """
    size = loops.batch(kernel)
    results = [r for r in kernel.results if not r.bound]
    local = [kernel.cb(r.cb) for r in kernel.results if r.bound]
    last: list[Stmt] = []
    for cb in local:
        last += [Wait(cb=cb.name, pages=num(cb.block)), Pop(cb=cb.name, pages=num(cb.block))]
    if not results:
        return tuple(last)
    cbs = [r.cb for r in results]
    writes: list[Stmt] = [
        WritePage(
            tensor=r.tensor,
            page=r.page,
            **rows_fields(r.rows),
            pointer=pointer_of(r.cb),
            slot=loops.unit_slot(kernel),
            cb=r.cb,
        )
        for r in results
    ]
    after: list[Stmt] = [Barrier(what="flushed"), *popped(cbs, size)]
    loop = loops.unit_loop(kernel, awaited(cbs, size), [*loops.definitions(kernel), *writes], after)
    return (loop, Barrier(what="write"), *last)
