"""What a build must do, said in a page: which steps run and which bytes lie there, without SCons or ledger."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from tt_build.codegen.compile import compile_files
from tt_build.codegen.files import OUTPUTS
from tt_build.passes.pipeline import PASSES, encode_declaration, read_stage
from tt_build.scons.signatures import CODEGEN, parts_of
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declaration

STEPS = [step.name for step in PASSES] + ["generate"]

Files = dict[str, dict[str, bytes]]


class CompilerEdit(NamedTuple):
    """A change of the compiler itself."""

    path: str
    old: str
    new: str

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps whose code the file is a part of; ``tests/end_to_end/test_signatures.py`` says some by name."""
        return steps_of(self.path.removeprefix("tt_build/"))


@functools.cache
def steps_of(part: str) -> tuple[str, ...]:
    """The steps that are signed with that file."""
    modules = [*(step.module for step in PASSES), CODEGEN]
    return tuple(step for step, module in zip(STEPS, modules, strict=True) if part in parts_of(module))


COMPILER_EDITS = (
    CompilerEdit("tt_build/passes/shards.py", "from __future__", "# x\nfrom __future__"),
    CompilerEdit("tt_build/passes/barriers.py", "SMALLEST = Barriers(", "SMALLEST = Barriers( "),
    CompilerEdit("templates/macros/cb.j2", "cb_push_back(", "cb_push_back( "),
    CompilerEdit("tt_build/spec/kernels.schema.json", "{", "{ "),
)


def expected(text: str, grid: tuple[int, int] | list[int] | None = None) -> Files:
    """kernel -> file -> bytes, as a clean build elsewhere makes them; under "" the declaration."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "kernels.yaml"
        spec.write_text(text)
        loaded = load_file(spec, grid=(grid[0], grid[1]) if grid else None)
    assert not loaded.errors
    return {declaration.kernel.name: _files_of(encode_declaration(declaration)) for declaration in loaded.declarations}


@functools.lru_cache(4096)
def _files_of(data: bytes) -> dict[str, bytes]:
    """A declaration's files; what was compiled once is not compiled again."""
    return {"": data} | compile_files(read_stage(data, Declaration))


def groups(files: dict[str, bytes]) -> list[tuple[str, bytes, list[str]]]:
    """(step, its input's bytes, its outputs) of a kernel, in order."""
    stages = [name for name in files if name.startswith("ir/")]
    outputs = [[stage] for stage in stages] + [list(OUTPUTS)]
    inputs = [files[""], *(files[stage] for stage in stages)]
    return list(zip(STEPS, inputs, outputs, strict=True))


# kernel, step -> (what it was made from: the compiler's edits, digest of the input; its outputs)
Made = dict[tuple[str, str], tuple[tuple[str, ...], str, tuple[bytes, ...]]]


def made_of(files: Files, edits: tuple[CompilerEdit, ...]) -> Made:
    """What a complete build of these files leaves behind."""
    return {
        (kernel, step): (
            tuple(edit.path for edit in edits if step in edit.steps),
            hashlib.sha256(data).hexdigest(),
            tuple(made[name] for name in outputs),
        )
        for kernel, made in files.items()
        for step, data, outputs in groups(made)
    }


class Model:
    """The last complete build of each step; after builds that were broken off, each build that may have gone before."""

    def __init__(self) -> None:
        self._states: list[Made] | None = [{}]
        self._unsigned: set[str] = set()

    def bounds(
        self, files: Files, edits: tuple[CompilerEdit, ...], disk: dict[str, bytes]
    ) -> tuple[set[str], set[str]]:
        """The steps that the next build must run and those that it may run: the same, unless a build was broken off.

        Broken off, a step whose files are wrong must run, and one may run that any of the builds could have left
        undone. A step may never run only because some other step did not end well.
        """
        wanted = made_of(files, edits)
        there = {
            (kernel, step): tuple(disk.get(f"{kernel}/{name}", b"") for name in outputs)
            for kernel, made in files.items()
            for step, _, outputs in groups(made)
        }
        wrong = {key for key, state in wanted.items() if state[2] != there[key]}
        if self._states is None:
            return _names(wrong), _names(set(wanted))
        due = [
            {key for key in wanted if made.get(key) != wanted[key] or key in wrong or made[key][2] != there[key]}
            for made in self._states
        ]
        must = due[0] if len(due) == 1 else wrong
        unsigned = {key for key in wanted if "*" in self._unsigned or key[0] in self._unsigned}
        return _names(must), _names(unsigned.union(*due))

    def built(self, files: Files, edits: tuple[CompilerEdit, ...]) -> None:
        """A build succeeded."""
        self._states = [made_of(files, edits)]

    def broken_off(self, files: Files, edits: tuple[CompilerEdit, ...]) -> None:
        """A build did some of its work, and recorded some of that."""
        if self._states is not None:
            self._states.append(made_of(files, edits))

    def lost(self, unsigned: str = "") -> None:
        """Records were damaged: any step may run. For the kernel ``unsigned`` ("*": all) that stays so: one that the
        index proves clean is not declared, hence not recorded anew, and its steps may run when it is declared the next
        time.
        """
        self._states = None
        self._unsigned |= {unsigned} - {""}


def _names(keys: set[tuple[str, str]]) -> set[str]:
    return {f"{kernel}:{step}" for kernel, step in keys}


def warm() -> None:
    """Import the compiler, let its templates be compiled and its files be signed, so that children need not."""
    tensors = "inputs: {A: {shape: [32, 32]}}, outputs: {C: {shape: [32, 32]}}"
    expected(f"version: 1\nkernels:\n  k: {{{tensors}, compute: C = relu(A) + A}}\n")
    from tt_build.scons.compiler import Compiler
    from tt_build.scons.session import LOADER

    compiler = Compiler(Path(os.devnull), rehash=True, keep=False)
    assert compiler.fingerprint
    assert compiler.signature(LOADER)
