"""``load(plan)`` gives a callable that runs the plan on a Tenstorrent device through ttnn."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tt_build.ir.plan import Plan, load_plan
from tt_build.runtime.descriptor import program_descriptor
from tt_build.runtime.errors import LaunchError
from tt_build.runtime.tensors import allocate, check_tensor, download, upload
from tt_build.runtime.ttnn_module import ttnn_module

_ARCH_NAMES = {"wormhole_b0": "WORMHOLE_B0", "blackhole": "BLACKHOLE"}


def load(path: Path | str) -> Launcher:
    """The launcher of a ``tt.plan.json``; ``PlanError`` when the file is none. ttnn is first needed at the call."""
    plan_path = Path(path)
    return Launcher(load_plan(plan_path), plan_path.resolve().parent)


def run_on_ttnn(
    plan_path: Path | str,
    inputs: Mapping[str, np.ndarray[Any, Any]],
    device_id: int = 0,
    scalars: Mapping[str, float] | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs the plan once with NumPy arrays by tensor name; the outputs by name."""
    launcher = load(plan_path)
    unknown = sorted(set(inputs) - set(launcher.inputs))
    if unknown:
        raise LaunchError(f"the plan has no input {', '.join(unknown)}; its inputs are {', '.join(launcher.inputs)}")
    missing = [name for name in launcher.inputs if name not in inputs]
    if missing:
        raise LaunchError(f"no value for input {', '.join(missing)}")
    arrays = [inputs[name] for name in launcher.inputs]
    results = launcher(*arrays, device_id=device_id, scalars=scalars or {})
    return dict(zip(launcher.outputs, results if isinstance(results, tuple) else (results,), strict=True))


def time_on_ttnn(
    plan_path: Path | str,
    inputs: Mapping[str, np.ndarray[Any, Any]],
    *,
    runs: int = 20,
    device_id: int = 0,
    scalars: Mapping[str, float] | None = None,
) -> int:
    """Nanoseconds of a launch on a device: wall clock of ``runs`` launches in a row, after one that compiles."""
    launcher = load(plan_path)
    ttnn, arrays = ttnn_module(), [inputs[name] for name in launcher.inputs]
    with launcher.launching(ttnn, arrays, device_id, scalars or {}) as (launch, device):
        launch()
        ttnn.synchronize_device(device)
        started = time.perf_counter_ns()
        for _ in range(runs):
            launch()
        ttnn.synchronize_device(device)
        return (time.perf_counter_ns() - started) // runs


