"""Corruptions of valid lowered kernels: each gives a kernel that must be rejected, and the code that must be given.

A corruption takes a kernel and a seeded generator and returns another kernel, or None where it has nothing to corrupt.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from tt_build.ir.index import Index, num, var
from tt_build.ir.lowered import (
    Barrier,
    Block,
    CompileArg,
    FillTile,
    KernelBody,
    Let,
    Loop,
    Pack,
    PatternTile,
    Pop,
    Push,
    ReadPage,
    Reserve,
    Section,
    SfpuOp,
    Stmt,
    TileOp,
    Wait,
    When,
    WritePage,
    ZeroPadding,
    walk,
)
from tt_build.ir.plan import ArgRef, Range
from tt_build.ir.stages import LoweredKernel

Kernel = LoweredKernel
Corruption = Callable[[Kernel, random.Random], "Kernel | None"]
replace: Any = msgspec.structs.replace

Corruptions = dict[str, tuple[Corruption, tuple[str, ...]]]
"""By name, with the code that each must be rejected with; several where the same fault shows in several places."""


def registry(table: Corruptions) -> Callable[..., Callable[[Corruption], Corruption]]:
    """The decorator that enters corruptions in ``table`` under their names, with their codes."""

    def corruption(*codes: str) -> Callable[[Corruption], Corruption]:
        def register(function: Corruption) -> Corruption:
            table[function.__name__] = (function, codes)
            return function

        return register

    return corruption


CORRUPTIONS: Corruptions = {}
corruption = registry(CORRUPTIONS)


def _rewrite(body: tuple[Stmt, ...], target: Stmt, new: Stmt | None) -> tuple[Stmt, ...]:
    """``target`` (that very object) replaced, or left out."""
    found: list[Stmt] = []
    for stmt in body:
        if stmt is target:
            found += [new] if new is not None else []
        elif isinstance(stmt, Loop | When | Block):
            found.append(replace(stmt, body=_rewrite(stmt.body, target, new)))
        elif isinstance(stmt, Section):
            found.append(Section(math=_rewrite(stmt.math, target, new), packs=_rewrite(stmt.packs, target, new)))
        else:
            found.append(stmt)
    return tuple(found)


def change(
    kernel: Kernel,
    rng: random.Random,
    kinds: type[Any] | tuple[type[Any], ...],
    edit: Callable[[Any], Stmt | None],
    where: Callable[[Any], bool] = lambda stmt: True,
) -> Kernel | None:
    """One statement of these kinds, changed in its kernel."""
    places = [(b, s) for b in kernel.bodies for s in walk(b.body) if isinstance(s, kinds) and where(s)]
    if not places:
        return None
    body, target = rng.choice(places)
    changed: KernelBody = replace(body, body=_rewrite(body.body, target, edit(target)))
    return replace(kernel, bodies=tuple(changed if b is body else b for b in kernel.bodies))


def item(kernel: Kernel, field: str, index: int, **values: Any) -> Kernel:
    items = list(getattr(kernel, field))
    items[index] = replace(items[index], **values)
    return replace(kernel, **{field: tuple(items)})


def _any(kernel: Kernel, rng: random.Random, field: str) -> int:
    return rng.randrange(len(getattr(kernel, field)))


@corruption("TTB403")
def page_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, page=s.page + 1))


def first_page_again(kernel: Kernel, rng: random.Random) -> Kernel | None:
    many = {b.name for b in kernel.buffers if b.pages > 1}
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, page=num(0)), lambda s: s.tensor in many)


@corruption("TTB403")
def page_fixed(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.grid.units < 2 or all(s.per == "core" for s in kernel.streams):
        return None
    places = {s.cb for s in kernel.streams if s.per == "unit"} | {r.cb for r in kernel.results}
    unit = {s.cb for s in kernel.streams if s.per == "unit" and kernel.buffer(s.tensor).pages < kernel.grid.units}
    return change(
        kernel, rng, (ReadPage, WritePage), lambda s: replace(s, page=num(0)), lambda s: s.cb in places - unit
    )


@corruption("TTB403")
def slot_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, slot=s.slot + 1))


@corruption("TTB403")
def tile_index_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, TileOp, lambda s: replace(s, indices=(s.indices[0] + 1, *s.indices[1:])))


@corruption("TTB403")
def pack_elsewhere(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pack, lambda s: replace(s, index=num(0) if s.index is None else s.index + 1))


@corruption("TTB402")
def no_push(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Push, lambda s: None)


@corruption("TTB402")
def no_pop(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Pop, lambda s: None)


@corruption("TTB402")
def no_wait(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Wait, lambda s: None)


@corruption("TTB402")
def no_reserve(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Reserve, lambda s: None)


@corruption("TTB402")
def no_barrier(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Barrier, lambda s: None)


@corruption("TTB402")
def other_barrier(kernel: Kernel, rng: random.Random) -> Kernel | None:
    other = {"read": "write", "flushed": "read", "write": "flushed"}
    return change(kernel, rng, Barrier, lambda s: replace(s, what=other[s.what]))


@corruption("TTB402")
def move_twice(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (Push, Pop), lambda s: Loop(var="again", count=num(2), body=(s,)))


@corruption("TTB402")
def larger_move(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (Reserve, Push, Wait, Pop), lambda s: replace(s, pages=s.pages + 1))


@corruption("TTB402")
def foreign_circular_buffer(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (Reserve, Push, Wait, Pop), lambda s: replace(s, cb="cb_nobody"))


@corruption("TTB402")
def block_size(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "circular_buffers")
    return item(kernel, "circular_buffers", index, block=kernel.circular_buffers[index].block + 1)


@corruption("TTB402")
def odd_depth(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = [i for i, cb in enumerate(kernel.circular_buffers) if cb.block > 1]
    if not found:
        return None
    index = rng.choice(found)
    return item(kernel, "circular_buffers", index, num_pages=kernel.circular_buffers[index].num_pages + 1)


@corruption("TTB402")
def no_pages(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return item(kernel, "circular_buffers", _any(kernel, rng, "circular_buffers"), num_pages=0)


@corruption("TTB402")
def page_size(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "circular_buffers")
    return item(kernel, "circular_buffers", index, page_size=kernel.circular_buffers[index].page_size // 2)


@corruption("TTB402")
def other_format(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = rng.randrange(len(kernel.streams))
    cb = kernel.circular_buffers[index]
    other = {"bfloat16": ("float32", 4096), "float32": ("bfloat16", 2048)}[cb.dtype]
    return item(kernel, "circular_buffers", index, dtype=other[0], page_size=other[1])


@corruption("TTB402")
def integers_to_the_matrix_engine(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Integers of the same size where floats were computed with, in tensors and buffers alike."""
    other = {"bfloat16": "uint16", "float32": "int32"}
    tiles = [stmt for body in kernel.bodies for stmt in walk(body.body) if isinstance(stmt, TileOp)]
    computes = any(stmt.op in ("add", "sub", "mul", "matmul") for stmt in tiles)
    if not computes or not all(t.dtype in other for t in kernel.tensors if t.role == "input"):
        return None
    names = {stream.cb for stream in kernel.streams}
    return replace(
        kernel,
        tensors=tuple(replace(t, dtype=other[t.dtype]) if t.role == "input" else t for t in kernel.tensors),
        buffers=tuple(replace(b, dtype=other[b.dtype]) if b.role == "input" else b for b in kernel.buffers),
        circular_buffers=tuple(
            replace(cb, dtype=other[cb.dtype]) if cb.name in names else cb for cb in kernel.circular_buffers
        ),
    )


