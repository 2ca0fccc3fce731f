"""What yaml-language-server offers in a repository that ``tt-build init`` made: by the modeline alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.language_server import Editor
from tests.cli.support import tt_build
from tt_build.ir.work import ORDERS, POLICIES
from tt_build.spec.schema import build
from tt_build.targets import DTYPES


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    assert tt_build("init", folder).code == 0
    return folder


@pytest.fixture(scope="module")
def editor(repository: Path) -> Iterator[Editor]:
    editor = Editor(repository)
    yield editor
    editor.close()


def at(text: str) -> tuple[str, int, int]:
    """The text without its mark ``|>``, and the place of the mark."""
    before, after = text.split("|>")
    return before + after, before.count("\n"), len(before) - before.rfind("\n") - 1


HEAD = "# yaml-language-server: $schema=.tt-build/kernels.schema.json\nversion: 1\n"
KERNEL = """kernels:
  k:
    inputs: {A: {shape: [32, 32]}}
    outputs: {Y: {shape: [32, 32]}}
    compute: Y = -A
"""


def test_the_starter_has_no_findings(editor: Editor, repository: Path) -> None:
    path = repository / "kernels.yaml"
    assert editor.open(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("key", KERNEL + "    shedule: {}\n", "shedule"),
        ("word", KERNEL + "    schedule: {policy: stride}\n", "strided"),
        ("type", KERNEL + "    block: 32\n", "array"),
        ("missing", "kernels:\n  k: {inputs: {A: {shape: [32]}}}\n", "outputs"),
    ],
)
def test_mistakes_are_marked(name: str, wrong: str, said: str, editor: Editor, repository: Path) -> None:
    found = editor.open(repository / f"wrong_{name}.yaml", HEAD + wrong)
    assert any(said in entry["message"] for entry in found), found


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("top", HEAD + KERNEL + "|>", set(build()["properties"]) - {"version", "kernels"}),
        ("kernel", HEAD + KERNEL + "    |>", {"schedule", "math", "sizes", "variants", "allow", "grid", "block"}),
        ("policy", HEAD + KERNEL + "    schedule:\n      policy: |>", set(POLICIES)),
        ("order", HEAD + KERNEL + "    schedule:\n      order: |>", set(ORDERS)),
        ("dtype", HEAD + "defaults:\n  dtype: |>", set(DTYPES)),
    ],
)
def test_completion(name: str, text: str, wanted: set[str], editor: Editor, repository: Path) -> None:
    text, line, column = at(text)
    path = repository / f"complete_{name}.yaml"
    editor.open(path, text)
    assert wanted <= set(editor.complete(path, line, column))


def test_hover_explains_a_key(editor: Editor, repository: Path) -> None:
    text, line, column = at(HEAD + KERNEL.replace("compute", "com|>pute"))
    path = repository / "hover.yaml"
    editor.open(path, text)
    assert "every output is assigned exactly once" in editor.hover(path, line, column)
