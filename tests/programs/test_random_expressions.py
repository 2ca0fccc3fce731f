"""Random expressions on the emulator, 60 here, 2,000 with ``--long``: proven, or refused for one of a few reasons."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from tests.programs.expressions import KINDS, Program, rescheduled
from tests.programs.prove import prove
from tests.programs.test_random_programs import Keeper
from tt_build.spec.diagnostics import Rejected

REASONS = {
    "TTB301": "what a unit needs does not fit L1",
    "TTB302": "more circular buffers than there are",
}
MOST_REFUSED = 0.05
_ONE = settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Campaign:
    """Outcomes of one run; ``keeper`` has the smallest program that failed."""

    def __init__(self) -> None:
        self.proven = 0
        self.refused: dict[str, int] = {}
        self.keeper = Keeper()
        self.last = ""

    def check(self, program: Program, others: list[Program]) -> None:
        """Prove the program, and that the others give the same bits; ``last`` is why it is refused, empty if not."""
        self.last = ""
        try:
            prove(program, others)
        except Rejected as rejection:
            self.last = rejection.diagnostics[0].code
            if self.last not in REASONS:
                self.keeper.keep(program)
                raise
        except Exception:
            self.keeper.keep(program)
            raise

    def count(self) -> None:
        """Count the program that was checked last."""
        if self.last:
            self.refused[self.last] = self.refused.get(self.last, 0) + 1
        else:
            self.proven += 1

    def share_refused(self) -> float:
        """Refused ones of all."""
        refused = sum(self.refused.values())
        return refused / max(1, refused + self.proven)

    def is_within(self) -> bool:
        """Whether no more were refused than may be."""
        return self.share_refused() <= MOST_REFUSED

    def outcome(self) -> str:
        """For people."""
        return f"{self.proven} proven, refused {self.refused} ({self.share_refused():.1%})"


def test_random_expressions() -> None:
    """Always the same, so that a second run finds compiled kernels in the cache."""
    _within(60, seed=0)


@pytest.mark.long
def test_many_random_expressions() -> None:
    """As ``tests.programs.campaign``, in one go."""
    _within(2000, seed=1)


def run_programs(campaign: Campaign, numbers: range, *, seed: int, shrink: bool = True) -> None:
    """The random programs of these numbers, each drawn on its own: they have nothing in common but the seed.

    Raises what the first program that fails does, once that is as small as it gets where ``shrink``.
    """
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    for number in numbers:
        test = settings(_ONE, phases=phases)(_one(campaign, KINDS[number % len(KINDS)]))
        hypothesis_seed(seed * 1_000_000 + number)(test)()
        campaign.count()


def _one(campaign: Campaign, programs: st.SearchStrategy[Program]) -> Callable[[], None]:
    """A test of one program: the second that is drawn, since the first is the simplest one under every seed."""
    drawn = itertools.count()

    @given(program=programs, data=st.data())
    def one(program: Program, data: st.DataObject) -> None:
        others = [data.draw(rescheduled(program))]
        assume(next(drawn) > 0)
        campaign.check(program, others)

    return one


def _within(programs: int, *, seed: int) -> None:
    campaign = Campaign()
    run_programs(campaign, range(programs), seed=seed)
    print(campaign.outcome())
    assert campaign.is_within(), campaign.refused
