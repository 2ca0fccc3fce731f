"""The bodies of generated kernels: structured statements with explicit circular-buffer, NoC and tile operations.

One statement here is one line or one block of C++; macros under ``templates/macros`` print them and ``verify_ir``
executes their skeleton. Circular buffers and tensors are referred to by name; ids, addresses and argument positions are
assigned in one place each (``memory_space_lower``, ``codegen``), so host and kernel cannot disagree about an order.
"""

from __future__ import annotations

from typing import Literal, Union

from tt_build.ir.index import Index
from tt_build.ir.plan import ArgRef
from tt_build.spec.model import Struct

Role = Literal["reader", "compute", "writer"]
TileOpName = Literal["copy", "transpose", "unary_bcast", "add", "sub", "mul", "matmul"]
ChannelName = Literal["all", "row", "column"]
"""Cores that share operands: all with work, those of a row of the grid of units, or of a column."""

Link = Literal["", "linked", "flushed"]
"""How a multicast and the word behind it go together: each by a path of its own, in one chain over one path, or in a
chain whose data must have left before the word is sent (Blackhole)."""

BroadcastMode = Literal["", "rows", "cols", "scalar"]
CallWord = Union[int, str]  # noqa: UP007
"""A parameter of an SFPU call: its 32-bit word, or the name of the run-time scalar that holds it."""


class Note(Struct, frozen=True, kw_only=True, tag="note"):
    """A comment line; the text is the compiler's own, never a user's."""

    text: str


class Let(Struct, frozen=True, kw_only=True, tag="let"):
    """``const uint32_t name = value;``"""

    name: str
    value: Index


class Loop(Struct, frozen=True, kw_only=True, tag="loop"):
    """``for (uint32_t var = 0; var < count; ++var)``"""

    var: str
    count: Index
    body: tuple[Stmt, ...]


class When(Struct, frozen=True, kw_only=True, tag="when"):
    """``if (a == b)``"""

    a: Index
    b: Index
    body: tuple[Stmt, ...]


class ZOrderPoint(Struct, frozen=True, kw_only=True, tag="z_order_point"):
    """``name.x`` and ``name.y`` are the point at ``position`` in the Morton order of a width x height plane.

    Points outside the plane do not count; ``side`` is a power of two that neither extent exceeds.
    """

    name: str
    position: Index
    width: Index
    height: Index
    side: int


class Reserve(Struct, frozen=True, kw_only=True, tag="reserve"):
    """``cb_reserve_back``"""

    cb: str
    pages: Index


class Push(Struct, frozen=True, kw_only=True, tag="push"):
    """``cb_push_back``"""

    cb: str
    pages: Index


class Wait(Struct, frozen=True, kw_only=True, tag="wait"):
    """``cb_wait_front``: a level, not an increment."""

    cb: str
    pages: Index


class Pop(Struct, frozen=True, kw_only=True, tag="pop"):
    """``cb_pop_front``"""

    cb: str
    pages: Index


class Pointer(Struct, frozen=True, kw_only=True, tag="pointer"):
    """``const uint32_t name = get_write_ptr(cb)`` or ``get_read_ptr``: L1 address of the block's first page."""

    name: str
    cb: str
    side: Literal["write", "read"]


class ReadPage(Struct, frozen=True, kw_only=True, tag="read_page"):
    """``noc_async_read_page(page, tensor, pointer + slot * page size of cb)``

    With ``rows`` the tile is a part of a row-major tensor: ``columns`` elements from ``column`` on of that many rows,
    of which ``page`` is the first. Each row goes to two faces of the tile. ``scratch`` is the pointer to a page that
    rows land in first, where memory cannot be read straight into faces; then the tile has landed behind the statement.
    """

    tensor: str
    page: Index
    pointer: str
    slot: Index
    cb: str
    rows: Index | None = None
    column: Index | None = None
    columns: Index | None = None
    element_bytes: int = 0
    scratch: str = ""


class WritePage(Struct, frozen=True, kw_only=True, tag="write_page"):
    """``noc_async_write_page(page, tensor, pointer + slot * page size of cb)``

    With ``rows`` the tile is a part of a row-major tensor: ``columns`` elements from ``column`` on of that many rows,
    of which ``page`` is the first. Each row goes to two faces of the tile.
    """

    tensor: str
    page: Index
    pointer: str
    slot: Index
    cb: str
    rows: Index | None = None
    column: Index | None = None
    columns: Index | None = None
    element_bytes: int = 0


class Barrier(Struct, frozen=True, kw_only=True, tag="barrier"):
    """``read``: reads have landed; ``flushed``: writes have left (source reusable); ``write``: writes are
    acknowledged.
    """

    what: Literal["read", "flushed", "write"]


class ZeroPadding(Struct, frozen=True, kw_only=True, tag="zero_padding"):
    """Zero the rows or columns from ``first`` on of a 32 x 32 tile in face order at ``pointer + slot * page size``."""

    pointer: str
    slot: Index
    cb: str
    axis: Literal["rows", "columns"]
    first: int
    element_bytes: int


