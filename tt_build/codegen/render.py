"""Lowered bodies -> C++ text, through the templates. Every value that reaches a template is an integer or an identifier
of our own making; the only text of a user's is the compute expression, printed from its parsed form, in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tt_build.codegen.sfpu import call_of, call_text, init_text, slot_text
from tt_build.codegen.templates import Filters, render
from tt_build.ir.index import Bin, Index, Num, to_cpp
from tt_build.ir.lowered import (
    Accumulate,
    Block,
    Exchange,
    FillTile,
    KernelBody,
    Loop,
    MatmulBlock,
    Pack,
    PatternTile,
    ReadPage,
    Section,
    SfpuInit,
    SfpuOp,
    Stmt,
    TileOp,
    When,
    WritePage,
    ZeroPadding,
    ZOrderPoint,
    walk,
)
from tt_build.ir.names import identifiers, scalar_identifiers
from tt_build.ir.stages import CircularBuffer, VerifiedKernel
from tt_build.passes.simplify import indices_of
from tt_build.spec.model import OpSpec, SourceText
from tt_build.version import __version__

_TILE_HEADERS = {
    "matmul": "api/compute/matmul.h",
    "copy": "api/compute/tile_move_copy.h",
    "transpose": "api/compute/transpose.h",
    "unary_bcast": "api/compute/bcast.h",
}


class Accessor(msgspec.Struct, frozen=True):
    """``offset`` is the C++ text of where its words begin."""

    name: str
    offset: str


class Sized(msgspec.Struct, frozen=True):
    """A circular buffer whose page size the kernel computes addresses with."""

    name: str
    bytes: str


class ChannelArguments(msgspec.Struct, frozen=True):
    """The arguments of a channel: the first word's place, and what they are called."""

    prefix: str
    first: int
    what: str
    senders: int


def render_source(kernel: VerifiedKernel, body: KernelBody, own: Mapping[str, str] | None = None) -> str:
    """The text of ``reader.cpp``, ``compute.cpp`` or ``writer.cpp``; ``own`` templates take the place of ours.

    Raises ``Rejected`` for what goes wrong in one of ``own``.
    """
    names = identifiers(tuple(t.name for t in kernel.tensors))
    return tidy(render(f"{body.role}.cpp.j2", "kernels", _FILTERS, own or {}, k=_context(kernel, body, names)))


class SfpuCallText(msgspec.Struct, frozen=True):
    """An SFPU init or call, looked up in the op table."""

    text: str


def _printable(
    body: tuple[Stmt, ...], kernel: VerifiedKernel, names: dict[str, str], scalars: dict[str, str]
) -> tuple[Any, ...]:
    """The body with names that depend on the kernel put in: tensors' and scalars' identifiers, SFPU calls."""
    done: list[Any] = []
    for stmt in body:
        if isinstance(stmt, SfpuInit):
            done.append(SfpuCallText(init_text(stmt, kernel.math, kernel.program.ops)))
        elif isinstance(stmt, SfpuOp):
            done.append(SfpuCallText(call_text(stmt, kernel.math, scalars, kernel.program.ops)))
        elif isinstance(stmt, TileOp | Pack):
            done.append(msgspec.structs.replace(stmt, dst=slot_text(stmt.dst, stmt.lane)))
        elif isinstance(stmt, ReadPage | WritePage):
            done.append(msgspec.structs.replace(stmt, tensor=names[stmt.tensor]))
        elif isinstance(stmt, Loop | When | Block):
            done.append(msgspec.structs.replace(stmt, body=_printable(stmt.body, kernel, names, scalars)))
        elif isinstance(stmt, Section):
            math, packs = (_printable(part, kernel, names, scalars) for part in (stmt.math, stmt.packs))
            done.append(Section(math=math, packs=packs))
        else:
            done.append(stmt)
    return tuple(done)


def _l1_address(stmt: ReadPage | WritePage | ZeroPadding | FillTile | PatternTile) -> str:
    """The L1 address of a page: pointer + slot * page size."""
    if stmt.slot == Num(0):
        return stmt.pointer
    slot = to_cpp(stmt.slot)
    return f"{stmt.pointer} + {f'({slot})' if isinstance(stmt.slot, Bin) else slot} * {bytes_name(stmt.cb)}"


def bytes_name(cb: str) -> str:
    """The constant that holds a circular buffer's page size."""
    return f"{cb.removeprefix('cb_')}_bytes"


