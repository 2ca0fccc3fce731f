"""``tt-build validate``: fixes, notes on valid kernels, exit codes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tt_build.passes.pipeline as pipeline
from tests.cli.support import tt_build

MISSPELT = """\
version: 1
kernels:
  act:  # the comment stays
    description: no
    sizes: {M: 64}
    inputs: {A: {shape: [M, M]}}
    outputs: {Y: {shape: [M, M]}}
    compute: Y = geluu(A)
    shedule: {order: row_major}
"""


def test_fix_mends_what_is_mechanical(there: Path) -> None:
    path = there / "kernels.yaml"
    path.write_text(MISSPELT)
    path.chmod(0o640)
    ran = tt_build("validate", path, "--fix")
    assert (ran.code, ran.out) == (0, f"{path}: 1 kernel, no errors\n")
    wanted = MISSPELT.replace("geluu", "gelu").replace("shedule", "schedule").replace(": no\n", ': "no"\n')
    assert path.read_text() == wanted
    assert ran.err.splitlines() == [
        f'{path}:4:18: fixed TTB004: wrote "no"',
        f"{path}:8:18: fixed TTB013: wrote gelu",
        f"{path}:9:5: fixed TTB006: wrote schedule",
    ]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in there.iterdir()] == ["kernels.yaml"]


def test_fix_keeps_line_ends_byte_order_mark_and_links(there: Path) -> None:
    real = there / "real.yaml"
    real.write_bytes(b"\xef\xbb\xbf" + MISSPELT.replace("\n", "\r\n").encode())
    (there / "kernels.yaml").symlink_to("real.yaml")
    assert tt_build("validate", there / "kernels.yaml", "--fix").code == 0
    data = real.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfversion: 1\r\n")
    assert data.count(b"\r\n") == data.count(b"\n")
    assert (there / "kernels.yaml").is_symlink()


def test_fix_leaves_a_valid_file_alone(there: Path) -> None:
    path = there / "kernels.yaml"
    path.write_text(MISSPELT.replace("geluu", "gelu").replace("shedule", "schedule").replace(": no", ": none"))
    before = os.stat(path)
    assert tt_build("validate", path, "--fix").code == 0
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns


def test_fix_reports_what_it_cannot_mend(there: Path) -> None:
    path = there / "kernels.yaml"
    path.write_text(MISSPELT.replace("[M, M]}}\n    outputs", "[M, 7]}}\n    outputs"))
    ran = tt_build("validate", path, "--fix")
    assert ran.code == 1
    assert "fixed TTB013" in ran.err
    assert "error[TTB018]" in ran.err


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that went through the passes."""
    names: list[str] = []
    real = pipeline.run_chain

    def counted(declaration):  # type: ignore[no-untyped-def]
        names.append(declaration.kernel.name)
        return real(declaration)

    monkeypatch.setattr(pipeline, "run_chain", counted)
    return names


TWO = """\
version: 1
kernels:
  one: {inputs: {A: {shape: [32, 32]}}, outputs: {Y: {shape: [32, 32]}}, compute: Y = -A}
  two: {inputs: {A: {shape: [32, 32]}}, outputs: {Y: {shape: [32, 32]}}, compute: Y = exp(A)}
"""


def test_only_what_changed_goes_through_the_passes_again(there: Path, compiled: list[str]) -> None:
    path = there / "kernels.yaml"

    def passed(text: str, *options: str) -> list[str]:
        path.write_text(text)
        compiled.clear()
        assert tt_build("validate", path, *options).code == 0
        return compiled

    assert passed(TWO, "--quick") == []
    assert passed(TWO) == ["one", "two"]
    assert passed(TWO) == []
    assert passed(f"# a comment\n{TWO}") == []
    assert passed(TWO.replace("exp(A)", "log(A)")) == ["two"]
    assert passed(TWO) == []
    assert passed(TWO, "--fresh") == ["one", "two"]


def test_an_error_is_never_noted(there: Path, compiled: list[str]) -> None:
    path = there / "kernels.yaml"
    path.write_text(TWO.replace("compute: Y = exp(A)", "compute: Y = exp(A), schedule: {cores: [9, 9]}"))
    first, second = tt_build("validate", path), tt_build("validate", path)
    assert first == second
    assert first.code == 1
    assert compiled == ["one", "two", "two"]


def test_a_cache_that_cannot_be_written_only_costs_time(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (there / "file").write_text("")
    monkeypatch.setenv("TT_BUILD_CACHE", str(there / "file" / "below"))
    (there / "kernels.yaml").write_text(TWO)
    assert tt_build("validate", "kernels.yaml").code == 0


def test_quick_is_the_language_only(there: Path) -> None:
    path = there / "kernels.yaml"
    path.write_text(TWO.replace("compute: Y = exp(A)", "compute: Y = exp(A), schedule: {cores: [9, 9]}"))
    assert tt_build("validate", path, "--quick").code == 0
    assert "error[TTB203]" in tt_build("validate", path).err
