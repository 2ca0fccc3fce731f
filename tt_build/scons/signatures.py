"""Signatures of steps: a digest of the code and data that a step's result depends on.

A pass depends on its module and on what that imports from this package, each with its data files (a module lists
them in ``SIGNATURE_DATA``). Source text is hashed, not bytecode, so a signature is the same under every Python
version and path.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
from pathlib import Path

import jinja2
import jinja2.meta

from tt_build.resources import templates_dir
from tt_build.version import __version__

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = ("reader.cpp.j2", "compute.cpp.j2", "writer.cpp.j2", "host_program.cpp.j2", "CMakeLists.txt.j2")
CODEGEN = "tt_build.codegen.files"


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
        parts |= {f"templates/{name}": _digest(templates_dir() / name) for name in _template_closure()}
        parts["jinja2"] = importlib.metadata.version("jinja2")
    return parts


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _closure(module: str) -> set[Path]:
    found: set[Path] = set()
    todo = [module]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        path = _file_of(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        found.add(path)
        tree = _tree(path)
        todo += _imports(path)
        todo.append(name.rpartition(".")[0])  # importing a module runs its package
        for pattern in _data_patterns(tree):
            found |= set(path.parent.glob(pattern))
    return found


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
def _imports(path: Path) -> list[str]:
    tree = _tree(path)
    # What the top package offers is imported inside its functions, which no step calls: loading it runs its body only.
    nodes = tree.body if path == _ROOT / "__init__.py" else ast.walk(tree)
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "tt_build"]


def _data_patterns(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "SIGNATURE_DATA" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return []


def _template_closure() -> set[str]:
    environment = jinja2.Environment(autoescape=False)
    found: set[str] = set()
    todo = list(_TEMPLATES)
    while todo:
        name = todo.pop()
        path = templates_dir() / name
        if name in found or not path.is_file():
            continue
        found.add(name)
        tree = environment.parse(path.read_text(encoding="utf-8"))
        for other in jinja2.meta.find_referenced_templates(tree):
            if other is None:
                raise ValueError(f"{name} includes a template whose name is computed; write the name out")
            todo.append(other)
    return found