@corruption("TTB402")
def same_id(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = rng.randrange(1, len(kernel.circular_buffers))
    return item(kernel, "circular_buffers", index, id=kernel.circular_buffers[index - 1].id)


@corruption("TTB402")
def id_beyond(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return item(kernel, "circular_buffers", _any(kernel, rng, "circular_buffers"), id=32 + 32)


@corruption("TTB402")
def bound_to_nothing(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "circular_buffers")
    cb = kernel.circular_buffers[index]
    return item(kernel, "circular_buffers", index, buffer="" if cb.buffer else kernel.tensors[0].name)


@corruption("TTB404")
def slot_beyond_dst(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (TileOp, Pack), lambda s: replace(s, dst=s.dst + 8))


@corruption("TTB404")
def unwritten_slot(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(
        kernel, rng, SfpuOp, lambda s: replace(s, slots=(3, *s.slots[1:])), lambda s: s.slots and 3 not in s.slots
    )


@corruption("TTB404")
def no_packs(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Section, lambda s: replace(s, packs=()))


@corruption("TTB404")
def slot_of_the_tile_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (TileOp, SfpuOp, Pack), lambda s: replace(s, lane=s.lane + 1), lambda s: s.lane)


@corruption("TTB404")
def one_slot_for_all_tiles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (TileOp, SfpuOp, Pack), lambda s: replace(s, lane=None), lambda s: s.lane)


@corruption("TTB404")
def slots_that_overlap(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (TileOp, Pack), lambda s: replace(s, dst=s.dst + 1), lambda s: s.lane)


def _is_over_lanes(stmt: Stmt) -> bool:
    return isinstance(stmt, Loop) and any(getattr(inner, "lane", None) for inner in stmt.body)


@corruption("TTB404")
def a_step_for_fewer_tiles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=num(1)), _is_over_lanes)


