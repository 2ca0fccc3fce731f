"""The C++ text of SFPU calls, from the op table."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from tt_build.ir.index import Index, to_cpp
from tt_build.ir.lowered import CallWord, SfpuInit, SfpuOp
from tt_build.ir.stages import MathMode
from tt_build.lang.functions import SfpuCall
from tt_build.lang.ops import row_of
from tt_build.spec.model import OpSpec
from tt_build.targets.dtypes import BY_DATA_FORMAT, DTYPES


def copy_dest(form: str) -> SfpuCall:
    """A slot to another one; ``form`` is ``float``, or the DataFormat of integers."""
    return SfpuCall(
        header="api/compute/copy_dest_values.h",
        init="copy_dest_values_init()",
        call=f"copy_dest_values<DataFormat::{'{dst}' if form == 'float' else form}>({{d0}}, {{out}})",
    )


def fill(form: str) -> SfpuCall:
    """A number in every element; ``form`` as for ``copy_dest``."""
    call = "fill_tile_bitcast" if form == "float" else f"fill_tile_int<DataFormat::{form}>"
    return SfpuCall(
        header="api/compute/eltwise_unary/fill.h",
        init="fill_tile_init()",
        call=f"{call}({{out}}, {{p0}})",
        params=("bits",),
    )


def typecast(form: str) -> SfpuCall:
    """A conversion; ``form`` is ``IN OUT`` in DataFormats, joined by the last underscore before a capital letter."""
    old, new = split_formats(form)
    formats = ", ".join(f"static_cast<uint32_t>(DataFormat::{name})" for name in (old, new))
    return SfpuCall(
        header="api/compute/eltwise_unary/typecast.h",
        init=f"typecast_tile_init<{formats}>()",
        call=f"typecast_tile<{formats}>({{d0}})",
    )


def low_half(form: str) -> SfpuCall:
    """A 32-bit integer without its high half; ``form`` is its dtype."""
    return SfpuCall(
        header="api/compute/eltwise_unary/bitwise.h",
        init="bitwise_and_tile_init()",
        call=f"bitwise_and_tile<DataFormat::{DTYPES[form].data_format}>({{d0}}, 0xffffu)",
    )


def split_formats(form: str) -> tuple[str, str]:
    """``Float32`` and ``Float16_b`` from ``Float32_Float16_b``."""
    return next(
        (old, form[len(old) + 1 :])
        for old in (dtype.data_format for dtype in DTYPES.values())
        if form.startswith(f"{old}_") and form[len(old) + 1 :] in BY_DATA_FORMAT
    )


def reduce(form: str, *, pool: str, dimension: str) -> SfpuCall:
    """A tile to its first row or column; ``form`` as for ``copy_dest``."""
    data_format = "{dst}" if form == "float" else form
    return SfpuCall(
        header="api/compute/compute_kernel_api.h",
        init=f"sfpu_reduce_init<PoolType::{pool}, DataFormat::{data_format}>()",
        call=f"sfpu_reduce<PoolType::{pool}, DataFormat::{data_format}, ReduceDim::{dimension}>({{d0}})",
    )


# Calls that are no function of the compute language, by the form of the statement.
OWN: dict[str, Callable[[str], SfpuCall]] = {
    "copy_dest": copy_dest,
    "fill": fill,
    "typecast": typecast,
    "low_half": low_half,
    **{
        f"reduce_{pool.lower()}_{lines}": functools.partial(reduce, pool=pool, dimension=dimension)
        for pool in ("SUM", "MAX", "MIN")
        for lines, dimension in (("rows", "REDUCE_ROW"), ("columns", "REDUCE_COL"))
    },
}


def call_of(function: str, form: str, ops: Mapping[str, OpSpec]) -> SfpuCall:
    """The row and column of the op table that a statement means; ``ops`` are those of ``extensions``."""
    if function in OWN:
        return OWN[function](form)
    row = row_of(function, ops)
    dtype, _, column = form.partition("_")
    if dtype in DTYPES:
        table = {"": row.int_calls, "scalar": row.int_scalar_calls, "rscalar": row.int_rscalar_calls}[column]
        return table[dtype]
    call = {
        "float": row.float_call,
        "approx": row.approx_call,
        "scalar": row.scalar_call,
        "rscalar": row.rscalar_call,
    }[form]
    assert call is not None, (function, form)
    return call


def init_text(stmt: SfpuInit, math: MathMode, ops: Mapping[str, OpSpec]) -> str:
    """The init call."""
    return call_of(stmt.function, stmt.form, ops).init.replace("{dst}", _dst(math))


def call_text(stmt: SfpuOp, math: MathMode, scalars: Mapping[str, str], ops: Mapping[str, OpSpec]) -> str:
    """The call itself; parameters are 32-bit words in hexadecimal, or the constants in ``scalars``, by scalar."""
    slots = {f"d{i}": slot_text(slot, stmt.lane) for i, slot in enumerate(stmt.slots)}
    params = {f"p{i}": _word(word, scalars) for i, word in enumerate(stmt.params)}
    return call_of(stmt.function, stmt.form, ops).call.format(
        **slots, **params, out=slot_text(stmt.out, stmt.lane), dst=_dst(math)
    )


def slot_text(slot: int, lane: Index | None) -> str:
    """A DST slot, of a tile among several where there is a lane."""
    if lane is None:
        return str(slot)
    return f"{slot} + {to_cpp(lane)}" if slot else to_cpp(lane)


def _word(word: CallWord, scalars: Mapping[str, str]) -> str:
    return f"0x{word:08x}" if isinstance(word, int) else scalars[word]


def _dst(math: MathMode) -> str:
    return "Float32" if math.fp32_accumulate else "Float16_b"
