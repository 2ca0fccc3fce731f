"""The C++ text of SFPU calls, from the op table."""

from __future__ import annotations

from tt_build.ir.lowered import SfpuInit, SfpuOp
from tt_build.ir.stages import MathMode
from tt_build.lang.functions import FUNCTIONS, SfpuCall

# Calls that are no function of the compute language.
_OWN = {
    "copy_dest": SfpuCall(
        header="api/compute/copy_dest_values.h",
        init="copy_dest_values_init()",
        call="copy_dest_values<DataFormat::{dst}>({d0}, {out})",
    ),
    "fill": SfpuCall(
        header="api/compute/eltwise_unary/fill.h",
        init="fill_tile_init()",
        call="fill_tile_bitcast({out}, {p0})",
        params=("bits",),
    ),
}
_OWN |= {
    f"reduce_{name}_{lines}": SfpuCall(
        header="api/compute/compute_kernel_api.h",
        init=f"sfpu_reduce_init<PoolType::{pool}, DataFormat::{{dst}}>()",
        call=f"sfpu_reduce<PoolType::{pool}, DataFormat::{{dst}}, ReduceDim::{dimension}>({{d0}})",
    )
    for name, pool in (("sum", "SUM"), ("max", "MAX"), ("min", "MIN"))
    for lines, dimension in (("rows", "REDUCE_ROW"), ("columns", "REDUCE_COL"))
}


def call_of(function: str, form: str) -> SfpuCall:
    """The row and column of the op table that a statement means."""
    if function in _OWN:
        return _OWN[function]
    row = FUNCTIONS[function]
    call = {
        "float": row.float_call,
        "approx": row.approx_call,
        "scalar": row.scalar_call,
        "rscalar": row.rscalar_call,
    }[form]
    assert call is not None, (function, form)
    return call


def init_text(stmt: SfpuInit, math: MathMode) -> str:
    """The init call."""
    return call_of(stmt.function, stmt.form).init.replace("{dst}", _dst(math))


def call_text(stmt: SfpuOp, math: MathMode) -> str:
    """The call itself; parameters are 32-bit words in hexadecimal."""
    slots = {f"d{i}": str(slot) for i, slot in enumerate(stmt.slots)}
    params = {f"p{i}": f"0x{word:08x}" for i, word in enumerate(stmt.params)}
    return call_of(stmt.function, stmt.form).call.format(**slots, **params, out=stmt.out, dst=_dst(math))


def _dst(math: MathMode) -> str:
    return "Float32" if math.fp32_accumulate else "Float16_b"
