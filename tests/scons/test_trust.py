"""Never a wrong file: random edits, damage and faults on real trees, against a model of what must happen.

The oracle is a clean build elsewhere: every byte and the set of files. The steps that run are the predicted ones; after
a build that was broken off they lie between what is wrong on disk and what that build had to do.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.scons.model import COMPILER_EDITS, CompilerEdit, Files, Model
from tests.scons.zygote import Done, Zygote
from tests.support import ROOT, Tree

CHUNKS, CHUNK = 30, 100  # 3,000 sequences under --long


def spec_text(kernels: dict[str, tuple[int, str, str]], comment: str = "") -> str:
    """name -> (size, compute, other lines)."""
    text = f"version: 1\n{comment}kernels:\n"
    for name, (size, compute, more) in kernels.items():
        text += f"  {name}:\n    sizes: {{M: {size}, N: 64}}\n{more}"
        text += "    inputs: {A: {shape: [M, N]}, B: {shape: [M, N]}}\n    outputs: {C: {shape: [M, N]}}\n"
        text += f"    compute: {compute}\n"
    return text


START = {"one": (32, "C = A + B", ""), "two": (64, "C = A * B", "")}
FIELDS = (
    "",
    "    description: other\n",
    "    schedule: {policy: strided}\n",
    "    schedule: {order: column_major}\n",
    "    math: {fidelity: LoFi}\n",
    "    math: {fp32_accumulate: true}\n",
    "    target: {arch: blackhole}\n",
    "    verify: {seed: 3}\n",
    "    schedule: {cores: [2, 2]}\n",
)
STATE = (".sconsign", "stats.bin", "index.json", "compiler.json", "reading.json", "valid.json", "one.json")


class Servers:
    """The processes that builds are forked from, started when needed."""

    def __init__(self) -> None:
        self._running: dict[bool, Zygote] = {}

    def of(self, compiler: Path) -> Zygote:
        """For this repository's compiler one that has it loaded."""
        own = compiler == ROOT
        if own not in self._running:
            self._running[own] = Zygote(preload=own)
        return self._running[own]

    def close(self) -> None:
        for server in self._running.values():
            server.close()
        self._running.clear()


SERVERS = Servers()


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    yield
    SERVERS.close()


