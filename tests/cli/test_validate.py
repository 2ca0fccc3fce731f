"""``tt-build validate``: fixes, notes on valid kernels, exit codes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

import tt_build.passes.pipeline as pipeline
from tests.cli.support import tt_build
from tests.support import ROOT
from tt_build.cli.check import check
from tt_build.cli.workers import WORTH_A_PROCESS, shared_out
from tt_build.scons.signatures import parts_of
from tt_build.spec.diagnostics import Diagnostic, Where

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

    def counting(real):  # type: ignore[no-untyped-def]
        def counted(declaration, *more):  # type: ignore[no-untyped-def]
            names.append(declaration.kernel.name)
            return real(declaration, *more)

        return counted

    monkeypatch.setattr(pipeline, "judge", counting(pipeline.judge))
    monkeypatch.setattr(pipeline, "lower", counting(pipeline.lower))
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


def test_kernels_that_differ_in_name_and_description_are_examined_once(there: Path, compiled: list[str]) -> None:
    path = there / "kernels.yaml"
    more = TWO.splitlines()[2].replace("one: {", "three: {description: the same, ")
    path.write_text(TWO + more + "\n")
    assert tt_build("validate", path).code == 0
    assert compiled == ["one", "two"]
    path.write_text((TWO + more).replace("compute: Y = -A", "compute: Y = -A, schedule: {cores: [9, 9]}") + "\n")
    compiled.clear()
    said = tt_build("validate", path).err
    assert compiled == ["one", "three"]
    assert said.count("error[TTB203]") == 2


@pytest.mark.parametrize("path", sorted((ROOT / "tests/diagnostics").glob("TTB[23]*.yaml")), ids=lambda path: path.stem)
def test_what_a_build_refuses_validate_refuses(path: Path, there: Path) -> None:
    """Without the passes that write and prove bodies: the same messages as with all of them."""
    quick, whole = check(path), check(path, fresh=True)
    assert path.stem.split("_")[0] in {entry.diagnostic.code for entry in quick.found}
    assert quick.found == whole.found


def test_passes_that_judge_nothing_find_only_mistakes_of_ours() -> None:
    """What validate leaves to the build: no module that only these passes use names a code that is a user's."""
    judging, late = set(), set()
    for chain in pipeline.CHAINS.values():
        for step in chain:
            (judging if step.judges else late).update(parts_of(step.module))
    assert {step.name for step in pipeline.PASSES if not step.judges} == {"tensorize", "verify_ir"}
    for file in sorted(late - judging):
        codes = set(re.findall(r"TTB\d{3}", (ROOT / "tt_build" / file).read_text()))
        assert all(code.startswith("TTB4") for code in codes), (file, codes)


class TestTwoProcesses:
    ENTRIES = tuple(range(2 * WORTH_A_PROCESS))

    @staticmethod
    def examine(entry: int) -> tuple[Diagnostic, ...]:
        return (
            (Diagnostic("TTB203", f"entry {entry}", Where(path=("kernels", f"k{entry}")), "help"),) if entry % 7 else ()
        )

    def test_answers_are_those_of_one_in_order(self) -> None:
        answers = shared_out(self.examine, self.ENTRIES, lambda count: None)
        assert answers == [self.examine(entry) for entry in self.ENTRIES]

    def test_a_helper_that_is_killed_costs_only_time(self) -> None:
        parent = os.getpid()

        def examine(entry: int) -> tuple[Diagnostic, ...]:
            if os.getpid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)
            return self.examine(entry)

        assert shared_out(examine, self.ENTRIES, lambda count: None) == [self.examine(entry) for entry in self.ENTRIES]

    def test_a_fault_in_either_half_is_a_fault(self) -> None:
        def examine(entry: int) -> tuple[Diagnostic, ...]:
            if entry == self.ENTRIES[-1]:
                raise RuntimeError("ours")
            return ()

        with pytest.raises(RuntimeError):
            shared_out(examine, self.ENTRIES, lambda count: None)
