"""Programs of a test module, proven together: their kernels share translation units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.programs.prove import prove_all
from tests.programs.schedules import Kernel

Outcomes = dict[str, Exception | None]


def outcomes(request: pytest.FixtureRequest, cases: Mapping[str, tuple[Kernel, Sequence[Kernel]]]) -> Outcomes:
    """What happens to each program that a test of this run asks for by its parameter ``name``."""
    items = [item for item in request.session.items if getattr(item, "module", None) is request.module]
    asked = {item.callspec.params.get("name") for item in items if hasattr(item, "callspec")}
    chosen = {name: case for name, case in cases.items() if name in asked}
    return dict(zip(chosen, prove_all(chosen.values()), strict=True))


def judge(outcome: Exception | None) -> None:
    """Fail the test as its program failed."""
    if outcome is not None:
        raise outcome
