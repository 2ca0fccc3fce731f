"""Proofs about blocked matmuls, used by ``verify_ir``: every tile of the product gathers each K tile of its row and its
column once, from where the reader put it, and every output page is written once.

The expected pages come from shapes by NumPy's broadcasting and from the counters of the loops, not from the page
expressions that the passes made.
"""

from __future__ import annotations

import msgspec
import numpy as np

from tt_build.ir.index import num, var
from tt_build.ir.lowered import (
    Accumulate,
    Block,
    KernelBody,
    Let,
    Loop,
    MatmulBlock,
    MatmulBlockInit,
    Pack,
    ReadPage,
    Reconfig,
    Section,
    Stmt,
    TileOp,
    When,
    WritePage,
    ZeroPadding,
    walk,
)
from tt_build.ir.skeleton import Visit, visits
from tt_build.ir.stages import TILE, UNIT, Contraction, LoweredKernel, Stream
from tt_build.passes.movement import MOVES
from tt_build.passes.prologues import SIDES
from tt_build.passes.proof import fail, program_of
from tt_build.passes.proof_block_places import BlockPlaces, Places
from tt_build.passes.proof_folds import check_folds
from tt_build.passes.proof_parts import check_combined
from tt_build.passes.proof_prologue import PrologueProof
from tt_build.passes.proof_shards import check_shards_here
from tt_build.passes.proof_views import fields_of, tiles_at
from tt_build.passes.proof_visits import keys