@corruption("TTB404")
def more_tiles_than_slots(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if kernel.in_dst in (1, kernel.batch):
        return None
    return change(kernel, rng, Let, lambda s: replace(s, value=var("tiles")), lambda s: s.name == "lanes")


@corruption("TTB404")
def outside_a_section(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = next(i for i, body in enumerate(kernel.bodies) if body.role == "compute")
    return item(kernel, "bodies", index, body=(*kernel.bodies[index].body, Pack(dst=0, cb=kernel.results[0].cb)))


@corruption("TTB401")
def core_outside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    x, y = kernel.core_grid
    return item(kernel, "work", _any(kernel, rng, "work"), core=(x, y), core_id=y * x + x)


@corruption("TTB401")
def core_twice(kernel: Kernel, rng: random.Random) -> Kernel | None:
    if len(kernel.work) < 2:
        return None
    return item(kernel, "work", 1, core=kernel.work[0].core, core_id=kernel.work[0].core_id)


@corruption("TTB401")
def count_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "work")
    return item(kernel, "work", index, count=kernel.work[index].count + rng.choice((-1, 1)))


@corruption("TTB401")
def start_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "work")
    work = kernel.work[index]
    if work.rect is not None:
        x, y, w, h = work.rect
        return item(kernel, "work", index, rect=(x + 1, y, w, h))
    return item(kernel, "work", index, start=work.start + 1)


@corruption("TTB401")
def work_missing(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "work")
    return replace(kernel, work=(*kernel.work[:index], *kernel.work[index + 1 :]))


@corruption("TTB401")
def ranges_overlap(kernel: Kernel, rng: random.Random) -> Kernel | None:
    core = rng.choice(kernel.work).core
    return replace(kernel, core_ranges=(*kernel.core_ranges, Range(start=core, end=core)))


@corruption("TTB401")
def ranges_beyond(kernel: Kernel, rng: random.Random) -> Kernel | None:
    first = kernel.core_ranges[0]
    end = first.end[0], first.end[1] + 1
    return replace(kernel, core_ranges=(Range(start=first.start, end=end), *kernel.core_ranges[1:]))


@corruption("TTB401")
def other_order(kernel: Kernel, rng: random.Random) -> Kernel | None:
    others = [o for o in ("row_major", "column_major") if o != kernel.order]
    if min(kernel.grid.x, kernel.grid.y) < 2 or max(i.count for i in kernel.work) < 4:
        return None
    return replace(kernel, order=rng.choice(others))


