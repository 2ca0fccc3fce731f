"""The cores that a schedule may use."""

from __future__ import annotations

from tt_build.ir.stages import Kernel
from tt_build.passes.common import refuse
from tt_build.spec.model import CoreRegion
from tt_build.targets import Arch


def region_of(kernel: Kernel, arch: Arch) -> CoreRegion:
    """The cores in use; refuses those outside the core grid."""
    cores = kernel.choice.cores
    columns, rows = kernel.core_grid
    if cores is None:
        return CoreRegion(at=(0, 0), size=(columns, rows))
    (x, y), (w, h) = cores.at, cores.size
    if min(x, y) < 0 or min(w, h) < 1 or x + w > columns or y + h > rows:
        refuse(
            kernel,
            "TTB203",
            f"cores at {list(cores.at)} of size {list(cores.size)} lie outside the grid of {columns} x {rows} cores",
            path=("schedule", "cores"),
            help=f"{arch.name} here has cores [0, 0] to [{columns - 1}, {rows - 1}]",
        )
    return cores
