"""The kernel at each stage. Stage n + 1 is stage n with what its pass found out; types tell the stages apart.

Pass                 gives              adds
apply_defaults       DefaultedKernel    tensors, program, math, schedule choices
infer_schedule       ScheduledKernel    iteration space, algorithm, work of each core
infer_shard          ShardedKernel      tiles, pages, padding and accessor words of each tensor
grid_to_persistent   PersistentKernel   the loop over positions and how a kernel finds (bx, by, bz)
shard_to_core_map    MappedKernel       rectangles of cores
plan_stages          StagedKernel       operand streams and DST sections
memory_space_lower   BufferedKernel     circular buffers, block sizes
tile_pad             PaddedKernel       what is zeroed where
tensorize            LoweredKernel      bodies of reader, compute and writer
verify_ir            VerifiedKernel     what was proven, in figures
"""

from __future__ import annotations

import math
from typing import Literal

from tt_build.ir.index import Index
from tt_build.ir.lowered import BroadcastMode, CallWord, ChannelName, KernelBody, Stmt
from tt_build.ir.plan import Range
from tt_build.ir.work import CoreWork, Grid
from tt_build.lang.program import Program
from tt_build.spec.model import CoreRegion, Locked, LockedPlan, MatmulSchedule, Sharding, Struct

TILE = 32

Operand = Literal["in0", "in1"]
"""The first or the second operand of a matmul."""


def memory_of(layout: str | Sharding) -> str:
    """``dram`` or ``l1``."""
    return layout.memory if isinstance(layout, Sharding) else layout.split("_")[0]


class Tensor(Struct, frozen=True, kw_only=True):
    """An input or output with nothing left open. ``shape`` as declared, rank 1 to 4."""

    name: str
    role: Literal["input", "output"]
    shape: tuple[int, ...]
    dtype: str
    layout: str | Sharding
    format: str

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns of one matrix; ``[N]`` is ``[1, N]``."""
        return (1, self.shape[0]) if len(self.shape) == 1 else (self.shape[-2], self.shape[-1])

    @property
    def batch(self) -> tuple[int, ...]:
        """Leading dimensions."""
        return self.shape[:-2] if len(self.shape) > 2 else ()


class MathMode(Struct, frozen=True, kw_only=True):
    """Precision of the compute kernel."""

    fidelity: str
    fp32_accumulate: bool
    approximate: bool


class ScheduleChoice(Struct, frozen=True, kw_only=True):
    """What the declaration asks for. ``stated`` lists the keys that the kernel's own ``schedule`` sets."""

    policy: str
    order: str
    cores: CoreRegion | None
    matmul: MatmulSchedule | None
    stated: tuple[str, ...] = ()


class Kernel(Struct, frozen=True, kw_only=True):
    """What every stage has, of expressions and of sources written by hand (``ir.handwritten``).

    ``file`` is the file that declares it, relative to the specification.
    """

    name: str
    file: str
    arch: str
    core_grid: tuple[int, int]
    tensors: tuple[Tensor, ...]
    math: MathMode
    choice: ScheduleChoice
    declared_grid: tuple[int, ...] | None = None

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        return next(t for t in self.tensors if t.name == name)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Inputs in declared order."""
        return tuple(t for t in self.tensors if t.role == "input")

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Outputs in declared order."""
        return tuple(t for t in self.tensors if t.role == "output")


class DefaultedKernel(Kernel, frozen=True, kw_only=True):
    """After ``apply_defaults``. ``full_size`` is the kernel that this one is verified for, where it has other sizes.

    ``locked`` is the kernel's entry of the lockfile, until ``infer_schedule`` has judged it.
    """

    compute: str
    program: Program
    declared_block: tuple[int, int] | None = None
    full_size: DefaultedKernel | None = None
    locked: Locked | None = None


