"""The tables of SDK facts against the wheels themselves, and the table for the docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tt_build.sdk.headers import headers
from tt_build.sdk.table import markdown, rows
from tt_build.targets.sdk import load_sdk


def declared(sdk: str) -> set[str]:
    """Every name that is followed by a parenthesis or a template in the wheel's kernel API headers."""
    names: set[str] = set()
    for path in (headers(load_sdk(sdk)) / "tt_metal/hw/inc/api").rglob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", re.sub(r"//.*", "", path.read_text()), flags=re.DOTALL)
        names |= set(re.findall(r"\b([a-z]\w+)\s*\(", text))
    return names


@pytest.mark.parametrize("version", ["0.78", "0.81"])
def test_gone_names_are_gone_and_their_replacements_exist(version: str) -> None:
    sdk, names = load_sdk(version), declared(version)
    assert {name for name in sdk.gone if name in names} == set()
    replacements = {use: re.findall(r"[a-z]\w+_\w+", use)[0] for use in {*sdk.gone.values(), *sdk.deprecated.values()}}
    assert {use for use, name in replacements.items() if name not in names} == set()


def test_names_that_0_81_removed_were_in_0_78() -> None:
    """Those that the table dates to 0.81: still there, marked as deprecated, in 0.78."""
    older, newer = load_sdk("0.78"), load_sdk("0.81")
    since = set(newer.gone) - set(older.gone)
    assert since
    assert since <= declared("0.78")
    assert since <= set(older.deprecated)


@pytest.mark.parametrize("version", ["0.78", "0.81"])
def test_include_paths(version: str) -> None:
    sdk = load_sdk(version)
    base = headers(sdk) / "tt_metal/hw/inc"
    assert [new for new in sdk.includes.values() if not (base / new).is_file()] == []
    assert [old for old in sdk.includes if (base / old).is_file()] == []


def test_the_table_for_the_docs(plans: Callable[[str], list[Path]]) -> None:
    found = rows(plans("blackhole"))
    text = markdown(found, "2026-01-02")
    assert all(row.passed for row in found)
    assert text.splitlines() == [
        "Checked on 2026-01-02.",
        "",
        "| kernel | architecture | type check 0.78.0 | type check 0.81.1 | mock 0.81.1 |",
        "| --- | --- | --- | --- | --- |",
        "| gemm | blackhole | pass | pass | pass |",
        "| features | blackhole | pass | pass | pass |",
    ]
