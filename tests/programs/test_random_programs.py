"""Random programs on the emulator: 60 here, 5,000 with ``--long``; and those that once failed, kept under found/.

A failure is shrunk by hypothesis; the smallest program that fails stays as ``found/failing-*.yaml`` and is run by
``test_found`` from then on. Give it a telling name when the fault is mended.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.programs.generator import Kernel, programs, variants
from tests.programs.prove import kernel_spec, prove, read_spec

FOUND = Path(__file__).parent / "found"
OTHER_SCHEDULES = [
    {"policy": "strided", "order": "serpentine"},
    {"policy": "rectangular", "order": "z_order"},
    {"policy": "contiguous", "order": "column_major", "cores": [1, 1]},
]


class Keeper:
    """Keeps the last failing program of a test: hypothesis runs the smallest one last."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def keep(self, program: Kernel) -> None:
        text = kernel_spec(program)
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.path = FOUND / f"failing-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
        self.path.write_text(text)

    def kept(self) -> str:
        """The name of the last failing program's file, empty where none failed; it is not replaced any more."""
        path, self.path = self.path, None
        return path.name if path is not None else ""


def _check(program: Kernel, others: list[Kernel], keeper: Keeper) -> None:
    try:
        prove(program, others)
    except Exception:
        keeper.keep(program)
        raise


_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
_PHASES = [Phase.generate, Phase.shrink]
_keepers = {"default": Keeper(), "long": Keeper()}


@settings(max_examples=60, derandomize=True, phases=_PHASES, **_COMMON)  # type: ignore[arg-type]
@given(program=programs(), data=st.data())
def test_random_programs(program: Kernel, data: st.DataObject) -> None:
    """Derandomized: the same 60 in every run, so that a second run finds their compiled kernels in the cache."""
    _check(program, [data.draw(variants(program))], _keepers["default"])


@pytest.mark.long
@settings(max_examples=5000, phases=_PHASES, **_COMMON)  # type: ignore[arg-type]
@given(program=programs(), data=st.data())
def test_many_random_programs(program: Kernel, data: st.DataObject) -> None:
    """New ones in every run; ``--hypothesis-seed`` repeats one."""
    _check(program, [data.draw(variants(program)), data.draw(variants(program))], _keepers["long"])


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.yaml")), ids=lambda path: path.stem)
def test_found(path: Path) -> None:
    """Programs that once failed, also under schedules of their own."""
    program = read_spec(path)
    others = [{**program, "kernel": {**program["kernel"], "schedule": schedule}} for schedule in OTHER_SCHEDULES]
    prove(program, others)
