"""Proofs about attention, used by ``verify_ir``: every unit meets the keys and values that it needs, each once, at
their places; what is computed of them, section by section, is softmax over the keys as they come; every output page is
written once.

The expected pages come from single elements (``proof_views``) and from the counters of the loops. What the sections
compute is read off their statements as expressions and compared with the recurrence.
"""

from __future__ import annotations

import msgspec
import numpy as np

from tt_build.ir.lowered import (
    KernelBody,
    Loop,
    MatmulBlock,
    Pack,
    ReadPage,
    Section,
    TileOp,
    WritePage,
    ZeroPadding,
    walk,
)
from tt_build.ir.skeleton import Visit, visits
from tt_build.ir.stages import TILE, Flash, LoweredKernel, Parts, Stream
from tt_build.ir.work import tile_ids
from tt_build.passes.attention import find, is_causal
from tt_build.passes.movement import sunk
from tt_build.passes.places import LOWEST
from tt_build.passes.proof import fail
from tt_build.passes.proof_exchange import senders
from tt_build.passes.proof_expressions import event_of, stored
from tt_build.passes.proof_flash_parts import PartsProof
from tt_build.passes.proof_flash_units import units_of
from tt_build.passes.proof_views import check_patterns, fields_of, pattern_slots, tiles_at
from tt_build.passes.proof_visits import VisitProof, keys

Arrays = dict[str, np.ndarray]