def _context(kernel: VerifiedKernel, body: KernelBody, names: dict[str, str]) -> dict[str, Any]:
    flat = walk(body.body)
    offset = str(len(body.compile_args))
    accessors: list[Accessor] = []
    for tensor in body.accessors:
        accessors.append(Accessor(names[tensor], offset))
        offset = f"{names[tensor]}_args.next_compile_time_args_offset()"
    grid = kernel.grid
    scalars = scalar_identifiers(body.common_args)
    uses_z_order = any(isinstance(stmt, ZOrderPoint) for stmt in flat)
    return {
        "kernel": kernel.name,
        "role": body.role,
        "version": __version__,
        "origin": f"{_UNSAFE.sub('_', kernel.file)}: kernels.{kernel.name}",
        "compute": comment_lines(kernel.compute),
        "grid": f"{grid.x} x {grid.y} x {grid.z}",
        "policy": kernel.policy,
        "order": kernel.order,
        "cores": f"{len(kernel.work)} of {kernel.core_grid[0]} x {kernel.core_grid[1]} cores",
        "signature": [*(f"{names[t]}_address" for t in body.accessors), *body.runtime_args],
        "peers": body.peers,
        "channels": _channels(body),
        "scalars": list(scalars.values()),
        "compile_args": body.compile_args,
        "accessors": accessors,
        "circular_buffers": _used(kernel, flat),
        "sized": _sized(flat),
        "headers": _headers(flat, kernel.program.ops),
        "own_headers": _own_headers(flat, kernel.program.ops),
        "uses_min": uses_z_order
        or any(isinstance(stmt, ReadPage | WritePage) and stmt.rows is not None for stmt in flat)
        or any(_has_min(index) for stmt in flat for index in indices_of(stmt)),
        "uses_z_order": uses_z_order,
        "uses_local_memory": any(isinstance(stmt, ZeroPadding | FillTile | PatternTile) for stmt in flat),
        "body": _printable(body.body, kernel, names, scalars),
    }


def _channels(body: KernelBody) -> list[ChannelArguments]:
    """Where the arguments of each channel begin, and how the head of the file tells of them."""
    found, first = [], len(body.accessors) + len(body.runtime_args)
    for channel in body.channels:
        named = channel.name != "all"
        what = f"{channel.name} sender, " if named else "sender, "
        if channel.senders > 1:
            what = f"x and y of {channel.senders} {channel.name} senders, "
        what += f"{channel.targets} rectangle{'s' * (channel.targets != 1)} of receivers"
        found.append(ChannelArguments(f"{channel.name}_" if named else "", first, what, channel.senders))
        first += channel.words
    return found


_FILTERS: Filters = {
    "cpp": to_cpp,
    "bytes_name": bytes_name,
    "kind": lambda stmt: type(stmt).__name__,
    "l1_address": _l1_address,
}
_UNSAFE = re.compile(r"[^\w./-]", re.ASCII)
_SAFE = re.compile(r"[\w .,+\-*/@()=<>!]*", re.ASCII)


def comment_lines(text: str) -> list[str]:
    """The compute text as lines of a comment; a line with any other character than the language's is left out."""
    return [line for line in text.splitlines() if _SAFE.fullmatch(line)]


def _used(kernel: VerifiedKernel, flat: list[Stmt]) -> list[CircularBuffer]:
    names: set[str] = set()
    for stmt in flat:
        names |= {
            getattr(stmt, field) for field in ("cb", "a", "b", "out") if isinstance(getattr(stmt, field, None), str)
        }
        names |= set(getattr(stmt, "cbs", ()))
    return [cb for cb in kernel.circular_buffers if cb.name in names]


def _sized(flat: list[Stmt]) -> list[Sized]:
    cbs = [
        s.cb
        for s in flat
        if isinstance(s, ReadPage | WritePage | ZeroPadding | FillTile | PatternTile) and s.slot != Num(0)
    ]
    cbs += [s.cb for s in flat if isinstance(s, Exchange)]
    return [Sized(cb, bytes_name(cb)) for cb in dict.fromkeys(cbs)]


def _headers(flat: list[Stmt], ops: Mapping[str, OpSpec]) -> list[str]:
    found = {"api/compute/common.h", "api/compute/compute_kernel_hw_startup.h"}
    for stmt in flat:
        if isinstance(stmt, TileOp):
            default = "api/compute/bcast.h" if stmt.mode else "api/compute/eltwise_binary.h"
            found.add(_TILE_HEADERS.get(stmt.op, default))
        elif isinstance(stmt, MatmulBlock):
            found.add(_TILE_HEADERS["matmul"])
        elif isinstance(stmt, Accumulate):
            found.add("api/compute/pack.h")
        elif isinstance(stmt, SfpuInit | SfpuOp):
            found.add(call_of(stmt.function, stmt.form, ops).header)
    return sorted(found - {""})


def _own_headers(flat: list[Stmt], ops: Mapping[str, OpSpec]) -> list[SourceText]:
    """The headers of a repository's ops that the body calls, each once, with paths that a comment can hold."""
    used = {stmt.function for stmt in flat if isinstance(stmt, SfpuInit | SfpuOp)}
    found = [op.sfpu.header for name, op in ops.items() if name in used and op.sfpu is not None]
    texts = {_UNSAFE.sub("_", header.path): header.text for header in found}
    return [SourceText(path=path, text=text) for path, text in sorted(texts.items())]


def _has_min(index: Index) -> bool:
    return isinstance(index, Bin) and (index.op == "min" or _has_min(index.a) or _has_min(index.b))


def tidy(text: str) -> str:
    """No trailing space, no two blank lines in a row, no blank line before a brace that closes; one final newline."""
    lines = [line.rstrip() for line in text.splitlines()]
    kept: list[str] = []
    for number, line in enumerate(lines):
        following = next((other for other in lines[number + 1 :] if other), "")
        if not line and (not kept or not kept[-1] or kept[-1].endswith("{") or following.strip() == "}"):
            continue
        kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept) + "\n"
