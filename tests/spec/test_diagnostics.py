"""Every code has a failing file whose exact text is kept beside it; every code in the source is registered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tt_build
from tt_build.spec.codes import CODES
from tt_build.spec.loader import load_file
from tt_build.spec.source import render

FOLDER = Path(__file__).parent.parent / "diagnostics"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_exact_text(case: str, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    spec = load_file(Path(f"{case}.yaml"))
    codes = [entry.diagnostic.code for entry in spec.diagnostics]
    assert case.split("_")[0] in codes
    text = "\n\n".join(render(entry.diagnostic, spec.source) for entry in spec.diagnostics) + "\n"
    golden = FOLDER / f"{case}.txt"
    if update_goldens:
        golden.write_text(text)
    assert golden.read_text() == text


def test_every_code_has_a_failing_file() -> None:
    front_end = {code for code in CODES if code[3] in "01"}
    assert front_end == {case.split("_")[0] for case in CASES}


def test_every_code_in_the_source_is_registered() -> None:
    package = Path(tt_build.__file__).parent
    used = {code for path in package.rglob("*.py") for code in re.findall(r"TTB\d{3}\b", path.read_text())}
    assert used <= set(CODES)


def test_warnings_are_registered_as_such() -> None:
    for case in CASES:
        for entry in load_file(FOLDER / f"{case}.yaml").diagnostics:
            diagnostic = entry.diagnostic
            assert (diagnostic.severity == "warning") == CODES[diagnostic.code].warning
            said = diagnostic.help or diagnostic.related or " must be " in diagnostic.message
            assert said, f"{case}: {diagnostic.message} says nothing of what to do"
