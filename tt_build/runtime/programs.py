"""``load_program(path)`` gives a callable that runs a program on a device: its kernels one after the other.

Tensors between two kernels stay on the device, in DRAM or in L1 as the kernels' plans say, and are freed behind the
last kernel that reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tt_build.ir.program_plan import Loaded
from tt_build.ir.program_plan import load_program as read_program
from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import Launcher
from tt_build.runtime.tensors import check_tensor, download, upload
from tt_build.runtime.ttnn_module import ttnn_module


def load_program(path: Path | str) -> ProgramLauncher:
    """The launcher of a ``program.json``; ``PlanError`` when it, or a plan that it names, cannot be read."""
    return ProgramLauncher(read_program(Path(path).resolve()))


def run_program(
    path: Path | str, inputs: Mapping[str, np.ndarray[Any, Any]], device_id: int = 0
) -> dict[str, np.ndarray[Any, Any]]:
    """Runs the program once with NumPy arrays by the names of its inputs; the outputs by name."""
    launcher = load_program(path)
    arrays = launcher.in_order(inputs)
    results = launcher(*arrays, device_id=device_id)
    return dict(zip(launcher.outputs, results if isinstance(results, tuple) else (results,), strict=True))


class ProgramLauncher:
    """A program, callable. ``inputs`` and ``outputs`` are its tensors' names in the order of arguments and results."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.program = loaded.program
        self.inputs, self.outputs = self.program.inputs, self.program.outputs
        self._launchers = tuple(Launcher(plan, folder) for plan, folder in loaded.plans)

    def __call__(self, *tensors: Any, device: Any = None, device_id: int = 0) -> Any:
        """Runs the program. The inputs are ttnn device tensors or NumPy arrays; the result is one output or a tuple.

        With NumPy arrays only, the device ``device_id`` is opened (or ``device`` used) and NumPy arrays come back;
        as soon as one input is a ttnn tensor, its device is used and ttnn tensors come back.
        """
        if len(tensors) != len(self.inputs):
            wanted = ", ".join(self.inputs)
            raise LaunchError(f"{self.program.program} takes {len(self.inputs)} tensors ({wanted}), not {len(tensors)}")
        results: dict[str, Any] = {}
        arrays = all(isinstance(tensor, np.ndarray) for tensor in tensors)
        buffers = {name: self.loaded.buffer(name) for name in self.outputs} if arrays else {}

        def done(ttnn: Any, name: str, tensor: Any) -> None:
            if name in self.outputs:
                results[name] = download(ttnn, tensor, buffers[name]) if arrays else tensor

        self._run(tensors, device, device_id, done)
        found = tuple(results[name] for name in self.outputs)
        return found[0] if len(found) == 1 else found

    def every_tensor(
        self, inputs: Mapping[str, np.ndarray[Any, Any]], device: Any = None, device_id: int = 0
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Runs the program with arrays by name; every tensor that a step writes, by name, for a comparison."""
        found: dict[str, np.ndarray[Any, Any]] = {}

        def done(ttnn: Any, name: str, tensor: Any) -> None:
            found[name] = download(ttnn, tensor, self.loaded.buffer(name))

        self._run(self.in_order(inputs), device, device_id, done)
        return found

    def in_order(self, inputs: Mapping[str, Any]) -> list[Any]:
        """The inputs as arguments; refuses unknown and missing names."""
        unknown = sorted(set(inputs) - set(self.inputs))
        if unknown:
            wanted = ", ".join(self.inputs)
            raise LaunchError(f"the program has no input {', '.join(unknown)}; its inputs are {wanted}")
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise LaunchError(f"no value for input {', '.join(missing)}")
        return [inputs[name] for name in self.inputs]

    def _run(self, tensors: Sequence[Any], device: Any, device_id: int, done: Callable[[Any, str, Any], None]) -> None:
        """Launch every step; ``done`` is told of each tensor as it is written."""
        buffers = [self.loaded.buffer(name) for name in self.inputs]
        for name, tensor, buffer in zip(self.inputs, tensors, buffers, strict=True):
            if isinstance(tensor, np.ndarray) and tuple(tensor.shape) != tuple(buffer.shape):
                raise LaunchError(f"{name} has shape {list(tensor.shape)}; the program wants {list(buffer.shape)}")
        ttnn = ttnn_module()
        with self._launchers[0].opened(ttnn, tensors, device, device_id) as opened:
            memory: dict[str, Any] = {}
            for name, tensor, buffer in zip(self.inputs, tensors, buffers, strict=True):
                if isinstance(tensor, np.ndarray):
                    memory[name] = upload(ttnn, name, tensor, buffer, opened)
                else:
                    check_tensor(ttnn, name, tensor, buffer)
                    memory[name] = tensor
            for step, launcher in zip(self.program.steps, self._launchers, strict=True):
                given = [memory[step.tensors[name]] for name in launcher.inputs]
                results = launcher(*given, device=opened, scalars=step.scalars)
                made = results if isinstance(results, tuple) else (results,)
                for tensor, result in zip(launcher.outputs, made, strict=True):
                    memory[step.tensors[tensor]] = result
                    done(ttnn, step.tensors[tensor], result)
                for name in step.frees:
                    ttnn.deallocate(memory.pop(name))
