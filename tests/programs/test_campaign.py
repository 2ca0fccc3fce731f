"""Campaigns: what their files say, how they go on, how what happened is called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import campaign
from tests.programs.campaign import Case, draw_case, main, read_results
from tests.support import ROOT
from tt_build.spec.diagnostics import Diagnostic, Rejected, Where

HANG = AssertionError("kernel 'program' is wrong\\nerror[EMU601]: deadlock")


@pytest.fixture
def happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[int, Exception]:
    """What happens to the n-th program that is proven, in place of proving it; five programs a chunk."""
    events: dict[int, Exception] = {}
    count = iter(range(10**6))

    def prove_all(cases: list[Case]) -> Iterator[Exception | None]:
        return (events.get(next(count)) for _ in cases)

    monkeypatch.setattr(campaign, "prove_all", prove_all)
    monkeypatch.setattr(campaign, "CHUNK", 5)
    monkeypatch.setattr(campaign, "FOUND", tmp_path)
    return events


def refusal(code: str) -> Rejected:
    return Rejected(Diagnostic(code, "no", Where()))


def test_a_campaign_is_gone_on_with(happens: dict[int, Exception], tmp_path: Path) -> None:
    results = tmp_path / "results"
    command = ["programs", str(results), "--seed", "3", "--count", "12"]
    assert main([*command, "--minutes", "0"]) == campaign.UNFINISHED
    assert [outcome.first for outcome in read_results(results)] == [0]
    assert main(command) == 0
    assert [(outcome.first, outcome.proven) for outcome in read_results(results)] == [(0, 5), (5, 5), (10, 2)]
    happens[12] = HANG
    assert main(command) == 0, "nothing is run again"


def test_failures_are_called_what_they_are_and_kept(happens: dict[int, Exception], tmp_path: Path) -> None:
    errors = [HANG, AssertionError("error[EMU402]: x"), AssertionError("wrong"), KeyError("k"), refusal("TTB205")]
    happens.update(enumerate(errors))
    results = tmp_path / "results"
    assert main(["programs", str(results), "--count", "10"]) == 1
    first, second = read_results(results)
    assert [failure.word for failure in first.failures] == ["hang", "fault", "mismatch", "traceback", "TTB205"]
    assert all((tmp_path / failure.program).exists() for failure in first.failures)
    assert (first.proven, second.proven) == (0, 5)


def test_few_may_be_refused(happens: dict[int, Exception], tmp_path: Path) -> None:
    happens[0] = refusal("TTB301")
    assert main(["expressions", str(tmp_path / "few"), "--count", "20"]) == 0
    happens.update({20 + n: refusal("TTB301") for n in range(2)})
    assert main(["expressions", str(tmp_path / "many"), "--count", "20"]) == 1


def test_a_program_is_the_same_in_every_process() -> None:
    """What a results file says can be drawn again."""
    script = (
        "import json; from tests.programs.campaign import draw_case; print(json.dumps(draw_case('programs', 7, 4)))"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    program, variants = draw_case("programs", 7, 4)
    assert json.loads(other) == json.loads(json.dumps([program, variants]))
    assert draw_case("programs", 7, 9)[0] != program
