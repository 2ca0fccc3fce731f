"""A campaign of random expressions that can be broken off and gone on with.

    nice -n 19 python -m tests.programs.campaign RESULTS [--seed 1] [--programs 2000] [--chunk 20] [--shrink N]

RESULTS gets a line of JSON for each chunk of programs that is done; those that it has are not run again. A program that
fails is kept under ``found/`` and named in its chunk's line; the rest of the chunk is run all the same. ``--shrink N``
shrinks program N in place of all this.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.programs.test_random_expressions import Campaign, run_programs


def main(arguments: list[str] | None = None) -> int:
    """1 where a program failed, or more were refused than may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.campaign")
    parser.add_argument("results", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--chunk", type=int, default=20)
    parser.add_argument("--shrink", type=int, metavar="N")
    options = parser.parse_args(arguments)
    if options.shrink is not None:
        run_programs(Campaign(), range(options.shrink, options.shrink + 1), seed=options.seed)
        return 0
    done = _lines(options.results)
    for first in range(0, options.programs, options.chunk):
        if (options.seed, first) in done:
            continue
        line = _chunk(options.seed, range(first, min(first + options.chunk, options.programs)))
        done[options.seed, first] = line
        with options.results.open("a") as results:
            results.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
    return _summary([line for (seed, _), line in sorted(done.items()) if seed == options.seed])


def _chunk(seed: int, numbers: range) -> dict[str, Any]:
    campaign, started = Campaign(), time.monotonic()
    failures: list[dict[str, Any]] = []
    for number in numbers:
        try:
            run_programs(campaign, range(number, number + 1), seed=seed, shrink=False)
        except Exception as error:
            text = f"{type(error).__name__}: {str(error).strip()[:300]}"
            failures.append({"number": number, "error": text, "program": campaign.keeper.kept()})
    return {
        "seed": seed,
        "first": numbers.start,
        "proven": campaign.proven,
        "refused": campaign.refused,
        "failures": failures,
        "seconds": round(time.monotonic() - started, 1),
    }


def _lines(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {(line["seed"], line["first"]): line for line in lines}


def _summary(lines: list[dict[str, Any]]) -> int:
    campaign = Campaign()
    for line in lines:
        campaign.proven += line["proven"]
        for reason, count in line["refused"].items():
            campaign.refused[reason] = campaign.refused.get(reason, 0) + count
    failed = sum(len(line["failures"]) for line in lines)
    print(f"{campaign.outcome()}, {failed} failed, {sum(line['seconds'] for line in lines):.0f} s")
    return int(failed > 0 or not campaign.is_within())


if __name__ == "__main__":
    sys.exit(main())
