"""docs/diagnostics is what the registry generates (``--update-goldens`` writes it)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tt_build.spec.catalogue import page, pages
from tt_build.spec.codes import CODES

FOLDER = Path(__file__).parent.parent.parent / "docs" / "diagnostics"


def test_docs_are_the_generated_pages(update_goldens: bool) -> None:
    made = pages()
    if update_goldens:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for old in FOLDER.glob("*.md"):
            old.unlink()
        for name, text in made.items():
            (FOLDER / name).write_text(text)
    assert {path.name: path.read_text() for path in FOLDER.glob("*.md")} == made


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_page_says_everything(code: str) -> None:
    info = CODES[code]
    for text in (info.title, info.what, info.why, info.example, info.mend):
        assert text.strip(), code
        assert text in page(code)
    assert info.warning == (code[3] == "1")
