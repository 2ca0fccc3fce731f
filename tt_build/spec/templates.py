"""Templates of a repository's own: which there are, and what can be said about them before they are rendered.

They are Jinja2, rendered in a sandbox (``codegen.sandbox``). A template takes the place of the package's of the same
name; another one is good for nothing unless one of those includes it.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tt_build.resources import templates_dir
from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.files import read_text
from tt_build.spec.nearest import did_you_mean
from tt_build.spec.positions import SourceFile, SourceMap

MOST_TEMPLATES = 100
MOST_CHARACTERS = 100_000
SUFFIX = ".j2"
SHARED = ("host_program.cpp.j2", "CMakeLists.txt.j2")
ROOTS = {"expression": ("reader.cpp.j2", "compute.cpp.j2", "writer.cpp.j2", *SHARED), "handwritten": SHARED}
"""The templates that the files of a kernel are rendered from, by kind of entry."""


def own_templates(kind: str, templates: Mapping[str, str]) -> dict[str, str]:
    """Those of a repository's templates that a kernel of that kind is rendered from, included ones too."""
    if not templates:
        return {}
    found: set[str] = set()
    todo = list(ROOTS[kind])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _named_by(templates[name]) if name in templates else _named_by_packaged(name)
    return {name: text for name, text in sorted(templates.items()) if name in found}


@functools.lru_cache(maxsize=512)
def _named_by(text: str) -> dict[str, int]:
    """The templates that a text names, and the line; an empty name is a computed one. Raises what Jinja2 raises."""
    import jinja2
    from jinja2 import nodes

    found: dict[str, int] = {}
    tree = jinja2.Environment(autoescape=False).parse(text)
    for node in tree.find_all((nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
        reference: Any = node
        written = reference.template
        names = written.items if isinstance(written, (nodes.Tuple, nodes.List)) else [written]
        for name in names:
            value = name.value if isinstance(name, nodes.Const) else ""
            found.setdefault(value if isinstance(value, str) else "", node.lineno)
    return found


@functools.cache
def packaged() -> dict[str, str]:
    """The package's own templates by name."""
    root = templates_dir()
    paths = sorted(path for path in root.rglob(f"*{SUFFIX}") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def _named_by_packaged(name: str) -> Iterable[str]:
    return _named_by(packaged()[name]) if name in packaged() else ()


class TemplatesReader:
    """Reads the templates below ``folder / below``; ``problems`` has what is wrong with them."""

    def __init__(self, folder: Path, below: str, shown: str, source: SourceMap) -> None:
        self.folder, self.shown, self.source = folder / below, os.path.join(shown, below), source
        self.home = os.path.realpath(folder)
        self.problems: list[Diagnostic] = []
        self.files: dict[str, int] = {}

    def read(self) -> dict[str, str]:
        """Texts by name."""
        if not self.folder.is_dir():
            return {}
        found: dict[str, str] = {}
        paths = sorted(path for path in self.folder.rglob("*") if not path.is_dir() or path.is_symlink())
        for path in paths[: MOST_TEMPLATES + 1]:
            name = path.relative_to(self.folder).as_posix()
            if len(found) == MOST_TEMPLATES:
                self.say(name, f"more than {MOST_TEMPLATES} templates", "remove those that replace none", path=path)
                return {}
            text = self.text(name, path)
            if text is not None:
                found[name] = text
        valid = {name: text for name, text in found.items() if self.parses(name, text, {*found})}
        if not self.problems:
            self.reached(valid)
        return {} if self.problems else valid

    def text(self, name: str, path: Path) -> str | None:
        """The text of a file; None where it cannot be one."""
        text, reason, help_ = read_text(path)
        real = os.path.realpath(path)
        if not real.startswith(self.home + os.sep):
            text, reason, help_ = "", "the file leads out of its folder", "a symbolic link may not lead out of it"
        if not reason and not name.endswith(SUFFIX):
            reason, help_ = f"a template's name ends with {SUFFIX}", "rename it, or move it elsewhere"
        if not reason and len(text) > MOST_CHARACTERS:
            reason, help_ = f"the template has more than {MOST_CHARACTERS} characters", "write less"
        self.files[name] = len(self.source.files)
        self.source.files.append(SourceFile(os.path.join(self.shown, name), path, text, None))
        if reason:
            self.say(name, reason, help_)
            return None
        return text

    def parses(self, name: str, text: str, names: set[str]) -> bool:
        """Whether it is a template, and names only templates that are there."""
        import jinja2

        try:
            named = _named_by(text)
        except jinja2.TemplateSyntaxError as error:
            self.say(name, f"no template: {error.message}", "Jinja2's documentation has the syntax", error.lineno)
            return False
        except RecursionError:
            self.say(name, "the template is nested too deeply", "write it flatter")
            return False
        for other, line in named.items():
            if not other:
                help_ = "write the name out: what a kernel depends on must be known before it is rendered"
                self.say(name, "the name of an included template is computed", help_, line)
                return False
            if other not in names and other not in packaged():
                help_ = did_you_mean(other, [*sorted(names), *packaged()], what="templates")
                self.say(name, f"there is no template '{other}' to include", help_, line)
                return False
        return True

    def reached(self, texts: dict[str, str]) -> None:
        """Reports templates that no kernel is rendered from."""
        used = {name for kind in ROOTS for name in own_templates(kind, texts)}
        for name in texts:
            if name not in used:
                help_ = did_you_mean(name, packaged(), what="names that can be replaced")
                self.say(name, f"'{name}' replaces no template, and none includes it", help_)

    def say(self, name: str, message: str, help_: str, line: int = 1, *, path: Path | None = None) -> None:
        """Reports it, at a line of the template."""
        if name not in self.files:
            self.files[name] = len(self.source.files)
            self.source.files.append(SourceFile(os.path.join(self.shown, name), path or self.folder, "", None))
        file = self.source.files[self.files[name]]
        start = file.starts[min(line, len(file.starts)) - 1]
        end = start + max(len(file.line_text(line)), 1)
        self.problems.append(Diagnostic("TTB042", message, Where(file=self.files[name], offsets=(start, end)), help_))


def digests(templates: Mapping[str, str]) -> dict[str, str]:
    """The digest of each text."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(templates.items())}
