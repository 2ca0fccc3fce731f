"""Signatures of steps: what a module needs is what its text says."""

from __future__ import annotations

import ast
from pathlib import Path

import jinja2
import jinja2.meta
import pytest

from tests.scons.model import COMPILER_EDITS, CompilerEdit
from tests.support import ROOT
from tt_build.scons import signatures
from tt_build.scons.signatures import CODEGEN, needs_of, parts_of

MODULES = sorted((ROOT / "tt_build").rglob("*.py"))


def imported(nodes: list[ast.AST]) -> set[str]:
    """Every name of the package that an import statement among the nodes may mean."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return {name for name in names if name.split(".")[0] == "tt_build"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_import_of_the_package_is_found(path: Path) -> None:
    tree = ast.parse(path.read_text())
    nodes = list(tree.body) if path == ROOT / "tt_build/__init__.py" else list(ast.walk(tree))
    assert imported(nodes) <= set(needs_of(path)[0])  # a text in a string may look like one


@pytest.mark.parametrize(
    "text",
    [
        "if True: import tt_build.a",
        "x = 1; from tt_build import a",
        "from tt_build import (  # why\n    a,\n)",
        "import tt_build.a as b",
        "import tt_build.a  # why",
        "from tt_build import \\\n    a",
        "    \n\tif x:\n\t\tfrom tt_build import (\n\t\t\ta, b\n\t\t)",
        '"""\nimport a b\n"""\nimport tt_build.a',
        "from\ttt_build\timport a",
    ],
)
def test_an_import_of_any_form_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(text.replace("\tif x", "if x"))
    assert "tt_build.a" in needs_of(path)[0]


def test_data_files_are_found(tmp_path: Path) -> None:
    for number, text in enumerate(("SIGNATURE_DATA = ('a.json',)", "if 1:\n    SIGNATURE_DATA = ['a.json']  # x")):
        path = tmp_path / f"module{number}.py"
        path.write_text(text)
        assert needs_of(path)[1] == ["a.json"]
    assert "targets/arch/wormhole_b0.json" in parts_of("tt_build.passes.infer_shard")


def test_every_template_that_a_template_names_is_found() -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "templates"), autoescape=False)
    found = {name.removeprefix("templates/") for name in parts_of(CODEGEN) if name.startswith("templates/")}
    for name in found:
        named = jinja2.meta.find_referenced_templates(environment.parse((ROOT / "templates" / name).read_text()))
        assert set(named) <= found
    assert len(found) > 10


@pytest.mark.parametrize("name", ['"a.j2" ~ x', "x", '["a.j2", "b.j2"]', '"a.j2" if x else "b.j2"', '("a.j2")'])
def test_a_template_whose_name_is_computed_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reader.cpp.j2").write_text("{%- include " + name + " %}")
    monkeypatch.setattr(signatures, "templates_dir", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"reader.cpp.j2 includes a template whose name is computed"):
        parts_of(CODEGEN)


@pytest.mark.parametrize("edit", COMPILER_EDITS, ids=lambda edit: edit.path)
def test_every_edit_of_the_state_machine_has_its_text(edit: CompilerEdit) -> None:
    assert edit.old in (ROOT / edit.path).read_text()
