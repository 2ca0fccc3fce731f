"""A blocked matmul in words: what the planner took, what bounds it, what came second."""

from __future__ import annotations

from tt_build.ir.stages import MatmulPlan, VerifiedKernel

_SHARES = {
    (): "each core reads its operands",
    ("in0",): "one core reads the first operand for all",
    ("in1",): "one core reads the second operand for all",
    ("in0", "in1"): "cores of a row share the first operand, those of a column the second",
}
_IN_TURN = {
    ("in0",): "all cores send their parts of the first operand in turn",
    ("in0", "in1"): "cores of a row send their parts of the first operand in turn, those of a column share the second",
}


def matmul_rows(kernel: VerifiedKernel) -> list[tuple[str, ...]]:
    """A table: each plan with its blocks, estimate and bytes."""
    choice = kernel.matmul_choice
    if choice is None:
        return []
    rows: list[tuple[str, ...]] = [
        ("plan", "algorithm", "cores", "block", "K a step", "estimate", "bound by", "DRAM", "NoC")
    ]
    lock = kernel.lock if kernel.lock is not None and kernel.lock.taken else None
    rows.append(("locked" if lock is not None else "taken", *_cells(choice.taken)))
    if choice.second is not None:
        rows.append(("planner's" if lock is not None and not lock.agrees else "second", *_cells(choice.second)))
    return rows


def matmul_head(kernel: VerifiedKernel) -> str:
    """What the table is about."""
    assert kernel.matmul_choice is not None
    assert kernel.blocking is not None
    rows, columns = kernel.blocking.subblock
    shares = (_IN_TURN if kernel.blocking.rotates else _SHARES)[kernel.blocking.shares]
    plans = f"matmul: {kernel.matmul_choice.legal:,} legal plans"
    head = f"{plans}; {shares}; subblocks of {rows} x {columns} tiles in DST"
    if kernel.lock is None:
        return head
    if not kernel.lock.taken:
        return f"{head}\n  {kernel.lock.file} holds a plan for another declaration, which is not used"
    return f"{head}\n  the plan is locked in {kernel.lock.file}"


def _cells(plan: MatmulPlan) -> tuple[str, ...]:
    return (
        plan.algorithm,
        f"{plan.cores[0]} x {plan.cores[1]}",
        f"{plan.block[0]} x {plan.block[1]}",
        str(plan.k_block) if plan.k_parts == 1 else f"{plan.k_block}, in {plan.k_parts} parts",
        f"{plan.cycles:,} cycles",
        plan.bound,
        f"{plan.dram_bytes:,} B",
        f"{plan.noc_bytes:,} B",
    )
