"""The table kernel x {type check, mock device} for the docs: ``python -m tt_build.sdk.table build/tenstorrent``."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tt_build.ir.plan import AccessorRef, Plan, PlanError, load_plan
from tt_build.sdk.cache import SdkUnavailable
from tt_build.sdk.gate import check, errors
from tt_build.sdk.mock import CLUSTERS, MockResult, run_mock
from tt_build.targets.sdk import load_sdk

SDKS = ("0.78", "0.81")
MOCK_SDK = "0.81"


class Row(msgspec.Struct, frozen=True):
    """One kernel: the number of errors of the type check by SDK version, and what the mock device said ("" is good)."""

    kernel: str
    arch: str
    type_check: dict[str, int]
    mock: str

    @property
    def passed(self) -> bool:
        """True where every cell is good."""
        return not any(self.type_check.values()) and not self.mock


def rows(plans: Sequence[Path], sdks: Sequence[str] = SDKS) -> list[Row]:
    """Checks every plan against every SDK version, and runs it on the mock device of its architecture."""
    loaded = [(path, load_plan(path)) for path in plans]
    mocked: dict[str, str] = {}
    for arch in sorted({plan.arch for _, plan in loaded}):
        mine = [path for path, plan in loaded if plan.arch == arch]
        if arch in CLUSTERS:
            results = run_mock(mine, arch, sdk=MOCK_SDK).results
            mocked |= {str(path): _verdict(load_plan(path), r) for path, r in zip(mine, results, strict=True)}
    return [
        Row(
            plan.kernel,
            plan.arch,
            {sdk: len(errors(check(path, sdk=sdk))) for sdk in sdks},
            mocked.get(str(path), f"there is no mock device for {plan.arch}"),
        )
        for path, plan in loaded
    ]


def markdown(found: Sequence[Row], date: str, sdks: Sequence[str] = SDKS) -> str:
    """The table as Markdown; ``date`` stands in its caption."""
    releases = {sdk: load_sdk(sdk).release for sdk in {*sdks, MOCK_SDK}}
    head = ["kernel", "architecture", *(f"type check {releases[sdk]}" for sdk in sdks), f"mock {releases[MOCK_SDK]}"]
    lines = [f"Checked on {date}.", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for row in found:
        cells = [f"{count} errors" if count else "pass" for count in (row.type_check[sdk] for sdk in sdks)]
        lines.append(f"| {' | '.join([row.kernel, row.arch, *cells, row.mock or 'pass'])} |")
    return "\n".join(lines) + "\n"


def _verdict(plan: Plan, result: MockResult) -> str:
    """Empty where the runtime took the program, our accessor words are its own and the hash is stable."""
    if result.error:
        return result.error.splitlines()[0]
    refs = [arg for kernel in plan.kernels for arg in kernel.compile_time_args if isinstance(arg, AccessorRef)]
    wrong = sorted({ref.accessor_of for ref in refs if list(ref.words) != result.words[ref.accessor_of]})
    if wrong:
        return f"accessor words differ: {', '.join(wrong)}"
    return "" if result.hash == result.hash_again else "the program hash changes with the tensors"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, or writes it; 1 when a cell is not good."""
    parser = argparse.ArgumentParser(prog="python -m tt_build.sdk.table", description=__doc__)
    parser.add_argument("folder", type=Path, help="with one folder a kernel, each with its tt.plan.json")
    parser.add_argument("--output", type=Path, help="write the table to this file")
    options = parser.parse_args(arguments)
    try:
        found = rows(sorted(options.folder.glob("*/tt.plan.json")))
    except (PlanError, SdkUnavailable) as error:
        print(f"tt-build: {error}", file=sys.stderr)
        return 1
    if not found:
        print(f"tt-build: no plans in {options.folder}", file=sys.stderr)
        return 1
    text = markdown(found, datetime.date.today().isoformat())
    if options.output:
        options.output.write_text(text)
    else:
        print(text, end="")
    return 0 if all(row.passed for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
