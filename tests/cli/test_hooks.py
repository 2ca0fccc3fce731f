"""The pre-commit hooks name commands that exist; the problem matcher reads what ``validate`` prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tests.cli.support import tt_build
from tests.support import ROOT
from tt_build.spec.loader import load_file
from tt_build.spec.render import colour, render

GOOD = """\
version: 1
kernels:
  k: {inputs: {A: {shape: [32]}}, outputs: {Y: {shape: [32]}}, compute: Y = gelu(A)}
"""


def test_the_hooks_run(there: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["tt-build-validate", "tt-build-fix"]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert re.search(hook["files"], "kernels.yaml")
        assert re.search(hook["files"], "deep/below/kernels.yaml")
        assert not re.search(hook["files"], "kernels.yaml.orig")
        program, *arguments = hook["entry"].split()
        assert program == "tt-build"
        for name in ("a", "b"):  # pre-commit passes every file that changed
            (there / name).mkdir(exist_ok=True)
            (there / name / "kernels.yaml").write_text(GOOD)
        assert tt_build(*arguments, "a/kernels.yaml", "b/kernels.yaml").code == 0
        (there / "b" / "kernels.yaml").write_text(GOOD.replace("gelu", "frobnicate"))
        assert tt_build(*arguments, "b/kernels.yaml", "a/kernels.yaml").code == 1


def test_a_hook_checks_what_a_changed_file_belongs_to(there: Path) -> None:
    (there / "kernels.yaml").write_text(f"include: [library/*.yaml]\n{GOOD}")
    (there / "own" / "ops").mkdir(parents=True)
    (there / "own" / "kernels.yaml").write_text(GOOD.replace("version: 1", "version: 1\nextensions: ops"))
    (there / "library").mkdir()
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    changed = {
        "library/more.yaml": ("version: 1\nkernels: {j: {inputs: {}}}", "kernels.yaml:"),
        "own/ops/ops.yaml": ("version: 1\nops: {f: {operands: [x]}}", "own/kernels.yaml:"),
        "own/ops/templates/reader.cpp.j2": ("{% for %}", "own/kernels.yaml:"),
        "kernels.lock.json": ("{", "kernels.yaml:"),
    }
    for name, (text, spec) in changed.items():
        path = there / name
        path.parent.mkdir(exist_ok=True)
        for hook in hooks:
            assert re.search(hook["files"], name)
            arguments = hook["entry"].split()[1:]
            path.unlink(missing_ok=True)
            good = {"own/ops/ops.yaml": "version: 1\nops: {}\n", "library/more.yaml": "version: 1\n"}
            for other, content in good.items():
                (there / other).write_text(content)
            ran = tt_build(*arguments, name)
            assert (ran.code, ran.out.split(" ")[0]) == (0, spec), ran
            path.write_text(text)
            ran = tt_build(*arguments, name)
            assert ran.code == 1, (name, ran)
            assert "error[TTB" in ran.err
    assert tt_build("validate", "--nearest", "/nowhere/else.yaml").code == 0


def test_the_problem_matcher_finds_every_diagnostic() -> None:
    path = Path(tt_build("schema", "--problem-matcher").out.strip())
    (matcher,) = json.loads(path.read_text())["problemMatcher"]
    (pattern,) = matcher["pattern"]
    spec = load_file(ROOT / "tests" / "cli" / "data" / "broken.yaml")
    for paint in ({}, {"paint": colour}):
        for entry in spec.diagnostics:
            lines = render(entry.diagnostic, spec.source, **paint).splitlines()
            found = [match for line in lines if (match := re.match(pattern["regexp"], line))]
            assert len(found) == 1, lines
            said = entry.diagnostic
            wanted = {
                "file": entry.span.file,
                "line": str(entry.span.line),
                "column": str(entry.span.column),
                "severity": said.severity,
                "code": said.code,
                "message": said.message,
            }
            assert {key: found[0][pattern[key]] for key in wanted} == wanted
