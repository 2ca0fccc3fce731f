"""Steps of a DST section as statements."""

from __future__ import annotations

from collections.abc import Callable

from tt_build.ir.index import Index, num
from tt_build.ir.lowered import CallWord, SfpuOp, Stmt, TileOp
from tt_build.ir.stages import FillStep, FpuStep, LoadStep, MaskStep, MoveStep, SfpuStep
from tt_build.targets.dtypes import BY_DATA_FORMAT

COPY_DEST = "copy_dest"
FILL = "fill"
COMBINE = {"sum": "add", "max": "maximum", "min": "minimum"}
"""The function that gathers what a reduction reduces."""

PlainStep = LoadStep | FpuStep | SfpuStep | MoveStep | FillStep | MaskStep
"""Steps of one tile: all but a matmul, which is a loop."""


def step_statements(
    step: PlainStep, index: Callable[[str, int], Index], awaited: Callable[[str], list[Stmt]]
) -> list[Stmt]:
    """One step. ``index`` gives the place of a tile in its circular buffer, so many columns further; ``awaited`` the
    wait for it where due.

    A mask is applied here; that it is due in the last tile only is the caller's.
    """
    if isinstance(step, SfpuStep):
        return [sfpu(step.function, step.form, step.slots, step.out, step.params)]
    if isinstance(step, MoveStep):
        return [sfpu(COPY_DEST, step.data_format or "float", (step.source,), step.out)]
    if isinstance(step, FillStep):
        return [fill(step.out, step.bits, step.data_format)]
    if isinstance(step, MaskStep):
        mask, number = step.slots[0], step.slots[-1]
        load = TileOp(op="copy", cbs=(step.cb,), indices=(num(0),), dst=mask)
        filled = [fill(number, step.bits, step.data_format)] if number != mask else []
        form = BY_DATA_FORMAT[step.data_format].name if step.data_format else "float"
        return [load, *filled, sfpu("where", form, (mask, step.out, number), step.out)]
    if isinstance(step, FpuStep):
        op = TileOp(
            op=step.op,
            cbs=(step.a, step.b),
            indices=(index(step.a, 0), index(step.b, 0)),
            dst=step.out,
            mode=step.bcast,
        )
        return [*awaited(step.a), *awaited(step.b), op]
    load = TileOp(
        op="transpose" if step.transpose else "unary_bcast" if step.bcast else "copy",
        cbs=(step.cb,),
        indices=(index(step.cb, step.shift),),
        dst=step.out,
        mode=step.bcast,
    )
    return [*awaited(step.cb), load]


def sfpu(function: str, form: str, slots: tuple[int, ...], out: int, params: tuple[CallWord, ...] = ()) -> SfpuOp:
    """A call of the vector engine."""
    return SfpuOp(function=function, form=form, slots=slots, out=out, params=params)


def fill(slot: int, bits: CallWord, data_format: str = "") -> SfpuOp:
    """Every element of a DST slot = the number with these fp32 bits, or the integer in that format."""
    return sfpu(FILL, data_format or "float", (), slot, (bits,))
