"""Proof about attention of which cores have parts of the keys, used by ``proof_flash``: what each hands over, and how
the first core of a unit puts it together (TTB403).

That is what stands behind the steps of a unit: sections that pack the state, and, on the first core alone, those that
scale each part to the largest logit of all and add.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from tt_build.ir.index import num, var
from tt_build.ir.lowered import KernelBody, Loop, Pack, Section, Stmt, TileOp, When, walk
from tt_build.ir.skeleton import Visit
from tt_build.ir.stages import LoweredKernel
from tt_build.passes.places import LOWEST
from tt_build.passes.proof import fail
from tt_build.passes.proof_expressions import evaluated, event_of


class PartsProof:
    """``part`` is the number of the part of each core with work, which has one unit, and ``tall`` its rows of tiles."""

    def __init__(self, kernel: LoweredKernel, body: KernelBody, part: np.ndarray, tall: np.ndarray) -> None:
        assert kernel.attention is not None
        assert kernel.flash is not None
        assert kernel.parts is not None
        self.kernel, self.plan, self.rows = kernel, kernel.attention, kernel.flash.rows
        self.count, self.part, self.tall = kernel.parts.count, part, tall
        self.result = kernel.results[0].cb
        self.tail = _behind_steps(body.body)
        whens = [stmt for stmt in self.tail if isinstance(stmt, When)]
        if len(whens) != 1 or self.tail[-1] != whens[0] or (whens[0].a, whens[0].b) != (var("bx"), num(0)):
            self._fail("what the parts of a unit gathered is not put together on its first core")
        self.first = whens[0].body
        self.own = {id(stmt) for stmt in walk(self.tail)}
        self.regions: dict[int, str] = {}

    def takes(self, visit: Visit) -> bool:
        """Whether the statement stands behind the steps."""
        return id(visit.stmt) in self.own

    def check(self, found: list[Visit]) -> None:
        """Tiles and their places, what is computed of them, and the order of what is made and read."""
        times = {id(visit.stmt): visit for visit in found}
        if len(times) != len(found):
            self._fail("a statement stands twice")
        for section in (stmt for stmt in walk(self.tail) if isinstance(stmt, Section)):
            packs = [times[id(stmt)] for stmt in section.packs if isinstance(stmt, Pack)]
            for pack in packs:
                self._check_pack(pack)
            for load in (times[id(stmt)] for stmt in walk(section.math) if isinstance(stmt, TileOp)):
                self._check_load(load, packs[0])
        self._check_expressions()
        self._check_order()

    # Places

    def _place(self, visit: Visit, cb: str) -> np.ndarray:
        """Where the tile lies; of a state it is noted which of its parts that is."""
        at = {n: visit.rounds.get(n, np.zeros_like(visit.core)) for n in ("tile_row", "value_column", "part")}
        row, block = at["tile_row"], at["tile_row"] * self.plan.width + at["value_column"]
        if cb in (self.plan.state, self.plan.states):
            size = self.rows * self.plan.width
            places = {"gathered": block, "peak": size + row, "total": size + self.rows + row}
            first = at["part"] * (size + 2 * self.rows) if cb == self.plan.states else 0
            for name, place in places.items():
                if np.array_equal(visit.values[0], first + place):
                    self.regions[id(visit.stmt)] = f"{cb}.{name}"
                    return np.asarray(first + place)
            self._fail(f"a tile of {cb} that is none of the state")
        if cb == self.plan.shrink:
            return np.asarray(at["part"] * self.rows + row)
        return np.asarray(block if cb in (self.plan.gathered, self.result) else row)

    def _check_pack(self, visit: Visit) -> None:
        stmt = visit.stmt
        assert isinstance(stmt, Pack)
        if stmt.index is None or not np.array_equal(visit.values[0], self._place(visit, stmt.cb)):
            self._fail(f"packs {stmt.cb} at another place than its own")
        everywhere = stmt.cb == self.plan.state
        wide = stmt.cb == self.result or self.regions.get(id(stmt), "").endswith(".gathered")
        tiles = int((self.tall if everywhere else self.tall[self.part == 0]).sum()) * (self.plan.width if wide else 1)
        tiles *= self.count if stmt.cb == self.plan.shrink else 1
        if visit.core.size != tiles or (not everywhere and self.part[visit.core].any()):
            self._fail(f"{visit.core.size} tiles of {stmt.cb}, not {tiles}")

    def _check_load(self, visit: Visit, pack: Visit) -> None:
        """A load of its section, or in all parts of a sum that its section gathers."""
        stmt = visit.stmt
        assert isinstance(stmt, TileOp)
        if len(stmt.cbs) != 1 or not np.array_equal(visit.values[0], self._place(visit, stmt.cbs[0])):
            self._fail(f"{stmt.op} takes another tile of {stmt.cbs[0]} than that of its place")
        gathers = "part" in visit.rounds and "part" not in pack.rounds
        most = int(visit.rounds["part"].max(initial=-1)) + 1 if "part" in visit.rounds else self.count
        if visit.core.size != pack.core.size * (self.count if gathers else 1) or most != self.count:
            self._fail(f"{visit.core.size} tiles of {stmt.cbs[0]} in {self.count} parts")

    # What is computed

    def _check_expressions(self) -> None:
        """The state is what was gathered; the first core rescales it to the largest logit of all parts, and adds."""
        plan, states = self.plan, self.plan.states
        handed = [(f"{plan.state}.{name}", getattr(plan, name)) for name in ("gathered", "peak", "total")]
        put = [
            (plan.peak, f"maximum({LOWEST:#x}, {states}.peak)"),
            (plan.shrink, f"exp(sub({states}.peak, {plan.peak}))"),
            (plan.total, f"add(0x0, mul({states}.total, {plan.shrink}))"),
            (self.result, f"div(add(0x0, mul({states}.gathered, cols({plan.shrink}))), cols({plan.total}))"),
        ]
        if self._stored(self.tail[:-1]) != handed or self._stored(self.first) != put:
            self._fail("the parts of the keys are put together as something else")

    def _stored(self, body: tuple[Stmt, ...]) -> list[tuple[str, str]]:
        """Which buffer gets which expression, in order."""
        found: list[tuple[str, str]] = []
        for section in (stmt for stmt in walk(body) if isinstance(stmt, Section)):
            slots = evaluated(section.math, {}, self._name)
            found += [
                (self.regions.get(id(p), p.cb), slots.get(p.dst, "?")) for p in section.packs if isinstance(p, Pack)
            ]
        return found

    def _name(self, stmt: TileOp) -> str:
        return self.regions.get(id(stmt), stmt.cbs[0])

    def _check_order(self) -> None:
        """What the steps left is handed over and leaves; what is made anew is awaited before it is read."""
        plan = self.plan
        for cb in (plan.gathered, plan.peak, plan.total):
            self._in_order(self.tail[:-1], cb, ["wait", "read", "pop"])
        for cb in (plan.peak, plan.total, plan.shrink):
            self._in_order(self.first, cb, ["push", "wait", "read", "pop"])
        self._in_order(self.first, plan.states, ["wait", "read", "pop"])

    def _in_order(self, body: tuple[Stmt, ...], cb: str, wanted: list[str]) -> None:
        events = [event for event in (event_of(stmt, cb) for stmt in body) if event]
        once = [event for at, event in enumerate(events) if event != "read" or events[at - 1 : at] != ["read"]]
        if once != wanted:
            self._fail(f"{cb}: {', '.join(events)} behind the steps")

    def _fail(self, message: str) -> NoReturn:
        fail(self.kernel, "TTB403", message)


def _behind_steps(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The statements behind the loop over steps, in the body that has it."""
    for at, stmt in enumerate(body):
        if isinstance(stmt, Loop):
            if stmt.var == "step":
                return body[at + 1 :]
            found = _behind_steps(stmt.body)
            if found:
                return found
    return ()
