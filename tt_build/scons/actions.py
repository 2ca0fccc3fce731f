"""Actions: one pass, and code generation. Each is a pure function of its source's bytes; results are written as a
group.

SCons signs a Python function by its bytecode alone. Ours are signed by a digest of the pass and of all that it imports
(``signatures``), so that a changed helper reruns what uses it and nothing else.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import SCons.Action

from tt_build.codegen.files import emit
from tt_build.codegen.write import write_group
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.pipeline import Pass, read_stage
from tt_build.scons.signatures import codegen_signature, module_signature
from tt_build.scons.state import State
from tt_build.spec.diagnostics import Rejected

Step = Callable[[bytes], list[bytes]]


class SignedAction(SCons.Action.FunctionAction):  # type: ignore[misc]
    """A function that SCons signs with ``signature`` instead of bytecode. ``label`` begins its line of output."""

    def __init__(self, function: Callable[[Any, Any, Any], int], label: str, signature: str) -> None:
        self.signature = signature.encode()
        self.label = label
        super().__init__(function, {"strfunction": self._line})

    def get_presig(self, target: Any, source: Any, env: Any) -> bytes:
        """What SCons signs."""
        return self.signature

    def _line(self, target: Any, source: Any, env: Any) -> str:
        made = str(target[0]) if len(target) == 1 else f"{target[0].dir} ({len(target)} files)"
        return f"[ {self.label:<18} ] {target[0].attributes.tt_kernel} -> {made}"


class StepAction(SignedAction):
    """A step of the compiler: bytes in, the bytes of its outputs out, written as a group."""

    def __init__(self, label: str, signature: str, step: Step, state: State) -> None:
        self._step, self._state = step, state
        super().__init__(self._execute, label, signature)

    def _execute(self, target: Any, source: Any, env: Any) -> int:
        kernel = target[0].attributes.tt_kernel
        try:
            data = self._state.memo(self.signature, read_source(source[0]), self._step)
            write_group({Path(node.get_abspath()): part for node, part in zip(target, data, strict=True)})
        except Rejected as rejected:
            self._state.report(kernel, rejected)
            return 1
        except OSError as error:
            print(f"tt-build: cannot write {error.filename or target[0]}: {error.strerror}", file=sys.stderr)
            return 1
        self._state.ran(kernel)
        return 0


def read_source(node: Any) -> bytes:
    """A step's input: the declaration that a Value node stands for, or a file's bytes."""
    declared = getattr(node.attributes, "tt_declaration", None)
    return declared if isinstance(declared, bytes) else Path(node.get_abspath()).read_bytes()


def pass_action(step: Pass, state: State) -> StepAction:
    """The action of a pass."""
    return StepAction(step.name, module_signature(step.module), pass_step(step), state)


def codegen_action(state: State) -> StepAction:
    """The action that writes the six files of a kernel."""
    return StepAction("generate", codegen_signature(), generate_step, state)


def pass_step(step: Pass) -> Step:
    """A pass from bytes to bytes."""
    return lambda data: [step.apply_text(data)]


def generate_step(data: bytes) -> list[bytes]:
    """Code generation from bytes to bytes, in the order of ``OUTPUTS``."""
    return list(emit(read_stage(data, VerifiedKernel)).values())


def digest(data: bytes) -> str:
    """The content hash of a declaration."""
    return hashlib.sha256(data).hexdigest()
