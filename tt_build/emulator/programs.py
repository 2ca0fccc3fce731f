"""Plans one after the other: what one leaves in device memory is what the next is given, padding and all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tt_build.emulator.describe import RawPages
from tt_build.emulator.run import WALL_CLOCK_SECONDS, Result, run
from tt_build.ir.plan import Plan
from tt_build.ir.program_plan import Loaded


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One plan with its sources' folder; ``inputs`` and ``outputs`` map its tensors to names of the program's.

    ``frees`` are the program's tensors that no later launch reads.
    """

    plan: Plan
    root: Path
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    scalars: Mapping[str, float | int]
    frees: tuple[str, ...] = ()


def launches(loaded: Loaded) -> list[Launch]:
    """Those of a ``program.json``."""
    found = []
    for step, (plan, root) in zip(loaded.program.steps, loaded.plans, strict=True):
        wires: dict[bool, dict[str, str]] = {False: {}, True: {}}
        for tensor, name in step.tensors.items():
            wires[plan.buffers[tensor].role == "output"][tensor] = name
        found.append(
            Launch(
                plan=plan,
                root=root,
                inputs=wires[False],
                outputs=wires[True],
                scalars=step.scalars,
                frees=step.frees,
            )
        )
    return found


def run_launches(
    steps: Sequence[Launch],
    inputs: Mapping[str, Any],
    *,
    seed: int = 0,
    fill: int = 0,
    timeout: float = WALL_CLOCK_SECONDS,
) -> Iterator[Result]:
    """The result of each launch in turn, on arrays for the program's inputs. ``timeout`` bounds each, in seconds.

    Raises what ``run`` raises.
    """
    memory: dict[str, Any | RawPages] = dict(inputs)
    for step in steps:
        given = {tensor: memory[name] for tensor, name in step.inputs.items()}
        done = run(step.plan, step.root, given, seed=seed, fill=fill, timeout=timeout, scalars=step.scalars)
        yield done
        memory |= {name: done.pages[tensor] for tensor, name in step.outputs.items()}
        for name in step.frees:
            del memory[name]
