"""Runs with the real ttnn on a mock n150 (see test_launcher.py) and prints one line an answer."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import ttnn

from tests.runtime.answers import answer, shown
from tt_build.runtime import Launcher, load, run_on_ttnn
from tt_build.runtime.launcher import time_on_ttnn
from tt_build.runtime.tensors import allocate, upload

DATA = Path(sys.argv[1])
SQUARE = np.ones((256, 256), dtype=np.float32)


def changed(launcher: Launcher, **fields: Any) -> Launcher:
    return Launcher(msgspec.structs.replace(launcher.plan, **fields), launcher.folder)


def arrays(*results: np.ndarray) -> str:
    return " ".join(f"{type(result).__name__} {result.shape}" for result in results)


def arguments() -> str:
    """What the descriptor holds for the reader of core (1, 0), and all common words."""
    launcher = load(DATA / "features" / "tt.plan.json")
    buffers = launcher.plan.buffers
    x = upload(ttnn, "X", np.zeros((128, 128), np.float32), buffers["X"], device)
    bias = upload(ttnn, "bias", np.zeros((1, 128), np.float32), buffers["bias"], device)
    outputs = [allocate(ttnn, buffers[name], device) for name in launcher.outputs]
    program = launcher.descriptor(x, bias, outputs=outputs, scalars={"alpha": 2.5})
    reader, compute = program.kernels[0], program.kernels[2]
    words = list(reader.runtime_args[1][0])
    common = list(reader.common_runtime_args)
    named = ["X" if common[0] == x.buffer_address() else "?", "bias" if common[1] == bias.buffer_address() else "?"]
    alpha = hex(next(iter(compute.common_runtime_args)))
    return (
        f"sender of (1, 0): {' '.join(map(str, words))}; "
        f"common words: {' '.join(named)} {common[2]} {common[3]}; alpha {alpha}"
    )


def far_cores() -> str:
    kernels = msgspec.to_builtins(gemm.plan)
    kernels["kernels"][0]["core_ranges"][0]["end"] = [8, 7]
    return str(Launcher(msgspec.convert(kernels, type(gemm.plan)), gemm.folder)(SQUARE, SQUARE, device=device))


def no_source() -> str:
    with tempfile.TemporaryDirectory() as empty:
        try:
            return str(Launcher(gemm.plan, Path(empty))(SQUARE, SQUARE, device=device))
        except Exception as error:
            raise type(error)(str(error).replace(empty, "EMPTY")) from error


def refused() -> str:
    """A circular buffer whose size is no multiple of its page: the runtime's own check."""
    plan = msgspec.to_builtins(gemm.plan)
    plan["circular_buffers"][0]["formats"] = [{"id": 5, "data_format": "Float16_b", "page_size": 3000}]
    return str(Launcher(msgspec.convert(plan, type(gemm.plan)), gemm.folder)(SQUARE, SQUARE, device=device))


def dtypes() -> str:
    for dtype in (np.int64, np.float64, ml_dtypes.bfloat16):
        result = gemm(SQUARE.astype(dtype), SQUARE, device=device)
    return f"int, float64 and bfloat16 arrays: {type(result).__name__}"


gemm = load(DATA / "gemm" / "tt.plan.json")
features = load(DATA / "features" / "tt.plan.json")
x, bias = np.zeros((128, 128), np.float32), np.zeros((1, 128), np.float32)
alpha = {"alpha": 2.0}

# The launcher opens and closes the device itself.
answer("numpy", lambda: f"ndarray {gemm(SQUARE, SQUARE).dtype} {gemm(SQUARE, SQUARE).shape}")
answer(
    "run_on_ttnn",
    lambda: " ".join(
        f"{n} {a.shape}"
        for n, a in run_on_ttnn(DATA / "features" / "tt.plan.json", {"X": x, "bias": bias}, scalars=alpha).items()
    ),
)
answer(
    "timed",
    lambda: (
        f"{time_on_ttnn(DATA / 'gemm' / 'tt.plan.json', {'A': SQUARE, 'B': SQUARE}, runs=2) > 0} "
        f"{time_on_ttnn(DATA / 'features' / 'tt.plan.json', {'X': x, 'bias': bias}, scalars=alpha) > 0}"
    ),
)
answer("no_device", lambda: str(gemm(SQUARE, SQUARE, device_id=3)))

device = ttnn.open_device(device_id=0)
a = upload(ttnn, "A", SQUARE, gemm.plan.buffers["A"], device)
host = ttnn.Tensor(SQUARE, ttnn.bfloat16, layout=ttnn.TILE_LAYOUT)
wide = ttnn.Tensor(SQUARE, ttnn.float32, layout=ttnn.TILE_LAYOUT).to(device, ttnn.DRAM_MEMORY_CONFIG)
short = ttnn.Tensor(SQUARE[:128].copy(), ttnn.bfloat16, layout=ttnn.TILE_LAYOUT).to(device, ttnn.DRAM_MEMORY_CONFIG)
rows = ttnn.Tensor(SQUARE, ttnn.bfloat16, layout=ttnn.ROW_MAJOR_LAYOUT).to(device, ttnn.DRAM_MEMORY_CONFIG)
out = allocate(ttnn, gemm.plan.buffers["C"], device)
answer("tensors", lambda: shown(gemm(a, a)))
answer("mixed", lambda: shown(gemm(a, SQUARE)))
answer("memory_config", lambda: shown(gemm(a, a, memory_config=ttnn.L1_MEMORY_CONFIG)))
answer("given_output", lambda: "the same tensor" if gemm(a, a, outputs=[out]) is out else "another tensor")
answer("two_outputs", lambda: "tuple " + arrays(*features(x, bias, device=device, scalars=alpha)))
answer("dtypes", dtypes)
answer("bound", lambda: str(features(x, bias, device=device, scalars=alpha, memory_config=ttnn.L1_MEMORY_CONFIG)))
answer("refused", refused)
answer("wrong_dtype", lambda: shown(gemm(wide, a)))
answer("wrong_shape", lambda: shown(gemm(short, a)))
answer("wrong_layout", lambda: shown(gemm(rows, a)))
answer("on_host", lambda: shown(gemm(host, SQUARE, device=device)))
answer("other_arch", lambda: str(changed(gemm, arch="blackhole")(SQUARE, SQUARE, device=device)))
answer("far_cores", far_cores)
answer("no_source", no_source)
answer("arguments", arguments)
ttnn.close_device(device)
