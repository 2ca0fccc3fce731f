"""One run of a plan, on the emulator or on a device, and what it showed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tt_build.codegen.files import emit
from tt_build.codegen.write import write_group
from tt_build.ir.plan import Plan, load_plan
from tt_build.ir.stages import VerifiedKernel
from tt_build.model.kernel import estimate
from tt_build.spec.lockfile import Measured
from tt_build.targets import DTYPES

_DRAM = ("dram_read_bytes", "dram_write_bytes")
_NOC = ("noc_unicast_bytes", "noc_multicast_delivered_bytes")


def measure(kernel: VerifiedKernel, on: str) -> Measured:
    """Run the kernel at its own shape. Raises ``EmulationError``, ``ToolchainError`` or ``LaunchError``.

    The emulator counts and has no time: the cycles are those of the cost model, whose bytes are found to be the counted
    ones.
    """
    return _on_ttnn(kernel) if on == "ttnn" else _on_emulator(kernel)


def _on_emulator(kernel: VerifiedKernel) -> Measured:
    from tt_build.emulator.run import run

    with _written(kernel) as path:
        loaded = load_plan(path)
        counters = run(loaded, path.parent, _inputs(loaded), scalars=_scalars(loaded)).counters
    dram, noc = (sum(counters[name] for name in names) for names in (_DRAM, _NOC))
    modelled = estimate(kernel)
    traffic = modelled.traffic
    expected = traffic.dram_read + traffic.dram_written, traffic.unicast + traffic.total("multicast_delivered")
    if (dram, noc) != expected:
        raise RuntimeError(f"{kernel.name}: a run moved {dram} and {noc} B, the cost model counts {expected}")
    return Measured(
        on="emulator",
        cycles=modelled.cycles,
        dram_bytes=dram,
        noc_bytes=noc,
        tile_ops=sum(counters["tile_ops"].values()),
    )


def _on_ttnn(kernel: VerifiedKernel) -> Measured:
    from tt_build.runtime.launcher import time_on_ttnn

    with _written(kernel) as path:
        loaded = load_plan(path)
        return Measured(on="ttnn", nanoseconds=time_on_ttnn(path, _inputs(loaded), scalars=_scalars(loaded)))


@contextmanager
def _written(kernel: VerifiedKernel) -> Iterator[Path]:
    """The kernel's plan, beside its sources, in a folder for this run."""
    with tempfile.TemporaryDirectory(prefix="tt-build-tune-") as name:
        folder = Path(name)
        write_group({folder / file: data for file, data in emit(kernel).items()})
        yield folder / "tt.plan.json"


def _inputs(plan: Plan) -> dict[str, np.ndarray[Any, Any]]:
    """Ones: neither time nor bytes depend on the values."""
    return {
        name: np.ones(buffer.shape, np.float32 if DTYPES[buffer.dtype].is_float else buffer.dtype)
        for name, buffer in plan.buffers.items()
        if buffer.role != "output"
    }


def _scalars(plan: Plan) -> dict[str, float]:
    return dict.fromkeys(plan.scalars, 1)
