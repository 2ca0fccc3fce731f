"""What ``tt-build init`` writes for CI, run: the shell steps of its workflow, as a runner would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tt_build.cli import main


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    assert main(["init", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tt-build`` and ``scons`` on PATH, as ``pip install tt-build`` leaves them."""
    folder = tmp_path_factory.mktemp("tools")
    for name, module in (("tt-build", "tt_build"), ("scons", "SCons")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def test_init_says_what_its_workflow_still_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "new")]) == 0
    *_, build, install = capsys.readouterr().out.splitlines()
    assert build == "next: scons target=tenstorrent"
    assert "pip install ADDRESS" in install
    assert "pip install tt-build" in (tmp_path / "new/.github/workflows/kernels.yml").read_text()


def steps(repository: Path) -> list[str]:
    workflow = yaml.safe_load((repository / ".github/workflows/kernels.yml").read_text())
    return [step["run"] for step in workflow["jobs"]["build"]["steps"] if "run" in step]


def run(repository: Path, tools: Path, event: str) -> subprocess.CompletedProcess[str]:
    """The job on a runner: every shell step but the installation of the package, which the tests have."""
    install, *others = steps(repository)
    assert install.startswith("pip install tt-build")
    assert others
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
    }
    script = "\n".join(others)
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=repository,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def entries(repository: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in (repository / ".cache/tt-build").rglob("*")}


def test_a_push_fills_the_cache_and_a_pull_request_only_reads_it(repository: Path, tools: Path, tmp_path: Path) -> None:
    done = run(repository, tools, "push")
    assert done.returncode == 0, done.stdout
    assert "22 stored" in done.stdout
    with tarfile.open(repository / "artifacts/kernels.tar.gz") as archive:
        names = archive.getnames()
    assert "tenstorrent/gemm/reader.cpp" in names
    assert "tenstorrent/gemm/verify.json" in names
    assert not any("sconsign" in name for name in names)
    assert (repository / "artifacts/trace.json").is_file()

    checkout = tmp_path / "pull"
    shutil.copytree(repository, checkout, ignore=shutil.ignore_patterns("build", "artifacts"))
    before = entries(checkout)
    done = run(checkout, tools, "pull_request")
    assert done.returncode == 0, done.stdout
    assert "22 hits, 0 misses, 0 stored" in done.stdout
    assert entries(checkout) == before


def test_a_mistake_is_an_annotation_and_fails_the_job(repository: Path, tools: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "wrong"
    shutil.copytree(repository, checkout, ignore=shutil.ignore_patterns("build", "artifacts"))
    path = checkout / "kernels.yaml"
    path.write_text(path.read_text().replace("C = A @ B", "C = A @ Q"))
    done = run(checkout, tools, "pull_request")
    assert done.returncode == 1, done.stdout
    assert "::error file=kernels.yaml,line=" in done.stdout
    assert (checkout / "artifacts").is_dir()


def test_only_trusted_jobs_save_the_cache_and_artifacts_are_always_kept(repository: Path) -> None:
    job = yaml.safe_load((repository / ".github/workflows/kernels.yml").read_text())["jobs"]["build"]
    uses = {step["uses"].split("@")[0]: step for step in job["steps"] if "uses" in step}
    assert uses["actions/cache/save"]["if"] == "github.event_name != 'pull_request'"
    assert uses["actions/upload-artifact"]["if"] == "always()"
    for name in ("restore", "save"):
        assert uses[f"actions/cache/{name}"]["with"]["path"] == ".cache/tt-build"
