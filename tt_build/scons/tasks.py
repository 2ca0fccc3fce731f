"""What a step that runs kernels is to do, by the files that say so: small enough to send to another process."""

from __future__ import annotations

from typing import Any

import msgspec

from tt_build.decoding import decode
from tt_build.scons.actions import read_source
from tt_build.spec.model import Declaration, Declared, VerifySpec, scalar_values
from tt_build.spec.program import ProgramDeclaration

STAGES = ("01_apply_defaults.json", "01_source_defaults.json")
"""Files of the stage that says what a kernel means: of expressions, and of sources written by hand."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What ``verify`` reads of a declaration beside what the passes read: the value of the node's own source."""

    verify: VerifySpec
    sizes: dict[str, int]
    scalars: dict[str, float]


class KernelTask(msgspec.Struct, frozen=True, kw_only=True, tag="kernel"):
    """Paths of a kernel's first stage and its plan."""

    stage: str
    plan: str
    request: Request


class ProgramTask(msgspec.Struct, frozen=True, kw_only=True, tag="program"):
    """A program and its kernels."""

    program: ProgramDeclaration
    kernels: dict[str, KernelTask]


Task = KernelTask | ProgramTask


class Question(msgspec.Struct, frozen=True):
    """A task on its way to another process, one of ``working``, which share the cores."""

    task: Task
    working: int


def request_of(declaration: Declared) -> bytes:
    """The stored form of a kernel's request."""
    kernel = declaration.kernel
    scalars = scalar_values(declaration.kernel.scalars) if isinstance(declaration, Declaration) else {}
    request = Request(verify=kernel.verify or VerifySpec(), sizes=dict(kernel.sizes), scalars=scalars)
    return msgspec.json.encode(request)


def kernel_task(source: list[Any]) -> KernelTask:
    """What a node's sources say. The last source is the request."""
    paths = {node.name: str(node.get_abspath()) for node in source}
    stage = next(paths[name] for name in STAGES if name in paths)
    return KernelTask(stage=stage, plan=paths["tt.plan.json"], request=decode(read_source(source[-1]), Request))


def program_task(target: Any, source: list[Any]) -> ProgramTask:
    """What a program's node says: the program, and the tasks of its kernels."""
    program = decode(read_source(source[-1]), ProgramDeclaration)
    kernels = {name: kernel_task(nodes) for name, nodes in target[0].attributes.tt_kernels.items()}
    return ProgramTask(program=program, kernels=kernels)
