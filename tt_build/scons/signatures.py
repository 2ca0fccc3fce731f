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


@functools.cache
def module_signature(module: str) -> str:
    """Digest of a module of this package and of everything that it imports from it."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(_closure(module), key=lambda p: p.relative_to(_ROOT).as_posix()):
        _add(digest, path.relative_to(_ROOT).as_posix(), path)
    return digest.hexdigest()


@functools.cache
def codegen_signature() -> str:
    """Digest of code generation: its modules, every template that it can reach, and Jinja2's version."""
    digest = hashlib.sha256(module_signature("tt_build.codegen.files").encode())
    digest.update(importlib.metadata.version("jinja2").encode())
    for name in sorted(_template_closure()):
        _add(digest, name, templates_dir() / name)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, path: Path) -> None:
    text = path.read_bytes().replace(b"\r\n", b"\n")
    digest.update(f"\0{name}\0{len(text)}\0".encode() + text)


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
        tree = ast.parse(path.read_bytes())
        todo += _imports(tree)
        # Importing a module runs its package. The outermost one only offers the passes under other names.
        todo += [name.rpartition(".")[0]] if name.count(".") > 1 else []
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


def _imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
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
