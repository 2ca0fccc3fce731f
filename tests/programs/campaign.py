"""Campaigns of random programs: seeded, compiled together in chunks, with a file of results; stopped and gone on with.

    nice -n 19 python -m tests.programs.campaign programs RESULTS [--seed 1] [--count 5000] [--minutes M] [--shrink N]

RESULTS gets a line of JSON for each chunk of programs that is done; those that it has are not run again. Every program
is drawn on its own from the campaign's seed and its number. One that fails is kept under ``found/`` and named in its
chunk's line; the rest of the chunk is run all the same. ``--shrink N`` makes program N small in place of all this, and
keeps that. Give it a telling name when the fault is mended: ``test_found`` runs it from then on. Exit codes: 0 all
done, 1 something failed or more was refused than may be, 75 there is more to do.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from tests.programs import expressions, generator, matmuls, schedules
from tests.programs.prove import InvalidProgram, kernel_spec, prove, prove_all
from tests.programs.schedules import Kernel
from tests.support import ROOT
from tt_build.spec.diagnostics import Rejected

FOUND = Path(__file__).parent / "found"
CHUNK = 50
MOST_REFUSED = 0.05
UNFINISHED = 75
_ONE = settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))

Case = tuple[Kernel, list[Kernel]]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """``cases`` are taken in turns: programs, and others that must give the same bits.

    ``refusals``: codes with which a valid program may be refused, and why. ``also`` checks a proven program further.
    """

    cases: tuple[st.SearchStrategy[Case], ...]
    refusals: dict[str, str] = {}
    also: Callable[[Kernel], None] | None = None


@st.composite
def _with_variants(
    draw: st.DrawFn, programs: st.SearchStrategy[Kernel], variant: Callable[[Kernel], Any], others: int
) -> Case:
    program = draw(programs)
    return program, [draw(variant(program)) for _ in range(others)]


KINDS = {
    "programs": Kind(cases=tuple(_with_variants(kind, schedules.variants, 2) for kind in generator.KINDS)),
    "expressions": Kind(
        cases=tuple(_with_variants(kind, expressions.rescheduled, 1) for kind in expressions.KINDS),
        refusals={"TTB301": "what a unit needs does not fit L1", "TTB302": "more circular buffers than there are"},
    ),
    "matmuls": Kind(cases=(matmuls.planned().map(lambda pair: (pair[0], [pair[1]])),), also=matmuls.check_bytes),
}


class Failure(msgspec.Struct, frozen=True):
    """``word``: mismatch, hang, fault (stopped by the emulator), a code, invalid, traceback; ``program``: its file."""

    number: int
    word: str
    error: str
    program: str = ""


class Outcome(msgspec.Struct, kw_only=True):
    """Of the programs ``first`` to ``first + count``; ``code`` is a digest of compiler, emulator and generators."""

    kind: str
    seed: int
    first: int
    count: int
    proven: int = 0
    refused: dict[str, int] = {}
    failures: list[Failure] = []
    seconds: float = 0.0
    date: str = ""
    code: str = ""

    @property
    def is_within(self) -> bool:
        """Whether nothing failed, and no more was refused than may be."""
        refused = sum(self.refused.values())
        return not self.failures and refused <= MOST_REFUSED * (refused + self.proven)


def run_programs(kind: str, seed: int, numbers: range) -> Outcome:
    """Prove the programs of these numbers; their kernels are compiled together."""
    started = time.monotonic()
    cases = [draw_case(kind, seed, number) for number in numbers]
    outcome = Outcome(kind=kind, seed=seed, first=numbers.start, count=len(numbers), code=_code())
    for number, case, found in zip(numbers, cases, prove_all(cases), strict=True):
        error = found or _further(kind, case)
        word = describe(error)
        if error is None:
            outcome.proven += 1
        elif word in KINDS[kind].refusals:
            outcome.refused[word] = outcome.refused.get(word, 0) + 1
        else:
            text = f"{type(error).__name__}: {str(error).strip()[:300]}"
            outcome.failures.append(Failure(number, word, text, keep(case[0]).name))
    outcome.seconds = round(time.monotonic() - started, 1)
    outcome.date = datetime.date.today().isoformat()
    return outcome


def _further(kind: str, case: Case) -> Exception | None:
    """What ``also`` finds in a program that is proven."""
    check = KINDS[kind].also
    try:
        if check is not None:
            check(case[0])
    except Exception as error:
        return error
    return None


def describe(error: Exception | None) -> str:
    """A word for what happened to a program, a code where it was refused; "" where it is proven."""
    if error is None:
        return ""
    if isinstance(error, Rejected):
        return error.diagnostics[0].code
    if isinstance(error, InvalidProgram):
        return "invalid"
    text = str(error)
    if "EMU601" in text or "EMU602" in text:
        return "hang"
    if "error[EMU" in text:
        return "fault"
    return "mismatch" if isinstance(error, AssertionError) else "traceback"


def keep(program: Kernel) -> Path:
    """The program as a file under found/."""
    text = kernel_spec(program)
    path = FOUND / f"failing-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
    path.write_text(text)
    return path


def draw_case(kind: str, seed: int, number: int) -> Case:
    """A program and its variants, the same in every process."""
    found: list[Case] = []
    _one(kind, seed, number, [Phase.generate], found.append)
    return found[-1]


def shrink(kind: str, seed: int, number: int) -> Path | None:
    """The smallest program that fails in the way that program ``number`` does, kept; None where it does not fail."""
    word, smallest = "", None

    def check(case: Case) -> None:
        nonlocal word, smallest
        try:
            prove(*case)
            if further := _further(kind, case):
                raise further
        except Exception as error:
            found = describe(error)
            if found in KINDS[kind].refusals or found != (word or found):
                return
            word, smallest = found, case[0]
            raise

    try:
        _one(kind, seed, number, [Phase.generate, Phase.shrink], check)
    except Exception as error:
        print(f"{kind} {number} of seed {seed}: {type(error).__name__}: {error}", file=sys.stderr)
    return None if smallest is None else keep(smallest)


def _one(kind: str, seed: int, number: int, phases: Sequence[Phase], check: Callable[[Case], None]) -> None:
    """Check one case: the second that is drawn, since the first is the simplest one under every seed."""
    about = KINDS[kind]
    drawn = itertools.count()

    @hypothesis_seed(seed * 1_000_000 + number)
    @settings(_ONE, phases=phases)
    @given(case=about.cases[number % len(about.cases)])
    def one(case: Case) -> None:
        assume(next(drawn) > 0)
        check(case)

    one()


def _code() -> str:
    places = [*(ROOT / "tt_build").rglob("*"), *(ROOT / "templates").rglob("*.j2"), *Path(__file__).parent.glob("*.py")]
    kinds = (".py", ".cpp", ".h", ".inc", ".j2", ".json")
    state = hashlib.sha256()
    for path in sorted(p for p in places if p.suffix in kinds):
        state.update(path.read_bytes())
    return state.hexdigest()[:12]


def read_results(path: Path) -> list[Outcome]:
    """The outcomes that a file has."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Outcome) for line in lines]


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """All of them as one; its date and code name all of theirs."""
    listed = sorted(outcomes, key=lambda outcome: outcome.first)
    whole = Outcome(kind=listed[0].kind, seed=listed[0].seed, first=listed[0].first, count=0)
    for outcome in listed:
        whole.count += outcome.count
        whole.proven += outcome.proven
        whole.seconds = round(whole.seconds + outcome.seconds, 1)
        whole.failures = [*whole.failures, *outcome.failures]
        for code, number in outcome.refused.items():
            whole.refused[code] = whole.refused.get(code, 0) + number
    whole.date = ", ".join(sorted({outcome.date for outcome in listed}))
    whole.code = ", ".join(sorted({outcome.code for outcome in listed}))
    return whole


def run_campaign(kind: str, seed: int, count: int, path: Path, seconds: float = float("inf")) -> Outcome:
    """Run the chunks of ``count`` programs that the file lacks until the time is over: what the file then has."""
    started = time.monotonic()
    done = {outcome.first: outcome for outcome in read_results(path) if (outcome.kind, outcome.seed) == (kind, seed)}
    path.parent.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, CHUNK):
        if first in done:
            continue
        if done and time.monotonic() - started > seconds:
            break
        outcome = done[first] = run_programs(kind, seed, range(first, min(first + CHUNK, count)))
        line = msgspec.json.encode(outcome)
        with path.open("ab") as file:
            file.write(line + b"\n")
        print(line.decode(), flush=True)
    return total(done.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.campaign")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("results", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--shrink", type=int, metavar="N")
    options = parser.parse_args(arguments)
    if options.shrink is not None:
        print(shrink(options.kind, options.seed, options.shrink) or "it does not fail")
        return 0
    whole = run_campaign(options.kind, options.seed, options.count, options.results, 60 * options.minutes)
    print(msgspec.json.encode(whole).decode())
    if not whole.is_within:
        return 1
    return 0 if whole.count >= options.count else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
