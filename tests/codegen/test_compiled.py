"""Compiled templates are taken from disk only where they are what would be compiled now."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from tt_build.codegen.compiled import CompiledTemplates


def render(folder: Path, label: str = "x") -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), bytecode_cache=CompiledTemplates(folder, label)
    )
    return environment.get_template("a.j2").render(name="b")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "a.j2").write_text("hello {{ name }}")
    assert render(tmp_path) == "hello b"
    return tmp_path


def test_a_compiled_template_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jinja2.Environment, "compile", lambda *_: pytest.fail("it was compiled"))
    assert render(folder) == "hello b"


def test_a_changed_template_is(folder: Path) -> None:
    (folder / "a.j2").write_text("hullo {{ name }}")
    assert render(folder) == "hullo b"


def test_damage_is_compiled_over(folder: Path) -> None:
    (path,) = (folder / "__pycache__").iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert render(folder) == "hello b"
        path.write_bytes(whole[:at])
        assert render(folder) == "hello b"


def test_environments_are_told_apart(folder: Path) -> None:
    render(folder, "y")
    assert len(list((folder / "__pycache__").iterdir())) == 2
