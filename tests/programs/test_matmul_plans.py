"""Random plans of random matmuls on the emulator, 20 here, 500 with ``--long``: proven, and no bit depends on what may
not change one. A failure stays under found/ (``tests.programs.test_random_programs``).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.programs.generator import Kernel
from tests.programs.matmuls import planned
from tests.programs.prove import build, prove
from tests.programs.test_random_programs import Keeper
from tt_build.emulator.run import run
from tt_build.ir.plan import load_plan

_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
_PHASES = [Phase.generate, Phase.shrink]
_keepers = {"default": Keeper(), "long": Keeper()}


def _check(programs: tuple[Kernel, Kernel], keeper: Keeper) -> None:
    program, other = programs
    try:
        prove(program, [other])
        _check_bytes(program)
    except Exception:
        keeper.keep(program)
        raise


def _check_bytes(program: Kernel) -> None:
    """The planner counts the bytes from DRAM that ``verify_ir`` proves, and those over the NoC that a run counts."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, plan = build(program, Path(folder) / "k")
        assert kernel.matmul_choice is not None
        taken, size = kernel.matmul_choice.taken, {b.name: b.page_size for b in kernel.buffers}
        moved = sum(size[n] * pages for n, pages in (*kernel.pages_read.items(), *kernel.pages_written.items()))
        assert taken.dram_bytes == moved
        inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
        counters = run(load_plan(plan), plan.parent, inputs).counters
        assert counters["dram_read_bytes"] + counters["dram_write_bytes"] == moved
        assert counters["noc_multicast_delivered_bytes"] + counters["noc_unicast_bytes"] == taken.noc_bytes


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