class Parts(Struct, frozen=True, kw_only=True):
    """A long reduction in parts: ``count`` runs of ``tiles`` tiles along ``axis``, the last perhaps shorter.

    ``total`` tiles in all; a blocked matmul has parts of its inner dimension, which lie along ``axis`` of the grid of
    units, where the output is one block, and an attention of few queries has parts of its keys. Partial results are
    combined in the order of the parts, so that the sum does not depend on who computes them: ``spread`` parts are units
    of cores of their own, others follow each other on one.
    """

    axis: Literal["rows", "columns"]
    count: int
    tiles: int
    total: int
    spread: bool


class Blocking(Struct, frozen=True, kw_only=True):
    """How a matmul is blocked; everything in tiles.

    A unit is an output ``block`` (rows, columns). Its core goes through K in steps of ``k_block`` and computes
    ``subblock`` (rows, columns) of the output in a DST section. Buffers of operands hold ``depth`` steps. ``shares``
    has the operands that one core of a group reads and multicasts to the others: ``in0`` along a row of the grid of
    units, ``in1`` along a column. ``noc`` is that of the first operand; the second comes over NoC 0. With ``local``
    nobody reads the first operand: its rows are the core's own shard. ``k_parts`` cores share a unit, each with a part
    of K; the first of them has the block in the end. With ``rotates`` the cores of a row hold the first operand's
    columns, a step each, and send them in turn; a computed one they compute so. ``linked`` are the operands whose
    multicasts keep their path for the word that they have come (``passes.links``). ``prologue`` says what stays in L1
    while operands are computed (a choice of ``passes.plan_prologue``), empty where none is.
    """

    block: tuple[int, int]
    k_block: int
    subblock: tuple[int, int]
    depth: int
    noc: int = 0
    shares: tuple[Operand, ...] = ()
    local: bool = False
    k_parts: int = 1
    rotates: bool = False
    linked: tuple[Operand, ...] = ()
    prologue: str = ""

    def is_shared(self, stream: Stream) -> bool:
        """Whether one core reads the stream for others, or each in turn: cores with turns read all else themselves."""
        return stream.operand in self.shares and (not self.rotates or stream.operand != "in0" or bool(stream.shard_cb))


class Flash(Struct, frozen=True, kw_only=True):
    """How attention is blocked, in tiles: a unit is ``rows`` of queries, which meet ``keys`` of the sequence a step.

    ``scores`` and ``output`` are subblocks (rows, columns) of a DST section; the whole sequence has ``steps``. With
    ``causal`` a unit meets no keys behind its last query. Then every other ``turn`` matrices hand their blocks of
    queries out in reverse, and ``apart`` blocks with as many steps lie far from each other (``ir.flash_blocks``).
    ``heads`` matrices, one behind the other, have the same keys and values. With ``shared`` one core reads these for
    all that go through them in step.
    """

    rows: int
    keys: int
    scores: tuple[int, int]
    output: tuple[int, int]
    steps: int
    causal: bool
    shared: bool
    turn: int = 1
    apart: int = 1
    heads: int = 1


class MatmulPlan(Struct, frozen=True, kw_only=True):
    """A legal plan of a matmul in figures: tiles, cores (columns, rows), estimated cycles and what bounds them.

    ``k_parts`` cores share a block.
    """

    algorithm: str
    cores: tuple[int, int]
    block: tuple[int, int]
    k_block: int
    k_parts: int
    cycles: int
    bound: str
    dram_bytes: int
    noc_bytes: int


class MatmulChoice(Struct, frozen=True, kw_only=True):
    """The plan that was taken of ``legal`` ones, and the best with another algorithm, block or region.

    Where a locked plan was taken, ``second`` is the planner's own choice, if it is another one.
    """

    taken: MatmulPlan
    second: MatmulPlan | None
    legal: int


class MatmulLock(Struct, frozen=True, kw_only=True):
    """What became of a kernel's entry of the lockfile ``file``.

    ``taken`` where its plan is the kernel's; then ``planner`` is what the planner itself chooses, and ``agrees`` tells
    whether that is the same plan. Not where the plan was tuned for another declaration.
    """

    file: str
    taken: bool
    planner: LockedPlan | None = None
    agrees: bool = False


