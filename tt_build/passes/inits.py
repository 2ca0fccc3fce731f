"""Inits: every tile operation runs under its own configuration, set as rarely as the loops allow.

The unpackers and the matrix engine hold one configuration (operation, circular buffers, broadcast), the SFPU one
function, and SrcA, SrcB and the packer one data format each. A loop whose body needs a single configuration gets it
once, in front. An FPU init also ends the SFPU's configuration (both program address modes), an SFPU function leaves
the FPU's alone: that is how the SDK's own fused kernels use them (metalium-api.md section 4.3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from tt_build.ir.lowered import (
    Block,
    Loop,
    MatmulBlock,
    MatmulBlockInit,
    Pack,
    Reconfig,
    Section,
    SfpuInit,
    SfpuOp,
    Startup,
    Stmt,
    TileInit,
    TileOp,
    When,
    walk,
)
from tt_build.ir.stages import CircularBuffer, PaddedKernel

Format = tuple[str, bool]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured; None where it is not known."""

    fpu: TileInit | MatmulBlockInit | None = None
    sfpu: SfpuInit | None = None
    srca: Format | None = None
    srcb: Format | None = None
    pack: Format | None = None


def place_inits(body: tuple[Stmt, ...], kernel: PaddedKernel) -> tuple[Stmt, ...]:
    """The body of a compute kernel with its inits and format changes; ``body`` begins with ``Startup``."""
    recording = {*_RECORD, *kernel.program.ops}
    if not kernel.math.fp32_accumulate:
        recording |= {*_RECORD_IN_NARROW_DST}
    buffers = {cb.name: cb for cb in kernel.circular_buffers}
    placed, _ = _Placer(buffers, recording).place(body, State())
    return placed


_RECORD = ("gcd",)
_RECORD_IN_NARROW_DST = ("exp",)
"""Functions that record over the replay buffer from slot 16 on, where a matmul keeps its instructions, as reductions
do: ``gcd`` (28 instructions, ckernel_sfpu_gcd.h), with a 16-bit DST on Wormhole also ``exp`` (20,
ckernel_sfpu_exp.h). What a user's C++ does is not known.
"""


class _Placer:
    def __init__(self, buffers: Mapping[str, CircularBuffer], recording: Collection[str]) -> None:
        self.buffers, self.recording = buffers, recording

    def format(self, cb: str) -> Format:
        buffer = self.buffers[cb]
        return buffer.dtype, buffer.unpack_to_dest

    def place(self, body: tuple[Stmt, ...], state: State) -> tuple[tuple[Stmt, ...], State]:
        placed: list[Stmt] = []
        for stmt in body:
            if isinstance(stmt, Startup):
                a, b = (stmt.b, stmt.a) if stmt.reverse else (stmt.a, stmt.b)
                state = State(srca=self.format(a), srcb=self.format(b), pack=self.format(stmt.out))
                placed.append(stmt)
            elif isinstance(stmt, TileOp | MatmulBlock | SfpuOp | Pack):
                setup, state = self._before(stmt, state)
                placed += [*setup, stmt]
            elif isinstance(stmt, Section):
                math, state = self.place(stmt.math, state)
                packs, state = self.place(stmt.packs, state)
                placed.append(Section(math=math, packs=packs))
            elif isinstance(stmt, Block):
                inner, state = self.place(stmt.body, state)
                placed.append(msgspec.structs.replace(stmt, body=inner))
            elif isinstance(stmt, Loop | When):
                setup, state = self._hoist(stmt.body, state) if isinstance(stmt, Loop) else ([], state)
                inner, after = self.place(stmt.body, state)
                if after != state:  # the second round of the loop starts from another state: assume nothing
                    entry = self._stable(stmt.body, state)
                    inner, after = self.place(stmt.body, entry)
                    state = _meet(entry, after)
                placed += [*setup, msgspec.structs.replace(stmt, body=inner)]
            else:
                placed.append(stmt)
        return tuple(placed), state

    def _stable(self, body: tuple[Stmt, ...], state: State) -> State:
        """The part of ``state`` that holds at the start of every round of a loop."""
        while True:
            _, after = self.place(body, state)
            met = _meet(state, after)
            if met == state:
                return state
            state = met

    def _hoist(self, body: tuple[Stmt, ...], state: State) -> tuple[list[Stmt], State]:
        """Configure in front of a loop what its whole body shares."""
        ops = [s for s in walk(body) if isinstance(s, TileOp | MatmulBlock)]
        calls = [s for s in walk(body) if isinstance(s, SfpuOp)]
        packs = [s for s in walk(body) if isinstance(s, Pack)]
        setup: list[Stmt] = []
        fpu_alone = len({_init_of(op) for op in ops}) == 1
        if fpu_alone:
            more, state = self._before(ops[0], state)
            setup += more
        if calls and len({(c.function, c.form) for c in calls}) == 1 and (fpu_alone or not ops):
            more, state = self._before(calls[0], state)
            setup += more
        if packs and len({self.format(p.cb) for p in packs}) == 1:
            more, state = self._before(packs[0], state)
            setup += more
        return setup, state

    def _before(self, stmt: TileOp | MatmulBlock | SfpuOp | Pack, state: State) -> tuple[list[Stmt], State]:
        """What must be configured for a statement, and the state after that."""
        setup: list[Stmt] = []
        if isinstance(stmt, Pack):
            if state.pack != self.format(stmt.cb):
                setup.append(Reconfig(unit="pack", cb=stmt.cb))
                state = msgspec.structs.replace(state, pack=self.format(stmt.cb))
            return setup, state
        if isinstance(stmt, SfpuOp):
            init = SfpuInit(function=stmt.function, form=stmt.form)
            if state.sfpu != init:
                setup.append(init)
            spoils = stmt.function.startswith("reduce_") or stmt.function in self.recording
            fpu = None if spoils else state.fpu
            return setup, msgspec.structs.replace(state, sfpu=init, fpu=fpu)
        for unit, cb in _sources(stmt):
            if getattr(state, unit) != self.format(cb):
                setup.append(Reconfig(unit="srca" if unit == "srca" else "srcb", cb=cb))
                state = msgspec.structs.replace(state, fpu=None, **{unit: self.format(cb)})
        wanted = _init_of(stmt)
        if state.fpu != wanted:
            setup.append(wanted)
            state = msgspec.structs.replace(state, fpu=wanted, sfpu=None)
        return setup, state


def _init_of(op: TileOp | MatmulBlock) -> TileInit | MatmulBlockInit:
    if isinstance(op, MatmulBlock):
        return MatmulBlockInit(
            cbs=op.cbs, rows=op.rows, columns=op.columns, k_stride=op.k_stride, transpose=op.transpose
        )
    return TileInit(op=op.op, cbs=op.cbs, mode=op.mode, transpose=op.transpose)


def _sources(op: TileOp | MatmulBlock) -> tuple[tuple[str, str], ...]:
    """Which source register each circular buffer goes through (section 4: a matmul takes its operands crosswise)."""
    if isinstance(op, MatmulBlock) or op.op == "matmul":
        return ("srca", op.cbs[1]), ("srcb", op.cbs[0])
    if op.op == "unary_bcast":  # SrcB, or SrcA on the way to DST for 32-bit formats
        return ("srca", op.cbs[0]), ("srcb", op.cbs[0])
    return tuple(zip(("srca", "srcb"), op.cbs, strict=False))


def _meet(a: State, b: State) -> State:
    """What holds in both."""
    same = {name: getattr(a, name) for name in a.__struct_fields__ if getattr(a, name) == getattr(b, name)}
    return State(**same)
