"""Pass ``tensorize``: PaddedKernel -> LoweredKernel.

Needs   streams, sections, circular buffers, padding.
Gives   the bodies of reader, compute and writer from one loop nest, and their arguments: the shape constants as
        compile-time arguments, tensor addresses and the core's work as runtime arguments.
"""

from __future__ import annotations

from tt_build.ir.index import Dim, dims_in, names_in
from tt_build.ir.lowered import (
    CompileArg,
    CoreValues,
    Exchange,
    KernelBody,
    ReadPage,
    Role,
    RuntimeValue,
    SendShared,
    Stmt,
    WritePage,
    scalars_of,
    walk,
)
from tt_build.ir.plan import ArgRef
from tt_build.ir.stages import LoweredKernel, PaddedKernel
from tt_build.ir.work import CoreWork
from tt_build.passes import compute_sweeps, tensorize_sweeps
from tt_build.passes.common import extend
from tt_build.passes.parts import peers_of
from tt_build.passes.simplify import indices_of, simplify
from tt_build.passes.tensorize_compute import compute
from tt_build.passes.tensorize_reader import reader
from tt_build.passes.tensorize_shared import IS_SENDER, target_words, targets_of
from tt_build.passes.tensorize_writer import writer


def apply(kernel: PaddedKernel) -> LoweredKernel:
    """Write the three kernels."""
    by_sweeps = bool(kernel.sweeps)
    bodies = (
        _kernel(kernel, "reader", tensorize_sweeps.reader(kernel) if by_sweeps else reader(kernel)),
        _kernel(kernel, "compute", compute_sweeps.compute(kernel) if by_sweeps else compute(kernel)),
        _kernel(kernel, "writer", tensorize_sweeps.writer(kernel) if by_sweeps else writer(kernel)),
    )
    flat = [stmt for body in bodies for stmt in walk(body.body)]
    used = [number for stmt in flat if isinstance(stmt, SendShared) for number in (stmt.ready, stmt.sent)]
    used += [stmt.semaphore for stmt in flat if isinstance(stmt, Exchange)]
    return extend(LoweredKernel, kernel, bodies=bodies, semaphores=tuple(used))


def _kernel(kernel: PaddedKernel, role: Role, statements: tuple[Stmt, ...]) -> KernelBody:
    body = simplify(statements)
    flat = walk(body)
    accessors = tuple(dict.fromkeys(s.tensor for s in flat if isinstance(s, ReadPage | WritePage)))
    indices = [index for stmt in flat for index in indices_of(stmt)]
    dims: dict[str, Dim] = {d.name: d for index in indices for d in dims_in(index)}
    read = frozenset[str]().union(*(names_in(index) for index in indices))
    arguments = tuple(name for name in (*kernel.loop.args, IS_SENDER) if name in read)
    shares = any(isinstance(stmt, SendShared) for stmt in flat)
    targets = target_words(kernel) if shares else ()
    peers = peers_of(kernel) if any(isinstance(stmt, Exchange) for stmt in flat) else {}
    scalars = scalars_of(body)
    return KernelBody(
        role=role,
        compile_args=tuple(CompileArg(name=d.name, value=d.value) for d in dims.values()),
        accessors=accessors,
        runtime_args=arguments,
        peers=len(next(iter(peers.values()), ())),
        targets=len(targets_of(kernel)) if shares else 0,
        common_args=scalars,
        common_values=tuple(ArgRef(scalar=name) for name in scalars),
        core_values=tuple(
            CoreValues(
                core=item.core,
                values=(
                    *(ArgRef(address_of=tensor) for tensor in accessors),
                    *_work_values(item, arguments, is_sender=item == kernel.work[0]),
                    *(coordinate for peer in peers.get(item.core, ()) for coordinate in _coordinates(peer)),
                    *targets,
                ),
            )
            for item in kernel.work
        ),
        body=body,
    )


def _coordinates(core: tuple[int, int]) -> tuple[ArgRef, ArgRef]:
    return ArgRef(noc_x=core), ArgRef(noc_y=core)


def _work_values(item: CoreWork, arguments: tuple[str, ...], *, is_sender: bool) -> tuple[RuntimeValue, ...]:
    x, y, w, h = item.rect or (0, 0, 0, 0)
    values = {
        "start_tile": item.start,
        "num_tiles": item.count,
        "rect_x": x,
        "rect_y": y,
        "rect_width": w,
        "rect_height": h,
        IS_SENDER: int(is_sender),
    }
    return tuple(values[name] for name in arguments)
