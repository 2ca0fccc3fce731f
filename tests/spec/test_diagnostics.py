"""Every code has a failing file whose exact text is kept beside it; every code in the source is registered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tt_build
from tt_build.codegen.compile import compile_specification
from tt_build.spec.codes import CODES
from tt_build.spec.loader import load_file
from tt_build.spec.lockfile import lock_path
from tt_build.spec.source import render

FOLDER = Path(__file__).parent.parent / "diagnostics"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_exact_text(case: str, update_goldens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    text = said(Path(f"{case}.yaml"))
    assert f"[{case.split('_')[0]}]" in text
    golden = FOLDER / f"{case}.txt"
    if update_goldens:
        golden.write_text(text)
    assert golden.read_text() == text


def said(path: Path) -> str:
    """What a user reads about the file: from the front end, or from the passes when that is content.

    Passes also judge plans of a lockfile beside it.
    """
    spec = load_file(path)
    if path.stem[3] in "01" and (spec.errors or not lock_path(path).exists()):
        return "\n\n".join(render(entry.diagnostic, spec.source) for entry in spec.diagnostics) + "\n"
    assert not spec.errors
    return compile_specification(path).text + "\n"


def test_every_code_has_a_failing_file() -> None:
    reachable = {code for code in CODES if code[3] in "0123"}  # 4xx are faults of ours: tests of verify_ir make them
    assert reachable == {case.split("_")[0] for case in CASES}


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
