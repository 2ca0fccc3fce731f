"""What a dtype means for tiles on their way: which engine takes them, what spills hold, where padding must be zeroed.

Used by ``plan_stages`` and ``verify_ir``.
"""

from __future__ import annotations

from collections.abc import Mapping

from tt_build.ir.stages import TILE
from tt_build.lang.program import Program, Value
from tt_build.targets.dtypes import DTYPES

BLOCK = 16  # elements of a row that share one exponent in a block-float format


def enters_fpu(dtype: str) -> bool:
    """Whether elementwise operations on tiles of that dtype may go to the matrix engine.

    float32 is the vector engine's, also where DST is bfloat16: no fidelity takes from it. Integers always are.
    """
    return DTYPES[dtype].is_float and dtype != "float32"


def turned_dtype(dtype: str) -> str:
    """The dtype of a transposed copy: rows of a block-float tile would share other exponents, bfloat16 holds them."""
    return "bfloat16" if DTYPES[dtype].is_block else dtype


def cut_dtype(value: Value, *, fp32: bool) -> str:
    """What the circular buffer holds through which a value goes from one section to a later one."""
    if not DTYPES[value.dtype].is_float or (value.op == "cast" and DTYPES[value.dtype].is_block):
        return value.dtype
    return "float32" if fp32 else "bfloat16"


def block_casts(program: Program, dtypes: Mapping[str, str]) -> list[int]:
    """Casts to a block-float dtype that something computes with: only a pass through the packer rounds them so.

    ``dtypes`` has those of the tensors; a cast that is only stored in its own dtype is rounded by that.
    """
    found = []
    for index, value in enumerate(program.values):
        if value.op != "cast" or not DTYPES[value.dtype].is_block:
            continue
        source = program.values[value.args[0]]
        if source.op == "input" and source.dtype == value.dtype:
            continue
        elsewhere = any(b.value == index and dtypes[b.tensor] != value.dtype for b in program.outputs)
        if elsewhere or any(index in other.args for other in program.values):
            found.append(index)
    return found


def masked_columns(columns: int, dtype: str) -> int:
    """How many columns of the last tile column are the tensor's, where its padding must be zero before it is packed.

    0 where it may hold anything: other formats than block-float, and rows that end with a whole block.
    """
    return columns % TILE if DTYPES[dtype].is_block and columns % BLOCK else 0