class ScheduledKernel(DefaultedKernel, frozen=True, kw_only=True):
    """After ``infer_schedule``. ``unit_tiles`` is (height, width) of a unit in output tiles.

    ``placed_by`` names the tensor whose L1 shards decide which core computes what, empty where the policy does.
    """

    algorithm: str
    policy: str
    order: str
    grid: Grid
    unit_tiles: tuple[int, int]
    region: CoreRegion
    work: tuple[CoreWork, ...]
    placed_by: str = ""
    parts: Parts | None = None
    blocking: Blocking | None = None
    matmul_choice: MatmulChoice | None = None
    flash: Flash | None = None
    lock: MatmulLock | None = None


class Shards(Struct, frozen=True, kw_only=True):
    """How a tensor is cut: ``tiles`` (rows, columns) of a shard, ``counts`` (down, across); the last may be short.

    Rows are those of all matrices stacked. Shard i, row-major, lies on ``cores[i]``: (x, y) in L1, (bank, 0) in DRAM.
    """

    memory: str
    tiles: tuple[int, int]
    counts: tuple[int, int]
    cores: tuple[tuple[int, int], ...]

    @property
    def pages(self) -> int:
        """Pages that a core or bank holds, also where its shard is short."""
        return self.tiles[0] * self.tiles[1]


class Buffer(Struct, frozen=True, kw_only=True):
    """A tensor in device memory: ``tiles`` (height, width) per matrix, ``batch`` matrices, ``page_size`` bytes a
    tile. Where ``format`` is ``row_major`` a page is a row, and nothing is padded.
    """

    name: str
    role: Literal["input", "output"]
    shape: tuple[int, ...]
    dtype: str
    layout: str | Sharding
    tiles: tuple[int, int]
    batch: int
    needs_padding: bool
    padded_shape: tuple[int, ...]
    page_size: int
    accessor_words: tuple[int, ...]
    shards: Shards | None = None
    format: str = "tile"

    @property
    def pages(self) -> int:
        """Pages of the whole tensor: its tiles, or its rows."""
        if self.format == "row_major":
            return math.prod(self.shape[:-1])
        return self.batch * self.tiles[0] * self.tiles[1]


class ShardedKernel(ScheduledKernel, frozen=True, kw_only=True):
    """After ``infer_shard``."""

    buffers: tuple[Buffer, ...]

    def buffer(self, name: str) -> Buffer:
        """The buffer of that tensor."""
        return next(b for b in self.buffers if b.name == name)


class PersistentLoop(Struct, frozen=True, kw_only=True):
    """The loop of every kernel: ``unit`` runs over 0..num_tiles-1, and ``body`` defines the unit's place from it.

    ``args`` are the runtime arguments that it reads. The names are position (not for rectangles), bx, by, bz, tile_id
    and, where shards place the work, shard_page: the tile's page in the core's shard. A kernel defines only those that
    it uses.
    """

    args: tuple[str, ...]
    body: tuple[Stmt, ...]


class PersistentKernel(ShardedKernel, frozen=True, kw_only=True):
    """After ``grid_to_persistent``."""

    loop: PersistentLoop


class MappedKernel(PersistentKernel, frozen=True, kw_only=True):
    """After ``shard_to_core_map``: ``core_ranges`` covers the cores with work, each once."""

    core_ranges: tuple[Range, ...]


class Condition(Struct, frozen=True, kw_only=True):
    """``index == value``."""

    index: Index
    value: int


class Rows(Struct, frozen=True, kw_only=True):
    """The part of a row-major tensor that is one tile: ``count`` rows, of each ``columns`` elements from ``column`` on.

    Pages of such a tensor are its rows; the tile's ``page`` is the first of them. ``scratch`` is the circular buffer
    through which they go where memory cannot be read straight into the faces of a tile.
    """

    count: Index
    column: Index
    columns: Index
    element_bytes: int
    scratch: str = ""


class Source(Struct, frozen=True, kw_only=True):
    """One of several places that a stream's tiles come from: ``page`` of ``tensor`` where all of ``when`` holds."""

    tensor: str
    page: Index
    when: tuple[Condition, ...]
    rows: Rows | None = None


