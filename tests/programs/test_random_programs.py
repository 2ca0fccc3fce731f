"""Random programs, expressions and plans of matmuls on the emulator: some here, thousands with ``--long``.

Those that once failed are kept under found/. ``tests.programs.campaign`` says how a campaign is stopped and continued.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.programs.campaign import FOUND, Outcome, run_campaign, run_programs, shrink
from tests.programs.prove import prove_all, read_spec

OTHER_SCHEDULES = [
    {"policy": "strided", "order": "serpentine"},
    {"policy": "rectangular", "order": "z_order"},
    {"policy": "contiguous", "order": "column_major", "cores": [1, 1]},
]


@pytest.mark.parametrize(("kind", "count"), [("programs", 60), ("expressions", 60), ("matmuls", 20)])
def test_some(kind: str, count: int) -> None:
    """The same in every run, so that a second run finds compiled kernels in the cache."""
    outcome = run_programs(kind, 0, range(count))
    small = [shrink(kind, 0, failure.number) for failure in outcome.failures[:1]]
    _judge(outcome, f"the first one, made small: {small}")


@pytest.mark.long
@pytest.mark.parametrize(("kind", "count"), [("programs", 5000), ("expressions", 2000), ("matmuls", 500)])
def test_a_campaign(kind: str, count: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """New programs in every run; ``--hypothesis-seed`` repeats one."""
    given = request.config.getoption("--hypothesis-seed", None)
    seed = int(given) if given and given != "random" else random.randrange(1_000_000)
    _judge(run_campaign(kind, seed, count, tmp_path / "results"))


def _judge(outcome: Outcome, note: str = "") -> None:
    print(outcome)
    assert outcome.is_within, f"{outcome}\n{note}"


@pytest.fixture(scope="module")
def found() -> dict[str, Exception | None]:
    """What happens to each program that once failed, also under schedules of its own."""
    cases = []
    paths = sorted(FOUND.glob("*.yaml"))
    for path in paths:
        program = read_spec(path)
        others = [{**program, "kernel": {**program["kernel"], "schedule": schedule}} for schedule in OTHER_SCHEDULES]
        cases.append((program, others))
    return dict(zip((path.stem for path in paths), prove_all(cases), strict=True))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOUND.glob("*.yaml")))
def test_found(name: str, found: dict[str, Exception | None]) -> None:
    """Programs that once failed."""
    error = found[name]
    if error is not None:
        raise error