def _values(kernel: Kernel, rng: random.Random, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Kernel | None:
    """The runtime arguments of one core, changed where that makes a difference."""
    places = [
        (b, c)
        for b, body in enumerate(kernel.bodies)
        for c, values in enumerate(body.core_values)
        if change(values.values) != values.values
    ]
    if not places:
        return None
    b, c = rng.choice(places)
    body = kernel.bodies[b]
    values = list(body.core_values)
    values[c] = replace(values[c], values=change(values[c].values))
    return item(kernel, "bodies", b, core_values=tuple(values))


@corruption("TTB405")
def arguments_swapped(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _values(kernel, rng, lambda v: (*v[:-2], *v[:-3:-1]))


@corruption("TTB405")
def argument_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _values(kernel, rng, lambda v: tuple(x + 1 if isinstance(x, int) else x for x in v))


@corruption("TTB405")
def argument_missing(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return _values(kernel, rng, lambda v: v[:-1])


@corruption("TTB405")
def address_of_another(kernel: Kernel, rng: random.Random) -> Kernel | None:
    other = ArgRef(address_of=kernel.outputs[0].name + "_other")
    return _values(kernel, rng, lambda v: tuple(other if isinstance(x, ArgRef) else x for x in v))


@corruption("TTB405")
def accessors_in_another_order(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = [i for i, body in enumerate(kernel.bodies) if len(body.accessors) > 1]
    if not found:
        return None
    index = rng.choice(found)
    return item(kernel, "bodies", index, accessors=kernel.bodies[index].accessors[::-1])


@corruption("TTB405")
def arguments_of_other_cores(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "bodies")
    if len(kernel.work) < 2:
        return None
    return item(kernel, "bodies", index, core_values=kernel.bodies[index].core_values[1:])


@corruption("TTB405")
def constant_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = [i for i, body in enumerate(kernel.bodies) if body.compile_args]
    if not found:
        return None
    index = rng.choice(found)
    args = kernel.bodies[index].compile_args
    changed = CompileArg(name=args[0].name, value=args[0].value + 1)
    return item(kernel, "bodies", index, compile_args=(changed, *args[1:]))


@corruption("TTB405")
def name_unknown(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, page=var("nobody")))


@corruption("TTB405")
def kernel_missing(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return replace(kernel, bodies=kernel.bodies[:-1])


@corruption("TTB402", "TTB403")
def one_round_more(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, Loop, lambda s: replace(s, count=s.count + 1))


@corruption("TTB402", "TTB403")
def let_wrong(kernel: Kernel, rng: random.Random) -> Kernel | None:
    def wrong(stmt: Let) -> Let:
        value: Index = stmt.value + 1
        return replace(stmt, value=value)

    return change(kernel, rng, Let, wrong)


@corruption("TTB406")
def l1_overflow(kernel: Kernel, rng: random.Random) -> Kernel | None:
    found = [i for i, cb in enumerate(kernel.circular_buffers) if not cb.buffer]
    if not found:
        return None
    index = rng.choice(found)
    return item(kernel, "circular_buffers", index, num_pages=kernel.circular_buffers[index].block * 4000)


@corruption("TTB407")
def tensor_page_size(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "buffers")
    return item(kernel, "buffers", index, page_size=kernel.buffers[index].page_size + 1)


@corruption("TTB407")
def misaligned(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "buffers")
    words = kernel.buffers[index].accessor_words
    return item(kernel, "buffers", index, accessor_words=(words[0], words[1] + 8, *words[2:]))


@corruption("TTB407")
def accessor_of_other_memory(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "buffers")
    words = kernel.buffers[index].accessor_words
    return item(kernel, "buffers", index, accessor_words=(words[0] ^ 2, *words[1:]))


@corruption("TTB407")
def fewer_tiles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _any(kernel, rng, "buffers")
    height, width = kernel.buffers[index].tiles
    return item(kernel, "buffers", index, tiles=(height, width + 1))


def _sharded(kernel: Kernel, rng: random.Random) -> int | None:
    found = [i for i, b in enumerate(kernel.buffers) if b.shards is not None]
    return rng.choice(found) if found else None


@corruption("TTB407")
def shards_beyond(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _sharded(kernel, rng)
    if index is None:
        return None
    shards = kernel.buffers[index].shards
    assert shards is not None
    tiles = shards.tiles[0] + shards.counts[0] * shards.tiles[0], shards.tiles[1]
    down = shards.counts[0] + 1
    changed = replace(shards, tiles=tiles, counts=(down, shards.counts[1]))
    return item(kernel, "buffers", index, shards=changed)


@corruption("TTB407")
def shards_moved(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _sharded(kernel, rng)
    if index is None:
        return None
    shards = kernel.buffers[index].shards
    assert shards is not None
    if len(shards.cores) < 2:
        return None
    return item(kernel, "buffers", index, shards=replace(shards, cores=shards.cores[::-1]))


@corruption("TTB407")
def shard_words(kernel: Kernel, rng: random.Random) -> Kernel | None:
    index = _sharded(kernel, rng)
    if index is None:
        return None
    words = list(kernel.buffers[index].accessor_words)
    place = rng.randrange(2, len(words))
    words[place] += 1
    return item(kernel, "buffers", index, accessor_words=tuple(words))


@corruption("TTB408")
def padding_left(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, ZeroPadding, lambda s: None)


@corruption("TTB408")
def padding_of_another_axis(kernel: Kernel, rng: random.Random) -> Kernel | None:
    other = {"rows": "columns", "columns": "rows"}
    return change(kernel, rng, ZeroPadding, lambda s: replace(s, axis=other[s.axis]))


@corruption("TTB408")
def mask_of_other_columns(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, FillTile, lambda s: replace(s, count=s.count % 31 + 1))


@corruption("TTB408")
def mask_not_applied(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """Which stores need the mask: all of a block-float kernel."""
    masks = {mask.cb for mask in kernel.masks}
    return change(kernel, rng, When, lambda s: replace(s, body=s.body[:1]), lambda s: _loads(s, masks))


@corruption("TTB403")
def mask_in_another_column(kernel: Kernel, rng: random.Random) -> Kernel | None:
    masks = {mask.cb for mask in kernel.masks}
    return change(kernel, rng, When, lambda s: replace(s, b=num(0)), lambda s: _loads(s, masks))


def _loads(stmt: When, masks: set[str]) -> bool:
    return any(isinstance(s, TileOp) and masks & {*s.cbs} for s in stmt.body)


@corruption("TTB405")
def scalar_of_another_name(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(
        kernel,
        rng,
        SfpuOp,
        lambda s: replace(s, params=tuple("other" if isinstance(word, str) else word for word in s.params)),
        lambda s: any(isinstance(word, str) for word in s.params),
    )


@corruption("TTB405")
def scalars_given_in_another_order(kernel: Kernel, rng: random.Random) -> Kernel | None:
    bodies = [body for body in kernel.bodies if len(body.common_values) > 1]
    if not bodies:
        return None
    changed = replace(bodies[0], common_values=tuple(reversed(bodies[0].common_values)))
    return replace(kernel, bodies=tuple(changed if body is bodies[0] else body for body in kernel.bodies))


@corruption("TTB403")
def pattern_of_other_numbers(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, PatternTile, lambda s: replace(s, above=s.above ^ 0x8000))


@corruption("TTB403")
def pattern_missing(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, PatternTile, lambda s: None)


@corruption("TTB403")
def pattern_tile_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The same tile of the pattern everywhere."""
    names = {plan.cb for plan in kernel.patterns}
    return change(kernel, rng, TileOp, lambda s: replace(s, indices=(num(1),)), lambda s: bool(names & {*s.cbs}))


@corruption("TTB403")
def tensor_of_the_other_part(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """The first part of a concat is read where the second lies."""

    def is_first(stmt: When) -> bool:
        return stmt.b == num(0) and any(isinstance(s, ReadPage) for s in stmt.body)

    return change(kernel, rng, When, lambda s: replace(s, b=num(1)), is_first)


def _by_rows(stmt: ReadPage | WritePage) -> bool:
    return stmt.rows is not None


@corruption("TTB403")
def row_beside(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, page=s.page + 1), _by_rows)


@corruption("TTB403")
def rows_beyond_the_tensor(kernel: Kernel, rng: random.Random) -> Kernel | None:
    """A whole tile's rows, also where the last tile has fewer."""
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, rows=num(32)), _by_rows)


@corruption("TTB403")
def columns_of_another_tile(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, column=num(0)), _by_rows)


@corruption("TTB403")
def columns_beyond_the_row(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, columns=num(32)), _by_rows)


@corruption("TTB403")
def elements_of_another_size(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(kernel, rng, (ReadPage, WritePage), lambda s: replace(s, element_bytes=6 - s.element_bytes), _by_rows)


@corruption("TTB403")
def row_major_read_as_tiles(kernel: Kernel, rng: random.Random) -> Kernel | None:
    return change(
        kernel, rng, (ReadPage, WritePage), lambda s: replace(s, rows=None, column=None, columns=None), _by_rows
    )
