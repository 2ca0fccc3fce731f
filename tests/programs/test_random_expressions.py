"""Random expressions on the emulator, 60 here, 2,000 with ``--long``: proven, or refused for one of a few reasons."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.programs.expressions import Program, expressions, rescheduled
from tests.programs.prove import prove
from tests.programs.test_random_programs import Keeper
from tt_build.spec.diagnostics import Rejected

REASONS = {
    "TTB301": "what a unit needs does not fit L1",
    "TTB302": "more circular buffers than there are",
}
MOST_REFUSED = 0.05
_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
_PHASES = [Phase.generate, Phase.shrink]


class _Campaign:
    """Outcomes of one test run."""

    def __init__(self) -> None:
        self.proven = 0
        self.refused: dict[str, int] = {}
        self.keep = Keeper().keep

    def check(self, program: Program, others: list[Program]) -> None:
        try:
            prove(program, others)
        except Rejected as rejection:
            code = rejection.diagnostics[0].code
            if code not in REASONS:
                self.keep(program)
                raise
            self.refused[code] = self.refused.get(code, 0) + 1
        except Exception:
            self.keep(program)
            raise
        else:
            self.proven += 1

    def share_refused(self) -> float:
        """Refused ones of all."""
        refused = sum(self.refused.values())
        return refused / max(1, refused + self.proven)


def test_random_expressions() -> None:
    """Derandomized, so that a second run finds compiled kernels in the cache."""
    _run(_Campaign(), 60, derandomize=True)


@pytest.mark.long
def test_many_random_expressions() -> None:
    _run(_Campaign(), 2000, derandomize=False)


def _run(campaign: _Campaign, examples: int, *, derandomize: bool) -> None:
    @settings(max_examples=examples, derandomize=derandomize, phases=_PHASES, **_COMMON)  # type: ignore[arg-type]
    @given(program=expressions(), data=st.data())
    def each(program: Program, data: st.DataObject) -> None:
        campaign.check(program, [data.draw(rescheduled(program))])

    each()
    print(f"{campaign.proven} proven, refused {campaign.refused} ({campaign.share_refused():.1%})")
    assert campaign.share_refused() <= MOST_REFUSED, campaign.refused
