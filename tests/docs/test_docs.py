"""Pages are current, their links lead somewhere, their words are spelt, and the commands that they name exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tt_build.cli import parser
from tt_build.cli.completion import commands
from tt_build.spec.loader import load_file
from tt_build.spec.reference import reference

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    heads = re.findall(r"^#+ (.*)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_reference_is_current(update_goldens: bool) -> None:
    page = ROOT / "docs" / "language.md"
    if update_goldens:
        page.write_text(reference())
    assert page.read_text() == reference()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://", target):
            continue  # a build has no network; addresses outside are not followed
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.relative_to(ROOT)} links to {target}"
        assert ROOT in found.parents, f"{target} leads out of the repository"
        if anchor:
            assert anchor in anchors(found), f"{page.relative_to(ROOT)} links to {target}"


def test_words_are_spelt() -> None:
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words", "tests/docs/words.txt"]
    done = subprocess.run(
        [*command, *(str(page.relative_to(ROOT)) for page in PAGES)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_spell_checker_finds_mistakes(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("The adress of teh buffer.\n")
    done = subprocess.run([sys.executable, "-m", "codespell_lib", str(tmp_path)], capture_output=True, check=False)
    assert done.returncode == 65


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    known = {name: {o for a in actions for o in a.option_strings} for name, (_, actions) in commands().items()}
    general = {option for action in parser()._actions for option in action.option_strings}
    for name, rest in re.findall(r"\btt-build ([a-z]+|--[a-z]+)\b([^`\n]*)", page.read_text()):
        if name.startswith("--"):
            assert name in general, f"tt-build {name}"
        elif name in known:  # "tt-build reads ..." is prose
            assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)) <= known[name], f"tt-build {name}{rest}"


def test_the_example_of_the_reference_is_valid(tmp_path: Path) -> None:
    block = re.search(r"^```yaml\n(.*?)^```$", reference(), re.M | re.S)
    assert block is not None
    (tmp_path / "kernels.yaml").write_text(block[1])
    assert load_file(tmp_path / "kernels.yaml").diagnostics == ()
