"""Runs in the virtual environment with ttnn: every plan on one mock device. ``python -m ... RESULTS PLAN...``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tt_build.ir.plan import Buffer
from tt_build.runtime.launcher import Launcher, load
from tt_build.runtime.tensors import allocate, upload
from tt_build.runtime.ttnn_module import ttnn_module


def main(arguments: list[str]) -> int:
    target, *plans = arguments
    ttnn = ttnn_module()
    device = ttnn.open_device(device_id=0)
    results = [_run(ttnn, device, Path(plan)) for plan in plans]
    Path(target).write_bytes(msgspec.json.encode(results))
    ttnn.close_device(device)
    return 0


def _run(ttnn: Any, device: Any, plan: Path) -> dict[str, Any]:
    result: dict[str, Any] = {"plan": str(plan)}
    try:
        launcher = load(plan)
        scalars = dict.fromkeys(launcher.plan.scalars, 1.0)
        arrays = [_values(launcher, name) for name in launcher.inputs]
        tensors = [
            upload(ttnn, name, array, launcher.plan.buffers[name], device)
            for name, array in zip(launcher.inputs, arrays, strict=True)
        ]
        outputs = [allocate(ttnn, launcher.plan.buffers[name], device) for name in launcher.outputs]
        named = dict(zip((*launcher.inputs, *launcher.outputs), (*tensors, *outputs), strict=True))
        result["words"] = {
            name: [int(word) for word in ttnn.TensorAccessorArgs(tensor).get_compile_time_args()]
            for name, tensor in named.items()
        }
        first = launcher.descriptor(*tensors, outputs=outputs, scalars=scalars)
        result["hash"] = int(ttnn.compute_program_descriptor_hash(first))
        launcher(*tensors, outputs=outputs, scalars=scalars)
        returned = launcher(*arrays, device=device, scalars=scalars)
        arrays_back = returned if isinstance(returned, tuple) else (returned,)
        result["outputs"] = {n: list(a.shape) for n, a in zip(launcher.outputs, arrays_back, strict=True)}
        other = [
            upload(ttnn, n, a + 0, launcher.plan.buffers[n], device)
            for n, a in zip(launcher.inputs, arrays, strict=True)
        ]
        others = [allocate(ttnn, launcher.plan.buffers[name], device) for name in launcher.outputs]
        again = launcher.descriptor(*other, outputs=others, scalars=scalars)
        result["hash_again"] = int(ttnn.compute_program_descriptor_hash(again))
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}".split("backtrace:")[0].strip()
    return result


def _values(launcher: Launcher, name: str) -> np.ndarray[Any, Any]:
    buffer: Buffer = launcher.plan.buffers[name]
    return np.zeros(buffer.shape, dtype=np.int32 if "int" in buffer.dtype else np.float32)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
