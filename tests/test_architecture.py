"""Imports go down the data flow, never up; templates compute nothing; no module of the package stands alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support import ROOT

# Room -> rooms that it may import from, besides itself.
MAY_IMPORT = {
    "targets": set(),
    "spec": {"targets", "lang"},
    "lang": {"spec", "targets"},
    "ir": {"spec", "lang", "targets"},
    "model": {"ir", "targets"},
    "passes": {"spec", "lang", "ir", "model", "targets"},
    "codegen": {"spec", "lang", "ir", "model", "passes", "targets"},
    "report": {"spec", "ir", "model", "passes", "codegen", "targets"},
    "emulator": {"ir", "lang", "targets"},
    "verify": {"spec", "lang", "ir", "targets", "emulator"},
    "sdk": {"ir", "targets", "runtime"},
    "tune": {"spec", "ir", "model", "passes", "codegen", "targets", "emulator", "runtime"},
    "runtime": {"ir", "targets"},
    "scons": {
        "spec",
        "lang",
        "ir",
        "model",
        "passes",
        "codegen",
        "report",
        "targets",
        "emulator",
        "verify",
        "runtime",
        "sdk",
    },
}
FREE = {"version", "resources", "decoding", "children"}
ANYTHING = {"cli", "__main__", "__init__"}


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT / "tt_build")
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "tt_build":
                names = [f"tt_build.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("tt_build.")}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "tt_build").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room in ANYTHING:
        return
    allowed = MAY_IMPORT.get(room, set()) | FREE | {room}
    assert imports_of(path) <= allowed, f"{room} may not import {imports_of(path) - allowed}"


def test_scons_is_known_to_its_own_room_only() -> None:
    for path in (ROOT / "tt_build").rglob("*.py"):
        if room_of(path) != "scons":
            assert not re.search(r"^\s*(import|from) SCons", path.read_text(), re.M), path


def test_nothing_refers_to_a_folder_beside_the_repository() -> None:
    for path in ROOT.rglob("*"):
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".j2", ".json") and not any(
            part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts
        ):
            assert b"../shar" + b"ed" not in path.read_bytes(), path
