"""Pass ``tensorize``: PaddedKernel -> LoweredKernel.

Needs   streams, sections, circular buffers, padding.
Gives   the bodies of reader, compute and writer from one loop nest, and their arguments: the shape constants as
        compile-time arguments, tensor addresses and the core's work as runtime arguments.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tt_build.ir.index import Dim, dims_in, names_in
from tt_build.ir.lowered import (
    Channel,
    ChannelName,
    CompileArg,
    CoreValues,
    Exchange,
    KernelBody,
    ReadPage,
    ReceiveShared,
    Role,
    RotateShared,
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
from tt_build.passes import (
    compute_blocks,
    compute_flash,
    compute_sweeps,
    tensorize_blocks,
    tensorize_flash,
    tensorize_sweeps,
)
from tt_build.passes.channels import IS_SENDER, Group, coordinates, groups, noc_of, turn_words, turns, words
from tt_build.passes.common import extend
from tt_build.passes.parts import peers_of
from tt_build.passes.simplify import indices_of, simplify, with_bodies
from tt_build.passes.tensorize_compute import compute
from tt_build.passes.tensorize_reader import reader
from tt_build.passes.tensorize_writer import writer

ROLES: tuple[Role, ...] = ("reader", "compute", "writer")


def apply(kernel: PaddedKernel) -> LoweredKernel:
    """Write the three kernels."""
    if kernel.blocking is not None:
        written = tensorize_blocks.reader(kernel), compute_blocks.compute(kernel), tensorize_blocks.writer(kernel)
    elif kernel.flash is not None:
        written = tensorize_flash.reader(kernel), compute_flash.compute(kernel), tensorize_flash.writer(kernel)
    elif kernel.sweeps:
        written = tensorize_sweeps.reader(kernel), compute_sweeps.compute(kernel), tensorize_sweeps.writer(kernel)
    else:
        written = reader(kernel), compute(kernel), writer(kernel)
    used = sorted({number for body in written for stmt in walk(body) for number in _semaphores(stmt).values()})
    # The host makes as many as there are, and the runtime numbers them from 0 on.
    numbers = {number: place for place, number in enumerate(used)}
    numbered = (tuple(_renumbered(stmt, numbers) for stmt in body) for body in written)
    bodies = tuple(_kernel(kernel, role, body) for role, body in zip(ROLES, numbered, strict=True))
    return extend(LoweredKernel, kernel, bodies=bodies, semaphores=tuple(numbers.values()))


def _semaphores(stmt: Stmt) -> dict[str, int]:
    """The semaphores that a statement uses, by field."""
    if isinstance(stmt, SendShared | ReceiveShared | RotateShared):
        return {"ready": stmt.ready, "sent": stmt.sent}
    return {"semaphore": stmt.semaphore} if isinstance(stmt, Exchange) else {}


def _renumbered(stmt: Stmt, numbers: Mapping[int, int]) -> Stmt:
    """The statement, and those inside it, with other semaphores."""
    own = {field: numbers[number] for field, number in _semaphores(stmt).items()}
    if own:
        return msgspec.structs.replace(stmt, **own)
    return with_bodies(stmt, lambda body: tuple(_renumbered(inner, numbers) for inner in body))


def _kernel(kernel: PaddedKernel, role: Role, statements: tuple[Stmt, ...]) -> KernelBody:
    body = simplify(statements)
    flat = walk(body)
    accessors = tuple(dict.fromkeys(s.tensor for s in flat if isinstance(s, ReadPage | WritePage)))
    indices = [index for stmt in flat for index in indices_of(stmt)]
    dims: dict[str, Dim] = {d.name: d for index in indices for d in dims_in(index)}
    read = frozenset[str]().union(*(names_in(index) for index in indices))
    arguments = tuple(name for name in (*kernel.loop.args, *IS_SENDER.values()) if name in read)
    sends = {stmt.channel: stmt for stmt in flat if isinstance(stmt, SendShared)}
    shared = {channel: groups(kernel, channel) for channel in sends}
    rotating = {stmt.channel: stmt.cores for stmt in flat if isinstance(stmt, RotateShared)}
    in_turn = {channel: turns(kernel, channel) for channel in rotating}
    noc = noc_of(role)
    peers = peers_of(kernel) if any(isinstance(stmt, Exchange) for stmt in flat) else {}
    scalars = scalars_of(body)
    return KernelBody(
        role=role,
        compile_args=tuple(CompileArg(name=d.name, value=d.value) for d in dims.values()),
        accessors=accessors,
        runtime_args=arguments,
        peers=len(next(iter(peers.values()), ())),
        channels=(
            *(Channel(name=name, targets=send.targets) for name, send in sends.items()),
            *(Channel(name=name, targets=1, senders=cores) for name, cores in rotating.items()),
        ),
        common_args=scalars,
        common_values=tuple(ArgRef(scalar=name) for name in scalars),
        core_values=tuple(
            CoreValues(
                core=item.core,
                values=(
                    *(ArgRef(address_of=tensor) for tensor in accessors),
                    *_work_values(item, arguments, shared),
                    *(coordinate for peer in peers.get(item.core, ()) for coordinate in coordinates(peer)),
                    *(word for group in shared.values() for word in words(group[item.core], noc=noc)),
                    *(word for members in in_turn.values() for word in turn_words(members[item.core], noc=noc)),
                ),
            )
            for item in kernel.work
        ),
        body=body,
    )


def _work_values(
    item: CoreWork, arguments: tuple[str, ...], shared: dict[ChannelName, dict[tuple[int, int], Group]]
) -> tuple[RuntimeValue, ...]:
    x, y, w, h = item.rect or (0, 0, 0, 0)
    values = {
        "start_tile": item.start,
        "num_tiles": item.count,
        "rect_x": x,
        "rect_y": y,
        "rect_width": w,
        "rect_height": h,
        **{IS_SENDER[name]: int(group[item.core].sender == item.core) for name, group in shared.items()},
    }
    return tuple(values[name] for name in arguments)
