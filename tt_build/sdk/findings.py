"""What the compiler said, as findings that carry the kernel's own file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tt_build.targets.sdk import Sdk


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message about a kernel. ``severity`` is error or warning; ``line`` is 0 where the compiler named none of it.

    ``processors`` are the compiles that said it (brisc, ncrisc, unpack, math, pack); ``place`` is the SDK header and
    line where the compiler was, when that is not the kernel itself; ``help`` says what to do where that is known.
    """

    severity: str
    kernel: str
    file: str
    line: int
    column: int
    message: str
    processors: tuple[str, ...] = ()
    place: str = ""
    help: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        inside = f" (in {self.place})" if self.place else ""
        text = f"{where}: {self.severity}: {self.message}{inside} [{self.kernel}: {', '.join(self.processors)}]"
        return f"{text}\n  help: {self.help}" if self.help else text


_DIAGNOSTIC = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?:(?P<column>\d+):)? (?P<kind>fatal error|error|warning): (?P<text>.*)$"
)
_NO_PLACE = re.compile(r"^(?:cc1plus|g\+\+|c\+\+)[^:]*: (?P<kind>fatal error|error): (?P<text>.*)$")
_NAME = re.compile(r"\w+")
_NO_FILE = re.compile(r"^(?P<path>\S+): No such file or directory$")


def parse(
    output: str, *, kernel: str, source: Path, display: str, root: Path, processor: str, sdk: Sdk
) -> list[Finding]:
    """The findings in one compile's messages.

    ``source`` is the kernel's path as the compiler saw it, ``display`` the name to show for it, ``root`` the header
    tree. Warnings count only where they are the kernel's own: the SDK's headers are not ours to judge.
    """
    found = []
    for head, context in _blocks(output):
        match = _DIAGNOSTIC.match(head) or _NO_PLACE.match(head)
        if match is None:
            continue
        fields = match.groupdict()
        own = fields.get("file") == str(source)
        line, column = (int(fields["line"]), int(fields["column"] or 0)) if own else _own_line(context, source)
        severity = "warning" if fields["kind"] == "warning" else "error"
        if (severity == "warning" and not line) or fields["text"].startswith("all warnings being treated as errors"):
            continue
        place = "" if own or "file" not in fields else f"{_inside(fields['file'], root)}:{fields['line']}"
        message = fields["text"].replace("‘", "'").replace("’", "'")
        found.append(
            Finding(
                severity=severity,
                kernel=kernel,
                file=display,
                line=line,
                column=column,
                message=message,
                processors=(processor,),
                place=place,
                help=_help(message, sdk),
            )
        )
    return found


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Equal messages of several compiles become one, in the order of file, line and column."""
    merged: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = (finding.file, finding.line, finding.column, finding.severity, finding.message, finding.kernel)
        seen = merged.get(key)
        processors = (*seen.processors, *(p for p in finding.processors if p not in seen.processors)) if seen else ()
        merged[key] = msgspec.structs.replace(seen, processors=processors) if seen else finding
    return sorted(merged.values(), key=lambda finding: (finding.file, finding.line, finding.column))


def _blocks(output: str) -> list[tuple[str, list[str]]]:
    """Each diagnostic with the lines about where it came from: those before it and the notes after it."""
    blocks: list[tuple[str, list[str]]] = []
    before: list[str] = []
    for line in output.splitlines():
        if _DIAGNOSTIC.match(line) or _NO_PLACE.match(line):
            blocks.append((line, before))
            before = []
        elif blocks and ": note: " in line and not before:
            blocks[-1][1].append(line)
        else:
            before.append(line)
    return blocks


def _own_line(context: list[str], source: Path) -> tuple[int, int]:
    """The last place in the kernel that the context names: the call that led the compiler into a header."""
    pattern = re.compile(rf"{re.escape(str(source))}:(\d+)(?::(\d+))?")
    places = [match for line in context for match in pattern.finditer(line)]
    # A header's include line says how the compiler got there, not what is wrong; any other place is better.
    better = [
        match
        for line in context
        for match in pattern.finditer(line)
        if not line.startswith("In file included") and not line.startswith("                 from")
    ]
    chosen = better or places
    if chosen:
        return int(chosen[-1][1]), int(chosen[-1][2] or 0)
    return _accessor_line(context, source)


def _accessor_line(context: list[str], source: Path) -> tuple[int, int]:
    """Words beyond the end are noticed when the compiler finishes a template, far from the kernel: find the accessor.

    Either its offset stands in the kernel, or it is chained to another one's end; then the last accessor overruns.
    """
    offsets = re.findall(r"TensorAccessorArgs<(\d+)", "\n".join(context))
    if not offsets:
        return 0, 0
    lines = source.read_text().splitlines()
    named = [number for number, line in enumerate(lines, 1) if f"TensorAccessorArgs<{offsets[-1]}>" in line]
    chained = [number for number, line in enumerate(lines, 1) if "TensorAccessorArgs<" in line]
    return ((named or chained)[-1], 1) if named or chained else (0, 0)


def _inside(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _help(message: str, sdk: Sdk) -> str:
    missing = _NO_FILE.match(message)
    if missing is not None and missing["path"] in sdk.includes:
        return f'the SDK moved it: #include "{sdk.includes[missing["path"]]}"'
    if "not declared" in message or "must be available" in message or "deprecated" in message:
        for name in _NAME.findall(message):
            if name in sdk.gone:
                return f"SDK {sdk.name} has no {name}; use {sdk.gone[name]}"
            if name in sdk.deprecated:
                return f"SDK {sdk.name} marks {name} as deprecated; use {sdk.deprecated[name]}"
    return ""
