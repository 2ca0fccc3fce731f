"""Fault sequences by number: the rules of the machine, chosen at random from a seed, so that each can be run again.

.venv/bin/python -m tests.scons.campaign RESULTS [--from 0] [--to 3000] [--minutes 5]

RESULTS gets a line of JSON for each sequence; those that it has already are not run again, so that a campaign goes on
where it was stopped. Hypothesis repeats itself in a long campaign, because it varies what it has tried; here every rule
comes as often as any other. Exit codes: 0 all done, 1 something failed, 75 there is more to do.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import traceback
from collections.abc import Iterable
from pathlib import Path

from tests.scons.machine import RULES, SERVERS, Builds

STEPS = 8
UNFINISHED = 75


def run(seeds: Iterable[int], results: Path, minutes: float = float("inf")) -> list[int]:
    """Run those that ``results`` does not have, for so long; the seeds of all that failed."""
    rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {row["seed"] for row in rows}
    end = time.monotonic() + 60 * minutes
    with results.open("a") as file:
        for seed in seeds:
            if seed in done:
                continue
            if time.monotonic() > end:
                break
            started = time.monotonic()
            rules, error = sequence(seed)
            rows.append({"seed": seed, "seconds": round(time.monotonic() - started, 2), "rules": rules, "error": error})
            print(json.dumps(rows[-1]), file=file, flush=True)
    return [row["seed"] for row in rows if row["error"]]


def sequence(seed: int) -> tuple[list[str], str]:
    """Run one; its rules with their arguments, and the traceback where something was wrong."""
    chance = random.Random(seed)
    rules: list[str] = []
    machine = Builds()
    try:
        try:
            machine.first_build()
            for _ in range(STEPS):
                name = chance.choice(list(RULES))
                arguments = {key: chance.choice(values) for key, values in RULES[name].items()}
                rules.append(f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})")
                getattr(machine, name)(**arguments)
        finally:
            machine.teardown()
    except Exception:
        return rules, traceback.format_exc()
    return rules, ""


def main() -> None:
    """Run and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--to", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parsed = parser.parse_args()
    try:
        failed = run(range(parsed.first, parsed.to), parsed.results, parsed.minutes)
    finally:
        SERVERS.close()
    count, wanted = len(parsed.results.read_text().splitlines()), parsed.to - parsed.first
    print(f"{count} of {wanted} sequences; failed: {failed or 'none'}")
    raise SystemExit(1 if failed else 0 if count >= wanted else UNFINISHED)


if __name__ == "__main__":
    main()