Axis = Literal["rows", "columns", "k"]
Axes = tuple[Axis, Axis]
UNIT: Axes = ("rows", "columns")
FIRST: Axes = ("rows", "k")
SECOND: Axes = ("k", "columns")
SECOND_TURNED: Axes = ("columns", "k")
"""What rows and columns of tiles are: those of the present unit of the output, or all of the dimension that a matmul
reduces."""


class Stream(Struct, frozen=True, kw_only=True):
    """Tiles of one tensor on their way through one circular buffer.

    ``cb`` names the buffer. ``page`` is the page index from bx, by, bz (and ``k`` for the operands of a matmul,
    ``tile_row`` and ``tile_column`` in the unit for sweeps). ``per`` says how often: a tile a unit, ``k_tiles`` tiles a
    unit in blocks, once a core, or never, since the circular buffer is the core's ``shard`` of the tensor. In kernels
    of sweeps a core or a unit has ``extent`` (rows, columns) tiles, and ``sweep`` streams come in blocks in sweep
    ``sweep`` of each unit. ``view`` is the value of the sunk program (``passes.movement``) that the stream carries
    where that moves its inputs, else -1. ``sources`` are all places that its tiles come from where there are several,
    of one dtype; exactly one holds for each tile, and ``tensor`` and ``page`` are those of the first. ``reduced``
    counts the elements of the dimension that a matmul reduces. Where a matmul is blocked ``operand`` says along which
    axis of the grid of units the stream is the same, and ``k`` streams have the ``extent`` of a step; so have ``step``
    streams of attention. Where cores send their shards in turn ``shard_cb`` is the circular buffer on the shard.
    ``axes`` say what rows and columns of the extent are, as in ``Sweep``.
    """

    cb: str
    tensor: str
    page: Index
    per: Literal["unit", "k", "core", "shard", "sweep", "step"]
    extent: tuple[int, int] = (1, 1)
    sweep: int = -1
    bcast: BroadcastMode = ""
    transpose: bool = False
    unpack_to_dest: bool = False
    view: int = -1
    sources: tuple[Source, ...] = ()
    reduced: int = 0
    rows: Rows | None = None
    operand: Operand | Literal[""] = ""
    shard_cb: str = ""
    axes: Axes = UNIT

    @property
    def is_before_product(self) -> bool:
        """Whether an operand of a blocked matmul is computed from it."""
        return "k" in self.axes


class PatternPlan(Struct, frozen=True, kw_only=True):
    """Tiles of numbers that depend on their place only: the reader makes them once a core, they stay in L1.

    ``name`` and ``ints`` as in ``passes.movement``; ``tiles`` of them in ``cb``, of which a unit reads the one at
    ``slot``. ``value`` is the value of the sunk program.
    """

    cb: str
    name: str
    ints: tuple[int, ...]
    tiles: int
    slot: Index
    value: int


class LoadStep(Struct, frozen=True, kw_only=True, tag="load"):
    """DST slot ``out`` = next tile of ``cb`` (copied, transposed or broadcast).

    With ``shift`` it is the tile so many columns further in the row that ``cb`` holds; behind the last comes the first.
    """

    cb: str
    out: int
    bcast: BroadcastMode = ""
    transpose: bool = False
    shift: int = 0


class FpuStep(Struct, frozen=True, kw_only=True, tag="fpu"):
    """DST slot ``out`` = a op b on the matrix engine, both from circular buffers; ``bcast`` applies to b."""

    op: Literal["add", "sub", "mul"]
    a: str
    b: str
    out: int
    bcast: BroadcastMode = ""


class SfpuStep(Struct, frozen=True, kw_only=True, tag="sfpu"):
    """DST slot ``out`` = function of DST slots. ``form`` and ``params`` as in the op table."""

    function: str
    form: str
    slots: tuple[int, ...]
    out: int
    params: tuple[CallWord, ...] = ()


