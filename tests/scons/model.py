"""What a build must do, said in a page: which steps run and which bytes lie there, without SCons or ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tt_build.codegen.compile import compile_files
from tt_build.codegen.files import OUTPUTS
from tt_build.passes.pipeline import PASSES, encode_declaration
from tt_build.spec.loader import load_file

STEPS = [step.name for step in PASSES] + ["generate"]


def expected(spec: Path) -> dict[str, dict[str, bytes]]:
    """kernel -> file -> bytes, as a clean build elsewhere makes them."""
    loaded = load_file(spec)
    assert not loaded.errors
    files = {}
    for declaration in loaded.declarations:
        made = compile_files(declaration)
        files[declaration.kernel.name] = {"": encode_declaration(declaration)} | made
    return files


def groups(files: dict[str, bytes]) -> list[tuple[str, bytes, list[str]]]:
    """(step, its input's bytes, its outputs) of a kernel, in order."""
    stages = [name for name in files if name.startswith("ir/")]
    outputs = [[stage] for stage in stages] + [list(OUTPUTS)]
    inputs = [files[""], *(files[stage] for stage in stages)]
    return list(zip(STEPS, inputs, outputs, strict=True))


class Model:
    """The last complete build of each step: what it read and what it wrote."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[str, tuple[bytes, ...]]] = {}

    def predicted(self, files: dict[str, dict[str, bytes]], disk: dict[str, bytes]) -> list[str]:
        """The steps that a build must run, no more and no fewer."""
        steps = []
        for kernel, made in files.items():
            for step, data, outputs in groups(made):
                there = tuple(disk.get(f"{kernel}/{name}", b"") for name in outputs)
                if self._made.get((kernel, step)) != (hashlib.sha256(data).hexdigest(), there):
                    steps.append(f"{kernel}:{step}")
        return steps

    def built(self, files: dict[str, dict[str, bytes]]) -> None:
        """A build succeeded."""
        self._made = {
            (kernel, step): (hashlib.sha256(data).hexdigest(), tuple(made[name] for name in outputs))
            for kernel, made in files.items()
            for step, data, outputs in groups(made)
        }
