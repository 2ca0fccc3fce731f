"""Actions: one pass, and code generation. Each is a pure function of its source's bytes; results are written as a
group.

SCons signs a Python function by its bytecode alone. Ours are signed by a digest of the step and of all that it imports
(``signatures``), so that a changed helper reruns what uses it and nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import SCons.Action

from tt_build.children import Interrupted
from tt_build.codegen.files import emit
from tt_build.codegen.program import emit_program
from tt_build.codegen.write import write_group
from tt_build.decoding import decode
from tt_build.passes.pipeline import CHAINS, Pass, read_stage
from tt_build.scons.compiler import Compiler
from tt_build.scons.messages import say
from tt_build.scons.nodes import StepTarget, digest_of
from tt_build.scons.reading import PROGRAM
from tt_build.scons.signatures import CODEGEN, PROGRAM_CODEGEN, signature_of
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.program import ProgramDeclaration
from tt_build.spec.templates import digests, own_templates

if TYPE_CHECKING:
    from tt_build.scons.state import State

Step = Callable[[bytes], list[bytes]]


class SignedAction(SCons.Action.FunctionAction):  # type: ignore[misc]
    """A function that SCons signs with ``signature`` instead of bytecode. ``label`` begins its line of output.

    The function enters its targets in the kernel's ledger (``publish``) when it succeeds.
    """

    cacheable = False

    def __init__(self, function: Callable[[Any, Any, Any], int], label: str, signature: str, state: State) -> None:
        self.signature = signature
        self.label = label
        self.state = state
        self._function = function
        super().__init__(self._run, {"strfunction": self._line})

    def get_presig(self, target: Any, source: Any, env: Any) -> bytes:
        """What SCons signs."""
        return self.signature.encode()

    def _line(self, target: Any, source: Any, env: Any) -> str:
        made = str(target[0]) if len(target) == 1 else f"{target[0].dir} ({len(target)} files)"
        step: StepTarget = target[0].attributes.tt_step
        cached = "  (cached)" if self.state.is_cached(step, cacheable=self.cacheable) else ""
        return f"[ {self.label:<18} ] {step.kernel} -> {made}{cached}"

    def _run(self, target: Any, source: Any, env: Any) -> int:
        started = time.perf_counter_ns()
        kernel = target[0].attributes.tt_step.kernel
        try:
            status = self._function(target, source, env)
        except Rejected as rejected:
            self.state.report(kernel, rejected)
            status = 1
        except Interrupted:
            say(f"tt-build: {self.label} of {kernel} was interrupted")
            status = 1
        except OSError as error:
            message = f"tt-build: cannot write {error.filename or target[0]}: {error.strerror}"
            self.state.failed(kernel, message)
            status = 1
        self.state.trace.add(self.label, started, kernel)
        return status


class StepAction(SignedAction):
    """A step of the compiler: bytes in, the bytes of its outputs out, written as a group."""

    cacheable = True

    def __init__(self, label: str, signature: str, step: Step, state: State) -> None:
        self._step = step
        super().__init__(self._execute, label, signature, state)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        step: StepTarget = target[0].attributes.tt_step
        data = read_source(source[0])
        if hashlib.sha256(data).hexdigest() != digest_of(source[0]):
            self.state.failed(step.kernel, f"tt-build: {source[0]} changed while the build ran; run scons again")
            return 1
        outputs, cached = self.state.step(step.key(), data, self._step)
        publish(target, outputs)
        self.state.ran(step.kernel, self.label, cached=cached)
        return 0


def publish(target: Any, outputs: list[bytes]) -> None:
    """Write a step's outputs as a group and enter them in the ledger."""
    step: StepTarget = target[0].attributes.tt_step
    key = step.key()
    paths = {str(node.get_abspath()): data for node, data in zip(target, outputs, strict=True)}
    stats = write_group(paths)
    for node, (path, data) in zip(target, paths.items(), strict=True):
        digest = hashlib.sha256(data).hexdigest()
        step.ledger.wrote(node.attributes.tt_file, key, digest, stats.get(path))


def read_source(node: Any) -> bytes:
    """A step's input: the declaration that a Value node stands for, or a file's bytes."""
    declared = getattr(node.attributes, "tt_declaration", None)
    if declared is not None:
        return bytes(declared())
    with open(node.get_abspath(), "rb", buffering=0) as file:
        return file.read()


def pass_step(step: Pass) -> Step:
    """A pass from bytes to bytes."""
    return lambda data: [step.apply_text(data)]


def generate_step(kind: str, own: Mapping[str, str]) -> Step:
    """Code generation from bytes to bytes, in the order of ``OUTPUTS``; ``own`` templates take the place of ours."""
    verified: Any = CHAINS[kind][-1].gives
    return lambda data: list(emit(read_stage(data, verified), own).values())


def program_step(data: bytes) -> list[bytes]:
    """Code generation of a program."""
    return list(emit_program(decode(data, ProgramDeclaration)).values())


def functions(kind: str, templates: Mapping[str, str]) -> list[Step]:
    """The function of each step of a kernel of that kind, in order; ``templates`` are the specification's.

    A program has one step.
    """
    if kind == PROGRAM:
        return [program_step]
    return [*map(pass_step, CHAINS[kind]), generate_step(kind, own_templates(kind, templates))]


def steps(compiler: Compiler, kind: str, templates: Mapping[str, str]) -> list[tuple[str, str, Step]]:
    """Label, signature and function of each step of a kernel of that kind, in order.

    Code generation is signed with those of ``templates`` that a kernel of that kind is rendered from.
    """
    passes = CHAINS.get(kind, ())
    labels = [*(step.name for step in passes), "generate"]
    modules = [*(step.module for step in passes), PROGRAM_CODEGEN if kind == PROGRAM else CODEGEN]
    signatures = [compiler.signature(module) for module in modules]
    own = own_templates(kind, templates) if kind != PROGRAM else {}
    if own:
        signatures[-1] = signature_of({"compiler": signatures[-1], **digests(own)})
    return list(zip(labels, signatures, functions(kind, templates), strict=True))
