"""The machine of the fault sequences: a tree, edits, damage and faults, and what must hold after each build.

The oracle is a clean build elsewhere: every byte and the set of files. The steps that run are the predicted ones; after
a build that was broken off they lie between what is wrong on disk and what that build had to do.
"""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.scons.compilers import copy_of_the_compiler, edit_module, remove_copy
from tests.scons.model import COMPILER_EDITS, CompilerEdit, Files, Model, expected
from tests.scons.zygote import Done, Zygote, run_processes
from tests.support import ROOT, Tree

F = TypeVar("F", bound=Callable[..., None])

REAL = 20  # one build in so many is a process of its own, started as a user starts it

RULES: dict[str, dict[str, Sequence[Any]]] = {}
"""Each rule's name and what its arguments are chosen from."""


def choose(**options: Sequence[Any]) -> Callable[[F], F]:
    """A rule whose arguments are chosen from these."""

    def decorate(function: F) -> F:
        RULES[function.__name__] = options
        made: F = rule(**{name: st.sampled_from(values) for name, values in options.items()})(function)
        return made

    return decorate


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
    """The processes that builds are forked from, started when needed; and the clean builds that were made already."""

    def __init__(self) -> None:
        self._running: dict[bool, Zygote] = {}
        self._clean: dict[tuple[Any, ...], Files] = {}
        self._starts = itertools.count(1)

    def of(self, compiler: Path) -> Zygote:
        """For this repository's compiler one that has it loaded."""
        own = compiler == ROOT
        if own not in self._running:
            self._running[own] = Zygote(preload=own)
        return self._running[own]

    def scons(self, folder: Path, *arguments: str, compiler: Path, times: int, fault: str, kill: float) -> list[Done]:
        """As ``Zygote.scons``; now and then in processes of their own."""
        run = run_processes if next(self._starts) % REAL == 0 else self.of(compiler).scons
        return run(folder, *arguments, compiler=compiler, times=times, fault=fault, kill=kill)

    def clean(self, text: str, grid: tuple[int, int] | None, compiler: Path, edits: tuple[CompilerEdit, ...]) -> Files:
        """What a clean build of that kernels.yaml makes with the compiler, to which these edits were made."""
        key = text, grid, edits
        if key not in self._clean:
            if edits:
                found = self.of(compiler).call("tests.scons.model:expected", text, grid, compiler=compiler)
            else:
                found = expected(text, grid)
            self._clean[key] = found
        return self._clean[key]

    def close(self) -> None:
        """End the processes, and remove the copy of the compiler."""
        for server in self._running.values():
            server.close()
        self._running.clear()
        remove_copy()


SERVERS = Servers()


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
            for edit in self.edits:
                edit_module(self.compiler / edit.path, edit.new, edit.old)
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
        folder = (tree or self.tree).folder
        return SERVERS.scons(
            folder, *variables, *arguments, compiler=self.compiler, times=times, fault=fault, kill=kill
        )

    def ran(self, done: list[Done]) -> list[str]:
        return sorted(step for one in done for step in self.tree.steps(one.output))

    def clean(self) -> Files:
        """What a clean build elsewhere makes of kernels.yaml as it is now, with the compiler as it is now."""
        self.write()
        return SERVERS.clean(spec_text(self.kernels, self.comment), self.grid, self.compiler, self.edits)

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

    @choose()
    def build(self) -> None:
        """Every byte and the set of files are a clean build's; the steps are the predicted ones, each once."""
        self.finish(self.clean(), 1)

    @choose()
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

    @choose(name=("one", "two"), size=(32, 64, 96, 100))
    def edit_size(self, name: str, size: int) -> None:
        self.kernels[name] = (size, *self.kernels[name][1:])

    @choose(name=("one", "two"), text=("C = A + B", "C = A * B", "C = relu(A) + B  # x"))
    def edit_compute(self, name: str, text: str) -> None:
        self.kernels[name] = (self.kernels[name][0], text, self.kernels[name][2])

    @choose(name=("one", "two"), more=FIELDS)
    def edit_field(self, name: str, more: str) -> None:
        self.kernels[name] = (*self.kernels[name][:2], more)

    @choose(comment=("", "# a comment\n", "\n\n", "defaults: {dtype: float32}\n"))
    def edit_head(self, comment: str) -> None:
        self.comment = comment

    @choose()
    def add_remove_or_rename(self) -> None:
        if "three" in self.kernels:
            self.kernels["four"] = self.kernels.pop("three")
        elif "four" in self.kernels:
            del self.kernels["four"]
        else:
            self.kernels["three"] = (32, "C = A - B", "")

    @choose()
    def reorder(self) -> None:
        self.kernels = dict(reversed(self.kernels.items()))

    @choose(grid=(None, (4, 4)))
    def set_variable(self, grid: tuple[int, int] | None) -> None:
        self.grid = grid

    @choose(edit=COMPILER_EDITS)
    def edit_compiler(self, edit: CompilerEdit) -> None:
        """A pass, a template, the schema: put in where it is not, taken out where it is."""
        if self.compiler == ROOT:
            self.compiler = copy_of_the_compiler()
        old, new = (edit.new, edit.old) if edit in self.edits else (edit.old, edit.new)
        edit_module(self.compiler / edit.path, old, new)
        self.edits = tuple(e for e in COMPILER_EDITS if (e in self.edits) != (e == edit))

    @choose(kind=("C = Q", "C = = A", "C = A @ A @ A"))
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

    @choose(seed=range(1000), kind=("append", "truncate", "delete", "same size", "touch"))
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

    @choose(name=STATE, kind=("half", "nothing", "delete", "noise"))
    def damage_state(self, name: str, kind: str) -> None:
        """A damaged record costs steps, which the model does not predict; never a wrong file."""
        for path in self.tree.folder.rglob(f"{name}*"):
            data = path.read_bytes()
            if kind == "delete":
                path.unlink()
            else:
                path.write_bytes({"half": data[: len(data) // 2], "nothing": b"", "noise": b"\x80" + data[1:]}[kind])
            self.model.lost({".sconsign": "*", "one.json": "one"}.get(name, ""))

    @choose(seed=range(1000), kind=("none", "flip", "truncate", "swap"))
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

    @choose(at=range(1, 61), kind=("kill", "kill", "ENOSPC", "EIO", "EACCES"))
    def break_an_operation(self, at: int, kind: str) -> None:
        self.model.broken_off(self.clean(), self.edits)
        (done,) = self.start(fault=f"{kind}:{at}")
        assert done.code in (0, 2, -9), done
        assert "Traceback" not in done.output, done.output

    @choose(milliseconds=range(1, 251))
    def kill_at_random(self, milliseconds: int) -> None:
        self.model.broken_off(self.clean(), self.edits)
        self.start(kill=milliseconds / 1000)
