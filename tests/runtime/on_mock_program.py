"""Runs a program with the real ttnn on a mock n150 (see test_program_launcher.py) and prints one line an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import ttnn

from tests.runtime.answers import answer, shown
from tt_build.runtime import load_program, run_program
from tt_build.runtime.tensors import upload

PROGRAM = Path(sys.argv[1])
mlp = load_program(PROGRAM)
ARRAYS = {name: np.ones(mlp.program.tensors[name].shape, np.float32) for name in mlp.inputs}


def on_device() -> list[Any]:
    return [upload(ttnn, name, array, mlp.loaded.buffer(name), device) for name, array in ARRAYS.items()]


def places() -> str:
    """Where each tensor lies when its step has written it, and which the program has freed when it is done."""
    seen: dict[str, Any] = {}
    mlp._run(on_device(), device, 0, lambda _, name, tensor: seen.update({name: (tensor, shown(tensor).split()[-1])}))
    return " ".join(f"{name}:{place}:{'kept' if t.is_allocated() else 'freed'}" for name, (t, place) in seen.items())


def every_tensor() -> str:
    return " ".join(f"{name} {array.shape}" for name, array in mlp.every_tensor(ARRAYS, device=device).items())


answer("program_numpy", lambda: f"{type(mlp(*ARRAYS.values())).__name__} {mlp(*ARRAYS.values()).shape}")
answer("run_program", lambda: " ".join(f"{name} {a.shape}" for name, a in run_program(PROGRAM, ARRAYS).items()))
device = ttnn.open_device(device_id=0)
answer("program_tensors", lambda: shown(mlp(*on_device())))
answer("program_places", places)
answer("program_every", every_tensor)
answer("program_layout", lambda: shown(mlp(*on_device()[:-1], on_device()[0])))
ttnn.close_device(device)
