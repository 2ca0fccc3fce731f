"""The typed form of a program: kernels that run one after the other, and the tensors between them.

A program is checked and flat: the steps of programs that it names stand in their place, and every step names the kernel
that is built for it, with the layouts that ``keep`` writes into it.
"""

from __future__ import annotations

import msgspec

from tt_build.spec.model import Sharding, Struct, VerifySpec


class ProgramTensor(Struct, frozen=True, kw_only=True):
    """A tensor of a program as all of its kernels declare it."""

    shape: tuple[int, ...]
    dtype: str
    format: str = "tile"


class ProgramStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One launch: the kernel's tensors by name to the program's, and values of its run-time scalars.

    ``at`` is the place of the step in the file's list; steps of a program that is named there share it.
    """

    at: int
    kernel: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    scalars: dict[str, float] = msgspec.field(default_factory=dict)


class ProgramDeclaration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program as declared.

    ``inputs`` and ``outputs`` are the order of arguments and results. ``keep`` are tensors that stay in L1 between
    steps, with their layouts. ``kernels`` are the digests of the declarations that it is made of, so that its own
    changes with theirs. ``verify_tensors`` are its tensors at the kernels' ``verify.sizes``, where any has them.
    """

    name: str
    file: str
    arch: str
    description: str = ""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: dict[str, ProgramTensor]
    verify_tensors: dict[str, ProgramTensor] | None = None
    steps: tuple[ProgramStep, ...]
    keep: dict[str, str | Sharding] = msgspec.field(default_factory=dict)
    kernels: dict[str, str]
    verify: VerifySpec | None = None

    @property
    def between(self) -> tuple[str, ...]:
        """The tensors that are neither inputs nor outputs, in the order in which they are written."""
        ends = {*self.inputs, *self.outputs}
        return tuple(name for name in self.tensors if name not in ends)

    @property
    def last_reads(self) -> dict[str, int]:
        """Of each tensor between steps the number of the last step that reads it."""
        found = {}
        for number, step in enumerate(self.steps):
            found.update(dict.fromkeys(step.inputs.values(), number))
        return {name: found[name] for name in self.between}
