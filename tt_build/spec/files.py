"""Reading a specification's files: the main one and those that it includes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tt_build.spec.diagnostics import Diagnostic, Fix, Related, Where
from tt_build.spec.document import MAX_BYTES, Problem, read_document
from tt_build.spec.positions import SourceFile, SourceMap


class Loaded(msgspec.Struct, frozen=True):
    """What was wrong while reading."""

    problems: tuple[Diagnostic, ...]


def read_files(path: Path, source: SourceMap) -> Loaded:
    """Fills ``source.files``, the main file first."""
    problems: list[Diagnostic] = []
    read_one(path, str(path), source, problems)
    return Loaded(tuple(problems))


def read_one(path: Path, name: str, source: SourceMap, problems: list[Diagnostic]) -> None:
    """One file into the source map."""
    file = len(source.files)
    text, reason, help_ = _read_text(path)
    if reason:
        source.files.append(SourceFile(name, path, "", None))
        problems.append(Diagnostic("TTB024", reason, Where(file=file, offsets=(0, 0)), help_))
        return
    document = read_document(text)
    source.files.append(SourceFile(name, path, text, document.root))
    problems += [_diagnostic(problem, file) for problem in document.problems]


def _diagnostic(problem: Problem, file: int) -> Diagnostic:
    where = Where(file=file, offsets=(problem.start, problem.end))
    related: tuple[Related, ...] = ()
    if problem.first is not None:
        related = (Related(Where(file=file, offsets=problem.first), "first here"),)
    fix = None if problem.replacement is None else Fix(where, problem.replacement)
    return Diagnostic(problem.code, problem.message, where, problem.help, related, fix=fix)


def _read_text(path: Path) -> tuple[str, str, str]:
    """The text, or why there is none and what to do."""
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            return "", f"the file {what}", "give the path of a kernels.yaml"
        size = path.stat().st_size
        if size > MAX_BYTES:
            return "", f"the file has {size} bytes", f"at most {MAX_BYTES}; split it and use include"
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return "", f"the file cannot be read: {reason}", ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "", "the file is UTF-16", "save it as UTF-8"
    try:
        return data.decode("utf-8-sig"), "", ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", f"the file is not UTF-8 (byte {error.start}, line {line})", "save it as UTF-8"