class Builds(RuleBasedStateMachine):
    """A tree, what its kernels.yaml says, the compiler, and the model of what was built."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tt-build-trust-"))
        self.kernels = dict(START)
        self.tree = Tree(self.folder / "project", spec_text(self.kernels))
        self.compiler = ROOT
        self.edits: tuple[CompilerEdit, ...] = ()
        self.grid: tuple[int, int] | None = None
        self.comment = ""
        self.model = Model()

    @initialize()
    def first_build(self) -> None:
        self.build()

    def teardown(self) -> None:
        try:
            self.build()
            assert self.ran(self.scons()) == []
        finally:
            shutil.rmtree(self.folder)

    # Building

    def scons(self, *arguments: str, code: int = 0, tree: Tree | None = None) -> list[Done]:
        done = self.start(*arguments, tree=tree)
        assert done[0].code == code, done[0].output
        return done

    def start(
        self, *arguments: str, tree: Tree | None = None, times: int = 1, fault: str = "", kill: float = 0
    ) -> list[Done]:
        variables = [f"grid={self.grid[0]}x{self.grid[1]}"] if self.grid else []
        server, folder = SERVERS.of(self.compiler), (tree or self.tree).folder
        return server.scons(folder, *variables, *arguments, compiler=self.compiler, times=times, fault=fault, kill=kill)

    def ran(self, done: list[Done]) -> list[str]:
        return sorted(step for one in done for step in self.tree.steps(one.output))

    def clean(self) -> Files:
        """What a clean build elsewhere makes of kernels.yaml as it is now, with the compiler as it is now."""
        self.write()
        spec = str(self.tree.folder / "kernels.yaml")
        files: Files = SERVERS.of(self.compiler).call(
            "tests.scons.model:expected", spec, self.grid, compiler=self.compiler
        )
        return files

    def disk(self, tree: Tree | None = None) -> dict[str, bytes]:
        return {name.removeprefix("tenstorrent/"): data for name, data in (tree or self.tree).files().items()}

    def same(self, files: Files, tree: Tree | None = None) -> None:
        made = {f"{k}/{name}": data for k, made in files.items() for name, data in made.items() if name}
        found = self.disk(tree)
        assert found.keys() == made.keys()
        assert [name for name in made if made[name] != found[name]] == []
        assert list(((tree or self.tree).folder / "build/tenstorrent").rglob(".*")) == []

    def write(self) -> None:
        (self.tree.folder / "kernels.yaml").write_text(spec_text(self.kernels, self.comment))

    @rule()
    def build(self) -> None:
        """Every byte and the set of files are a clean build's; the steps are the predicted ones, each once."""
        self.finish(self.clean(), 1)

    @rule()
    def two_builds_at_once(self) -> None:
        self.finish(self.clean(), 2)

    def finish(self, files: Files, times: int) -> None:
        must, may = self.model.bounds(files, self.edits, self.disk())
        done = self.start(times=times)
        assert [one.code for one in done] == [0] * times, done
        ran = self.ran(done)
        assert len(set(ran)) == len(ran)
        assert must <= set(ran) <= may
        self.same(files)
        self.model.built(files, self.edits)

    # Edits

    @rule(name=st.sampled_from(("one", "two")), size=st.sampled_from((32, 64, 96, 100)))
    def edit_size(self, name: str, size: int) -> None:
        self.kernels[name] = (size, *self.kernels[name][1:])

    @rule(
        name=st.sampled_from(("one", "two")), text=st.sampled_from(("C = A + B", "C = A * B", "C = relu(A) + B  # x"))
    )
    def edit_compute(self, name: str, text: str) -> None:
        self.kernels[name] = (self.kernels[name][0], text, self.kernels[name][2])

    @rule(name=st.sampled_from(("one", "two")), more=st.sampled_from(FIELDS))
    def edit_field(self, name: str, more: str) -> None:
        self.kernels[name] = (*self.kernels[name][:2], more)

    @rule(comment=st.sampled_from(("", "# a comment\n", "\n\n", "defaults: {dtype: float32}\n")))
    def edit_head(self, comment: str) -> None:
        self.comment = comment

    @rule()
    def add_remove_or_rename(self) -> None:
        if "three" in self.kernels:
            self.kernels["four"] = self.kernels.pop("three")
        elif "four" in self.kernels:
            del self.kernels["four"]
        else:
            self.kernels["three"] = (32, "C = A - B", "")

    @rule()
    def reorder(self) -> None:
        self.kernels = dict(reversed(self.kernels.items()))

    @rule(grid=st.sampled_from((None, (4, 4))))
    def set_variable(self, grid: tuple[int, int] | None) -> None:
        self.grid = grid

    @rule(edit=st.sampled_from(COMPILER_EDITS))
    def edit_compiler(self, edit: CompilerEdit) -> None:
        """A pass, a template, the schema: put in where it is not, taken out where it is."""
        if self.compiler == ROOT:
            self.compiler = self.folder / "compiler"
            for part in ("tt_build", "templates", "site_scons"):
                shutil.copytree(ROOT / part, self.compiler / part)
        path = self.compiler / edit.path
        old, new = (edit.new, edit.old) if edit in self.edits else (edit.old, edit.new)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        self.edits = tuple(e for e in COMPILER_EDITS if (e in self.edits) != (e == edit))

    @rule(kind=st.sampled_from(("C = Q", "C = = A", "C = A @ A @ A")))
    def failing_edit_undone(self, kind: str) -> None:
        self.write()
        path = self.tree.folder / "kernels.yaml"
        text = path.read_text()
        at = text.rindex("compute: ")
        path.write_text(text[:at] + f"compute: {kind}\n")
        before = self.disk()
        self.scons(code=1)
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

    @rule(name=st.sampled_from(STATE), kind=st.sampled_from(("half", "nothing", "delete", "noise")))
    def damage_state(self, name: str, kind: str) -> None:
        """A damaged record costs steps, which the model does not predict; never a wrong file."""
        for path in self.tree.folder.rglob(f"{name}*"):
            data = path.read_bytes()
            if kind == "delete":
                path.unlink()
            else:
                path.write_bytes({"half": data[: len(data) // 2], "nothing": b"", "noise": b"\x80" + data[1:]}[kind])
            self.model.lost(signatures=name == ".sconsign")

    @rule(seed=st.integers(0, 999), kind=st.sampled_from(("none", "flip", "truncate", "swap")))
    def another_tree_on_one_cache(self, seed: int, kind: str) -> None:
        """This tree and another fill a cache, then one entry is damaged: a third still has the right bytes."""
        files, cache = self.clean(), f"cache={self.folder / 'cache'}"
        other = Tree(self.folder / "other", (self.tree.folder / "kernels.yaml").read_text())
        self.scons(cache, tree=other)
        self.same(files, other)
        entries = sorted(path for path in (self.folder / "cache/steps").rglob("*") if path.is_file())
        victim, donor = random.Random(seed).sample(entries, 2)
        data = victim.read_bytes()
        if kind != "none":
            victim.write_bytes({"flip": b"#" + data[1:], "truncate": data[:-9], "swap": donor.read_bytes()}[kind])
        for path in (other.folder / "build", other.folder / ".sconsign.dblite"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        done = self.scons(cache, tree=other)
        assert len(other.steps(done[0].output)) <= (kind != "none")
        self.same(files, other)
        shutil.rmtree(other.folder)

    # Faults while a build runs

    @rule(at=st.integers(1, 60), kind=st.sampled_from(("kill", "kill", "ENOSPC", "EIO", "EACCES")))
    def break_an_operation(self, at: int, kind: str) -> None:
        self.model.broken_off(self.clean(), self.edits)
        (done,) = self.start(fault=f"{kind}:{at}")
        assert done.code in (0, 2, -9), done
        assert "Traceback" not in done.output, done.output

    @rule(milliseconds=st.integers(1, 400))
    def kill_at_random(self, milliseconds: int) -> None:
        self.model.broken_off(self.clean(), self.edits)
        self.start(kill=milliseconds / 1000)


def campaign(sequences: int, steps: int, seed: int | None = None) -> None:
    """Run that many random sequences; without a seed the same ones each time."""
    machine = Builds if seed is None else hypothesis.seed(seed)(type("Builds", (Builds,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=seed is None,
            phases=(Phase.generate,),  # shrinking takes longer than reading a sequence of eight rules
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_wrong_file_after_any_sequence() -> None:
    campaign(25, 8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(CHUNKS))
def test_no_wrong_file_after_3000_sequences(seed: int) -> None:
    campaign(CHUNK, 8, seed)


def test_a_lost_sconsign_costs_steps_and_no_wrong_file() -> None:
    machine = Builds()
    try:
        machine.first_build()
        machine.damage_state(".sconsign", "nothing")
        machine.build()
        machine.edit_compiler(COMPILER_EDITS[0])
    finally:
        machine.teardown()


def test_a_refused_build_removes_nothing() -> None:
    machine = Builds()
    try:
        machine.add_remove_or_rename()
        machine.first_build()
        machine.add_remove_or_rename()
        machine.failing_edit_undone("C = A @ A @ A")
    finally:
        machine.teardown()


def test_an_orphan_that_cannot_be_removed_is_tried_again() -> None:
    machine = Builds()
    try:
        machine.add_remove_or_rename()
        machine.first_build()
        del machine.kernels["three"]
        for at in range(1, 30):
            machine.model.broken_off(machine.clean(), ())
            machine.start(fault=f"EACCES:{at}")
            machine.build()
            machine.kernels["three"] = (32, "C = A - B", "")
            machine.build()
            del machine.kernels["three"]
    finally:
        machine.teardown()


def test_a_kill_at_every_point_of_publishing_is_mended_by_the_next_build() -> None:
    """One tree; before each build an edit that changes every file, then SIGKILL at the n-th operation, for every n."""
    machine = Builds()
    try:
        machine.first_build()
        for at in range(1, 200):
            machine.edit_size("one", (32, 64, 96)[at % 3])
            machine.model.broken_off(machine.clean(), ())
            (done,) = machine.start(fault=f"kill:{at}")
            machine.build()
            if done.code == 0:
                break
            assert done.code == -9, done
        assert 40 < at < 199
    finally:
        machine.teardown()