class Launcher:
    """A plan, callable. ``inputs`` and ``outputs`` are its tensors' names in the order of arguments and results."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.inputs = tuple(name for name in plan.order() if plan.buffers[name].role != "output")
        self.outputs = tuple(name for name in plan.order() if plan.buffers[name].role == "output")

    def __call__(
        self,
        *tensors: Any,
        device: Any = None,
        device_id: int = 0,
        memory_config: Any = None,
        outputs: Sequence[Any] | None = None,
        scalars: Mapping[str, float] | None = None,
    ) -> Any:
        """Runs the plan. The inputs are ttnn device tensors or NumPy arrays; the result is one output or a tuple.

        With NumPy arrays only, the device ``device_id`` is opened (or ``device`` used) and NumPy arrays come back;
        as soon as one input is a ttnn tensor, its device is used and ttnn tensors come back. ``memory_config``
        replaces the plan's for the outputs that are created; ``outputs`` are tensors to write instead.
        """
        if len(tensors) != len(self.inputs):
            wanted = ", ".join(self.inputs)
            raise LaunchError(f"{self.plan.kernel} takes {len(self.inputs)} tensors ({wanted}), not {len(tensors)}")
        given = set(scalars or {})
        if given != set(self.plan.scalars):
            named = ", ".join(sorted(self.plan.scalars)) or "none"
            raise LaunchError(f"the scalars given are {', '.join(sorted(given)) or 'none'}; the plan takes {named}")
        self._check_arrays(tensors)
        ttnn = ttnn_module()
        all_numpy = all(isinstance(tensor, np.ndarray) for tensor in tensors)
        with self.opened(ttnn, tensors, device, device_id) as opened:
            placed = self._place(ttnn, tensors, opened, memory_config, outputs)
            descriptor = program_descriptor(ttnn, self.plan, self.folder, placed, opened, scalars or {})
            self._launch(ttnn, [placed[name] for name in (*self.inputs, *self.outputs)], descriptor)
            results = [placed[name] for name in self.outputs]
            if all_numpy and outputs is None:
                buffers = self.plan.buffers
                results = [download(ttnn, t, buffers[n]) for t, n in zip(results, self.outputs, strict=True)]
        return results[0] if len(results) == 1 else tuple(results)

    @contextlib.contextmanager
    def launching(
        self, ttnn: Any, arrays: Sequence[Any], device_id: int, scalars: Mapping[str, float]
    ) -> Iterator[tuple[Callable[[], None], Any]]:
        """A function that launches the plan on these NumPy arrays, and the device, which is open meanwhile."""
        self._check_arrays(arrays)
        with self.opened(ttnn, arrays, None, device_id) as opened:
            placed = self._place(ttnn, arrays, opened, None, None)
            descriptor = program_descriptor(ttnn, self.plan, self.folder, placed, opened, scalars)
            tensors = [placed[name] for name in (*self.inputs, *self.outputs)]
            yield lambda: self._launch(ttnn, tensors, descriptor), opened

    def descriptor(self, *tensors: Any, outputs: Sequence[Any], scalars: Mapping[str, float] | None = None) -> Any:
        """The ``ttnn.ProgramDescriptor`` alone, for device tensors that are there already."""
        names = (*self.inputs, *self.outputs)
        placed = dict(zip(names, (*tensors, *outputs), strict=True))
        return program_descriptor(
            ttnn_module(), self.plan, self.folder, placed, placed[names[0]].device(), scalars or {}
        )

    def _launch(self, ttnn: Any, tensors: list[Any], descriptor: Any) -> None:
        try:
            ttnn.generic_op(tensors, descriptor)
        except RuntimeError as error:
            reason = str(error).split("backtrace:")[0].split("info:")[-1].strip()
            raise LaunchError(f"the runtime refused {self.plan.kernel}: {reason}") from error

    def _check_arrays(self, tensors: Sequence[Any]) -> None:
        """Shapes of arrays are checked before a device is opened: the answer then comes at once."""
        for name, tensor in zip(self.inputs, tensors, strict=True):
            wanted = self.plan.buffers[name].shape
            if isinstance(tensor, np.ndarray) and tuple(tensor.shape) != tuple(wanted):
                raise LaunchError(f"{name} has shape {list(tensor.shape)}; the plan wants {list(wanted)}")

    def _place(
        self, ttnn: Any, tensors: Sequence[Any], device: Any, config: Any, outputs: Sequence[Any] | None
    ) -> dict[str, Any]:
        placed: dict[str, Any] = {}
        for name, tensor in zip(self.inputs, tensors, strict=True):
            buffer = self.plan.buffers[name]
            if isinstance(tensor, np.ndarray):
                placed[name] = upload(ttnn, name, tensor, buffer, device)
            else:
                check_tensor(ttnn, name, tensor, buffer)
                placed[name] = tensor
        for index, name in enumerate(self.outputs):
            buffer = self.plan.buffers[name]
            bound = [cb.name for cb in self.plan.circular_buffers if cb.buffer == name]
            if config is not None and bound:
                raise LaunchError(
                    f"{name} keeps the plan's memory configuration: "
                    f"the circular buffer {bound[0]} is bound to its shards"
                )
            if outputs is None:
                placed[name] = allocate(ttnn, buffer, device, config)
            else:
                check_tensor(ttnn, name, outputs[index], buffer)
                placed[name] = outputs[index]
        return placed

    @contextlib.contextmanager
    def opened(self, ttnn: Any, tensors: Sequence[Any], device: Any, device_id: int) -> Iterator[Any]:
        """The device that is given, that of the tensors, or one that is opened, and closed at the end."""
        if device is None:
            device = next((t.device() for t in tensors if not isinstance(t, np.ndarray)), None)
        if device is not None:
            self._check_device(device)
            yield device
            return
        try:
            opened = ttnn.open_device(device_id=device_id)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise LaunchError(
                f"cannot open Tenstorrent device {device_id}: {reason}\nIs a card installed, its driver loaded "
                "(ls /dev/tenstorrent), or TT_METAL_SIMULATOR set? See docs/device.md."
            ) from error
        try:
            self._check_device(opened)
            yield opened
        finally:
            ttnn.close_device(opened)

    def _check_device(self, device: Any) -> None:
        arch = str(device.arch()).rsplit(".", 1)[-1].upper()
        if arch != _ARCH_NAMES.get(self.plan.arch, arch):
            raise LaunchError(f"the plan is built for {self.plan.arch}, the device is a {arch.lower()}; rebuild it")
        grid = device.compute_with_storage_grid_size()
        far = [part.end for kernel in self.plan.kernels for part in kernel.core_ranges]
        columns, rows = max(x for x, _ in far) + 1, max(y for _, y in far) + 1
        if columns > grid.x or rows > grid.y:
            raise LaunchError(
                f"the plan uses {columns}x{rows} cores, the device has {grid.x}x{grid.y}; "
                f"rebuild it with grid={grid.x}x{grid.y}"
            )
