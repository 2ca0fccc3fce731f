"""Never a wrong file: random edits, damage and faults on real trees, against a model of what must happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.scons.campaign import run
from tests.scons.machine import SERVERS, Builds
from tests.scons.model import COMPILER_EDITS


@pytest.fixture(scope="module", autouse=True)
def servers() -> Iterator[None]:
    yield
    SERVERS.close()


def test_no_wrong_file_after_any_sequence() -> None:
    run_state_machine_as_test(
        Builds,
        settings=settings(
            max_examples=25,
            stateful_step_count=8,
            deadline=None,
            database=None,
            derandomize=True,
            phases=(Phase.generate,),  # shrinking takes longer than reading a sequence of eight rules
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.long
def test_no_wrong_file_after_3000_sequences(tmp_path: Path) -> None:
    assert run(range(3000), tmp_path / "results.jsonl") == []


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


@pytest.mark.parametrize("damage", ["", "index.json", "three.json"])
def test_files_of_a_kernel_whose_first_build_was_killed_are_removed_with_it(damage: str) -> None:
    """And those of a kernel that the index, or its own records, no longer know of."""
    machine, refused = Builds(), False
    try:
        machine.first_build()
        for fault in ("kill:20", "kill:45", *(f"ENOSPC:{at}" for at in range(1, 7)), ""):
            machine.kernels["three"] = (32, "C = A - B", "")
            machine.model.broken_off(machine.clean(), ())
            (done,) = machine.start(fault=fault)
            assert done.code in {"k": (-9,), "E": (0, 2), "": (0,)}[fault[:1]], done
            refused = refused or "cannot use" in done.output
            if damage and done.code == 0:
                machine.damage_state(damage, "delete")
            del machine.kernels["three"]
            machine.build()
        assert refused
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
