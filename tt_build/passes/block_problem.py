"""A blocked matmul as its planner sees it: extents in tiles, bytes of a tile, what the declaration fixes.

Used by ``blockings`` and its parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from tt_build.ir.stages import Blocking, DefaultedKernel, Tensor, memory_of
from tt_build.lang.program import Value
from tt_build.model.constants import vector_cycles
from tt_build.model.matmul import PHASES
from tt_build.passes.operands import operand_tensors
from tt_build.passes.placement import Placement
from tt_build.passes.prologue_costs import PrologueCost, prologue_costs
from tt_build.passes.prologues import behind_products, beside_prologue
from tt_build.passes.shards import shards_of
from tt_build.spec.model import Sharding
from tt_build.targets import DTYPES, Arch


class Fixed(msgspec.Struct, frozen=True, kw_only=True):
    """What the declaration says, in tiles; None and empty where it leaves it to the planner."""

    algorithm: str = ""
    block: tuple[int, int] | None = None
    k_block: int | None = None
    k_split: int | None = None
    subblock: tuple[int, int] | None = None
    noc: int | None = None
    depth: int | None = None
    linked: bool | None = None
    order: str = ""
    policy: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A matmul, or several of the same extents, as the planner sees it; extents in tiles, bytes of a tile of each.

    ``held`` are bytes of operands behind the product: of a column of the block's tiles, of a row of them, and a unit.
    ``behind`` are their tile bytes: of operands that are rows, columns, one number a matrix, one number, and all of it.
    ``behind_cycles`` are those of the vector engine for a tile behind the product. ``gathered`` tells whether the
    output's own buffer can gather the product in one step along K, and in several. ``in_dram`` and ``behind_in_dram``
    are tile bytes of tensors in DRAM alone: of first operands, second, and outputs, and of what ``behind`` lists.
    ``placement`` are the shards in L1 that place the work. ``bank_columns`` are those of the second operand in a DRAM
    bank, over which it is sharded by columns; else 0. ``prologues`` are the ways to compute operands, the best first;
    ``in0_bytes``, ``in1_bytes`` and ``in_dram`` are those of operands that are not computed.
    """

    m: int
    k: int
    n: int
    z: int
    arch: str
    cores: tuple[int, int]
    in0_bytes: int
    in1_bytes: int
    matmuls: int
    out_bytes: int
    written_bytes: int
    product_bytes: int
    phases: int
    dst_tiles: int
    budget: int
    held: tuple[int, int, int]
    behind: tuple[int, int, int, int, int]
    gathered: tuple[bool, bool]
    behind_in_dram: tuple[int, int, int, int, int]
    in_dram: tuple[int, int, int]
    behind_cycles: float = 0.0
    placement: Placement | None = None
    bank_columns: int = 0
    prologues: tuple[PrologueCost, ...] = ()
    fixed: Fixed = Fixed()

    def prologue(self, blocking: Blocking) -> PrologueCost:
        """The prologue as the blocking has it; nothing where there is none."""
        key = blocking.prologue, blocking.k_block if blocking.rotates and self.in_turn else 0
        return next((c for c in self.prologues if (c.choice, c.columns) == key), PrologueCost(choice=""))

    @property
    def in_turn(self) -> bool:
        """Whether cores of a row may compute a step of the first operand each."""
        return any(cost.columns for cost in self.prologues)

    def steps_in_turn(self, across: int) -> int:
        """Tiles of K that each of so many cores of a row has of a first operand, or computes of it, and sends in its
        turn; 0 where they may not.
        """
        if self.placement is not None:
            return self.placement.k_tiles
        size = self.k // across if self.k % across == 0 else 0
        return size if across > 1 and any(cost.columns == size for cost in self.prologues) else 0


