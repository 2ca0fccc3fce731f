"""Programs that tests write down, and the same under other schedules."""

from __future__ import annotations

import copy
from typing import Any

from tests.programs.schedules import Kernel

Inputs = dict[str, list[int]]


def program(compute: str, inputs: Inputs, output: list[int], matmul: dict[str, Any], **more: Any) -> Kernel:
    dtypes = more.pop("dtypes", {})
    return {
        "kernel": {
            "inputs": {name: {"shape": shape, "dtype": dtypes.get(name, "bfloat16")} for name, shape in inputs.items()},
            "outputs": {"Y": {"shape": output, "dtype": dtypes.get("Y", "bfloat16")}},
            "compute": compute,
            "schedule": {"matmul": matmul},
            "math": more.pop("math", {}),
        },
        "target": {"arch": more.pop("arch", "wormhole_b0"), "grid": more.pop("grid", [4, 4])},
    }


def also(program: Kernel, *others: dict[str, Any]) -> tuple[Kernel, list[Kernel]]:
    """The program, and the same with other keys of its schedule."""
    variants = []
    for keys in others:
        variant = copy.deepcopy(program)
        stated = keys.pop("policy", "")
        variant["kernel"]["schedule"]["matmul"] |= keys
        variant["kernel"]["schedule"] |= {"policy": stated} if stated else {}
        variants.append(variant)
    return program, variants
