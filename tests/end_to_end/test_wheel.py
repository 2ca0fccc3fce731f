"""The wheel, installed without extras into a clean environment, builds in a foreign repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import SPEC
from tests.support import ROOT, Tree, acceptance_text


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=ROOT)
    wheel = next(folder.glob("tt_build-*.whl"))
    run(sys.executable, "-m", "venv", str(folder / "venv"), cwd=folder)
    run(str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", str(wheel), cwd=folder)
    return folder / "venv/bin"


def test_a_foreign_repository_builds(installed: Path, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "foreign", SPEC)
    run(str(installed / "scons"), cwd=tree.folder)
    run(str(installed / "scons"), "-q", cwd=tree.folder)
    run(str(installed / "tt-build"), "compile", "kernels.yaml", "--output", "compiled", cwd=tree.folder)
    assert tree.files() == tree.files("compiled")
    assert len(tree.files()) == 2 * 16
    assert run(str(installed / "tt-build"), "--version", cwd=tree.folder).startswith("tt-build ")
    assert "draft-07" in run(str(installed / "tt-build"), "schema", cwd=tree.folder)


def test_the_command_line_writes_what_scons_writes(tmp_path: Path) -> None:
    spec = acceptance_text()
    tree = Tree(tmp_path / "project", spec)
    tree.scons()
    run(sys.executable, "-m", "tt_build", "compile", "kernels.yaml", "--output", "compiled", cwd=tree.folder)
    assert tree.files() == tree.files("compiled")