def check_attention(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    """Pages that the bodies read and write on all cores together, by tensor (TTB403, TTB408)."""
    proof = _Proof(kernel)
    reader, compute, writer = kernel.bodies
    for visit in visits(reader, (ReadPage, ZeroPadding)):
        proof.transfer(visit)
    for visit in visits(writer, (WritePage,)):
        proof.write(visit)
    proof.check_complete()
    proof.check_compute(compute)
    proof.check_recurrence(compute)
    proof.check_carried(compute)
    check_patterns(kernel)
    return proof.pages_read, proof.pages_written


class _Proof(VisitProof):
    def __init__(self, kernel: LoweredKernel) -> None:
        super().__init__(kernel)
        assert kernel.flash is not None
        assert kernel.attention is not None
        self.flash, self.plan = kernel.flash, kernel.attention
        self.program = sunk(kernel.program).program
        found = find(self.program)
        if found is None or (self.flash.causal and not is_causal(self.program, found)):
            self._fail("the program is no such attention")
        self.found = found
        walks = [np.asarray(tile_ids(item, kernel.order, kernel.grid), dtype=np.int64) for item in kernel.work]
        self.ids = np.concatenate(walks)
        sizes = np.asarray([walk_.size for walk_ in walks])
        self.first = np.cumsum(sizes) - sizes
        self.core = np.repeat(np.arange(len(walks)), sizes)
        self.rows = -(-kernel.outputs[0].matrix[0] // TILE)
        units = units_of(kernel, self.ids)
        self.block, self.bz, self.part = units.block, units.bz, units.part
        self.first_key, self.met, self.steps = units.first_key, units.met, units.steps
        self.tall = np.minimum(self.flash.rows, self.rows - self.block * self.flash.rows)
        self.streams = {stream.cb: stream for stream in kernel.streams}
        self.seen: list[str] = []
        self.zeroed = 0
        self.pages_read: dict[str, int] = {}
        self.pages_written: dict[str, int] = {}
        self._check_extents()

    def _check_extents(self) -> None:
        """Tiles of a query, of the sequence and of a value are the program's."""
        values, found, plan = self.program.values, self.found, self.plan
        q, k, v = (values[i].shape for i in (found.queries, found.keys, found.values))
        wanted = tuple(-(-extent // TILE) for extent in (q[-1], k[-2], v[-1]))
        if self.flash.steps != -(-plan.sequence // self.flash.keys):
            self._fail(f"{self.flash.steps} steps of {self.flash.keys} tiles in {plan.sequence}")
        if wanted != (plan.inner, plan.sequence, plan.width) or k[-2] != v[-2]:
            self._fail(f"{plan.inner}, {plan.sequence} and {plan.width} tiles, not {wanted}")
        parts = self.kernel.parts
        if (parts is not None) != bool(plan.state) or (
            parts is not None and not _are_of(parts, self.kernel, self.flash)
        ):
            self._fail(f"parts of keys that are not those of the sequence: {parts}")
        views = [self.streams[cb].view for cb in (plan.queries, plan.keys, plan.values)]
        if views != [found.queries, found.keys, found.values]:
            self._fail("operands are exchanged")

    # Places

    def at(self, visit: Visit) -> Arrays:
        """Where each time of a statement is; a loop that is not there counts as 0."""
        zero = np.zeros_like(visit.core)
        unit = visit.rounds.get("unit", zero)
        place = self.first[visit.core] + unit
        found = {"core": visit.core, "unit": unit, "block": self.block[place], "bz": self.bz[place]}
        for name in ("step", "k", "kk", "tile_row", "tile_column", "value_column", "part"):
            found[name] = visit.rounds.get(name, zero)
        found["row"] = found["block"] * self.flash.rows + found["tile_row"]
        found["first_key"] = self.first_key[place] + found["step"] * self.flash.keys
        found["key"] = found["first_key"] + found["tile_column"]
        return found

    # Transfers

    def transfer(self, visit: Visit) -> None:
        """A read, or a zero fill of queries."""
        stmt, at = visit.stmt, self.at(visit)
        if isinstance(stmt, ZeroPadding):
            self._check_zero(stmt, visit, at)
            return
        assert isinstance(stmt, ReadPage)
        stream = self.streams.get(stmt.cb)
        if stream is None or stmt.cb in self.seen or stream.tensor != stmt.tensor:
            self._fail(f"reads '{stmt.tensor}' into {stmt.cb}")
        self.seen.append(stmt.cb)
        row, column, slot, count, names = self._expected(stream, at)
        tiles = tiles_at(self.kernel, stream.view, at["bz"], row, column, transposed=False, spread=True)
        if any(self.program.values[int(s)].name != stmt.tensor for s in np.unique(tiles.source)):
            self._fail(f"{stmt.cb} reads another tensor than its view")
        self._same(visit, (fields_of(self.kernel, stmt.tensor, tiles)[0], slot), stmt.cb)
        readers = np.ones_like(self.core, dtype=bool)
        if stream.operand and self.flash.shared:
            readers = np.isin(self.core, senders(self.kernel, "column"))
        self._count(visit, int(count[readers].sum()), stmt.cb)
        self._once([at[name] for name in ("core", "unit", *names)], stmt.cb)
        self.pages_read[stmt.tensor] = self.pages_read.get(stmt.tensor, 0) + int(visit.core.size)

    def _expected(
        self, stream: Stream, at: Arrays
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
        """Row and column of the tile in the value, its slot, tiles of each unit, and the counters that number them."""
        plan, keys, met = self.plan, self.flash.keys, self.met
        if stream.cb == plan.queries:
            slot = at["tile_row"] * plan.inner + at["k"]
            return at["row"], at["k"], slot, self.tall * plan.inner, ("tile_row", "k")
        if stream.cb == plan.keys:
            return (
                at["key"],
                at["k"],
                at["k"] * keys + at["tile_column"],
                met * plan.inner,
                ("step", "k", "tile_column"),
            )
        if stream.cb == plan.values:
            row = at["first_key"] + at["kk"]
            names = ("step", "kk", "value_column")
            return row, at["value_column"], at["kk"] * plan.width + at["value_column"], met * plan.width, names
        shape = self.program.values[stream.view].shape
        tall, wide = shape[-2] > 1 or self.rows == 1, shape[-1] > 1 or plan.sequence == 1
        slot = self._scored(at, stream.extent)
        rows = self.tall if stream.extent[0] > 1 else np.ones_like(self.block)
        columns = met if stream.extent[1] > 1 else self.steps
        if stream.extent != (self.flash.rows if tall else 1, keys if wide else 1):
            self._fail(f"{stream.cb} holds {stream.extent} tiles a step")
        return at["row"], at["key"], slot, rows * columns, ("step", "tile_row", "tile_column")

    def _scored(self, at: Arrays, extent: tuple[int, int]) -> np.ndarray:
        """The place of a tile of scores, or of a part of them that is broadcast."""
        zero = np.zeros_like(at["core"])
        rows, columns = extent
        return (at["tile_row"] if rows > 1 else zero) * columns + (at["tile_column"] if columns > 1 else zero)

    def _check_zero(self, stmt: ZeroPadding, visit: Visit, at: Arrays) -> None:
        reduced = self.program.values[self.found.queries].shape[-1] % TILE
        wanted = at["tile_row"] * self.plan.inner + self.plan.inner - 1
        right = (stmt.cb, stmt.axis, stmt.first) == (self.plan.queries, "columns", reduced) and reduced
        count = int(self.tall.sum())
        if not right or self.zeroed or visit.core.size != count or not np.array_equal(visit.values[0], wanted):
            fail(self.kernel, "TTB408", f"zeroes {stmt.axis} from {stmt.first} on in {stmt.cb}")
        self.zeroed += 1

    def write(self, visit: Visit) -> None:
        """The output's tiles, from their places in the block."""
        stmt, at = visit.stmt, self.at(visit)
        assert isinstance(stmt, WritePage)
        (result,) = self.kernel.results
        if (stmt.cb, stmt.tensor) != (result.cb, result.tensor) or self.pages_written:
            self._fail(f"writes '{stmt.tensor}' from {stmt.cb}")
        page = (at["bz"] * self.rows + at["row"]) * self.plan.width + at["value_column"]
        self._same(visit, (page, at["tile_row"] * self.plan.width + at["value_column"]), stmt.cb)
        if not np.array_equal(np.sort(visit.values[0]), np.arange(self.kernel.buffer(result.tensor).pages)):
            self._fail(f"pages of '{result.tensor}' are not written exactly once")
        self.pages_written[stmt.tensor] = int(visit.core.size)

    def check_complete(self) -> None:
        """Every stream is read, the output is written, and the padding of queries is zeroed where there is some."""
        if set(self.seen) != set(self.streams) or not self.pages_written:
            self._fail(f"reads into {sorted(self.seen)}, not {sorted(self.streams)}")
        if bool(self.program.values[self.found.queries].shape[-1] % TILE) != bool(self.zeroed):
            fail(self.kernel, "TTB408", "the padding of queries is not zeroed")

    # Compute, on the first core; on all where each has another part of the keys

    def check_compute(self, body: KernelBody) -> None:
        """Matmuls meet every tile that is reduced once; every tile comes from its place and goes to it."""
        parts, plan, flash = self.kernel.parts, self.plan, self.flash
        mine = self.mine = np.full_like(self.core, True, dtype=bool) if parts is not None else self.core == 0
        if parts is None:
            body = msgspec.structs.replace(body, core_values=body.core_values[:1])
        tall, steps = self.tall[mine], self.steps[mine]
        last = self.first_key[mine] + self.met[mine] == plan.sequence
        self.counts = {
            "scores": int((tall * self.met[mine]).sum()),
            "rows": int((tall * steps).sum()),
            "values": int((tall * steps).sum()) * plan.width,
            "starts": int(tall.sum()),
            "ends": int(tall.sum()) * plan.width,
            "last": int((tall * last).sum()),
        }
        found = visits(body, (MatmulBlock, TileOp, Pack))
        tail = None if parts is None else PartsProof(self.kernel, body, self.part, self.tall)
        products = [v for v in found if isinstance(v.stmt, MatmulBlock)]
        if [v.stmt.cbs for v in products if isinstance(v.stmt, MatmulBlock)] != [
            (plan.queries, plan.keys),
            (plan.weights, plan.values),
        ]:
            self._fail("matmuls of other buffers")
        scores, part = products
        self._check_matmul(scores, found, plan.scores, (flash.rows, flash.keys), flash.scores, "k", plan.inner, True)
        self._check_matmul(part, found, plan.part, (flash.rows, plan.width), flash.output, "kk", flash.keys, False)
        tiles = (flash.rows // flash.scores[0]) * (flash.keys // flash.scores[1])
        self._count(scores, int(steps.sum()) * tiles * plan.inner, plan.scores)
        tiles = (flash.rows // flash.output[0]) * (plan.width // flash.output[1])
        self._count(part, int(self.met[mine].sum()) * tiles, plan.part)
        if tail is not None:
            tail.check([visit for visit in found if tail.takes(visit)])
            found = [visit for visit in found if not tail.takes(visit)]
        self._check_tiles([v for v in found if isinstance(v.stmt, TileOp)])
        for visit in found:
            if isinstance(visit.stmt, Pack) and visit.stmt.cb not in (plan.scores, plan.part):
                self._check_pack(visit.stmt, visit)

    def _check_matmul(
        self,
        visit: Visit,
        found: list[Visit],
        cb: str,
        block: tuple[int, int],
        subblock: tuple[int, int],
        counter: str,
        stride: int,
        transpose: bool,
    ) -> None:
        """Each subblock gathers tiles of equal k, all of them once, and is packed at its place."""
        stmt, at = visit.stmt, self.at(visit)
        assert isinstance(stmt, MatmulBlock)
        (high, wide), width, k = subblock, block[1], visit.rounds.get(counter, np.zeros_like(visit.core))
        if (stmt.rows, stmt.columns, getattr(stmt.k_stride, "value", -1)) != (high, wide, stride):
            self._fail(f"matmul_block of {stmt.rows} x {stmt.columns} tiles into {cb}")
        if stmt.transpose != transpose:
            self._fail(f"matmul_block into {cb} transposes, or does not, against the program")
        row, k0 = np.divmod(visit.values[0], stride)
        k1, column = np.divmod(visit.values[1], width)
        key = at["first_key"] + k
        if not (np.array_equal(k0, k) and np.array_equal(k1, k)) or (
            counter == "kk" and (key >= self.plan.sequence).any()
        ):
            self._fail(f"matmul_block into {cb} meets tiles of different k, or of none")
        if (row + high > block[0]).any() or (column + wide > width).any() or (k >= stride).any():
            self._fail(f"matmul_block into {cb} leaves its block")
        sections = self._numbers(visit, "subblock_row", "subblock_column")
        places = np.unique(np.stack([sections, row * width + column]), axis=1)
        if places.shape[1] != np.unique(sections).size:
            self._fail(f"a subblock of {cb} moves while it gathers")
        packs = [v for v in found if isinstance(v.stmt, Pack) and v.stmt.cb == cb]
        covered = []
        for pack in packs:
            assert isinstance(pack.stmt, Pack)
            if pack.stmt.index is None:
                self._fail(f"packs {cb} in order")
            r, c = divmod(pack.stmt.dst, wide)
            own = self._numbers(pack, "subblock_row", "subblock_column")
            here = np.unique(np.stack([own, pack.values[0] - (r * width + c)]), axis=1)
            if pack.core.size != places.shape[1] or not np.array_equal(here, places):
                self._fail(f"DST slot {pack.stmt.dst} is packed at another place of {cb} than its own")
            covered.append(self._numbers(pack) * (block[0] * width) + pack.values[0])
        steps = int(self.steps[self.mine].sum())
        if not covered or np.unique(np.concatenate(covered)).size != steps * block[0] * width:
            self._fail(f"a tile of {cb} is not packed once a step")

    def _numbers(self, visit: Visit, *names: str) -> np.ndarray:
        """One number for each step of a unit, and what else counts. Cores with parts of keys have one unit each."""
        if self.kernel.parts is None:
            return keys(visit.rounds, visit.core, "unit", "step", *names)
        return keys({**visit.rounds, "core": visit.core}, visit.core, "core", "step", *names)

    def _check_tiles(self, found: list[Visit]) -> None:
        plan = self.plan
        masks = {mask.cb for mask in self.kernel.masks}
        patterns = {pattern.cb: pattern for pattern in self.kernel.patterns}
        handed = {i.cb for i in self.kernel.intermediates if i.extent is None}
        used: set[str] = set()
        for visit in found:
            stmt, at = visit.stmt, self.at(visit)
            assert isinstance(stmt, TileOp)
            for cb, index in zip(stmt.cbs, visit.values, strict=True):
                used.add(cb)
                if cb in masks:
                    wanted = np.zeros_like(index)
                    if not (at["key"] == plan.sequence - 1).all() or visit.core.size != self.counts["last"]:
                        self._fail("a mask is applied elsewhere than in the last tile of keys")
                elif cb in patterns:
                    value = patterns[cb].value
                    tiles = tiles_at(self.kernel, value, at["bz"], at["row"], at["key"], transposed=False, spread=True)
                    wanted = pattern_slots(self.program.values[int(tiles.source[0])], tiles)
                elif cb in (plan.part, plan.gathered):
                    wanted = at["tile_row"] * plan.width + at["value_column"]
                elif cb in (plan.peak, plan.total, plan.change):
                    wanted = at["tile_row"]
                elif cb in self.streams:
                    wanted = self._scored(at, self.streams[cb].extent)
                else:
                    wanted = (
                        np.zeros_like(index) if cb in handed else self._scored(at, (self.flash.rows, self.flash.keys))
                    )
                if not np.array_equal(index, wanted):
                    self._fail(f"{stmt.op} takes another tile of {cb} than that of its place")
                if cb in (plan.scores, plan.logits, plan.weights):
                    self._count(visit, self.counts["scores"], cb)
        wanted_all = {s.cb for s in self.kernel.streams} - {plan.queries, plan.keys, plan.values}
        if not wanted_all | masks | set(patterns) <= used:
            self._fail(f"nobody reads {sorted((wanted_all | masks | set(patterns)) - used)}")
        if bool(masks) != bool(self.program.values[self.found.keys].shape[-2] % TILE):
            fail(self.kernel, "TTB408", "keys beyond the sequence are not masked")

    def _check_pack(self, stmt: Pack, visit: Visit) -> None:
        plan, at = self.plan, self.at(visit)
        handed = {i.cb for i in self.kernel.intermediates if i.extent is None}
        if stmt.cb in handed:
            self._count(visit, self.counts["scores"], stmt.cb)
            if stmt.index is not None:
                self._fail(f"packs {stmt.cb} at {stmt.index}")
            return
        if stmt.index is None:
            self._fail(f"packs {stmt.cb} in order")
        inside = "step" in visit.rounds
        if stmt.cb in (plan.gathered, self.kernel.results[0].cb):
            wanted, count = at["tile_row"] * plan.width + at["value_column"], "values" if inside else "ends"
        elif stmt.cb in (plan.peak, plan.total, plan.change):
            wanted, count = at["tile_row"], "rows" if inside else "starts"
        else:
            wanted, count = self._scored(at, (self.flash.rows, self.flash.keys)), "scores"
        self._count(visit, self.counts[count], stmt.cb)
        if not np.array_equal(visit.values[0], wanted):
            self._fail(f"packs {stmt.cb} at another place than its own")

    # What is computed

    def check_recurrence(self, body: KernelBody) -> None:
        """The sections are those of softmax over keys that come in steps."""
        plan = self.plan
        peak = f"maximum(reduce_max_rows(maximum({LOWEST:#x}, {plan.logits})), {plan.peak})"
        total = f"reduce_sum_rows(add(0x0, {plan.weights}))"
        wanted = {
            ("start", plan.peak): f"{LOWEST:#x}",
            ("start", plan.total): "0x0",
            ("start", plan.gathered): "0x0",
            ("step", plan.peak): peak,
            ("step", plan.change): f"exp(sub({plan.peak}, {peak}))",
            ("step", plan.weights): f"exp(sub({plan.logits}, cols({plan.peak})))",
            ("step", plan.total): f"add({total}, mul({plan.total}, {plan.change}))",
            ("step", plan.gathered): f"add(mul({plan.gathered}, cols({plan.change})), {plan.part})",
            ("end", self.kernel.results[0].cb): f"div({plan.gathered}, cols({plan.total}))",
        }
        own = {plan.scores, plan.part, *self._between()}
        found = {key: text for key, text in stored(body.body, "start") if key[1] not in own}
        if self.kernel.parts is not None:  # behind the steps there is what PartsProof looks at
            wanted, found = ({k: v for k, v in texts.items() if k[0] != "end"} for texts in (wanted, found))
        if found != wanted:
            different = [key for key in {*found, *wanted} if found.get(key) != wanted.get(key)]
            self._fail(f"sections compute something else: {sorted(different)}")

        stores = [(slot, cb) for section in plan.sections for slot, cb in section.stores]
        sections = [s for s in walk(body.body) if isinstance(s, Section)]
        packs = [(p.dst, p.cb) for s in sections for p in s.packs if isinstance(p, Pack) and p.cb in self._between()]
        if packs != stores:
            self._fail(f"sections between scores and logits pack {packs}, not {stores}")

    def _between(self) -> set[str]:
        """Buffers of the sections between scores and logits."""
        handed = {i.cb for i in self.kernel.intermediates if i.extent is None}
        return handed | ({self.plan.logits} if self.plan.sections else set())

    def check_carried(self, body: KernelBody) -> None:
        """Where a new block of what goes on is made, the old one leaves before anything reads the new."""
        plan = self.plan
        (loop,) = (s for s in walk(body.body) if isinstance(s, Loop) and s.var == "step")
        for cb in (plan.peak, plan.total, plan.gathered):
            events = [event_of(stmt, cb) for stmt in loop.body]
            order = [event for event in events if event]
            made = order.index("push") if "push" in order else -1
            if order.count("push") != 1 or order.count("pop") != 1 or order[made + 1 : made + 2] != ["pop"]:
                self._fail(f"{cb}: {', '.join(order)} in a step")
            after = order[made + 2 :]
            if "read" in order[:made] and order[0] != "wait":
                self._fail(f"{cb} is read before it is awaited")
            if "read" in after and after[0] != "wait":
                self._fail(f"the new {cb} is read before it is awaited")
            if (cb == plan.peak) != ("read" in after):
                self._fail(f"{cb} is read behind its making, or not, against the recurrence")


def _are_of(parts: Parts, kernel: LoweredKernel, flash: Flash) -> bool:
    """Whether the parts are whole steps, cover the keys once, and are units; every query meets every key."""
    assert kernel.attention is not None
    total = kernel.attention.sequence
    cover = parts.total == total and (parts.count - 1) * parts.tiles < total <= parts.count * parts.tiles
    alone = parts.spread and parts.axis == "columns" and kernel.grid.x == parts.count and kernel.grid.y == 1
    return cover and alone and not parts.tiles % flash.keys and not flash.causal and not flash.shared
