"""Diagnostics in the forms that people and machines read: text, JSON, GitHub annotations, SARIF 2.1.0, JUnit.

Pure functions from a ``Report`` to text that ends in a line break (or is empty). Lines and columns count from 1,
columns count characters (code points), ``end_column`` is exclusive, as everywhere here.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tt_build.spec.catalogue import page
from tt_build.spec.codes import CODES
from tt_build.spec.positions import Located, SourceMap, Span
from tt_build.spec.render import Paint, plain, related_text, render
from tt_build.version import __version__

# GitHub shows ten errors and ten warnings a step, and drops the rest without a word.
MOST_ANNOTATIONS = 10


class Report(msgspec.Struct, frozen=True):
    """What was found: ``found`` in file order, ``kernels`` and ``programs`` the names of the valid ones.

    ``root`` is the folder that paths are relative to where a consumer wants them so (the repository).
    """

    found: tuple[Located, ...]
    kernels: tuple[str, ...]
    source: SourceMap
    root: Path
    programs: tuple[str, ...] = ()


def text(report: Report, paint: Paint = plain) -> str:
    """The messages as a user reads them."""
    return _ended("\n\n".join(render(entry.diagnostic, report.source, paint) for entry in report.found))


def as_json(report: Report) -> str:
    """``{"version", "kernels", "diagnostics"}``, one object a diagnostic; ``docs/command-line.md`` lists the keys.

    ``programs`` are there where the file declares any.
    """
    diagnostics = []
    for entry in report.found:
        said = entry.diagnostic
        record: dict[str, Any] = {"code": said.code, "severity": said.severity, "message": said.message}
        record |= _place(entry.span) | {"kernel": kernel_of(entry), "help": said.help}
        record["related"] = [
            {"message": related_text(other, entry.span.file, report.source), **_place(span)}
            for other, span in zip(said.related, entry.related, strict=True)
        ]
        record["fix"] = _edit(entry, report)
        diagnostics.append(record)
    data: dict[str, Any] = {"version": 1, "kernels": list(report.kernels)}
    if report.programs:
        data["programs"] = list(report.programs)
    data["diagnostics"] = diagnostics
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def github(report: Report) -> str:
    """Workflow commands for the ten best diagnostics, and how many there are more."""
    best = _best(report.found)
    lines = []
    for entry in best:
        said, span = entry.diagnostic, entry.span
        body = said.message + (f"\nhelp: {said.help}" if said.help else "")
        place = f"file={_property(_relative(span.file, report))},line={span.line},endLine={span.line}"
        columns = f"col={span.column},endColumn={span.end_column}"
        lines.append(f"::{said.severity} {place},{columns},title={_property(said.code)}::{_data(body)}")
    more = len(report.found) - len(best)
    if more:
        lines.append(f"::notice title=tt-build::{more} more; --sarif FILE writes all of them for code scanning")
    return _ended("\n".join(lines))


def sarif(report: Report) -> str:
    """SARIF 2.1.0 with every diagnostic, its rule's catalogue page, related places and fix."""
    codes = sorted({entry.diagnostic.code for entry in report.found})
    driver = {"name": "tt-build", "version": __version__, "semanticVersion": __version__}
    run = {
        "tool": {"driver": {**driver, "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(entry, codes, report) for entry in report.found],
    }
    data = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def junit(report: Report) -> str:
    """JUnit XML: a test case a kernel or program, and one for each file that has an error outside any kernel."""
    cases: dict[tuple[str, str], list[Located]] = {}
    main = report.source.files[0].name if report.source.files else "kernels.yaml"
    for name in (*report.kernels, *report.programs):
        place = report.source.kernels.get(name)
        number = place.file if place is not None else report.source.programs.get(name)
        file = report.source.files[number].name if number is not None else main
        cases[(_relative(file, report), name)] = []
    for entry in report.found:
        file = _relative(entry.span.file, report)
        cases.setdefault((file, kernel_of(entry) or file), []).append(entry)
    failed = sum(any(e.diagnostic.severity == "error" for e in entries) for entries in cases.values())
    counts = f'tests="{len(cases)}" failures="{failed}" errors="0" skipped="0" time="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>"]
    lines.append(f'  <testsuite name="tt-build validate" {counts}>')
    for (file, name), entries in sorted(cases.items()):
        lines += _case(file, name, entries, report)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": text,
    "json": as_json,
    "github": github,
    "sarif": sarif,
    "junit": junit,
}


def kernel_of(entry: Located) -> str:
    """The kernel or program that a diagnostic is about; empty where it is the file."""
    path = entry.diagnostic.where.path
    return str(path[1]) if len(path) > 1 and path[0] in ("kernels", "programs", "lock") else ""


def _best(found: tuple[Located, ...]) -> list[Located]:
    """At most ten, in file order: errors before warnings, and one of each code before a second of any."""
    seen: dict[str, int] = {}
    ranked = []
    for at, entry in enumerate(found):
        code = entry.diagnostic.code
        seen[code] = seen.get(code, -1) + 1
        ranked.append((entry.diagnostic.severity != "error", seen[code], at))
    return [found[at] for at in sorted(at for _, _, at in sorted(ranked)[:MOST_ANNOTATIONS])]


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.column, "end_column": span.end_column}


