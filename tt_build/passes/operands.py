"""Operands of matmuls as tiles of inputs: plain inputs, and views of them, read page by page as others are.

Used by the planner of blocks. ``operand_view`` says which tile an operand has at each step along K.
"""

from __future__ import annotations

from tt_build.ir.index import Index, num, var
from tt_build.ir.stages import TILE, DefaultedKernel, Tensor
from tt_build.lang.program import Program, Value
from tt_build.passes.prologues import SIDES, is_brought, leaves_before
from tt_build.passes.views import NoView, View, batch_place, view


def operand_view(program: Program, matmul: Value, side: int, batch: tuple[int, ...]) -> View | NoView:
    """What the operand on that side reads: the first at row ``by`` and column ``k``, the second at ``k`` and ``bx``.

    ``batch`` are the leading axes of the output. ``transposed`` does not count the matmul's own transposition.
    """
    operand = program.values[matmul.args[side]]
    place = (var("by"), var("k")) if side == 0 else (var("k"), var("bx"))
    row, column = place[::-1] if matmul.transpose[side] else place
    rows, columns = operand.shape[-2:]
    return view(program, matmul.args[side], {**batch_place(batch), -2: _tile(rows, row), -1: _tile(columns, column)})


def _tile(extent: int, place: Index) -> Index:
    return place if extent > TILE else num(0)


Hindrance = tuple[str, int]
"""Why a matmul cannot be blocked, and the value that is in the way; -1 where it is none alone."""


def operand_hindrance(program: Program, matmul: Value, batch: tuple[int, ...]) -> Hindrance | None:
    """Why operands that are moved cannot be brought step by step along K; None where they can."""
    for side in SIDES:
        if not is_brought(program, matmul.args[side], side):
            continue
        look = operand_view(program, matmul, side, batch)
        if isinstance(look, NoView):
            return look.message, look.value
        if len(look.pieces) > 1:
            what = ("first", "second")[side]
            return f"the {what} operand is joined of {len(look.pieces)} pieces", matmul.args[side]
    return None


def leaf_hindrance(program: Program, batch: tuple[int, ...]) -> Hindrance | None:
    """Why what operands are computed from cannot be brought by sweeps before the product; None where it can."""
    what, place = "a tensor that it is computed from", {-2: var("tile_row"), -1: var("tile_column")}
    for leaf in sorted(frozenset[int]().union(*(leaves_before(program, side) for side in SIDES))):
        look = view(program, leaf, {**batch_place(batch), **place})
        if isinstance(look, NoView):
            return look.message, look.value
        if len(look.pieces) > 1:
            return f"{what} is joined of {len(look.pieces)} pieces", leaf
        if program.values[look.pieces[0].source].op != "input":
            return f"{what} has a pattern, as rotate_half and causal have", leaf
        if look.spread:
            return f"{what} is repeated along its {'rows' if -2 in look.spread else 'columns'}", leaf
    return None


def transposes_second(program: Program, matmul: Value, batch: tuple[int, ...]) -> bool:
    """Whether the matrix engine transposes tiles of the second operand: for the matmul, or its view, not for both."""
    if not is_brought(program, matmul.args[1], 1):
        return matmul.transpose[1]
    look = operand_view(program, matmul, 1, batch)
    assert isinstance(look, View), look
    return matmul.transpose[1] != look.transposed


def operand_tensors(kernel: DefaultedKernel, program: Program, side: int) -> list[Tensor]:
    """Tensors of the operands on that side that are not computed: one for each stream, which matmuls may share."""
    found: dict[object, Tensor] = {}
    for matmul in program.values:
        if matmul.op != "matmul" or not is_brought(program, matmul.args[side], side):
            continue
        look = operand_view(program, matmul, side, kernel.outputs[0].batch)
        assert isinstance(look, View), look  # such a matmul streams
        (piece,) = look.pieces
        found[piece] = kernel.tensor(program.values[piece.source].name)
    return list(found.values())
