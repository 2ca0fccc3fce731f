"""Reading kernels.yaml by items gives what reading it whole gives: declarations, rejections and messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tt_build.scons import reading
from tt_build.scons.reading import Reading

BASE = """# head
version: 1

defaults: {dtype: bfloat16}

kernels:
  # first
  one:
    inputs: {A: {shape: [32, 32]}}
    outputs: {C: {shape: [32, 32]}}
    compute: |
      # text
      C = relu(A)

  two:
    inputs: {A: {shape: [64, 32]}, B: {shape: [64, 32]}}
    outputs: {C: {shape: [64, 32]}}
    compute: C = A + B
  three:   # last
    inputs:
      A: {shape: [96, 32]}
    outputs: {C: {shape: [96, 32]}}
    compute: C = sqrt(A)
"""
EDITS = {
    "nothing": ("# head", "# head"),
    "a field": ("shape: [64, 32]}, B", "shape: [64, 32], dtype: float32}, B"),
    "a comment inside": ("compute: C = A + B", "compute: C = A + B  # sum"),
    "a comment between": ("  two:", "# here\n  two:"),
    "the head": ("dtype: bfloat16", "dtype: float32"),
    "a new kernel": ("  two:", "  new:\n    inputs: {A: {shape: [1, 1]}}\n    outputs: {C: {shape: [1, 1]}}\n    "
                     "compute: C = A * 2\n  two:"),
    "a removed kernel": ("  three:   # last", "  three_b:"),
    "a rejected kernel": ("C = A + B", "C = A + Q"),
    "a warning": ("compute: C = A + B", "sizes: {Unused: 3}\n    compute: C = A + B"),
    "a second kernel of one name": ("  three:   # last", "  two:"),
    "names that differ in case": ("  three:   # last", "  Two:"),
    "a quote that swallows the next": ("compute: C = A + B", 'compute: "C = A + B'),
    "a brace that swallows the next": ("inputs: {A: {shape: [64", "description: {\n    inputs: {A: {shape: [64"),
    "a flow mapping at the items' column": ("  two:\n", "  two: {description: x,\n  y: 1}\n  two_b:\n"),
    "a folded scalar": ("compute: C = A + B", "compute: >-\n      C = A\n      + B"),
    "a tab": ("    compute: C = sqrt", "\tcompute: C = sqrt"),
    "a second document": ("  two:", "---\n  two:"),
    "an anchor": ("  two:", "  two: &x"),
    "no final line break": ("sqrt(A)\n", "sqrt(A)"),
    "carriage returns": ("\n", "\r\n"),
    "a kernel at another column": ("  three:", "   three:"),
    "a later key at the margin": ("sqrt(A)\n", "sqrt(A)\npolicies: {}\n"),
    "an unknown key at the margin": ("sqrt(A)\n", "sqrt(A)\nkernel: {}\n"),
}  # fmt: skip


def state(found: Reading) -> tuple[object, ...]:
    return found.digests, sorted(found.failed), found.text


def read(path: Path, noted: object) -> Reading:
    return Reading(path, None, None, "loader", noted)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_read_as_the_whole_file_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_text(BASE, newline="")
    noted = read(path, None).note()
    assert noted is not None
    assert list(noted["items"]) == ["one", "two", "three"]
    old, new = EDITS[name]
    assert old in BASE
    path.write_text(BASE.replace(old, new), newline="")
    found, whole = read(path, noted), read(path, None)
    assert state(found) == state(whole)
    names = list(whole.digests)
    assert found.declarations(names) == whole.declarations(names)
    assert [found.data(n) for n in names] == [whole.data(n) for n in names]
    again = read(path, found.note())
    assert state(again) == state(whole)


def test_only_the_edited_kernel_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_text(BASE)
    noted = read(path, None).note()
    path.write_text(BASE.replace("C = A + B", "C = A * B"))
    monkeypatch.setattr(reading.Reading, "_load", lambda self: pytest.fail("the whole file was loaded"))
    found = read(path, noted)
    assert list(found._declared) == ["two"]
    assert list(found.declarations(["three"])) == ["three"]


def test_without_a_temporary_folder_the_whole_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_text(BASE)
    noted = read(path, None).note()
    path.write_text(BASE.replace("A + B", "A - B"))
    wanted = state(read(path, None))

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refused)
    found = read(path, noted)
    assert state(found) == wanted
    assert found.declarations(["two"])["two"].kernel.compute == "C = A - B"


def test_the_command_line_and_the_loader_are_part_of_what_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_text(BASE)
    noted = read(path, None).note()
    other = Reading(path, "blackhole", None, "loader", noted)
    assert other.declarations(["one"])["one"].target.arch == "blackhole"
    assert Reading(path, None, None, "newer", noted).changed