class FillTile(Struct, frozen=True, kw_only=True, tag="fill_tile"):
    """Write a whole tile at ``pointer + slot * page size``: ``value_bits`` in its first ``count`` columns or rows, zero
    elsewhere; face order, elements of ``element_bytes``.
    """

    pointer: str
    slot: Index
    cb: str
    pattern: Literal["columns", "rows"]
    count: int
    value_bits: int
    element_bytes: int


class PatternTile(Struct, frozen=True, kw_only=True, tag="pattern_tile"):
    """Write a bfloat16 tile in face order at ``pointer + slot * page size``.

    Elements with column > row have the bits ``above``, the others ``below``.
    """

    pointer: str
    slot: Index
    cb: str
    below: int
    above: int


class Block(Struct, frozen=True, kw_only=True, tag="block"):
    """``{ body }`` under a comment: names of the body are its own. ``sweep`` is the number of the sweep that it is."""

    text: str
    sweep: int
    body: tuple[Stmt, ...]


class Exchange(Struct, frozen=True, kw_only=True, tag="exchange"):
    """The ``pages`` pages at pointer ``source`` go to place ``part`` of the ``parts`` at pointer ``target``: to every
    core of the unit, this one included, or to its first alone. Whoever gets parts then waits until all have come.

    ``cb`` is the circular buffer of ``target``, at the same address on all cores; ``semaphore`` counts arrivals, once.
    """

    source: str
    target: str
    cb: str
    part: Index
    parts: Index
    semaphore: int
    pages: int = 1
    to: Literal["all", "first"] = "all"


class SharedBlock(Struct, frozen=True, kw_only=True):
    """``pages`` pages of ``cb`` at ``pointer``, which all cores have reserved at the same address."""

    pointer: str
    cb: str
    pages: int


class SendShared(Struct, frozen=True, kw_only=True, tag="send_shared"):
    """Once ``receivers`` cores are ready: the blocks to all of them, then the word that they have come.

    The other cores are the ``targets`` rectangles of the channel's arguments. Semaphore ``ready`` is counted up here,
    ``sent`` is set there; both are zero again before the next parcel.
    """

    channel: ChannelName
    blocks: tuple[SharedBlock, ...]
    receivers: int
    targets: int
    ready: int
    sent: int
    link: Link = ""


class ReceiveShared(Struct, frozen=True, kw_only=True, tag="receive_shared"):
    """Tell the sender that the pages are reserved, and wait until they have come."""

    channel: ChannelName
    ready: int
    sent: int


class RotateShared(Struct, frozen=True, kw_only=True, tag="rotate_shared"):
    """In each ``turn`` the core of the channel whose number ``place`` it is sends, and the others receive.

    Once the other ``cores`` - 1 are ready, the ``pages`` pages at pointer ``source`` go to pointer ``target`` of all,
    the sender included. ``cb`` is the circular buffer of ``target``, which all have reserved at the same address.
    Semaphores as those of ``SendShared``, of each core.
    """

    channel: ChannelName
    source: str
    target: str
    cb: str
    pages: int
    turn: Index
    place: Index
    cores: int
    ready: int
    sent: int
    link: Link = ""


class MatmulBlock(Struct, frozen=True, kw_only=True, tag="matmul_block"):
    """``matmul_block``: DST slots 0 .. rows * columns - 1 += one K tile of a subblock.

    ``cbs`` and ``indices`` of the first tile of each operand; rows of the first operand are ``k_stride`` pages apart.
    """

    cbs: tuple[str, ...]
    indices: tuple[Index, ...]
    rows: int
    columns: int
    k_stride: Index
    transpose: bool = False


class MatmulBlockInit(Struct, frozen=True, kw_only=True, tag="matmul_block_init"):
    """The init of ``MatmulBlock`` of that form."""

    cbs: tuple[str, ...]
    rows: int
    columns: int
    k_stride: Index
    transpose: bool = False


class Accumulate(Struct, frozen=True, kw_only=True, tag="accumulate"):
    """``pack_reconfig_l1_acc``: from here on the packer adds to what lies in L1 (1), or replaces it (0)."""

    on: int


class Startup(Struct, frozen=True, kw_only=True, tag="startup"):
    """``compute_kernel_hw_startup``; ``reverse`` when the first operation is a matmul."""

    a: str
    b: str
    out: str
    reverse: bool = False


class TileInit(Struct, frozen=True, kw_only=True, tag="tile_init"):
    """The init of a tile operation on these circular buffers."""

    op: TileOpName
    cbs: tuple[str, ...]
    mode: BroadcastMode = ""
    transpose: bool = False


