"""``validate`` takes any legal plan of a matmul: it accepts and refuses what the planner's choice would."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings

from tests.programs.matmuls import matmuls
from tests.programs.prove import kernel_spec
from tests.programs.schedules import Kernel
from tt_build.passes.pipeline import judge, run_chain
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declared


@given(matmuls())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_matmul_is_judged_as_it_is_built(program: Kernel) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.yaml"
        path.write_text(kernel_spec(program))
        (declaration,) = load_file(path).declarations
    assert _judged(declaration) == _built(declaration)


def _judged(declaration: Declared) -> tuple[Diagnostic, ...]:
    try:
        return judge(declaration)
    except Rejected as refused:
        return refused.diagnostics


def _built(declaration: Declared) -> tuple[Diagnostic, ...]:
    try:
        run_chain(declaration)
    except Rejected as refused:
        return refused.diagnostics
    return ()
