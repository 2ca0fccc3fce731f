"""The same kernels.yaml gives the same bytes, wherever and however it is built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, Tree, acceptance_text

# name -> (folder, environment, umask, arguments)
SURROUNDINGS: dict[str, tuple[str, dict[str, str], int, tuple[str, ...]]] = {
    "path": ("a folder/with spaces & ümlauts/deep", {}, 0o022, ()),
    "locale": ("p", {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, 0o022, ()),
    "time zone": ("p", {"TZ": "Pacific/Kiritimati"}, 0o022, ()),
    "umask": ("p", {}, 0o077, ()),
    "hash seed": ("p", {"PYTHONHASHSEED": "4242"}, 0o022, ()),
    "one job": ("p", {}, 0o022, ("-j1",)),
    "many jobs": ("p", {}, 0o022, ("-j5",)),
    "optimized": ("p", {"PYTHONOPTIMIZE": "2"}, 0o022, ()),
    "all at once": (
        "x/ÿ",
        {"LC_ALL": "POSIX", "TZ": "America/St_Johns", "PYTHONHASHSEED": "7", "HOME": "/nonexistent"},
        0o027,
        ("-j3",),
    ),
}
# This repository's kernels, and so many more that the work is shared by processes.
SPEC = acceptance_text() + "".join(
    f"  more{n}: {{inputs: {{A: {{shape: [32, {n}]}}}}, outputs: {{C: {{shape: [32, {n}]}}}}, compute: C = A * {n}}}\n"
    for n in range(1, 11)
)


def build(
    folder: Path,
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
    umask: int = 0o022,
    *more: str,
) -> dict[str, bytes]:
    """Every built file of this repository's kernels."""
    tree = Tree(folder, SPEC)
    done = subprocess.run(
        [python, "-m", "SCons", *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        umask=umask,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tree.files()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    files = build(tmp_path_factory.mktemp("reference"), sys.executable, {"PYTHONHASHSEED": "0"})
    assert sum(name.endswith("/reader.cpp") for name in files) >= 24
    return files


def differing(files: dict[str, bytes], reference: dict[str, bytes]) -> list[str]:
    return sorted(name for name in {*files, *reference} if files.get(name) != reference.get(name))


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_surroundings_change_no_byte(name: str, reference: dict[str, bytes], tmp_path: Path) -> None:
    folder, environment, umask, arguments = SURROUNDINGS[name]
    assert differing(build(tmp_path / folder, sys.executable, environment, umask, *arguments), reference) == []


# The oldest and the newest of what the product page promises; NumPy 1.24 comes with the oldest Python.
PYTHONS = {"3.10": "numpy==1.24.*", "3.11": "numpy", "3.12": "numpy", "3.13": "numpy"}


@pytest.mark.long
@pytest.mark.parametrize("version", PYTHONS)
def test_python_s_version_changes_no_byte(version: str, reference: dict[str, bytes], tmp_path: Path) -> None:
    """Needs that Python on PATH or under pyenv, and a package index; fails where there is none."""
    subprocess.run([interpreter(version), "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv/bin/python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT), PYTHONS[version]]
    subprocess.run(install, check=True)
    found = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    assert found.startswith(f"Python {version}.")
    # The checkout's own package, so that signatures are compared too: a cache filled by one serves the other.
    cache = f"cache={tmp_path / 'cache'}"
    assert differing(build(tmp_path / "tree", python, {}, 0o022, cache), reference) == []
    again = Tree(tmp_path / "again", SPEC)
    assert again.steps(again.scons(cache)) == []


def interpreter(version: str) -> str:
    """A Python of that version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    found = found or [path for path in [shutil.which(f"python{version}")] if path]
    assert found, f"no Python {version} on PATH or under pyenv: pyenv install {version}"
    return found[-1]
