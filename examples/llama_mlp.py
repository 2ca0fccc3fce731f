"""The MLP half of a Llama layer on a device, with one call: ttnn tensors in, a ttnn tensor out.

    scons program-llama_mlp
    python examples/llama_mlp.py [build/tenstorrent/llama_mlp/program.json]

Its three kernels and the tensors between them are declared in library/llama.yaml; h and act never leave L1. Needs ttnn
and a card or the simulator (docs/device.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import ttnn

from tt_build.runtime import load_program

PROGRAM = Path("build/tenstorrent/llama_mlp/program.json")


def main(path: Path) -> None:
    """Run the program on device 0 with random tensors and print how its result correlates with NumPy's."""
    mlp = load_program(path)
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.standard_normal(mlp.program.tensors[name].shape, np.float32) * (0.05 if name[0] == "w" else 1.0)
        for name in mlp.inputs
    }
    device = ttnn.open_device(device_id=0)
    try:
        tensors = [
            ttnn.Tensor(array.astype(np.float32), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, pad_value=0.0).to(
                device, ttnn.DRAM_MEMORY_CONFIG
            )
            for array in arrays.values()
        ]
        result = mlp(*tensors)  # every kernel, one after the other; a tensor on the device
        found = ttnn.to_dtype(result.cpu(), ttnn.float32).to_numpy().reshape(result.shape)
    finally:
        ttnn.close_device(device)
    wanted = reference(**{name: array.astype(np.float64) for name, array in arrays.items()})
    print(f"{mlp.program.program}: {list(found.shape)}, correlation with NumPy {correlation(found, wanted):.6f}")


def reference(x, gamma, w_gate, w_up, w_down):
    """The same in NumPy."""
    h = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5) * gamma
    gate = h @ w_gate
    return x + (gate / (1 + np.exp(-gate)) * (h @ w_up)) @ w_down


def correlation(found, wanted):
    """Pearson's; 0 for what does not vary, as on a device that computes nothing."""
    if not np.isfinite(found).all() or np.std(found) == 0.0:
        return 0.0
    return float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROGRAM)