class MatmulStep(Struct, frozen=True, kw_only=True, tag="matmul"):
    """DST slot ``out`` = sum over ``k_tiles`` of a x b; ``transpose_b`` transposes each tile of b."""

    a: str
    b: str
    k_tiles: int
    out: int
    transpose_b: bool = False


class MoveStep(Struct, frozen=True, kw_only=True, tag="move"):
    """DST slot ``out`` = DST slot ``source``, which stays; ``data_format`` where DST holds integers."""

    source: int
    out: int
    data_format: str = ""


class FillStep(Struct, frozen=True, kw_only=True, tag="fill"):
    """Every element of DST slot ``out`` = the number with these fp32 bits, or the integer in that ``data_format``."""

    bits: CallWord
    out: int
    data_format: str = ""


class MaskPlan(Struct, frozen=True, kw_only=True):
    """A tile of ones in its first ``count`` columns or rows, else zeros: what of an edge tile belongs to the tensor."""

    cb: str
    axis: Literal["columns", "rows"]
    count: int


class MaskStep(Struct, frozen=True, kw_only=True, tag="mask"):
    """In the last tile of ``axis`` DST slot ``out`` keeps what lies under the ones of the mask tile in ``cb``.

    The rest becomes the number with these bits (an integer in ``data_format`` where there is one). ``slots`` take the
    mask and the number; where the number is zero the mask is that, too, and one slot does.
    """

    cb: str
    axis: Literal["columns", "rows"]
    out: int
    slots: tuple[int, ...]
    bits: int = 0
    data_format: str = ""


Step = LoadStep | FpuStep | SfpuStep | MatmulStep | MoveStep | FillStep | MaskStep


class SectionPlan(Struct, frozen=True, kw_only=True):
    """One DST section a unit: ``steps`` in order, then ``stores`` (DST slot, circular buffer)."""

    steps: tuple[Step, ...]
    stores: tuple[tuple[int, str], ...]


class TransposePlan(Struct, frozen=True, kw_only=True):
    """Tiles of ``source`` are transposed into ``target`` before the matmul reads them, ``k_tiles`` a unit."""

    source: str
    target: str
    k_tiles: int


class OutputStream(Struct, frozen=True, kw_only=True):
    """Tiles of an output on their way from a circular buffer to memory; ``bound`` where the buffer is the shard.

    ``sweep`` computes them. With ``first_part_only`` all parts of a unit have the same tiles, and one writes them.
    """

    cb: str
    tensor: str
    page: Index
    bound: bool = False
    sweep: int = -1
    first_part_only: bool = False
    rows: Rows | None = None


class Intermediate(Struct, frozen=True, kw_only=True):
    """Tiles that one section hands to a later one in the same unit; ``dtype`` follows DST's precision.

    ``extent`` (rows, columns) where a sweep hands them to later sweeps, which hold them all.
    """

    cb: str
    dtype: str
    tiles: int
    unpack_to_dest: bool
    extent: tuple[int, int] | None = None


class Fold(Struct, frozen=True, kw_only=True):
    """DST slot ``slot`` gathers DST slot ``source`` of each tile; at the end it is reduced in the tile over ``axes``.

    ``value`` is the reduction of the program, of that ``dtype``. ``bits`` are those of the identity from which the slot
    starts. The result, times the number with fp32 bits ``scale`` where there is one, goes to circular buffer ``cb``. A
    reduction in parts gathers its partial results in ``parts_cb`` and combines them there; where parts are spread, each
    core sends its own from ``part_cb`` to all.
    """

    value: int
    dtype: str
    op: Literal["sum", "max", "min"]
    axes: tuple[int, ...]
    slot: int
    source: int
    bits: int
    cb: str
    scale: int | None = None
    parts_cb: str = ""
    part_cb: str = ""


