"""Builds read the lockfile: what an edit of it rebuilds, and what is said of it at every build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_builds import imported
from tests.support import Tree
from tt_build.passes.pipeline import PASSES
from tt_build.scons import reading
from tt_build.scons.reading import Reading
from tt_build.spec.loader import load_file
from tt_build.spec.lockfile import Entry, Measured
from tt_build.spec.model import Declaration
from tt_build.tune.plans import lowered_plans, tunable
from tt_build.tune.ranking import entry_of, lock_text

SPEC = """version: 1

kernels:
  one:
    inputs: {A: {shape: [64, 128]}, B: {shape: [128, 64]}}
    outputs: {C: {shape: [64, 64]}}
    compute: C = A @ B
  two:
    inputs: {A: {shape: [96, 64]}, B: {shape: [64, 96]}}
    outputs: {C: {shape: [96, 96]}}
    compute: C = A @ B
  three:
    inputs: {A: {shape: [32, 32]}}
    outputs: {C: {shape: [32, 32]}}
    compute: C = relu(A)
"""
STEPS = [*(step.name for step in PASSES), "generate"]


def write_lock(spec: Path) -> None:
    """The planner's own choices, without runs."""
    entries: dict[str, Entry] = {}
    for declaration in load_file(spec, locks={}).declarations:
        assert isinstance(declaration, Declaration)
        one = tunable(declaration)
        if one is not None:
            plans, _ = lowered_plans(one, 1)
            entries[one.name] = entry_of(one, [(plans[0].candidate, Measured(on="emulator", cycles=1))])
    spec.with_name("kernels.lock.json").write_bytes(lock_text(entries))


def edit(folder: Path, *keys: str, value: Any) -> None:
    path = folder / "kernels.lock.json"
    data: Any = json.loads(path.read_text())
    place = data["kernels"]
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(data, indent=1))


def test_an_edit_rebuilds_the_kernels_whose_entries_changed(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "project", SPEC)
    tree.scons()
    before = tree.files()
    write_lock(tree.folder / "kernels.yaml")
    output = tree.scons()
    assert sorted(tree.steps(output)) == sorted(f"{name}:{step}" for name in ("one", "two") for step in STEPS)
    assert {k for k, v in tree.files().items() if v != before[k]} >= {"tenstorrent/one/tt.plan.json"}
    assert tree.files()["tenstorrent/one/reader.cpp"] == before["tenstorrent/one/reader.cpp"]

    edit(tree.folder, "one", "measured", "cycles", value=2)  # which no build reads
    assert "3 kernels up to date" in tree.scons()
    assert not imported(tree) & {"yaml", "msgspec", "tt_build.passes.pipeline", "tt_build.spec.loader"}

    edit(tree.folder, "two", "plan", "depth", value=1)
    output = tree.scons("explain=two")
    assert {step.split(":")[0] for step in tree.steps(output)} == {"two"}
    assert "explain: two: kernels.lock.json:" in output
    assert "plan.depth: 2 -> 1" in output
    plan = json.loads((tree.folder / "build/tenstorrent/two/tt.plan.json").read_text())
    assert plan["attrs"]["tt_matmul"]["depth"] == 1
    assert plan["attrs"]["tt_matmul"]["locked_in"] == "kernels.lock.json"

    edit(tree.folder, "one", "planner", "depth", value=1)  # as if this tt-build's planner were another one
    output = tree.scons()
    assert tree.steps(output) == ["one:apply_defaults", "one:infer_schedule"]
    warning = "warning[TTB106]: the planner would choose depth 2 now, and chose depth 1 when the plan was locked"
    for arguments in ([], ["-n"]):
        assert warning in tree.scons(*arguments), arguments  # at every build
    tree.edit("compute: C = relu(A)", "compute: C = sqrt(A)")
    output = tree.scons()
    assert warning in output
    assert {step.split(":")[0] for step in tree.steps(output)} == {"three"}
    tree.edit("compute: C = A @ B\n", "compute: C = A @ B\n    allow: [TTB106]\n")
    assert "warning" not in tree.scons()
    edit(tree.folder, "one", "planner", "depth", value=2)
    assert "warning[TTB104]: there is no TTB106 here to allow" in tree.scons()

    edit(tree.folder, "two", "plan", "cores", value=[1, 1])
    output = tree.scons(code=1)
    assert "error[TTB215]" in output
    assert tree.steps(output) == []
    (tree.folder / "kernels.lock.json").write_text("{]")
    assert "kernels.lock.json:1:2: error[TTB001]" in tree.scons(code=1)


def read(path: Path, noted: object) -> Reading:
    return Reading(path, None, None, "loader", noted)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.yaml"
    path.write_text(SPEC)
    write_lock(path)
    return path


def test_an_edited_kernel_is_parsed_alone_and_keeps_its_locked_plan(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = read(spec, None).note()
    assert noted is not None
    assert noted["locked"] == ["one", "two"]
    spec.write_text(SPEC.replace("[96, 64]", "[64, 64]").replace("[96, 96]", "[64, 96]"))
    monkeypatch.setattr(reading.Reading, "_load", lambda self: pytest.fail("the whole file was loaded"))
    found = read(spec, noted)
    monkeypatch.undo()
    assert list(found._declared) == ["two"]
    whole = read(spec, None)
    assert (found.digests, found.locked) == (whole.digests, whole.locked)
    assert found.data("one") == whole.data("one")


@pytest.mark.parametrize("name", ["gone", "edited", "removed kernel", "became sources", "appeared"])
def test_a_change_of_the_lockfile_is_noticed(name: str, spec: Path) -> None:
    lock = spec.with_name("kernels.lock.json")
    if name == "appeared":
        there = lock.read_bytes()
        lock.unlink()
    noted = read(spec, None).note()
    assert noted is not None
    if name == "gone":
        lock.unlink()
    elif name == "edited":
        edit(spec.parent, "two", value=None)
    elif name == "removed kernel":
        spec.write_text(SPEC.replace("  two:", "  second:"))
    elif name == "appeared":
        lock.write_bytes(there)
    else:
        text = "  two:\n    sources: {reader: r.cpp, compute: c.cpp, writer: w.cpp}\n    outputs:"
        spec.write_text(
            SPEC.replace("  two:\n    inputs: {A: {shape: [96, 64]}, B: {shape: [64, 96]}}\n    outputs:", text)
        )
    found, whole = read(spec, noted), read(spec, None)
    assert (found.digests, found.locked, found.text) == (whole.digests, whole.locked, whole.text)
    assert ("TTB105" in found.text) == (name == "removed kernel")
