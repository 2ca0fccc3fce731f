"""``tt-build tune``: what it runs, writes, keeps and refuses; and ``--check``."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.support import tt_build as run
from tt_build.spec.loader import load_file
from tt_build.spec.lockfile import Measured
from tt_build.spec.model import Declaration
from tt_build.tune.plans import lowered_plans, tunable
from tt_build.tune.ranking import entry_of, lock_text, ranked

SPEC = """version: 1

kernels:
  gemm:
    inputs: {A: {shape: [128, 256]}, B: {shape: [256, 128]}}
    outputs: {C: {shape: [128, 128]}}
    compute: C = A @ B
  scaled:
    scalars: {s: {runtime: float32}}
    inputs: {A: {shape: [50, 70]}, B: {shape: [70, 90]}}
    outputs: {C: {shape: [50, 90]}}
    compute: C = A @ B * s
  plain:
    inputs: {A: {shape: [64, 64]}}
    outputs: {C: {shape: [64, 64]}}
    compute: C = relu(A)
"""


@pytest.fixture
def spec(there: Path) -> Path:
    path = there / "kernels.yaml"
    path.write_text(SPEC)
    return path


def lock(spec: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((spec.parent / "kernels.lock.json").read_text())
    return found


def edit(spec: Path, change: Any) -> None:
    data = lock(spec)
    change(data["kernels"])
    (spec.parent / "kernels.lock.json").write_text(json.dumps(data, indent=1))


def test_nothing_is_run_where_the_lockfile_cannot_be_written(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, data: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr("tt_build.tune.measure.measure", lambda *_: pytest.fail("a plan ran"))
    monkeypatch.setattr("tt_build.codegen.write._write", refuse)
    ran = run("tune")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "tt-build: kernels.lock.json: Permission denied\n"
        "   help: check the permissions of the file and its folder, or name another place\n"
    )


def test_the_best_are_run_and_one_is_locked(spec: Path) -> None:
    done = run("tune", "--top", 2)
    assert done.code == 0, done.err
    assert "gemm: 2 of " in done.out
    assert "locked" in done.out
    found = lock(spec)
    assert list(found["kernels"]) == ["gemm", "scaled"]
    for entry in found["kernels"].values():
        assert entry["measured"]["on"] == "emulator"
        assert entry["measured"]["dram_bytes"] > 0
        assert entry["runner_up"]["plan"] != entry["plan"]
        assert "nanoseconds" not in entry["measured"]
    loaded = load_file(spec)
    assert not loaded.diagnostics
    assert [getattr(entry, "locked", None) is not None for entry in loaded.declarations] == [True, True, False]
    assert run("tune", "--check").out.endswith("2 plans, none stale\n")

    before = (spec.parent / "kernels.lock.json").read_bytes()
    assert run("tune", "--top", 2).code == 0
    assert (spec.parent / "kernels.lock.json").read_bytes() == before

    shown = run("explain", "gemm").out
    assert "the plan is locked in kernels.lock.json" in shown
    assert run("compile", spec, "--output", "out").code == 0
    plan = json.loads(Path("out/tenstorrent/gemm/tt.plan.json").read_text())
    assert plan["attrs"]["tt_matmul"]["locked_in"] == "kernels.lock.json"

    edit(spec, lambda kernels: kernels["scaled"]["plan"].update(k_block=32))  # tuning one keeps the others
    edit(spec, lambda kernels: kernels.update(gone=kernels["gemm"]))  # and removes what is not declared
    again = run("tune", "gemm", "--top", 1)
    assert again.code == 0, again.err
    assert sorted(lock(spec)["kernels"]) == ["gemm", "scaled"]
    assert lock(spec)["kernels"]["scaled"]["plan"]["k_block"] == 32
    assert "runner_up" not in lock(spec)["kernels"]["gemm"]


def locked_by_hand(spec: Path) -> None:
    """The planner's own choice, without a run."""
    one = tunable(next(e for e in load_file(spec).declarations if isinstance(e, Declaration)))
    assert one is not None
    plans, _ = lowered_plans(one, 1)
    entry = entry_of(one, [(plans[0].candidate, Measured(on="emulator", cycles=1))])
    (spec.parent / "kernels.lock.json").write_bytes(lock_text({"gemm": entry}))


