"""The typed form of kernels.yaml: what a user wrote, checked, with names resolved and no positions.

These structures are the input of the first pass and the base of a kernel's digest, so they hold nothing that a
comment, a blank line or the order of keys could change. Positions live in ``tt_build.spec.source``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Base of all structures that are written to and read from JSON: frozen, strict, field order fixed."""


class Sharding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A layout written as a mapping. ``grid`` is (x, y) cores or banks, ``shard`` (rows, columns) elements."""

    memory: str
    sharding: str
    grid: tuple[int, int] | None = None
    shard: tuple[int, int] | None = None
    order: str = "row_major"


class TensorSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An input or output as declared; ``shape`` evaluated to integers, rank 1 to 4."""

    shape: tuple[int, ...]
    dtype: str | None = None
    layout: str | Sharding | None = None
    format: str = "tile"


class CoreRegion(Struct, frozen=True, kw_only=True):
    """A rectangle of worker cores: ``at`` its first core (x, y), ``size`` (columns, rows)."""

    at: tuple[int, int] = (0, 0)
    size: tuple[int, int]


class MatmulSchedule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``schedule: {matmul: ...}``: algorithm and blocking, None where the planner decides."""

    algorithm: str = "auto"
    block: tuple[int, int] | None = None
    k_block: int | None = None
    k_split: int | None = None
    subblock: tuple[int, int] | None = None
    noc: int | None = None
    depth: int | None = None
    linked: bool | None = None
    order: str | None = None


class ScheduleSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``schedule`` with every key optional; a named policy is already replaced by its mapping."""

    policy: str | None = None
    order: str | None = None
    cores: CoreRegion | None = None
    matmul: MatmulSchedule | None = None


class MathSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``math`` with every key optional."""

    fidelity: str | None = None
    fp32_accumulate: bool | None = None
    approximate: bool | None = None


def scalar_values(scalars: Mapping[str, Any]) -> dict[str, float]:
    """The scalars of a declaration that have a value."""
    return {name: float(value) for name, value in scalars.items() if isinstance(value, int | float)}


class VerifySpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``verify``: tolerance, seed and inputs where the defaults do not fit."""

    pcc: float | None = None
    rtol: float | None = None
    atol: float | None = None
    seed: int | None = None
    inputs: str | None = None
    sizes: dict[str, int] | None = None


class TargetSpec(Struct, frozen=True, kw_only=True):
    """The resolved target of a kernel: kernel's own keys over command line over the file's."""

    arch: str
    grid: tuple[int, int]


class RuntimeScalar(Struct, frozen=True, kw_only=True):
    """A scalar given at launch: ``{runtime: float32}``."""

    runtime: str


class DefaultsSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file's ``defaults``: applied key by key where a kernel says nothing itself."""

    dtype: str | None = None
    tile: tuple[int, int] | None = None
    layout: str | Sharding | None = None
    schedule: ScheduleSpec | None = None
    math: MathSpec | None = None


class SourceText(Struct, frozen=True, kw_only=True):
    """C++ that a user wrote: its path as declared, and its text with the headers of its folder put in place."""

    path: str
    text: str


class SfpuSpec(Struct, frozen=True, kw_only=True):
    """The C++ of an op: ``init()`` and ``call(operands, [out,] scratch, words)`` are functions of ``header``.

    ``words`` are parameters as the op table encodes them (``f32bits:p``, ``f32bits_recip:p``). ``scratch`` DST slots
    beyond the operands' are the call's to write.
    """

    header: SourceText
    init: str
    call: str
    words: tuple[str, ...] = ()
    scratch: int = 0
    ulp: tuple[float, float]
    absolute: float = 0.0