class Sweep(Struct, frozen=True, kw_only=True):
    """One walk over ``extent`` (rows, columns) tiles of the unit, ``by_columns`` or row by row.

    Without ``folds`` each tile runs ``sections``. With folds the tiles that are reduced together are one DST section,
    and ``sections`` has the steps of a tile and no stores. With ``spill`` the accumulator lies in that circular buffer
    between tiles: the last section masks the value that the others left in its ``stores``' circular buffer, and
    adds it. ``parts`` walks follow each other where a reduction is in parts that are not spread.
    ``one_column``: what is computed has one column in a kernel of wider values. ``axes`` say what rows and columns are:
    those of the unit, or all of K, in front of the product of a blocked matmul that needs what is computed as an
    operand: ``FIRST``, ``SECOND`` or, where that is transposed, ``SECOND_TURNED``. ``what`` is the compiler's own text,
    for people.
    """

    what: str
    extent: tuple[int, int]
    by_columns: bool
    sections: tuple[SectionPlan, ...]
    folds: tuple[Fold, ...] = ()
    spill: str = ""
    parts: int = 1
    one_column: bool = False
    axes: Axes = UNIT

    @property
    def before(self) -> bool:
        """Whether it comes before the product of a blocked matmul, an operand of which it helps to compute."""
        return "k" in self.axes


class Residency(Struct, frozen=True, kw_only=True):
    """What of a unit stays in L1 between sweeps, and why nothing better was chosen."""

    choice: str
    reason: str


class Contraction(Struct, frozen=True, kw_only=True):
    """A blocked matmul: circular buffer ``cb`` gets the unit's block of a x b, summed over ``k_tiles``.

    ``cb`` belongs to an output that is the product itself (``is_output``), or to an intermediate that the sweeps read.
    ``transpose_b`` transposes each tile of b. ``value`` is that of the sunk program. Where cores have parts of K each
    gathers its own in ``part_cb``; the first gets all in ``parts_cb``, and adds them into ``cb``. With ``computed``
    ``a`` is an intermediate, which has the unit's rows with all of K; or, where cores of a row compute a step each, one
    step: the core's own is ``own``, which it sends to all of them in its turn. With ``computed_b`` so is ``b``, which
    has the unit's columns of all of K.
    """

    value: int
    a: str
    b: str
    cb: str
    k_tiles: int
    is_output: bool
    transpose_b: bool = False
    part_cb: str = ""
    parts_cb: str = ""
    computed: bool = False
    computed_b: bool = False
    own: str = ""

    @property
    def computed_cbs(self) -> tuple[str, ...]:
        """The circular buffers of operands that the core computes itself."""
        first = (self.own or self.a,) if self.computed else ()
        return (*first, self.b) if self.computed_b else first

    @property
    def whole_cbs(self) -> tuple[str, ...]:
        """The circular buffers of computed operands that have all of K."""
        return tuple(cb for cb in self.computed_cbs if cb != self.own)

    @property
    def is_whole(self) -> bool:
        """Whether ``a`` is computed and has all of K."""
        return self.computed and not self.own

    @property
    def gathered(self) -> str:
        """The circular buffer into which the steps along K are packed."""
        return self.part_cb or self.cb


class AttentionPlan(Struct, frozen=True, kw_only=True):
    """Attention over blocks of keys. Circular buffers: ``queries`` of a unit; ``keys`` and ``values`` of a step; of a
    step also ``scores``, ``logits`` (the scores where ``sections`` are empty), ``weights``, ``change`` (what older
    sums are scaled by) and ``part`` (weights @ values); and what goes from step to step: ``peak``, ``total`` (columns,
    one number a row) and ``gathered``. ``inner`` tiles of a query, ``sequence`` tiles of keys, ``width`` tiles of a
    value. ``sections`` make logits of scores, tile by tile.

    Where cores have parts of the keys each packs what it gathered in ``state``: ``gathered``, ``peak``, ``total``, one
    behind the other. The first gets all in ``states``; ``shrink`` is what each of them is scaled by.
    """

    queries: str
    keys: str
    values: str
    scores: str
    logits: str
    weights: str
    change: str
    part: str
    peak: str
    total: str
    gathered: str
    inner: int
    sequence: int
    width: int
    sections: tuple[SectionPlan, ...]
    state: str = ""
    states: str = ""
    shrink: str = ""


