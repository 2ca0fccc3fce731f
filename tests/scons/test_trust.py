"""Never a wrong file: random edits, damage and faults on real trees, against a model of what must happen."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.scons.model import Model, expected
from tests.support import ROOT, Tree

FAULTS = Path(__file__).parent / "faults"


def spec_text(kernels: dict[str, tuple[int, str, str]], comment: str = "") -> str:
    """name -> (size, compute, description)."""
    text = f"version: 1\n{comment}kernels:\n"
    for name, (size, compute, description) in kernels.items():
        text += f"  {name}:\n    description: {description}\n    sizes: {{M: {size}, N: 64}}\n"
        text += "    inputs: {A: {shape: [M, N]}, B: {shape: [M, N]}}\n    outputs: {C: {shape: [M, N]}}\n"
        text += f"    compute: {compute}\n"
    return text


START = {"one": (32, "C = A + B", "first"), "two": (64, "C = A * B", "second")}


class Builds(RuleBasedStateMachine):
    """A tree, what its kernels.yaml says, and the model of what was built."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tt-build-trust-"))
        self.kernels = dict(START)
        self.tree = Tree(self.folder / "project", spec_text(self.kernels))
        self.model: Model | None = Model()

    @initialize()
    def first_build(self) -> None:
        self.build()

    def teardown(self) -> None:
        self.build()
        assert self.tree.steps(self.tree.scons()) == []
        shutil.rmtree(self.folder)

    @rule()
    def build(self) -> None:
        """Every byte and the set of files are a clean build's; the steps are the predicted ones, where they can be."""
        self.write()
        files = expected(self.tree.folder / "kernels.yaml")
        wanted = self.model.predicted(files, self.disk()) if self.model is not None else None
        output = self.tree.scons()
        if wanted is not None:
            assert self.tree.steps(output) == sorted(wanted, key=lambda step: self.order(step.split(":")[0]))
        clean = {f"{k}/{name}": data for k, made in files.items() for name, data in made.items() if name}
        assert self.disk() == clean
        assert list((self.tree.folder / "build/tenstorrent").rglob(".*")) == []
        self.model = self.model or Model()
        self.model.built(files)

    def order(self, kernel: str) -> int:
        return list(self.kernels).index(kernel)

    def disk(self) -> dict[str, bytes]:
        return {name.removeprefix("tenstorrent/"): data for name, data in self.tree.files().items()}

    def write(self, comment: str = "") -> None:
        (self.tree.folder / "kernels.yaml").write_text(spec_text(self.kernels, comment))

    # Edits

    @rule(name=st.sampled_from(("one", "two")), size=st.sampled_from((32, 64, 96, 100)))
    def edit_size(self, name: str, size: int) -> None:
        if name in self.kernels:
            self.kernels[name] = (size, *self.kernels[name][1:])

    @rule(
        name=st.sampled_from(("one", "two")), text=st.sampled_from(("C = A + B", "C = A * B", "C = relu(A) + B  # x"))
    )
    def edit_compute(self, name: str, text: str) -> None:
        if name in self.kernels:
            self.kernels[name] = (self.kernels[name][0], text, self.kernels[name][2])

    @rule(text=st.sampled_from(("one thing", "another", "*** odd: [text".replace(": ", " "))))
    def edit_description(self, text: str) -> None:
        name = next(iter(self.kernels))
        self.kernels[name] = (*self.kernels[name][:2], repr(text))

    @rule()
    def add_remove_or_rename(self) -> None:
        if "three" in self.kernels:
            self.kernels["four"] = self.kernels.pop("three")
        elif "four" in self.kernels:
            del self.kernels["four"]
        else:
            self.kernels["three"] = (32, "C = A - B", "third")

    @rule()
    def reorder(self) -> None:
        self.kernels = dict(reversed(self.kernels.items()))

    @rule()
    def failing_edit_undone(self) -> None:
        path = self.tree.folder / "kernels.yaml"
        self.write()
        text = path.read_text()
        path.write_text(text.replace("C = A", "C = Q", 1))
        before = self.disk()
        self.tree.scons(code=1)
        assert self.disk() == before
        path.write_text(text)

    # Damage

    @rule(seed=st.integers(0, 999), kind=st.sampled_from(("append", "truncate", "delete", "same size", "touch")))
    def damage_an_output(self, seed: int, kind: str) -> None:
        files = sorted(path for path in (self.tree.folder / "build/tenstorrent").rglob("*.*") if path.is_file())
        if not files:
            return
        path = random.Random(seed).choice(files)
        data = path.read_bytes()
        if kind == "delete":
            path.unlink()
        elif kind == "touch":
            path.touch()
        else:
            damaged = {"append": data + b"x", "truncate": data[: len(data) // 2], "same size": b"#" + data[1:]}
            path.write_bytes(damaged[kind])

    @rule(name=st.sampled_from((".sconsign", "stats.bin", "index.json", "compiler.json", "reading.json", "one.json")))
    def damage_state(self, name: str) -> None:
        """A damaged record costs steps, which the model does not predict; never a wrong file."""
        for path in self.tree.folder.rglob(f"{name}*"):
            data = path.read_bytes()
            path.write_bytes(data[: len(data) // 2])
            self.model = None

    # Faults while a build runs

    @rule(at=st.integers(1, 60), kind=st.sampled_from(("kill", "kill", "ENOSPC", "EIO", "EACCES")))
    def break_a_build(self, at: int, kind: str) -> None:
        self.write()
        environment = {
            **os.environ,
            "PYTHONPATH": f"{FAULTS}{os.pathsep}{ROOT}",
            "TT_TEST_FAULT": f"{kind}:{at}",
        }
        subprocess.run(
            [sys.executable, "-m", "SCons"], cwd=self.tree.folder, env=environment, capture_output=True, check=False
        )
        self.model = None

    @precondition(lambda self: self.model is not None)
    @rule()
    def two_builds_at_once(self) -> None:
        self.write()
        command = [sys.executable, "-m", "SCons"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        both = [subprocess.Popen(command, cwd=self.tree.folder, env=environment, stdout=-1, stderr=-1) for _ in "ab"]
        for process in both:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, (out, err)
        self.model = Model()
        self.model.built(expected(self.tree.folder / "kernels.yaml"))


def campaign(sequences: int, steps: int) -> None:
    """Run that many random sequences."""
    run_state_machine_as_test(
        Builds,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=sequences < 100,
            phases=(Phase.generate,) if sequences < 100 else tuple(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_wrong_file_after_any_sequence() -> None:
    campaign(25, 6)


@pytest.mark.long
def test_no_wrong_file_after_3000_sequences() -> None:
    campaign(3000, 12)