def problem_of(
    kernel: DefaultedKernel,
    arch: Arch,
    *,
    budget: int,
    cores: tuple[int, int],
    fixed: Fixed,
    placement: Placement | None,
) -> Problem:
    """The kernel's matmuls, which have the same extents; operands are inputs, moved or not, or computed."""
    program = kernel.program
    matmuls = [v for v in program.values if v.op == "matmul"]
    firsts, seconds = (operand_tensors(kernel, program, side) for side in (0, 1))
    output = kernel.outputs[0]
    rows, columns = output.matrix
    inner = program.values[matmuls[0].args[0]].shape[-1]
    wide = kernel.math.fp32_accumulate
    bound = program.outputs[0]
    alone = len(matmuls) == len(program.outputs) == 1 and program.values[bound.value].op == "matmul"
    alone = alone and not (DTYPES[output.dtype].is_block and columns % 32)
    return Problem(
        m=-(-rows // 32),
        k=-(-inner // 32),
        n=-(-columns // 32),
        z=math.prod(output.batch),
        arch=arch.name,
        cores=cores,
        in0_bytes=sum(DTYPES[t.dtype].tile_bytes for t in firsts),
        in1_bytes=sum(DTYPES[t.dtype].tile_bytes for t in seconds),
        matmuls=len(matmuls),
        out_bytes=DTYPES[output.dtype].tile_bytes,
        written_bytes=sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs),
        product_bytes=(4096 if wide else 2048) * len(matmuls),
        phases=PHASES[kernel.math.fidelity],
        dst_tiles=arch.dst_capacity(fp32=wide),
        budget=budget,
        held=_held(kernel),
        behind=_behind(kernel, _read_behind(kernel)),
        behind_in_dram=_behind(kernel, _in_dram(_read_behind(kernel))),
        gathered=(alone, alone and output.dtype == ("float32" if wide else "bfloat16")),
        in_dram=(
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(firsts)),
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(seconds)),
            sum(DTYPES[t.dtype].tile_bytes for t in _in_dram(kernel.outputs)),
        ),
        behind_cycles=_behind_cycles(kernel, arch),
        placement=placement,
        bank_columns=_bank_columns(kernel, matmuls, arch),
        prologues=prologue_costs(kernel, arch),
        fixed=fixed,
    )


def _behind_cycles(kernel: DefaultedKernel, arch: Arch) -> float:
    """Cycles of the vector engine for a tile of the output, of what is as large as that."""
    program, output = kernel.program, kernel.outputs[0]
    behind = (program.values[index] for index in sorted(beside_prologue(program)))
    values = [v for v in behind if v.args and v.op not in ("matmul", "cast") and v.shape[-2:] == output.matrix]
    return sum(vector_cycles(arch.name, v.op, approximate=kernel.math.approximate) for v in values)


def _bank_columns(kernel: DefaultedKernel, matmuls: list[Value], arch: Arch) -> int:
    """Columns in tiles that a DRAM bank has of all second operands, 0 where they are moved, or not sharded so."""
    found: set[int] = set()
    for matmul in matmuls:
        operand, turned = kernel.program.values[matmul.args[1]], matmul.transpose[1]
        if operand.op != "input":
            return 0
        tensor = kernel.tensor(operand.name)
        layout, cut = tensor.layout, "height" if turned else "width"
        if not isinstance(layout, Sharding) or (layout.memory, layout.sharding) != ("dram", cut) or tensor.batch:
            return 0
        found.add(shards_of(kernel, tensor, arch).tiles[0 if turned else 1])
    return found.pop() if len(found) == 1 else 0


def _in_dram(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor for tensor in tensors if memory_of(tensor.layout) == "dram"]


def _behind(kernel: DefaultedKernel, tensors: list[Tensor]) -> tuple[int, int, int, int, int]:
    """Tile bytes of what the outputs need beside the product, by kind: ``Problem.behind``."""
    output = kernel.outputs[0]
    row = column = number = once = full = 0
    for tensor in tensors:
        size = DTYPES[tensor.dtype].tile_bytes
        rows, columns = tensor.matrix[0] == 1 < output.matrix[0], tensor.matrix[1] == 1 < output.matrix[1]
        if rows and columns:
            number, once = (number, once + size) if math.prod(tensor.batch) == 1 else (number + size, once)
        elif rows:
            row += size
        elif columns:
            column += size
        else:
            full += size
    return row, column, number, once, full


def _read_behind(kernel: DefaultedKernel) -> list[Tensor]:
    """Inputs that something behind the matmul reads."""
    values = kernel.program.values
    found = (values[index] for index in sorted(behind_products(kernel.program)))
    return [kernel.tensor(value.name) for value in found if value.op == "input"]


def _held(kernel: DefaultedKernel) -> tuple[int, int, int]:
    """Bytes of the buffers behind the product; what sections hand on is counted as a tile a value."""
    row, column, number, once, full = _behind(kernel, _read_behind(kernel))
    values = kernel.program.values
    handed = 4096 * sum(values[index].op != "input" for index in beside_prologue(kernel.program))
    results = sum(DTYPES[tensor.dtype].tile_bytes for tensor in kernel.outputs)
    return row, column, 2 * (number + once + full + results) + handed