class StagedKernel(MappedKernel, frozen=True, kw_only=True):
    """After ``plan_stages``: the tile dataflow of one unit: ``sections`` of a unit of one tile, or ``sweeps``; where a
    matmul is blocked ``contractions`` come first, behind the sweeps that are ``before`` them. ``scratch`` names the
    circular buffer of ``Rows.scratch``, empty where there is none.
    """

    streams: tuple[Stream, ...]
    transposes: tuple[TransposePlan, ...]
    sections: tuple[SectionPlan, ...]
    intermediates: tuple[Intermediate, ...]
    results: tuple[OutputStream, ...]
    masks: tuple[MaskPlan, ...] = ()
    patterns: tuple[PatternPlan, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    residency: Residency | None = None
    scratch: str = ""
    contractions: tuple[Contraction, ...] = ()
    attention: AttentionPlan | None = None


class CircularBuffer(Struct, frozen=True, kw_only=True):
    """A circular buffer: ``num_pages`` is a multiple of ``block``, and every move is ``block`` pages.

    ``buffer`` names the tensor whose shard it is; then it is moved once, as a whole. A ``scratch`` page is the reader's
    own: it is reserved once and never announced.
    """

    id: int
    name: str
    dtype: str
    page_size: int
    block: int
    num_pages: int
    unpack_to_dest: bool = False
    buffer: str = ""
    scratch: bool = False

    @property
    def size(self) -> int:
        """Bytes of its own on each core: none where it lies on a shard."""
        return 0 if self.buffer else self.page_size * self.num_pages


class BufferedKernel(StagedKernel, frozen=True, kw_only=True):
    """After ``memory_space_lower``. ``batch`` units a block, ``k_block`` K tiles a block (1 without a matmul).

    ``sweep_block`` tiles a block of what a sweep streams (1 without sweeps). ``depth`` blocks of what is streamed fit
    its circular buffer, and a DST section has up to ``in_dst`` of a block's units. The multicasts of ``linked``
    channels keep their path for the word behind them. ``block_costs`` has the blocks between which the cost model
    chose ``batch``, ``k_block`` of a streaming matmul or ``sweep_block``: (tiles, cycles of the busiest core).
    """

    circular_buffers: tuple[CircularBuffer, ...]
    batch: int
    k_block: int
    sweep_block: int = 1
    depth: int = 2
    in_dst: int = 1
    linked: tuple[ChannelName, ...] = ()
    block_costs: tuple[tuple[int, int], ...] = ()

    def cb(self, name: str) -> CircularBuffer:
        """The circular buffer of that name."""
        return next(c for c in self.circular_buffers if c.name == name)


class Padding(Struct, frozen=True, kw_only=True):
    """Padding of one tensor; shapes are those of the last two dimensions."""

    tensor: str
    original_shape: tuple[int, int]
    padded_shape: tuple[int, int]
    padding_amount: tuple[int, int]


class ZeroFill(Struct, frozen=True, kw_only=True):
    """The reader zeroes ``axis`` from ``first`` on in the last K tile of the stream, so that K padding adds nothing."""

    cb: str
    axis: Literal["rows", "columns"]
    first: int


class PaddedKernel(BufferedKernel, frozen=True, kw_only=True):
    """After ``tile_pad``."""

    padding: tuple[Padding, ...]
    zero_fills: tuple[ZeroFill, ...]


class LoweredKernel(PaddedKernel, frozen=True, kw_only=True):
    """After ``tensorize``. ``semaphores`` are the ids in use on all cores with work, each zero at the start."""

    bodies: tuple[KernelBody, ...]
    semaphores: tuple[int, ...] = ()


class CbTraffic(Struct, frozen=True, kw_only=True):
    """Pages that all cores together push through a circular buffer."""

    cb: str
    pages: int


class VerifiedKernel(LoweredKernel, frozen=True, kw_only=True):
    """After ``verify_ir``: what the checks counted."""

    l1_bytes: int
    dst_tiles: int
    traffic: tuple[CbTraffic, ...]
    pages_read: dict[str, int]
    pages_written: dict[str, int]
