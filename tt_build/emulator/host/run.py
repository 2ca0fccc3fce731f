"""Runs one workload of a host program: ``python -m tt_build.emulator.host.run FOLDER``, as ``host.cpp`` does.

``FOLDER/workload.json`` names tensors, circular buffers, semaphores and kernels; ``NAME.data`` holds a tensor's pages,
``NAME.undefined`` a byte for each byte of them, nonzero where nobody has written. Both are written anew; ``NAME.why``
says where undefined data in a tensor comes from. A report goes to ``error``, and the exit code is 1.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from tt_build.emulator.describe import RawPages, Run, Settings, pages_of
from tt_build.emulator.memory import Core, PlacedBuffer, lay_out, place_pages
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import WALL_CLOCK_SECONDS, compile_plan, execute
from tt_build.emulator.toolchain import ToolchainError
from tt_build.ir.plan import Buffer, CircularBuffer, Cores, GridShape, Plan, PlanKernel, PlanSchedule, Semaphore
from tt_build.targets import Arch, load_arch


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor as the host program placed it; ``shard`` in pages and ``banks`` for a sharded one."""

    name: str
    dram: bool
    address: int
    page_size: int
    pages: int
    written: bool
    matrix: tuple[int, int] = (0, 0)
    shard: tuple[int, ...] = ()
    banks: tuple[Core, ...] = ()

    def placed(self, arch: Arch) -> PlacedBuffer:
        """Where its pages lie."""
        size = (self.pages, self.page_size, self.matrix)
        placed = place_pages(self.name, self.dram, size, self.shard, self.banks, arch)
        return msgspec.structs.replace(placed, address=self.address)

    def buffer(self) -> Buffer:
        """As a plan names it: rows of bytes, read and written."""
        return Buffer(
            role="both",
            shape=(self.pages, self.page_size),
            dtype="uint16",
            layout="dram_interleaved" if self.dram else "l1_interleaved",
            tiles=(0, 0),
            needs_padding=False,
            padded_shape=(self.pages, self.page_size),
            page_size=self.page_size,
            format="row_major",
        )


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """``workload.json``: what a plan says, with numbers for names and absolute paths of kernel sources."""

    arch: str
    buffers: tuple[Tensor, ...]
    circular_buffers: tuple[CircularBuffer, ...]
    semaphores: tuple[Semaphore, ...]
    kernels: tuple[PlanKernel, ...]

    def plan(self, root: Path) -> Plan:
        """The same as a plan below ``root``."""
        kernels = tuple(
            msgspec.structs.replace(kernel, source=str(Path(kernel.source).relative_to(root)))
            for kernel in self.kernels
        )
        return Plan(
            version=1,
            target="tenstorrent",
            arch=self.arch,
            kernel="host program",
            grid=GridShape(x=0, y=0, z=0, total_tiles=0),
            schedule=PlanSchedule(policy="", order=""),
            cores=Cores(grid=(0, 0), num_cores=0, core_ranges=()),
            buffers={tensor.name: tensor.buffer() for tensor in self.buffers},
            circular_buffers=self.circular_buffers,
            semaphores=self.semaphores,
            kernels=kernels,
        )


def run_workload(folder: Path, *, seed: int = 0, fill: int = 0) -> str:
    """Runs the workload in that folder and writes its tensors; what DPRINT wrote. ``EmulationError`` with a report."""
    workload = msgspec.json.decode((folder / "workload.json").read_bytes(), type=Workload)
    arch = load_arch(workload.arch)
    root = Path(os.path.commonpath([str(Path(kernel.source).parent) for kernel in workload.kernels]))
    plan = workload.plan(root)
    layout = lay_out(plan, arch, {tensor.name: tensor.placed(arch) for tensor in workload.buffers})
    sources, libraries = compile_plan(plan, root, arch, layout)
    job = Run(plan, arch, layout, sources, libraries, Settings(seed=seed, fill=fill))
    inputs = {tensor.name: _pages(folder, tensor.name) for tensor in workload.buffers if tensor.written}
    answer, raw, printed = execute(job, inputs, WALL_CLOCK_SECONDS)
    at = 0
    for tensor in workload.buffers:
        placed = layout.buffers[tensor.name]
        banks = raw[at : at + 2 * placed.bank_bytes * len(placed.banks)].reshape(len(placed.banks), 2, -1)
        at += banks.size
        _write(folder, tensor, placed, banks[:, 0], banks[:, 1], answer["origins"])
    return printed


def _pages(folder: Path, name: str) -> RawPages:
    undefined = folder / f"{name}.undefined"
    return RawPages(
        np.fromfile(folder / f"{name}.data", np.uint8),
        np.fromfile(undefined, np.uint8) if undefined.exists() else None,
    )


def _write(
    folder: Path,
    tensor: Tensor,
    placed: PlacedBuffer,
    data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    shadow: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    origins: list[str],
) -> None:
    pages_of(placed, data, tensor.page_size).tofile(folder / f"{tensor.name}.data")
    undefined = pages_of(placed, shadow, tensor.page_size)
    undefined.tofile(folder / f"{tensor.name}.undefined")
    bad = np.flatnonzero(undefined)
    why = ""
    if bad.size:
        page, byte = divmod(int(bad[0]), tensor.page_size)
        origin = origins[undefined[bad[0]]] or "undefined memory"
        why = f"error[EMU501]: the tensor depends on undefined data, first at page {page}, byte {byte}: {origin}"
    (folder / f"{tensor.name}.why").write_text(why)


def main() -> int:
    """Exit code: 0, or 1 with a report in ``error``."""
    folder = Path(sys.argv[1])
    seed, fill = (int(os.environ.get(name, "0")) for name in ("TT_BUILD_SEED", "TT_BUILD_FILL"))
    try:
        sys.stdout.write(run_workload(folder, seed=seed, fill=fill))
    except (EmulationError, ToolchainError) as error:
        sys.stdout.write(error.printed if isinstance(error, EmulationError) else "")
        (folder / "error").write_text(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
