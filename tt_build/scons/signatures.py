"""Signatures of steps: a digest of the code and data that a step's result depends on.

A pass depends on its module and on what that imports from this package, each with its data files (a module lists
them in ``SIGNATURE_DATA``). Source text is hashed, not bytecode, so a signature is the same under every Python
version and path.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tt_build.resources import templates_dir
from tt_build.version import __version__

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = ("reader.cpp.j2", "compute.cpp.j2", "writer.cpp.j2", "host_program.cpp.j2", "CMakeLists.txt.j2")
CODEGEN = "tt_build.codegen.files"
PROGRAM_CODEGEN = "tt_build.codegen.program"


def signature_of(parts: dict[str, str]) -> str:
    """One digest of many."""
    digest = hashlib.sha256(__version__.encode())
    for name, part in sorted(parts.items()):
        digest.update(f"\0{name}\0{part}".encode())
    return digest.hexdigest()


def parts_of(module: str) -> dict[str, str]:
    """Every file that the module's result depends on, with its digest; for ``CODEGEN`` also templates and Jinja2."""
    parts = {path.relative_to(_ROOT).as_posix(): _digest(path) for path in _closure(module)}
    if module == CODEGEN:
        import importlib.metadata  # a tenth of the time of an edit's imports, and an edit signs nothing

        parts |= {f"templates/{name}": _digest(templates_dir() / name) for name in _template_closure()}
        parts["jinja2"] = importlib.metadata.version("jinja2")
    return parts


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _closure(module: str) -> set[Path]:
    found: set[Path] = set()
    todo = [module]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        path = None if name in seen else _file_of(name)
        seen.add(name)
        if path is None:
            continue
        found.add(path)
        imports, patterns = needs_of(path)
        todo += imports
        todo.append(name.rpartition(".")[0])  # importing a module runs its package
        for pattern in patterns:
            found |= set(path.parent.glob(pattern))
    return found


@functools.cache
def _file_of(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != "tt_build":
        return None
    base = _ROOT.joinpath(*parts[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file() and (len(parts) > 1 or path.name == "__init__.py"):
            return path
    return None


@functools.cache
def needs_of(path: Path) -> tuple[list[str], list[str]]:
    """What a module of the package imports from it, and the patterns of its data files.

    Parsing the whole package takes longer than the steps of a small build, so only the statements that say so are
    parsed; a module in which their words also stand anywhere else is parsed as a whole.
    """
    text = path.read_text(encoding="utf-8")
    # What the top package offers is imported inside its functions, which no step calls: loading it runs its body only.
    if path == _ROOT / "__init__.py":
        return _needs(ast.parse(text).body)
    statements = [found[0].lstrip() for found in _STATEMENT.finditer(text)]
    if len(statements) == len(_WORD.findall(text)):
        with contextlib.suppress(SyntaxError):
            return _needs(ast.parse("\n".join(statements)).body)
    return _needs(ast.walk(ast.parse(text)))


_WORD = re.compile(r"\b(?:import|SIGNATURE_DATA)\b")
_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+(?:\([\w,\s]*\)|[\w., \t]+)$|^SIGNATURE_DATA = \([^()#]*\)$",
    re.MULTILINE,
)


def _needs(nodes: Iterable[ast.AST]) -> tuple[list[str], list[str]]:
    names: list[str] = []
    patterns: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "SIGNATURE_DATA" for target in node.targets
        ):
            patterns += ast.literal_eval(node.value)
    return [name for name in names if name.split(".")[0] == "tt_build"], patterns


def _template_closure() -> set[str]:
    found: set[str] = set()
    todo = list(_TEMPLATES)
    while todo:
        name = todo.pop()
        path = templates_dir() / name
        if name in found or not path.is_file():
            continue
        found.add(name)
        for argument in _TAG.findall(path.read_text(encoding="utf-8")):
            other = _NAME.match(argument)
            if other is None:
                raise ValueError(f"{name} includes a template whose name is computed; write the name out")
            todo.append(other[2])
    return found


_TAG = re.compile(r"\{%[-+]?\s*(?:include|import|from|extends)\b(.*?)%\}", re.DOTALL)
_NAME = re.compile(r"\s*([\"'])([\w./-]+)\1\s*(?:(?:as|import|with|without|ignore)\b.*|[-+]?)\Z", re.DOTALL)
