"""Each format of ``tt-build validate``, letter by letter, and held against what its consumers expect."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from tests.cli.support import tt_build
from tests.support import ROOT
from tt_build.spec.render import colour
from tt_build.version import __version__

DATA = Path("tests/cli/data")
SPEC = DATA / "broken.yaml"
FORMATS = ("text", "json", "github", "sarif", "junit")


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", FORMATS)
def test_exact_text(name: str, update_goldens: bool) -> None:
    ran = tt_build("validate", SPEC, "--format", name)
    assert ran.code == 1
    said, silent = (ran.err, ran.out) if name == "text" else (ran.out, ran.err)
    assert silent == ""
    said = said.replace(f'"{__version__}"', '"VERSION"')
    golden = DATA / f"broken.{name}.txt"
    if update_goldens:
        golden.write_text(said)
    assert golden.read_text() == said


@pytest.mark.parametrize("name", FORMATS[1:])
def test_a_valid_file(name: str) -> None:
    ran = tt_build("validate", "kernels.yaml", "--format", name)
    assert (ran.code, ran.err) == (0, "")
    assert {
        "json": lambda text: json.loads(text)["diagnostics"] == [] and "gemm" in json.loads(text)["kernels"],
        "github": lambda text: text == "",
        "sarif": lambda text: json.loads(text)["runs"][0]["results"] == [],
        "junit": lambda text: ET.fromstring(text).get("failures") == "0",
    }[name](ran.out)


def test_every_format_reports_the_same_diagnostics() -> None:
    codes = [entry["code"] for entry in json.loads(tt_build("validate", SPEC, "--format", "json").out)["diagnostics"]]
    text = tt_build("validate", SPEC).err
    sarif = json.loads(tt_build("validate", SPEC, "--format", "sarif").out)["runs"][0]
    github = tt_build("validate", SPEC, "--format", "github").out
    junit = tt_build("validate", SPEC, "--format", "junit").out
    assert re.findall(r"\[(TTB\d+)\]", text) == codes
    assert [result["ruleId"] for result in sarif["results"]] == codes
    assert [sarif["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] for r in sarif["results"]] == codes
    assert re.findall(r"title=(TTB\d+)", github) == codes
    assert sorted(re.findall(r"(?:error|warning)\[(TTB\d+)\]", junit)) == sorted(codes)


def test_sarif_has_the_form_of_its_specification() -> None:
    schema = json.loads((ROOT / "tests" / "cli" / "sarif_subset.json").read_text())
    for spec in (SPEC, *sorted((ROOT / "tests" / "diagnostics").glob("*.yaml"))[::7]):
        report = json.loads(tt_build("validate", spec, "--format", "sarif").out)
        jsonschema.validate(report, schema)
        assert report["runs"][0]["results"]


def test_places_of_sarif_cut_out_what_is_meant() -> None:
    """Columns count code points, also behind characters of another width."""
    lines = SPEC.read_text().splitlines()
    run = json.loads(tt_build("validate", SPEC, "--format", "sarif").out)["runs"][0]
    found = {}
    for result in run["results"]:
        region = result["locations"][0]["physicalLocation"]["region"]
        line = lines[region["startLine"] - 1]
        found[result["ruleId"]] = line[region["startColumn"] - 1 : region["endColumn"] - 1]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == SPEC.as_posix()
    assert found["TTB014"] == "X @ W"
    assert found["TTB004"] == "12:30"
    assert found["TTB013"] == "geluu"


def test_a_fix_of_json_is_the_edit_that_fix_makes(there: Path) -> None:
    path = there / "kernels.yaml"
    path.write_text((ROOT / SPEC).read_text())
    record = json.loads(tt_build("validate", path, "--format", "json").out)
    fix = next(entry["fix"] for entry in record["diagnostics"] if entry["code"] == "TTB013")
    lines = path.read_text().splitlines()
    line = lines[fix["line"] - 1]
    lines[fix["line"] - 1] = line[: fix["column"] - 1] + fix["replacement"] + line[fix["end_column"] - 1 :]
    assert tt_build("validate", path, "--fix").code == 1
    assert path.read_text().splitlines()[fix["line"] - 1] == lines[fix["line"] - 1]
    assert "gelu(A)" in path.read_text()


def test_github_shows_the_ten_best(there: Path) -> None:
    kernels = "".join(
        f"  k{n}: {{inputs: {{A: {{shape: [32]}}}}, outputs: {{Y: {{shape: [32]}}}}, compute: Y = a{n}}}\n"
        for n in range(14)
    )
    (there / "kernels.yaml").write_text(f"version: 1\nkernels:\n{kernels}  K: {{}}\n")
    lines = tt_build("validate", "kernels.yaml", "--format", "github", "--sarif", "all.sarif").out.splitlines()
    shown = [line for line in lines if line.startswith(("::error ", "::warning "))]
    assert len(shown) == 10
    assert "title=TTB009" in shown[-1], "one of each code before a second of any"
    results = json.loads((there / "all.sarif").read_text())["runs"][0]["results"]
    assert lines[-1] == (
        f"::notice title=tt-build::{len(results) - 10} more; --sarif FILE writes all of them for code scanning"
    )


def test_github_escapes_what_its_commands_are_made_of(there: Path) -> None:
    folder = there / "a,b"
    folder.mkdir()
    (folder / "100%:k.yaml").write_text('version: 1\n"50%\\n::error::x": 1\n')
    out = tt_build("validate", folder / "100%:k.yaml", "--format", "github").out
    assert len(out.splitlines()) == 1
    assert "file=a%2Cb/100%25%3Ak.yaml," in out


def test_junit_is_what_its_consumers_read() -> None:
    root = ET.fromstring(tt_build("validate", SPEC, "--format", "junit").out)
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    assert suite.get("tests") == root.get("tests") == str(len(cases))
    failed = [case for case in cases if case.find("failure") is not None]
    assert suite.get("failures") == root.get("failures") == str(len(failed))
    for case in cases:
        assert case.get("name")
        assert case.get("classname")
        assert float(case.get("time", "nan")) >= 0
        assert len(case.findall("failure")) <= 1
        assert {child.tag for child in case} <= {"failure", "system-out"}
    assert {case.get("name") for case in cases} >= {"gemm", "idle", "half", "far", "fine"}
    assert "fine" not in {case.get("name") for case in failed}, "a warning is no failure"


def test_junit_holds_only_characters_of_xml(there: Path) -> None:
    (there / "kernels.yaml").write_text('version: 1\n"a\\x01\\uD7FF]]>&<": 1\n')
    ET.fromstring(tt_build("validate", "kernels.yaml", "--format", "junit").out)


class Terminal:
    """A stream that says it is one."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"CI": "true"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_on_terminals_only(environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from tt_build.cli import main

    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert main(["validate", str(SPEC)]) == 1
    assert ("\033[" in terminal.text) == coloured
    shown = re.sub(r"\r?\033\[[0-9;]*[mK](?:checking [^\r\033]*)?", "", terminal.text)
    assert shown == (DATA / "broken.text.txt").read_text(), "colour changes no character"


def test_colour_closes_what_it_opens() -> None:
    assert colour("error", "x") == "\033[1;31mx\033[0m"
    assert colour("note", "") == ""