class TileOp(Struct, frozen=True, kw_only=True, tag="tile_op"):
    """A matrix-engine or unpacker operation from circular buffers into DST slot ``dst``.

    In a section of several tiles ``lane`` is the tile's number there, which is added to the slot.
    """

    op: TileOpName
    cbs: tuple[str, ...]
    indices: tuple[Index, ...]
    dst: int
    mode: BroadcastMode = ""
    transpose: bool = False
    lane: Index | None = None


class SfpuInit(Struct, frozen=True, kw_only=True, tag="sfpu_init"):
    """The init of an SFPU function of the op table in that form (``tile``, ``scalar``, ``rscalar`` ...)."""

    function: str
    form: str


class SfpuOp(Struct, frozen=True, kw_only=True, tag="sfpu_op"):
    """An SFPU function on DST slots; ``params`` are 32-bit words as the call takes them. ``lane`` as in ``TileOp``."""

    function: str
    form: str
    slots: tuple[int, ...]
    out: int
    params: tuple[CallWord, ...] = ()
    lane: Index | None = None


class Reconfig(Struct, frozen=True, kw_only=True, tag="reconfig"):
    """Data format of SrcA, SrcB or the packer follows that circular buffer from here on."""

    unit: Literal["srca", "srcb", "pack"]
    cb: str


class Pack(Struct, frozen=True, kw_only=True, tag="pack"):
    """``pack_tile(dst, cb)``: to the next page of the reserved block, or to page ``index`` of it. ``lane`` as in
    ``TileOp``.
    """

    dst: int
    cb: str
    index: Index | None = None
    lane: Index | None = None


class Section(Struct, frozen=True, kw_only=True, tag="section"):
    """One DST section: acquire, ``math``, commit, wait, ``packs``, release."""

    math: tuple[Stmt, ...]
    packs: tuple[Stmt, ...]


Stmt = Union[  # noqa: UP007
    Note,
    Let,
    Loop,
    When,
    ZOrderPoint,
    Reserve,
    Push,
    Wait,
    Pop,
    Pointer,
    ReadPage,
    WritePage,
    Barrier,
    ZeroPadding,
    FillTile,
    PatternTile,
    Block,
    Exchange,
    SendShared,
    ReceiveShared,
    RotateShared,
    MatmulBlock,
    MatmulBlockInit,
    Accumulate,
    Startup,
    TileInit,
    TileOp,
    SfpuInit,
    SfpuOp,
    Reconfig,
    Pack,
    Section,
]

RuntimeValue = Union[int, ArgRef]  # noqa: UP007


class CompileArg(Struct, frozen=True, kw_only=True):
    """``constexpr uint32_t name = get_compile_time_arg_val(i)``; the position is that in
    ``KernelBody.compile_args``.
    """

    name: str
    value: int


class CoreValues(Struct, frozen=True, kw_only=True):
    """Runtime argument values of one core (logical x, y), in the order of ``KernelBody.runtime_args``."""

    core: tuple[int, int]
    values: tuple[RuntimeValue, ...]


class Channel(Struct, frozen=True, kw_only=True):
    """Arguments of a channel: the sender's coordinates, and for each of ``targets`` rectangles of receivers its corners
    and the number of its cores. Where cores send in turn those of all ``senders``, who also are the receivers.
    """

    name: ChannelName
    targets: int
    senders: int = 1

    @property
    def words(self) -> int:
        """How many arguments these are."""
        return 2 * self.senders + 5 * self.targets


class KernelBody(Struct, frozen=True, kw_only=True):
    """One generated source on its cores.

    ``accessors`` are the tensors that it reaches over the NoC: their base addresses are the first runtime arguments and
    their TensorAccessorArgs words follow the compile-time arguments, in this order. ``runtime_args`` names the rest;
    ``common_args`` are the run-time scalars, whose words all cores share. ``peers`` pairs of coordinates come last: the
    cores that have the parts of the same unit, in order; or else the words of the ``channels``.
    """

    role: Role
    compile_args: tuple[CompileArg, ...] = ()
    accessors: tuple[str, ...] = ()
    runtime_args: tuple[str, ...] = ()
    peers: int = 0
    channels: tuple[Channel, ...] = ()
    common_args: tuple[str, ...] = ()
    common_values: tuple[RuntimeValue, ...] = ()
    core_values: tuple[CoreValues, ...] = ()
    body: tuple[Stmt, ...] = ()


def scalars_of(body: tuple[Stmt, ...]) -> tuple[str, ...]:
    """The run-time scalars that the calls of a kernel take, in order of their first use."""
    calls = [stmt for stmt in walk(body) if isinstance(stmt, SfpuOp)]
    return tuple(dict.fromkeys(word for call in calls for word in call.params if isinstance(word, str)))


def walk(body: tuple[Stmt, ...]) -> list[Stmt]:
    """All statements, nested ones after the one that holds them."""
    found: list[Stmt] = []
    for stmt in body:
        found.append(stmt)
        if isinstance(stmt, Loop | When | Block):
            found += walk(stmt.body)
        elif isinstance(stmt, Section):
            found += walk(stmt.math) + walk(stmt.packs)
    return found
