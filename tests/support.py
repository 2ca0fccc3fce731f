"""What tests share: a specification in a temporary folder, compiled; a build tree with the real SCons."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tt_build.codegen.compile import compile_specification
from tt_build.ir.stages import LoweredKernel, VerifiedKernel
from tt_build.passes.pipeline import compile_kernel
from tt_build.spec.loader import load_file

ROOT = Path(__file__).resolve().parent.parent


def acceptance_text() -> str:
    """kernels.yaml of the repository without its library: the small kernels, in a file that stands alone."""
    text = (ROOT / "kernels.yaml").read_text()
    line = "include: [library/*.yaml]\n"
    assert line in text
    return text.replace(line, "")


def write_spec(folder: Path, kernels: dict[str, Any], **top: Any) -> Path:
    """A kernels.yaml with these kernels; JSON is YAML."""
    path = folder / "kernels.yaml"
    path.write_text(json.dumps({"version": 1, **top, "kernels": kernels}, indent=1))
    return path


def verified(folder: Path, kernel: dict[str, Any], **top: Any) -> VerifiedKernel:
    """One kernel after all passes; fails the test with the rendered diagnostics when it is rejected."""
    path = write_spec(folder, {"k": kernel}, **top)
    result = compile_specification(path)
    assert not result.failed, result.text
    return compile_kernel(load_file(path).declarations[0])[0]


def rejection(folder: Path, kernel: dict[str, Any], **top: Any) -> str:
    """The rendered diagnostics of a kernel that must be rejected."""
    result = compile_specification(write_spec(folder, {"k": kernel}, **top))
    assert result.failed, "the kernel was accepted"
    return result.text


def lowered(folder: Path, kernel: dict[str, Any], **top: Any) -> LoweredKernel:
    """One kernel before ``verify_ir``."""
    loaded = load_file(write_spec(folder, {"k": kernel}, **top))
    assert not loaded.errors, loaded.errors
    _, trail = compile_kernel(loaded.declarations[0])
    found = trail[-2][1]
    assert isinstance(found, LoweredKernel)
    return found


def replace_once(path: Path, old: str, new: str) -> None:
    """Replace the first such text in a file; it must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def elementwise(compute: str, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """A kernel over inputs A, B, row, column and scalar of one output shape, as far as ``compute`` names them."""
    shape = shape or [64, 96]
    offered = {
        "A": shape,
        "B": shape,
        "row": [1, shape[-1]],
        "column": [shape[-2], 1],
        "scalar": [1, 1],
    }
    inputs = {name: {"shape": dims} for name, dims in offered.items() if name in compute}
    return {"inputs": inputs, "outputs": {"C": {"shape": shape}}, "compute": compute, **more}


class Tree:
    """A project folder on which the real SCons runs."""

    SCONSTRUCT = """import tt_build.scons
env = Environment(tools=["tenstorrent"], toolpath=tt_build.scons.toolpath())
env.TTKernels("kernels.yaml")
"""

    def __init__(self, folder: Path, spec: str, sconstruct: str = SCONSTRUCT, compiler: Path = ROOT) -> None:
        self.folder, self.compiler = folder, compiler
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "SConstruct").write_text(sconstruct)
        (folder / "kernels.yaml").write_text(spec)

    def scons(self, *arguments: str, code: int = 0, cwd: str = ".") -> str:
        """Run SCons; its output, both streams together. Fails the test when the exit code is another."""
        done = subprocess.run(
            [sys.executable, "-m", "SCons", *arguments],
            cwd=self.folder / cwd,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(self.compiler)},
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def edit(self, old: str, new: str, file: str = "kernels.yaml") -> None:
        """Replace text in a file; it must be there."""
        replace_once(self.folder / file, old, new)

    def steps(self, output: str) -> list[str]:
        """``kernel:step`` for each step that ran; kernels in the order of kernels.yaml, which SCons -j N mixes."""
        found = []
        spec = (self.folder / "kernels.yaml").read_text()
        for line in output.splitlines():
            if line.startswith("[ ") and " ] " in line and not line.endswith("  (cached)"):
                label, rest = line[2:].split(" ] ", 1)
                found.append(f"{rest.split(' -> ')[0]}:{label.strip()}")
        return sorted(found, key=lambda step: spec.find(f"  {step.split(':')[0]}:"))

    def files(self, below: str = "build") -> dict[str, bytes]:
        """Every built file by its path, without SCons' and our own state."""
        root = self.folder / below
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
        }
