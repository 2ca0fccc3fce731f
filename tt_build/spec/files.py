"""Reading a specification's files: the main one and those that it includes, each once.

Included paths stay below the folder of the file that names them, also through symbolic links; a pattern's files come
in sorted order.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path

import msgspec

from tt_build.spec.diagnostics import Diagnostic, Fix, Related, Where
from tt_build.spec.document import MAX_BYTES, Mapping, Problem, Scalar, Sequence, read_document
from tt_build.spec.fields import Fields
from tt_build.spec.positions import SourceFile, SourceMap

MOST_FILES = 2000


class Loaded(msgspec.Struct, frozen=True):
    """What was wrong while reading."""

    problems: tuple[Diagnostic, ...]


def read_files(path: Path, source: SourceMap) -> Loaded:
    """Fills ``source.files``, the main file first, included ones after the file that names them."""
    reader = _Reader(source)
    reader.read(path, str(path), ())
    return Loaded(tuple(reader.problems))


class _Reader:
    def __init__(self, source: SourceMap) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self.done: set[str] = set()

    def read(self, path: Path, name: str, chain: tuple[str, ...]) -> None:
        """One file, then what it includes; ``chain`` holds the real paths of the files that led here."""
        real = os.path.realpath(path)
        self.done.add(real)
        file = len(self.source.files)
        text, reason, help_ = read_text(path)
        document = read_document(text)
        root = None if reason else document.root
        self.source.files.append(SourceFile(name, path, text, root))
        if reason:
            self.problems.append(Diagnostic("TTB024", reason, Where(file=file, offsets=(0, 0)), help_))
            return
        self.problems += [as_diagnostic(problem, file) for problem in document.problems]
        if root is None and not document.problems:
            self.problems.append(
                Diagnostic("TTB007", "the file is empty", Where(file=file), "write 'version: 1' and 'kernels:'")
            )
        if isinstance(root, Mapping) and "include" in root.entries:
            self.includes(file, path.parent, os.path.dirname(name), (*chain, real))

    def includes(self, file: int, folder: Path, shown: str, chain: tuple[str, ...]) -> None:
        fields = Fields(file)
        root = self.source.files[file].root
        assert isinstance(root, Mapping)
        node = root.entries["include"][1]
        if not isinstance(node, Sequence):
            fields.wrong_type(node, ("include",), "a list of paths", "write include: [library/*.yaml]")
        few = isinstance(node, Sequence) and fields.few(node, ("include",), MOST_FILES)
        for at, item in enumerate(node.items if few and isinstance(node, Sequence) else ()):
            pattern = fields.text(item, ("include", at), "a path") if isinstance(item, Scalar) else None
            if pattern is None:
                if not isinstance(item, Scalar):
                    fields.wrong_type(item, ("include", at), "a path")
                continue
            for match in self.matches(fields, pattern, ("include", at), folder):
                path = folder / match
                real = os.path.realpath(path)
                if real in chain:
                    fields.error("TTB025", f"'{match}' includes itself", ("include", at), "remove it from the list")
                elif real not in self.done:
                    if len(self.source.files) >= MOST_FILES:
                        fields.error("TTB025", f"more than {MOST_FILES} files", ("include", at), "include fewer files")
                        break
                    self.read(path, os.path.join(shown, match), chain)
        self.problems += fields.problems

    def matches(self, fields: Fields, pattern: str, path: tuple[str, int], folder: Path) -> list[str]:
        """Files that a path or pattern names, relative to the folder, sorted."""
        parts = pattern.split("/")
        if pattern.startswith(("/", "~")) or ".." in parts or "\\" in pattern or "**" in pattern or "\0" in pattern:
            help_ = "write a path below this file's folder, as in library/*.yaml"
            what = "uses '**'" if "**" in pattern else "leads out of this file's folder"
            fields.error("TTB025", f"the path '{pattern[:80]}' {what}", path, help_)
            return []
        names = sorted(glob.glob(pattern, root_dir=folder))
        if glob.has_magic(pattern):
            self.source.patterns.append(folder / pattern)
        if not names:
            what = "no file matches" if glob.has_magic(pattern) else "there is no file"
            fields.error("TTB025", f"{what} '{pattern[:80]}'", path, "paths are relative to this file's folder")
        home = os.path.realpath(folder)
        inside = []
        for name in names:
            if os.path.commonpath((home, os.path.realpath(folder / name))) == home:
                inside.append(name)
            else:
                help_ = "a symbolic link may not lead out of this file's folder"
                fields.error("TTB025", f"'{name}' leads out of this file's folder", path, help_)
        return inside


def as_diagnostic(problem: Problem, file: int) -> Diagnostic:
    """What is no YAML of ours, as a diagnostic of that file."""
    where = Where(file=file, offsets=(problem.start, problem.end))
    related: tuple[Related, ...] = ()
    if problem.first is not None:
        message = "first written here" if problem.code == "TTB002" else "found here"
        related = (Related(Where(file=file, offsets=problem.first), message),)
    fix = None if problem.replacement is None else Fix(where, problem.replacement)
    return Diagnostic(problem.code, problem.message, where, problem.help, related, fix=fix)


def read_text(path: Path, most: int = MAX_BYTES) -> tuple[str, str, str]:
    """The text of a file of at most so many bytes, or why there is none and what to do."""
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
            return "", f"the file {what}", "give the path of a kernels.yaml"
        size = path.stat().st_size
        if size > most:
            return "", f"the file has {size} bytes", f"at most {most}; split it and use include"
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return "", f"the file cannot be read: {reason}", "check its name and its permissions"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "", "the file is UTF-16", "save it as UTF-8"
    try:
        return data.decode("utf-8-sig"), "", ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", f"the file is not UTF-8 (byte {error.start}, line {line})", "save it as UTF-8"
