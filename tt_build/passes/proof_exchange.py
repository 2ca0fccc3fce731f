"""Proofs about tiles that cores send each other, used by ``verify_ir``."""

from __future__ import annotations

from tt_build.ir.lowered import Exchange, walk
from tt_build.ir.plan import ArgRef
from tt_build.ir.stages import LoweredKernel
from tt_build.ir.work import block_of, tile_ids
from tt_build.passes.proof import fail
from tt_build.targets import Arch

Coordinates = tuple[ArgRef, ...]


def check_exchanges(kernel: LoweredKernel, arch: Arch) -> dict[tuple[int, int], Coordinates]:
    """The coordinates that each core needs: those of the cores with the parts of its unit (TTB405).

    All parts of a unit run at the same time, each on a core of its own (TTB401); each exchange counts with a semaphore
    of its own, and is for exactly the parts that there are (TTB402).
    """
    found = [(body.role, s) for body in kernel.bodies for s in walk(body.body) if isinstance(s, Exchange)]
    used = [stmt.semaphore for _, stmt in found]
    if (
        len(set(used)) != len(used)
        or tuple(used) != kernel.semaphores
        or any(not 0 <= s < arch.semaphores for s in used)
    ):
        fail(kernel, "TTB402", f"semaphores {list(kernel.semaphores)} for exchanges with {used}")
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
