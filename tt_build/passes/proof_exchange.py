"""Proofs about tiles that cores send each other, used by ``verify_ir``."""

from __future__ import annotations

from tt_build.ir.index import num, var
from tt_build.ir.lowered import Exchange, ReceiveShared, SendShared, When, walk
from tt_build.ir.plan import ArgRef
from tt_build.ir.stages import LoweredKernel
from tt_build.ir.work import block_of, tile_ids
from tt_build.passes.proof import fail
from tt_build.passes.shard_to_core_map import cover
from tt_build.passes.tensorize_shared import IS_SENDER
from tt_build.targets import Arch

Coordinates = tuple[int | ArgRef, ...]


def check_semaphores(kernel: LoweredKernel, arch: Arch) -> None:
    """Every semaphore has one use, and the hardware has it (TTB402)."""
    flat = [stmt for body in kernel.bodies for stmt in walk(body.body)]
    used = [number for stmt in flat if isinstance(stmt, SendShared) for number in (stmt.ready, stmt.sent)]
    used += [stmt.semaphore for stmt in flat if isinstance(stmt, Exchange)]
    if (
        len(set(used)) != len(used)
        or tuple(used) != kernel.semaphores
        or any(not 0 <= s < arch.semaphores for s in used)
    ):
        fail(kernel, "TTB402", f"semaphores {list(kernel.semaphores)} for uses of {used}")


def check_shared(kernel: LoweredKernel) -> Coordinates:
    """The words that a reader needs to send or receive what all cores share: the sender, and rectangles of the others.

    One core sends, all others receive, each once, with the same two semaphores; every shared stream is in the parcel
    with all its pages (TTB402).
    """
    shared = [s for s in kernel.streams if s.per == "core"] if len(kernel.work) > 1 else []
    reader = kernel.bodies[0]
    sides = {stmt.b: stmt.body for stmt in reader.body if isinstance(stmt, When) and stmt.a == var(IS_SENDER)}
    sends = [s for body in kernel.bodies for s in walk(body.body) if isinstance(s, SendShared)]
    receives = [s for body in kernel.bodies for s in walk(body.body) if isinstance(s, ReceiveShared)]
    if not shared:
        if sends or receives or sides:
            fail(kernel, "TTB402", "shared operands are sent, though there are none")
        return ()
    if len(sends) != 1 or len(receives) != 1 or set(sides) != {num(0), num(1)}:
        fail(kernel, "TTB402", f"{len(sends)} cores send shared operands, {len(receives)} kinds receive them")
    (send,), (receive,) = sends, receives
    if sides[num(1)][-1] != send or sides[num(0)] != (receive,):
        fail(kernel, "TTB402", "shared operands are sent before they have been read, or by others than the sender")
    if (send.ready, send.sent) != (receive.ready, receive.sent) or send.receivers != len(kernel.work) - 1:
        fail(kernel, "TTB402", f"{send.receivers} receivers of {len(kernel.work)} cores, or other semaphores")
    parcel = {(block.cb, block.pages) for block in send.blocks}
    if parcel != {(s.cb, kernel.cb(s.cb).num_pages) for s in shared} or len(parcel) != len(send.blocks):
        fail(kernel, "TTB402", f"shared streams {[s.cb for s in shared]} are sent as {sorted(parcel)}")
    rectangles = cover(tuple(item.core for item in kernel.work[1:]))
    covered = [core for rectangle in rectangles for core in rectangle.cores()]
    if sorted(covered) != sorted(item.core for item in kernel.work[1:]):
        fail(kernel, "TTB402", "the rectangles of receivers do not cover the other cores exactly once")
    words: list[int | ArgRef] = [ArgRef(noc_x=kernel.work[0].core), ArgRef(noc_y=kernel.work[0].core)]
    for r in rectangles:
        corners = (ArgRef(noc_x=r.start), ArgRef(noc_y=r.start), ArgRef(noc_x=r.end), ArgRef(noc_y=r.end))
        words += [*corners, len(r.cores())]
    if send.targets != len(rectangles) or reader.targets != len(rectangles):
        fail(kernel, "TTB405", f"{send.targets} of {len(rectangles)} rectangles of receivers")
    return tuple(words)


def check_exchanges(kernel: LoweredKernel) -> dict[tuple[int, int], Coordinates]:
    """The coordinates that each core needs: those of the cores with the parts of its unit (TTB405).

    All parts of a unit run at the same time, each on a core of its own (TTB401); each exchange is for exactly the
    parts that there are (TTB402).
    """
    found = [(body.role, s) for body in kernel.bodies for s in walk(body.body) if isinstance(s, Exchange)]
    planned = [fold for sweep in kernel.sweeps for fold in sweep.folds if fold.part_cb]
    if [stmt.cb for _, stmt in found] != [fold.parts_cb for fold in planned] or any(
        role != "writer" for role, _ in found
    ):
        fail(kernel, "TTB402", f"{len(found)} exchanges, {len(planned)} reductions in spread parts")
    if not found:
        return {}
    parts = kernel.parts
    if parts is None or not parts.spread:
        fail(kernel, "TTB402", "an exchange without parts")
    along = 1 if parts.axis == "rows" else 0
    groups: dict[tuple[int, ...], dict[int, tuple[int, int]]] = {}
    for item in kernel.work:
        if item.count != 1:
            fail(kernel, "TTB401", f"core {item.core} has {item.count} parts, which wait for each other")
        place = list(block_of(tile_ids(item, kernel.order, kernel.grid)[0], kernel.grid))
        number, place[along] = place[along], 0
        groups.setdefault(tuple(place), {})[number] = item.core
    coordinates: dict[tuple[int, int], Coordinates] = {}
    for members in groups.values():
        if sorted(members) != list(range(parts.count)):
            fail(kernel, "TTB401", f"a unit with parts {sorted(members)} of {parts.count}")
        cores = [members[number] for number in range(parts.count)]
        words = tuple(word for core in cores for word in (ArgRef(noc_x=core), ArgRef(noc_y=core)))
        coordinates |= dict.fromkeys(cores, words)
    return coordinates
