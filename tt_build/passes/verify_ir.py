"""Pass ``verify_ir``: LoweredKernel -> VerifiedKernel. A gate: what it cannot prove does not leave the compiler.

Needs   lowered bodies with their arguments.
Gives   the figures that the checks counted.
Rejects (all TTB4xx: faults of ours, not of the user's)
        TTB401  work that is not covered exactly once, cores outside the region
        TTB402  circular buffers: ids, sizes, pages, blocks, producers and consumers, counts that differ, a wait that
                never ends, pages that are touched while they are not held, a missing barrier
        TTB403  pages that are not those of the unit, output pages not written exactly once, wrong slots
        TTB404  DST slots beyond the capacity, not written or written over, statements outside a section
        TTB405  arguments: names that nobody defines, values that host and kernel see differently, too many words
        TTB406  L1
        TTB407  tensors: tiles, padding, alignment, shards that do not cover them, accessor words
        TTB408  padding of the reduced dimension, or of what is packed into block-float formats, that is not zeroed
"""

from __future__ import annotations

import numpy as np

from tt_build.ir.index import dims_in, names_in
from tt_build.ir.lowered import KernelBody, Let, Loop, ReadPage, Stmt, WritePage, ZOrderPoint, scalars_of, walk
from tt_build.ir.plan import ArgRef
from tt_build.ir.skeleton import define
from tt_build.ir.stages import LoweredKernel, VerifiedKernel
from tt_build.ir.work import CoreWork, tile_ids
from tt_build.passes.channels import IS_SENDER
from tt_build.passes.common import extend
from tt_build.passes.proof import fail
from tt_build.passes.proof_blocks import check_blocks
from tt_build.passes.proof_dst import check_dst
from tt_build.passes.proof_exchange import check_exchanges, check_semaphores, check_sent, check_shared
from tt_build.passes.proof_flash import check_attention
from tt_build.passes.proof_memory import check_memory
from tt_build.passes.proof_moves import check_moves, check_pages_held
from tt_build.passes.proof_padding import check_block_padding
from tt_build.passes.proof_pages import check_pages
from tt_build.passes.proof_sweeps import check_sweeps
from tt_build.passes.simplify import bodies_of, indices_of
from tt_build.targets import Arch


def apply(kernel: LoweredKernel, arch: Arch) -> VerifiedKernel:
    """Prove the kernel, or reject it."""
    if tuple(body.role for body in kernel.bodies) != ("reader", "compute", "writer"):
        fail(kernel, "TTB405", f"kernels {[body.role for body in kernel.bodies]}")
    _check_work(kernel)
    check_memory(kernel, arch)
    _check_arguments(kernel, arch)
    dst = check_dst(kernel, arch)
    for body in kernel.bodies:
        check_pages_held(kernel, body)
    sends = dict.fromkeys(IS_SENDER.values(), 1)
    traffic = check_moves(kernel, {item.core: _arguments(item) | sends for item in kernel.work})
    if kernel.attention is not None:
        check = check_attention
    else:
        check = check_blocks if kernel.blocking is not None else check_sweeps if kernel.sweeps else check_pages
    read, written = check(kernel)
    check_block_padding(kernel)
    return extend(
        VerifiedKernel,
        kernel,
        l1_bytes=sum(cb.size for cb in kernel.circular_buffers),
        dst_tiles=dst,
        traffic=traffic,
        pages_read=read,
        pages_written=written,
    )


def _check_work(kernel: LoweredKernel) -> None:
    units = kernel.grid.units
    try:
        walks = [tile_ids(item, kernel.order, kernel.grid) for item in kernel.work]
    except IndexError:
        fail(kernel, "TTB401", f"positions beyond the {units} of the grid")
    if any(len(tiles) != item.count for tiles, item in zip(walks, kernel.work, strict=True)):
        fail(kernel, "TTB401", "a core's rectangle has another count than its work")
    if sorted(tile for walk_ in walks for tile in walk_) != list(range(units)):
        fail(kernel, "TTB401", f"the cores' work does not cover {units} units exactly once")
    (x0, y0), (w, h) = kernel.region.at, kernel.region.size
    if min(x0, y0) < 0 or x0 + w > kernel.core_grid[0] or y0 + h > kernel.core_grid[1]:
        fail(kernel, "TTB401", f"the region lies outside the grid of {kernel.core_grid} cores")
    seen: set[tuple[int, int]] = set()
    for item in kernel.work:
        x, y = item.core
        if not (x0 <= x < x0 + w and y0 <= y < y0 + h) or item.core in seen:
            fail(kernel, "TTB401", f"core {item.core} is outside the region or occurs twice")
        if item.core_id != y * kernel.core_grid[0] + x:
            fail(kernel, "TTB401", f"core {item.core} has id {item.core_id}")
        seen.add(item.core)
    covered = [core for r in kernel.core_ranges for core in r.cores()]
    if sorted(covered) != sorted(seen):
        fail(kernel, "TTB401", "core ranges do not cover the cores with work exactly once")
    _check_walks(kernel, walks)