def test_check_says_what_is_stale(spec: Path) -> None:
    missing = run("tune", "--check")
    assert missing.code == 1
    assert "there is no kernels.lock.json; run 'tt-build tune'" in missing.err
    locked_by_hand(spec)
    assert run("tune", "--check").code == 0

    edit(spec, lambda kernels: kernels["gemm"]["planner"].update(cores=[2, 2]))
    spec.write_text(SPEC.replace("C = A @ B\n", "C = A @ B\n    allow: [TTB106]\n", 1))
    accepted = run("validate", spec)
    assert (accepted.code, accepted.err) == (0, "")
    changed = run("tune", "--check")
    assert changed.code == 1
    assert "warning[TTB106]" in changed.err
    assert re.search(r"and chose \w+ on 2 x 2 cores, .* when the plan was locked", changed.err)

    spec.write_text(SPEC.replace("[128, 256]", "[64, 256]").replace("[128, 128]", "[64, 128]"))
    assert "warning[TTB105]" in run("tune", "--check").err
    warned = run("validate", spec)
    assert warned.code == 0
    assert "warning[TTB105]" in warned.err
    assert "warning[TTB105]" in run("validate", spec).err  # also the second time
    assert "warning[TTB105]" in run("compile", spec, "--output", "out").err
    assert "which is not used" in run("explain", "gemm").out

    spec.write_text(SPEC)
    edit(spec, lambda kernels: kernels["gemm"]["plan"].update(block=[32, 4096]))
    illegal = run("tune", "--check")
    assert illegal.code == 1
    assert "error[TTB215]" in illegal.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["plain"], 1, "plain has no choice of plans"),
        (["gem"], 2, "did you mean 'gemm'?"),
        (["gemm", "--most", "127"], 1, "gemm is not tuned: 128 products of tiles are more than 127"),
        (["--top", "0"], 2, "write a whole number above 0"),
        (["--on", "moon"], 2, "invalid choice"),
    ],
)
def test_refusals(arguments: list[str], code: int, said: str, spec: Path) -> None:
    done = run("tune", *arguments)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (spec.parent / "kernels.lock.json").exists()


def test_a_device_that_is_not_there(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ttnn", None)
    done = run("tune", "gemm", "--on", "ttnn")
    assert done.code == 1
    assert "gemm: ttnn is not installed" in done.err
    assert not (spec.parent / "kernels.lock.json").exists()


def test_a_device_is_timed(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((30, 10, 20))
    monkeypatch.setattr("tt_build.runtime.launcher.time_on_ttnn", lambda path, inputs, scalars: next(times))
    done = run("tune", "scaled", "--on", "ttnn", "--top", 3)
    assert done.code == 0, done.err
    entry = lock(spec)["kernels"]["scaled"]
    assert entry["measured"] == {"on": "ttnn", "nanoseconds": 10}
    assert entry["runner_up"]["measured"]["nanoseconds"] == 20
    assert not load_file(spec).diagnostics


def test_plans_of_another_structure_than_at_verify_sizes_are_left_out(spec: Path) -> None:
    """A locked plan never breaks a build that worked without it."""
    text = """version: 1
kernels:
  gemm:
    sizes: {M: 256, K: 256, N: 256}
    inputs: {A: {shape: [M, K]}, B: {shape: [K, N]}}
    outputs: {C: {shape: [M, N]}}
    compute: C = A @ B
    schedule: {matmul: {algorithm: mcast_2d}}
    verify: {sizes: {M: 64, N: 64, K: 256}}
"""
    spec.write_text(text)
    assert run("validate", spec).code == 0
    done = run("tune", "--top", 2)
    assert done.code == 0, done.err
    assert " left out: at these sizes the kernel is another one" in done.out
    assert run("validate", spec).code == 0


def test_a_broken_lockfile_is_made_anew_but_never_patched(spec: Path) -> None:
    path = spec.parent / "kernels.lock.json"
    path.write_text("{")
    named = run("tune", "gemm")
    assert named.code == 1
    assert "kernels.lock.json:1:1: error[TTB001]" in named.err
    assert path.read_text() == "{"
    assert run("validate", spec).code == 1
    spec.write_text(SPEC.split("  gemm:")[0] + "  plain:" + SPEC.split("  plain:")[1])
    assert run("tune").code == 0
    assert json.loads(path.read_text()) == {"version": 1, "kernels": {}}


def test_what_was_measured_decides(spec: Path) -> None:
    one = tunable(next(e for e in load_file(spec).declarations if isinstance(e, Declaration)))
    assert one is not None
    plans = [plan.candidate for plan in lowered_plans(one, 3)[0]]

    def first(*figures: dict[str, int], on: str = "emulator") -> int:
        runs = [(plan, Measured(on=on, **found)) for plan, found in zip(plans, figures, strict=True)]
        return plans.index(ranked(one, runs)[0][0])

    def figures(cycles: int, dram: int, noc: int = 0) -> dict[str, int]:
        return {"cycles": cycles, "dram_bytes": dram, "noc_bytes": noc}

    assert first(figures(2000, 1), figures(1000, 9), figures(2000, 2)) == 1
    assert first(figures(1001, 3), figures(1000, 3), figures(1002, 1)) == 2
    assert first({"nanoseconds": 30}, {"nanoseconds": 20}, {"nanoseconds": 10}, on="ttnn") == 2
    entry = entry_of(one, ranked(one, [(plan, Measured(on="ttnn", nanoseconds=at)) for at, plan in enumerate(plans)]))
    assert entry.measured == Measured(on="ttnn", nanoseconds=0)
    assert entry.runner_up is not None
    assert msgspec.json.encode(entry.runner_up.measured) == b'{"on":"ttnn","nanoseconds":1}'