class OpSpec(Struct, frozen=True, kw_only=True):
    """An op of a repository's own (``extensions``): ``meaning`` is an expression of operands and parameters.

    Without ``sfpu`` a call of it stands for its meaning; with ``sfpu`` the meaning is what the call's results are
    compared with, within ``ulp`` (with a DST of 16 and of 32 bits an element) and ``absolute``.
    """

    operands: tuple[str, ...]
    parameters: dict[str, float | None] = {}
    meaning: str
    dtypes: tuple[str, ...] = ()
    sfpu: SfpuSpec | None = None


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every entry below ``kernels`` has, an expression as well as sources written by hand.

    ``ops`` are those of ``extensions`` that its text uses, with the ops that these use.
    """

    name: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    description: str = ""
    sizes: dict[str, int] = {}
    grid: tuple[int, ...] | None = None
    schedule: ScheduleSpec | None = None
    math: MathSpec | None = None
    verify: VerifySpec | None = None
    allow: tuple[str, ...] = ()
    ops: dict[str, OpSpec] = {}


class KernelSpec(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """One kernel as declared.

    ``compute`` is the canonical text (parsed and printed again), so that spaces and comments in it change nothing.
    Mappings keep the order of the file: it is the order of a kernel's tensors.
    """

    compute: str
    scalars: dict[str, float | RuntimeScalar] = {}
    block: tuple[int, int] | None = None


class CbSpec(Struct, frozen=True, kw_only=True):
    """A circular buffer that a hand-written kernel declares: pages of one tile of ``dtype``."""

    dtype: str
    pages: int
    unpack_to_dest: bool = False


class HandSpec(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """A kernel whose sources are written by hand.

    The texts are part of it, so that a kernel's digest changes with them and a step reads nothing else. ``arguments``
    has for each role words of the schedule and numbers. ``reference`` is a canonical compute text, empty where none is
    declared.
    """

    sources: dict[str, SourceText]
    circular_buffers: dict[str, CbSpec]
    arguments: dict[str, tuple[str | int, ...]]
    reference: str = ""


class LockedPlan(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan of a blocked matmul with nothing left open, in the words and units of ``schedule: {matmul: ...}``.

    ``cores`` are columns and rows in use.
    """

    algorithm: str
    cores: tuple[int, int]
    block: tuple[int, int]
    k_block: int
    subblock: tuple[int, int]
    noc: int
    depth: int
    order: str
    policy: str
    k_split: int = 1


class Locked(Struct, frozen=True, kw_only=True):
    """What the lockfile holds for a kernel, as far as passes read it.

    ``file`` is the lockfile, beside the specification. ``key`` is the digest of what the plan was tuned for,
    ``planner`` what the planner itself chose then.
    """

    file: str
    key: str
    plan: LockedPlan
    planner: LockedPlan


class Declaration(Struct, frozen=True, kw_only=True):
    """All that the first pass reads: the kernel, its file's defaults, its target, its entry of the lockfile.

    ``file`` is the file that declares it, relative to the folder of the specification. ``at_verify_sizes`` is the
    kernel at the sizes of ``verify: {sizes: ...}``, where these differ from its own; no pass reads it. ``planned_as``
    is the kernel at its own sizes, in the declaration of the smaller one: its plan is that of the larger, cut down, and
    so is a locked one.
    """

    kernel: KernelSpec
    file: str = "kernels.yaml"
    defaults: DefaultsSpec = DefaultsSpec()
    target: TargetSpec
    locked: Locked | None = None
    at_verify_sizes: KernelSpec | None = None
    planned_as: KernelSpec | None = None

    @property
    def smaller(self) -> Declaration | None:
        """The declaration that is run on the emulator in place of this one; None where this one is."""
        if self.at_verify_sizes is None:
            return None
        return Declaration(
            kernel=self.at_verify_sizes,
            file=self.file,
            defaults=self.defaults,
            target=self.target,
            locked=self.locked,
            planned_as=self.kernel,
        )


class HandDeclaration(Struct, frozen=True, kw_only=True):
    """The same for a kernel that is sources."""

    kernel: HandSpec
    file: str = "kernels.yaml"
    defaults: DefaultsSpec = DefaultsSpec()
    target: TargetSpec


Declared = Declaration | HandDeclaration