def _check_walks(kernel: LoweredKernel, walks: list[list[int]]) -> None:
    """The persistent loop's own expressions give each core the tiles of its walk, in order."""
    for body in kernel.bodies:
        if set(body.runtime_args) - {*kernel.loop.args, *IS_SENDER.values()}:
            fail(kernel, "TTB405", f"{body.role} takes {body.runtime_args}; the loop has {kernel.loop.args}")
    for item, tiles in zip(kernel.work, walks, strict=True):
        names = {name: np.asarray(value) for name, value in _arguments(item).items()}
        names["unit"] = np.arange(item.count)
        for stmt in kernel.loop.body:
            if not isinstance(stmt, Let | ZOrderPoint):
                fail(kernel, "TTB401", f"the loop holds a {type(stmt).__name__}")
            define(stmt, names)
        if not np.array_equal(np.broadcast_to(names["tile_id"], item.count), tiles):
            fail(kernel, "TTB401", f"core {item.core} does not walk its tiles in order {kernel.order}")


def _arguments(item: CoreWork) -> dict[str, int]:
    """The loop's arguments on that core."""
    x, y, w, h = item.rect or (0, 0, 0, 0)
    places = {"rect_x": x, "rect_y": y, "rect_width": w, "rect_height": h}
    return {"start_tile": item.start, "num_tiles": item.count, **places}


def _check_arguments(kernel: LoweredKernel, arch: Arch) -> None:
    cores = [item.core for item in kernel.work]
    check_semaphores(kernel, arch)
    peers = check_exchanges(kernel)
    check_sent(kernel)
    for body in kernel.bodies:
        shared = check_shared(kernel, body)
        words = len(body.accessors) + len(body.runtime_args) + 2 * body.peers
        words += sum(channel.words for channel in body.channels)
        if words + len(body.common_args) > arch.runtime_args:
            fail(kernel, "TTB405", f"{body.role} has {words} runtime arguments; {arch.runtime_args} are allowed")
        if [values.core for values in body.core_values] != cores:
            fail(kernel, "TTB405", f"{body.role} has arguments for other cores than those with work")
        moved = dict.fromkeys(s.tensor for s in walk(body.body) if isinstance(s, ReadPage | WritePage))
        if body.accessors != tuple(moved):
            fail(kernel, "TTB405", f"{body.role} moves {list(moved)} through accessors of {list(body.accessors)}")
        _check_compile_args(kernel, body)
        _check_scalars(kernel, body)
        for values, item in zip(body.core_values, kernel.work, strict=True):
            own = (ArgRef(noc_x=item.core), ArgRef(noc_y=item.core))
            sends = {IS_SENDER[name]: int(found[:2] == own) for name, found in shared[item.core].items()}
            work = _arguments(item) | sends
            expected = (
                *(ArgRef(address_of=t) for t in body.accessors),
                *(work[name] for name in body.runtime_args),
                *(peers[item.core] if body.peers else ()),
                *(word for found in shared[item.core].values() for word in found),
            )
            if values.values != expected:
                fail(kernel, "TTB405", f"{body.role} on {values.core} has other arguments than it reads")
        _check_names(kernel, body, body.body, {*body.runtime_args})


def _check_scalars(kernel: LoweredKernel, body: KernelBody) -> None:
    """The common arguments are the run-time scalars that the body's calls take, each the program's own."""
    declared = kernel.program.runtime_scalars().keys()
    if body.common_args != scalars_of(body.body) or not declared >= {*body.common_args}:
        fail(kernel, "TTB405", f"{body.role} takes scalars {list(scalars_of(body.body))}, given {body.common_args}")
    if body.common_values != tuple(ArgRef(scalar=name) for name in body.common_args):
        fail(kernel, "TTB405", f"{body.role} has other common arguments than it reads")


def _check_compile_args(kernel: LoweredKernel, body: KernelBody) -> None:
    """Each named constant of the body is an argument with that value, once."""
    values = {arg.name: arg.value for arg in body.compile_args}
    if len(values) != len(body.compile_args):
        fail(kernel, "TTB405", f"{body.role} has a compile-time argument twice")
    for stmt in walk(body.body):
        for index in indices_of(stmt):
            for item in dims_in(index):
                if values.get(item.name) != item.value:
                    fail(
                        kernel,
                        "TTB405",
                        f"{body.role} is given {item.name} = {values.get(item.name)}, not {item.value}",
                    )


def _check_names(kernel: LoweredKernel, body: KernelBody, statements: tuple[Stmt, ...], known: set[str]) -> None:
    known = set(known)
    for stmt in statements:
        for index in indices_of(stmt):
            missing = names_in(index) - known
            if missing:
                fail(kernel, "TTB405", f"{body.role} reads {sorted(missing)}, which nothing defines")
        if isinstance(stmt, Let):
            known.add(stmt.name)
        elif isinstance(stmt, ZOrderPoint):
            known |= {f"{stmt.name}.x", f"{stmt.name}.y"}
        inner = known | {stmt.var} if isinstance(stmt, Loop) else known
        for part in bodies_of(stmt):
            _check_names(kernel, body, part, inner)
