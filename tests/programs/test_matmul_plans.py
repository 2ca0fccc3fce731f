"""Random plans of random matmuls on the emulator, 20 here, 500 with ``--long``: proven, and no bit depends on what may
not change one. A failure stays under found/ (``tests.programs.test_random_programs``).
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.programs.generator import Kernel
from tests.programs.matmuls import planned
from tests.programs.prove import prove
from tests.programs.test_random_programs import Keeper

_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
_PHASES = [Phase.generate, Phase.shrink]
_keepers = {"default": Keeper(), "long": Keeper()}


def _check(programs: tuple[Kernel, Kernel], keeper: Keeper) -> None:
    program, other = programs
    try:
        prove(program, [other])
    except Exception:
        keeper.keep(program)
        raise


@settings(max_examples=20, derandomize=True, phases=_PHASES, **_COMMON)  # type: ignore[arg-type]
@given(programs=planned())
def test_random_plans(programs: tuple[Kernel, Kernel]) -> None:
    _check(programs, _keepers["default"])


@pytest.mark.long
@settings(max_examples=500, phases=_PHASES, **_COMMON)  # type: ignore[arg-type]
@given(programs=planned())
def test_many_random_plans(programs: tuple[Kernel, Kernel]) -> None:
    """New ones in every run; ``--hypothesis-seed`` repeats one."""
    _check(programs, _keepers["long"])
