"""What movement cannot be lowered, and why: checked before anything is planned. Used by ``infer_schedule``."""

from __future__ import annotations

from tt_build.ir.index import num, var
from tt_build.ir.stages import DefaultedKernel
from tt_build.lang.program import Program
from tt_build.passes.common import refuse
from tt_build.passes.movement import MOVES, is_moved_leaf, sunk
from tt_build.passes.views import NoView, View, view


def refuse_movement(kernel: DefaultedKernel) -> None:
    """Refuse movement of computed values (TTB201) and movement that cuts through tiles (TTB213)."""
    found = sunk(kernel.program)
    program, origin = found.program, found.origin
    for index, value in enumerate(program.values):
        if value.op not in MOVES:
            continue
        if not is_moved_leaf(program, index):
            if all(is_moved_leaf(program, arg) or program.values[arg].op not in MOVES for arg in value.args):
                _refuse_computed(kernel, program, index, origin)
            continue
        # Every axis is a name, so that both sides of each concat are looked at.
        look = view(program, index, {-4: var("bw"), -3: var("bz"), -2: var("by"), -1: var("bx")})
        if isinstance(look, NoView):
            refuse(kernel, "TTB213", look.message, value=origin[look.value], help=look.help)
        _refuse_pieces(kernel, program, look, origin[index])


def refuse_spread_operand(kernel: DefaultedKernel, program: Program, operand: int, value: int) -> None:
    """Refuse an operand of a matmul that repeats one row or column: nothing repeats it inside the tile (TTB201)."""
    place = {axis: num(0) if axis < -2 else var("bx") for axis in (-4, -3, -2, -1)}
    look = view(program, operand, place)
    if isinstance(look, View) and look.spread:
        refuse(
            kernel,
            "TTB201",
            "'repeat' of one row or column as an operand of a matmul cannot be lowered",
            value=value,
            help="pass the operand as an input of its full shape",
        )


def _refuse_computed(kernel: DefaultedKernel, program: Program, index: int, origin: tuple[int, ...]) -> None:
    computed = next(arg for arg in program.values[index].args if not is_moved_leaf(program, arg))
    name = kernel.program.values[origin[index]].op
    refuse(
        kernel,
        "TTB201",
        f"'{name}' of a computed value ('{program.values[computed].op}') cannot be lowered",
        value=origin[index],
        help="assign the value to an output of a kernel of its own, or move the inputs instead",
    )


def _refuse_pieces(kernel: DefaultedKernel, program: Program, look: View, value: int) -> None:
    sources = [program.values[piece.source] for piece in look.pieces]
    if len(sources) > 1 and any(source.op == "pattern" for source in sources):
        refuse(
            kernel,
            "TTB201",
            "'concat' of masked or rotated values cannot be lowered",
            value=value,
            help="join the inputs first, then use causal or rotate_half on the whole",
        )