def check_blocks(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    """Pages that the bodies read and write on all cores together, by tensor (TTB403, TTB408)."""
    proof = _Proof(kernel)
    reader, compute, writer = kernel.bodies
    for body in (reader, writer):
        for visit in visits(body, (ReadPage, WritePage, ZeroPadding)):
            proof.transfer(visit)
    proof.check_read()
    proof.check_written()
    for plan in kernel.contractions:
        proof.check_contraction(compute, plan)
        check_combined(kernel, compute, plan, proof.part_of_core())
    proof.check_before(compute)
    proof.check_accumulation(compute)
    proof.check_sweep(compute)
    return proof.pages_read, proof.pages_written


class _Proof(BlockPlaces):
    def __init__(self, kernel: LoweredKernel) -> None:
        super().__init__(kernel)
        self.k_block = self.blocking.k_block
        self.program = program_of(kernel)
        self.plans = kernel.contractions
        self.k_tiles = kernel.contractions[0].k_tiles
        self.firsts, self.products = {p.a for p in self.plans if not p.computed}, {p.cb for p in self.plans}
        self.gathered = {p.gathered for p in self.plans}
        self.results = {result.cb: result for result in kernel.results}
        self.reads: dict[str, Visit] = {}
        self.written: dict[str, np.ndarray] = {}
        self.zeroed: list[Visit] = []
        self.pages_read: dict[str, int] = {}
        self.pages_written: dict[str, int] = {}
        self.before = set[str]()  # circular buffers that sweeps in front of the product read
        self._check_parts()

    # Places

    def _check_parts(self) -> None:
        """Parts of K cover it, each with something, along an axis of the grid where the output is one block."""
        parts, grid = self.parts, self.kernel.grid
        if self.blocking.k_parts != (parts.count if parts is not None else 1):
            self._fail(f"{self.blocking.k_parts} parts of K")
        if parts is None:
            return
        covered = parts.tiles * parts.count >= self.k_tiles > parts.tiles * (parts.count - 1)
        if parts.total != self.k_tiles or not covered or not parts.spread:
            self._fail(f"{parts.count} parts of {parts.tiles} tiles for {self.k_tiles} K tiles")
        axis, blocks = (0, grid.y) if parts.axis == "rows" else (1, grid.x)
        if blocks != parts.count or self.block[axis] != self.tiles[axis]:
            self._fail(f"parts along {parts.axis}, of which the output has several blocks")
        if not {*self.blocking.shares} <= {"in0" if parts.axis == "rows" else "in1"}:
            self._fail("cores with other parts of K share operands")

    def part_of_core(self) -> np.ndarray:
        """Number of the part of K that each core has first."""
        return np.asarray(self._part(self.ids)[self.first])

    def _tiles_of_parts(self, part: np.ndarray) -> np.ndarray:
        """K tiles of parts."""
        if self.parts is None:
            return np.full_like(part, self.k_tiles)
        return np.asarray(np.minimum(self.parts.tiles, self.k_tiles - part * self.parts.tiles))

    # Transfers

    def transfer(self, visit: Visit) -> None:
        """A read, a write or a zero fill."""
        stmt = visit.stmt
        if isinstance(stmt, ZeroPadding):
            self.zeroed.append(visit)
        elif isinstance(stmt, ReadPage):
            if stmt.cb in self.reads or stmt.cb not in self.streams or self.streams[stmt.cb].tensor != stmt.tensor:
                self._fail(f"reads '{stmt.tensor}' into {stmt.cb}")
            self.reads[stmt.cb] = visit
            self.pages_read[stmt.tensor] = self.pages_read.get(stmt.tensor, 0) + int(visit.core.size)
        else:
            assert isinstance(stmt, WritePage)
            self._check_write(stmt, visit)

    def check_read(self) -> None:
        """Each stream brings its tiles to their places."""
        local = {cb for cb, stream in self.streams.items() if stream.per == "shard"}
        local |= {cb for cb, stream in self.streams.items() if stream.shard_cb}
        if set(self.reads) != set(self.streams) - local:
            self._fail(f"reads into {sorted(self.reads)}, not {sorted(set(self.streams) - local)}")
        for cb in sorted(local):
            self._check_local(self.streams[cb])
        for cb, visit in self.reads.items():
            stream = self.streams[cb]
            if stream.per == "k":
                self._check_operand(stream, visit)
            elif not stream.is_before_product:
                self._check_held(stream, visit)

    def check_before(self, compute: KernelBody) -> None:
        """What comes before the product is for an operand that is computed, and makes that."""
        sides = [side for side in SIDES if any((p.computed, p.computed_b)[side] for p in self.plans)]
        proofs = [PrologueProof(self.kernel, side) for side in sides]
        axes = {sweep.axes for sweep in self.kernel.sweeps} | {stream.axes for stream in self.kernel.streams}
        if axes - {UNIT} != {proof.axes for proof in proofs}:
            self._fail(f"sweeps and streams of {sorted(axes)} before the product")
        for proof in proofs:
            self.before |= proof.check(compute, self.reads)
        if proofs:
            check_folds(self.kernel)

    def _check_operand(self, stream: Stream, visit: Visit) -> None:
        """The tiles of each step along K, on the cores that read: each once, at its place in the step's block."""
        at, first = self.places(visit), stream.cb in self.firsts
        kk = visit.rounds["kk"]
        in_part = visit.rounds["k_step"] * self.k_block + kk
        k = in_part if self.parts is None else at["part"] * self.parts.tiles + in_part
        self._within(k, self.k_tiles, "k")
        if (in_part >= self._tiles_of_parts(at["part"])).any():
            self._fail("a core reads tiles of another part of K than its own")
        self._within(kk, self.k_block, "k of a step")
        if first:
            place = at["by"] * self.block[0] + at["row"]
            row, column = place, k
            slot = at["row"] * self.k_block + kk
            extent, index = self.block[0], at["row"]
        else:
            place = at["bx"] * self.block[1] + at["column"]
            row, column = k, place
            slot = kk * self.block[1] + at["column"]
            extent, index = self.block[1], at["column"]
        self._within(index, extent, "tile of a block")
        for plan in self.plans:
            if stream.cb == (plan.a if first else plan.b):
                wanted = self._operand_pages(plan, stream, at["bz"], row, column)
                self._same(visit, (wanted, slot), stream.cb)
        self._once((at["core"], at["unit"], place, k), stream.cb)
        axis = 0 if first else 1
        expected = (self._valid(axis) * self._tiles_of_parts(self._part(self.ids)))[self._readers(stream)].sum()
        self._count(visit, int(expected), stream.cb)

    def _operand_pages(
        self, plan: Contraction, stream: Stream, bz: np.ndarray, row: np.ndarray, column: np.ndarray
    ) -> np.ndarray:
        """Pages of an operand's tiles at these rows and columns, as the program's matmul has them."""
        side = 0 if stream.cb == plan.a else 1
        turned = side == 1 and self._turned(plan)
        matmul = self.program.values[plan.value]
        index = matmul.args[side]
        if self.program.values[index].op == "input":
            return self.pages(stream.tensor, turned, bz, row, column)
        row, column = (column, row) if matmul.transpose[side] else (row, column)
        height, width = (-(-extent // TILE) for extent in self.program.values[index].shape[-2:])
        self._within(row, height, "row")
        self._within(column, width, "column")
        by_view = turned != matmul.transpose[side]
        tiles = tiles_at(self.kernel, index, bz, row, column, transposed=by_view, spread=False, unturned=True)
        if {self.program.values[source].name for source in np.unique(tiles.source)} != {stream.tensor}:
            self._fail(f"{stream.cb} brings '{stream.tensor}', which is not what operand {side + 1} of {plan.cb} moves")
        return fields_of(self.kernel, stream.tensor, tiles)[0]

    def _check_local(self, stream: Stream) -> None:
        """A stream that nobody reads: what the core needs of the operand is its shard, or that of its row in turn."""
        sent = {s.shard_cb for s in self.streams.values()} - {""}
        if stream.shard_cb or stream.cb in sent:
            if not self.blocking.rotates or "in0" not in self.blocking.shares or self._reduced(stream.cb) % TILE:
                self._fail(f"{stream.cb} is sent in turn against the plan")
            if stream.extent != (self.block[0], self.k_block):
                self._fail(f"{stream.cb} has {stream.extent} tiles")
            self._lies_here(stream.tensor, self.k_block, one=True)
        elif stream.cb in self.firsts:
            if not self.blocking.local or "in0" in self.blocking.shares:
                self._fail(f"{stream.cb} is no shard by the plan")
            self._lies_here(stream.tensor, self.k_tiles)
        else:
            self._lies_here(stream.tensor, self.block[1], one=True)

    def _lies_here(self, tensor: str, columns: int, *, one: bool = False) -> None:
        check_shards_here(self.kernel, tensor, (self.block[0], columns), (self.core, self.ids), one=one)

    def _turned(self, plan: Contraction) -> bool:
        """Whether tiles of the second operand are transposed; the operands are those of the program's matmul.

        Of operands that are moved ``_operand_pages`` shows the same, tile by tile.
        """
        value = self.program.values[plan.value]
        if value.op != "matmul" or value.transpose[0]:
            self._fail(f"{plan.cb} is no matmul")
        computed = plan.computed, plan.computed_b
        for arg, cb, made in zip(value.args, (plan.a, plan.b), computed, strict=True):
            operand, stream = self.program.values[arg], None if made else self.streams[cb]
            by_pages = stream is not None and stream.per == "k" and not stream.shard_cb
            if not (operand.op in MOVES and by_pages) and operand.name != (stream.tensor if stream is not None else ""):
                self._fail(f"the operands of {plan.cb} are not those of its matmul")
        by_view = self.program.values[value.args[1]].op in MOVES and not plan.computed_b
        if not by_view and plan.transpose_b != value.transpose[1]:
            self._fail("an operand is transposed, or not, against the program")
        return plan.transpose_b

    def _check_held(self, stream: Stream, visit: Visit) -> None:
        """What the outputs need beside the product: a tile of each place, a row, a column, or one tile of all."""
        at = self.places(visit)
        row, column = at["by"] * self.block[0] + at["row"], at["bx"] * self.block[1] + at["column"]
        wanted = self.pages(stream.tensor, False, at["bz"], row, column)
        height, width = self.kernel.buffer(stream.tensor).tiles
        rows = self._valid(0) if height > 1 or stream.per == "sweep" else np.ones_like(self.core)
        columns = self._valid(1) if width > 1 or stream.per == "sweep" else np.ones_like(self.core)
        if stream.per == "sweep":
            self._check_sweep_of(visit, {stream.sweep}, stream.cb)
            slot = visit.rounds.get("i", np.zeros_like(visit.core))
            self._in_order(visit, at, stream.cb)
        else:
            slot = at["row"] * stream.extent[1] + at["column"]
            shape = tuple(b if e > 1 else 1 for b, e in zip(self.block, (height, width), strict=True))
            if stream.extent != shape and stream.per != "core":
                self._fail(f"{stream.cb} holds {stream.extent} tiles a unit, not {shape}")
        self._same(visit, (wanted, slot), stream.cb)
        self._once((at["core"], at["unit"], at["row"], at["column"]), stream.cb)
        readers = self._readers(stream)
        if stream.per != "core":
            self._on_first_part(at, stream.cb)
        expected = 1 if stream.per == "core" else int((rows * columns)[readers].sum())
        self._count(visit, expected, stream.cb)
        if stream.per == "core" and (visit.core.any() or self.kernel.buffer(stream.tensor).pages != 1):
            self._fail(f"{stream.cb} is not one tile that the first core reads")

    def _check_write(self, stmt: WritePage, visit: Visit) -> None:
        result = self.results.get(stmt.cb)
        if result is None or result.bound or result.tensor != stmt.tensor or stmt.cb in self.written:
            self._fail(f"writes '{stmt.tensor}' from {stmt.cb}")
        at = self.places(visit)
        row, column = at["by"] * self.block[0] + at["row"], at["bx"] * self.block[1] + at["column"]
        self._on_first_part(at, stmt.cb)
        wanted = self.pages(result.tensor, False, at["bz"], row, column)
        if result.sweep < 0:
            slot = at["row"] * self.block[1] + at["column"]
        else:
            self._check_sweep_of(visit, {result.sweep}, stmt.cb)
            slot = visit.rounds.get("i", np.zeros_like(visit.core))
            self._in_order(visit, at, stmt.cb)
        self._same(visit, (wanted, slot), stmt.cb)
        self.written[stmt.cb] = np.sort(visit.values[0])
        self.pages_written[stmt.tensor] = self.pages_written.get(stmt.tensor, 0) + int(visit.core.size)

    def check_written(self) -> None:
        """Every page of every output once; the reduced dimension's padding zeroed, and nothing else."""
        for cb, result in self.results.items():
            if result.bound:
                self._lies_here(result.tensor, self.block[1], one=True)
                continue
            pages = self.kernel.buffer(result.tensor).pages
            if cb not in self.written or not np.array_equal(self.written[cb], np.arange(pages)):
                self._fail(f"pages of '{result.tensor}' are not written exactly once")
        self._check_zeroed()

    def _check_zeroed(self) -> None:
        wanted = {cb for cb in self.firsts if self._reduced(cb) % TILE}
        found = [visit.stmt.cb for visit in self.zeroed if isinstance(visit.stmt, ZeroPadding)]
        if sorted(found) != sorted(wanted):
            fail(self.kernel, "TTB408", f"padding of K zeroed in {found}, needed in {sorted(wanted)}")
        for visit in self.zeroed:
            self._check_zero(visit)

    def _reduced(self, cb: str) -> int:
        sent = {self.streams[p.a].shard_cb: p for p in self.plans if p.a in self.streams}
        plan = next((plan for plan in self.plans if plan.a == cb), sent.get(cb))
        if plan is None:
            self._fail(f"{cb} is no first operand")
        reduced = self.program.values[self.program.values[plan.value].args[0]].shape[-1]
        if -(-reduced // TILE) != self.k_tiles or any(plan.k_tiles != self.k_tiles for plan in self.plans):
            self._fail(f"{self.k_tiles} K tiles for {reduced} elements")
        return reduced

    def _check_zero(self, visit: Visit) -> None:
        stmt, at = visit.stmt, self.places(visit)
        assert isinstance(stmt, ZeroPadding)
        if (stmt.axis, stmt.first) != ("columns", self._reduced(stmt.cb) % TILE):
            fail(self.kernel, "TTB408", f"zeroes {stmt.axis} from {stmt.first} on in {stmt.cb}")
        last_part = self.parts.count - 1 if self.parts is not None else 0
        in_part = self.k_tiles - 1 - (last_part * self.parts.tiles if self.parts is not None else 0)
        step, last = divmod(in_part, self.k_block)
        wanted = at["row"] * self.k_block + last
        count = int(self._valid(0)[self._readers(self.streams[stmt.cb]) & (self._part(self.ids) == last_part)].sum())
        right = (
            (at["part"] == last_part).all()
            and np.array_equal(visit.values[0], wanted)
            and (visit.rounds["k_step"] == step).all()
        )
        if (
            not right
            or visit.core.size != count
            or len(np.unique(keys(at, at["core"], "core", "unit", "row"))) != count
        ):
            fail(self.kernel, "TTB408", "the last K tile of a row of the first operand is not zeroed once")

    # Compute

    def check_contraction(self, compute: KernelBody, plan: Contraction) -> None:
        """On a core of the first and one of the last part of K, and so on all."""
        parts = self._part(self.ids)
        for part in sorted({0, int(parts.max())}):
            self._check_contraction(compute, plan, int(self.core[parts == part][0]), part)

    def _check_contraction(self, compute: KernelBody, plan: Contraction, core: int, part: int) -> None:
        """In each step each subblock goes through the step's K tiles, and lands at its place."""
        one = msgspec.structs.replace(compute, core_values=compute.core_values[core : core + 1])
        k_tiles, units = int(self._tiles_of_parts(np.asarray(part))), int(self.kernel.work[core].count)
        found = visits(one, (MatmulBlock, Pack))
        mine = (plan.a, plan.b), self._turned(plan)  # single tiles of one tensor may be both, transposed and not
        steps = [v for v in found if isinstance(v.stmt, MatmulBlock) and (v.stmt.cbs, v.stmt.transpose) == mine]
        packs = [v for v in found if isinstance(v.stmt, Pack) and v.stmt.cb == plan.gathered]
        blocks = [(v.stmt.cbs, v.stmt.transpose) for v in found if isinstance(v.stmt, MatmulBlock)]
        planned = sorted(((p.a, p.b), p.transpose_b) for p in self.plans)
        if sorted(blocks) != planned or len(set(blocks)) != len(blocks):
            self._fail(f"matmul_block of {blocks}")
        if len(steps) != 1:
            self._fail(f"{len(steps)} matmul_block statements")
        (visit,) = steps
        stmt = visit.stmt
        assert isinstance(stmt, MatmulBlock)
        (high, wide), width = self.blocking.subblock, self.block[1]
        stride = getattr(stmt.k_stride, "value", -1)
        whole = self.blocking.local or plan.is_whole
        wanted = self.k_tiles if whole else self.k_block
        if (stmt.rows, stmt.columns, stride) != (high, wide, wanted):
            self._fail(f"matmul_block of {stmt.rows} x {stmt.columns} tiles, {stride} apart, from {stmt.cbs}")
        kk, step = visit.rounds["kk"], visit.rounds["k_step"]
        row, k0 = np.divmod(visit.values[0], stride)
        in_first = step * self.k_block + kk if whole else kk
        in_second = step * self.k_block + kk if plan.computed_b else kk
        k1, column = np.divmod(visit.values[1], width)
        extent = np.minimum(self.k_block, k_tiles - step * self.k_block)
        if not (np.array_equal(k0, in_first) and np.array_equal(k1, in_second)) or (kk >= extent).any():
            self._fail("a matmul_block meets tiles of different K, or of none")
        self._within(row + high - 1, self.block[0], "row of a block")
        self._within(column + wide - 1, width, "column of a block")
        sections = keys(visit.rounds, visit.core, "unit", "k_step", "subblock_row", "subblock_column")
        per_section = np.unique(sections, return_counts=True)[1]
        count = units * (self.block[0] // high) * (width // wide)
        rounds = -(-k_tiles // self.k_block)
        if per_section.size != count * rounds or visit.core.size != count * k_tiles:
            self._fail("a subblock does not meet every K tile once")
        places = np.unique(np.stack([sections, row * width + column]), axis=1)
        if places.shape[1] != per_section.size or len(packs) != high * wide:
            self._fail("a subblock moves while it gathers, or is not packed whole")
        self._check_packs(packs, places, units * rounds)

    def _check_packs(self, packs: list[Visit], places: np.ndarray, steps: int) -> None:
        (_, wide), width = self.blocking.subblock, self.block[1]
        covered: list[np.ndarray] = []
        for visit in packs:
            stmt = visit.stmt
            assert isinstance(stmt, Pack)
            if stmt.index is None:
                self._fail(f"packs {stmt.cb} in order")
            r, c = divmod(stmt.dst, wide)
            sections = keys(visit.rounds, visit.core, "unit", "k_step", "subblock_row", "subblock_column")
            found = np.unique(np.stack([sections, visit.values[0] - (r * width + c)]), axis=1)
            if visit.core.size != places.shape[1] or not np.array_equal(found, places):
                self._fail(f"DST slot {stmt.dst} is packed at another place than its own")
            covered.append(keys(visit.rounds, visit.core, "unit", "k_step") * (self.block[0] * width) + visit.values[0])
        if len(np.unique(np.concatenate(covered))) != steps * self.block[0] * width:
            self._fail("a tile of the product is not packed once a step")

    def check_accumulation(self, compute: KernelBody) -> None:
        """The packer replaces in the first step along K, adds in the others, and replaces everywhere else."""
        turned = [s for s in walk(compute.body) if isinstance(s, Accumulate)]
        switches = [s for s in walk(compute.body) if isinstance(s, When) and Accumulate(on=1) in s.body]
        if [s.on for s in turned] not in ([], [1, 0]) or any(
            s != When(a=var("k_step"), b=num(1), body=(Accumulate(on=1),)) for s in switches
        ):
            self._fail("accumulation is turned on and off elsewhere than from the second step on")
        for section in walk(compute.body):
            if isinstance(section, Section) and any(
                p.cb in self.gathered for p in section.packs if isinstance(p, Pack)
            ):
                kinds = Loop | Let | MatmulBlock | MatmulBlockInit | Reconfig
                if not all(isinstance(stmt, kinds) for stmt in walk(section.math)):
                    self._fail("a section of the product does something else than to multiply")
        if self._run(compute.body, step=-1, adding=0):
            self._fail("the packer still adds behind the last step")

    def _run(self, body: tuple[Stmt, ...], step: int, adding: int) -> int:
        """Execute what turns accumulation on and off; three steps along K stand for all."""
        for stmt in body:
            if isinstance(stmt, Accumulate):
                adding = stmt.on
            elif isinstance(stmt, Loop) and stmt.var == "k_step":
                for now in range(min(3, -(-int(self._tiles_of_parts(np.asarray(0))) // self.k_block))):
                    adding = self._run(stmt.body, now, adding)
            elif isinstance(stmt, Loop | Block):
                adding = self._run(stmt.body, step, adding)
            elif isinstance(stmt, When):
                tests_step = getattr(stmt.a, "name", "") == "k_step"
                if any(isinstance(s, Accumulate) for s in walk(stmt.body)) and not tests_step:
                    self._fail("accumulation depends on something else than the step")
                if not tests_step or getattr(stmt.b, "value", -1) == step:
                    adding = self._run(stmt.body, step, adding)
            elif isinstance(stmt, Section):
                adding = self._run((*stmt.math, *stmt.packs), step, adding)
            elif isinstance(stmt, Pack):
                wanted = int(stmt.cb in self.gathered and step > 0)
                if adding != wanted:
                    self._fail(f"the packer {'adds to' if adding else 'replaces'} {stmt.cb} in step {step}")
        return adding

    def check_sweep(self, compute: KernelBody) -> None:
        """Tile operations and packs behind the product: each tile of the output, from its places."""
        masks = {mask.cb for mask in self.kernel.masks}
        parts_cbs = {plan.parts_cb for plan in self.plans} - {""}
        own = self.products | self.gathered | parts_cbs
        handed = {i.cb for i in self.kernel.intermediates if i.extent is None} - own
        used: set[str] = set()
        done = self._part(self.ids) == 0
        whole = int((self._valid(0) * self._valid(1))[done].sum())
        behind = {number for number, sweep in enumerate(self.kernel.sweeps) if not sweep.before}
        own |= {cb for plan in self.plans for cb in (plan.a, *plan.computed_cbs)}
        for visit in visits(compute, (TileOp, Pack)) if behind else []:
            if visit.sweep >= 0 and self.kernel.sweeps[visit.sweep].before:
                continue
            stmt, at = visit.stmt, self.places(visit)
            if isinstance(stmt, Pack):
                if stmt.cb in own:
                    continue
                self._check_sweep_of(visit, behind, stmt.cb)
                bound = stmt.cb in self.results and self.results[stmt.cb].bound
                if bound != (stmt.index is not None) or stmt.cb not in {*self.results, *handed}:
                    self._fail(f"packs {stmt.cb} at {stmt.index}")
                if bound and not np.array_equal(visit.values[0], at["row"] * self.block[1] + at["column"]):
                    self._fail(f"packs a tile of {stmt.cb} at another place of the shard than its own")
                self._in_order(visit, at, stmt.cb)
                self._count(visit, whole, stmt.cb)
                continue
            assert isinstance(stmt, TileOp)
            self._on_first_part(at, ", ".join(stmt.cbs))
            if parts_cbs & {*stmt.cbs}:
                continue
            self._check_sweep_of(visit, behind, ", ".join(stmt.cbs))
            last = at["bx"] * self.block[1] + at["column"] == self.tiles[1] - 1
            masked = bool(masks & {*stmt.cbs})
            edge = self._along(self.ids, 1) == -(-self.tiles[1] // self.block[1]) - 1
            count = int(self._valid(0)[done & edge].sum())
            if masked and not last.all():
                self._fail("a mask is applied elsewhere than in the last column of tiles")
            self._count(visit, count if masked else whole, ", ".join(stmt.cbs))
            self._in_order(visit, at, ", ".join(stmt.cbs))
            for cb, index in zip(stmt.cbs, visit.values, strict=True):
                used.add(cb)
                if not np.array_equal(index, self._index(cb, visit, at)):
                    self._fail(f"{stmt.op} takes another tile of {cb} than that of its place")
        wanted = set(self.products) if behind else set()
        sent = {s.shard_cb for s in self.kernel.streams}
        others = [s.cb for s in self.kernel.streams if s.per != "k" and s.cb not in self.firsts | sent]
        wanted |= {*others, *masks} - self.before
        if not wanted <= used:
            self._fail(f"nobody reads {sorted(wanted - used)}")

    def _check_sweep_of(self, visit: Visit, numbers: set[int], cb: str) -> None:
        if visit.sweep not in numbers:
            self._fail(f"{cb} in sweep {visit.sweep}, not one of {sorted(numbers)}")

    def _index(self, cb: str, visit: Visit, at: Places) -> np.ndarray:
        """Where the tile of the present place lies in a circular buffer."""
        zero = np.zeros_like(visit.core)
        if cb in self.products:
            return np.asarray(at["row"] * self.block[1] + at["column"])
        stream = self.streams.get(cb)
        if stream is None or stream.per == "core":
            return zero
        if stream.per == "sweep":
            return visit.rounds.get("i", zero)
        rows, columns = stream.extent
        return np.asarray((at["row"] if rows > 1 else zero) * columns + (at["column"] if columns > 1 else zero))