def _edit(entry: Located, report: Report) -> dict[str, Any] | None:
    """The fix as a range of characters, with lines and columns of both ends."""
    fix = entry.diagnostic.fix
    if fix is None:
        return None
    at, start, end = report.source.range(fix.where)
    file = report.source.files[at]
    first, last = file.line_of(start), file.line_of(end)
    return {
        "file": file.name,
        "line": first,
        "column": start - file.starts[first - 1] + 1,
        "end_line": last,
        "end_column": end - file.starts[last - 1] + 1,
        "replacement": fix.replacement,
    }


def _relative(name: str, report: Report) -> str:
    """The path from the root with forward slashes; as shown to the user where it lies elsewhere."""
    path = next((file.path for file in report.source.files if file.name == name), Path(name))
    try:
        return path.resolve().relative_to(report.root.resolve()).as_posix()
    except (ValueError, OSError):
        return Path(name).as_posix()


def _rule(code: str) -> dict[str, Any]:
    info = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": info.title},
        "fullDescription": {"text": info.what},
        "help": {"text": f"{info.why} {info.mend}", "markdown": page(code)},
        "defaultConfiguration": {"level": "warning" if info.warning else "error"},
    }


def _location(span: Span, report: Report, message: str = "") -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.line,
        "endColumn": span.end_column,
    }
    made: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(span.file, report), "region": region}}
    return {**made, "message": {"text": message}} if message else made


def _artifact(name: str, report: Report) -> dict[str, str]:
    """The file as a URI relative to the repository, or alone where it lies outside."""
    from urllib.parse import quote  # here: it costs every run its import

    path = Path(_relative(name, report))
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


def _result(entry: Located, codes: list[str], report: Report) -> dict[str, Any]:
    said = entry.diagnostic
    body = said.message + (f"\n{said.help}" if said.help else "")
    made: dict[str, Any] = {
        "ruleId": said.code,
        "ruleIndex": codes.index(said.code),
        "level": said.severity,
        "message": {"text": body},
        "locations": [_location(entry.span, report)],
    }
    if kernel_of(entry):
        made["locations"][0]["logicalLocations"] = [{"name": kernel_of(entry), "kind": "object"}]
    if said.related:
        made["relatedLocations"] = [
            _location(span, report, related_text(other, entry.span.file, report.source))
            for other, span in zip(said.related, entry.related, strict=True)
        ]
    edit = _edit(entry, report)
    if edit is not None:
        artifact = _artifact(edit["file"], report)
        region = {"startLine": edit["line"], "startColumn": edit["column"]}
        region |= {"endLine": edit["end_line"], "endColumn": edit["end_column"]}
        replacement = {"deletedRegion": region, "insertedContent": {"text": edit["replacement"]}}
        changes = [{"artifactLocation": artifact, "replacements": [replacement]}]
        made["fixes"] = [{"description": {"text": said.help or said.message}, "artifactChanges": changes}]
    return made


def _case(file: str, name: str, entries: list[Located], report: Report) -> list[str]:
    head = f"    <testcase classname={_attribute(file)} name={_attribute(name)} file={_attribute(file)}"
    errors = [entry for entry in entries if entry.diagnostic.severity == "error"]
    warnings = [entry for entry in entries if entry.diagnostic.severity != "error"]
    if not entries:
        return [f'{head} time="0"/>']
    line = (errors or entries)[0].span.line
    lines = [f'{head} line="{line}" time="0">']
    if errors:  # one <failure> a case: most consumers read only the first
        said = errors[0].diagnostic
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        body = "\n\n".join(render(entry.diagnostic, report.source) for entry in errors)
        head = f"<failure type={_attribute(said.code)} message={_attribute(said.message + more)}>"
        lines.append(f"      {head}{html.escape(_legal(body), quote=False)}</failure>")
    if warnings:
        body = "\n\n".join(render(entry.diagnostic, report.source) for entry in warnings)
        lines.append(f"      <system-out>{html.escape(_legal(body), quote=False)}</system-out>")
    return [*lines, "    </testcase>"]


def _legal(words: str) -> str:
    """What XML 1.0 can hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", words)


def _attribute(words: str) -> str:
    return '"' + html.escape(_legal(words)).replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;") + '"'


def _data(words: str) -> str:
    """Escapes of a workflow command's message."""
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")


def _ended(lines: str) -> str:
    return f"{lines}\n" if lines else ""
