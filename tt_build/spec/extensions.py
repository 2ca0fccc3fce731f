"""``extensions: FOLDER``: ops and templates of a repository's own.

The folder lies below that of kernels.yaml and holds ``ops.yaml`` (``spec.ops``), the headers that it names, and below
``templates/`` Jinja2 templates that take the place of those of the package with the same name (``spec.templates``). All
of it is data: nothing here is executed while a specification is read.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.document import Mapping, Node, read_document
from tt_build.spec.fields import Fields
from tt_build.spec.files import as_diagnostic, read_text
from tt_build.spec.listing import OPS_FILE, TEMPLATES_FOLDER, folder_mark
from tt_build.spec.model import OpSpec
from tt_build.spec.ops import OpsReader
from tt_build.spec.positions import SourceFile, SourceMap
from tt_build.spec.templates import TemplatesReader


class Extensions(msgspec.Struct, frozen=True):
    """Ops by name and where each is defined; texts of templates by name; the index of ``ops.yaml`` among the files.

    ``broken``: what was refused, so that a call of it is not reported again; None where the file says nothing reliable.
    ``absent``: the name of the ops' file where the folder has none.
    """

    ops: dict[str, OpSpec] = {}
    places: dict[str, Where] = {}
    templates: dict[str, str] = {}
    file: int | None = None
    broken: frozenset[str] | None = frozenset()
    absent: str = ""


def read_extensions(node: Node, source: SourceMap, problems: list[Diagnostic]) -> Extensions:
    """What the main file's ``extensions`` names; its files are added to ``source``, what is wrong to ``problems``."""
    fields = Fields(0)
    folder = _folder(fields, node, source.files[0].path.parent)
    problems += fields.problems
    if folder is None:
        return Extensions(broken=None)
    name, path = folder
    shown = os.path.join(os.path.dirname(source.files[0].name), name)
    source.texts[path] = folder_mark(path)
    ops: dict[str, OpSpec] = {}
    file, root, broken = None, None, frozenset[str]()
    if os.path.lexists(path / OPS_FILE):
        file = _open(path, OPS_FILE, shown, source, problems)
        root = source.files[file].root
        if root is not None:
            reader = OpsReader(file, path)
            ops = reader.read(root)
            source.texts.update(reader.texts.read)
            problems += reader.fields.problems
            broken = frozenset(reader.refused)
    templates = TemplatesReader(path, TEMPLATES_FOLDER, shown, source)
    texts = templates.read()
    problems += templates.problems
    places = {op: Where(path=("ops", op), on_key=True, file=file) for op in ops}
    unread = file is not None and (root is None or (isinstance(root, Mapping) and root.incomplete))
    absent = f"{name}/{OPS_FILE}" if file is None else ""
    return Extensions(ops, places, texts, file, None if unread else broken, absent)


def _folder(fields: Fields, node: Node, home: Path) -> tuple[str, Path] | None:
    """The folder's name, without a slash at its end, and its path."""
    name = fields.text(node, ("extensions",), "a folder")
    if name is None:
        return None
    name = name.rstrip("/") or name
    parts = name.split("/")
    if name.startswith(("/", "~")) or ".." in parts or "\\" in name or "\0" in name or not name.strip():
        message = f"the path '{name[:80]}' leads out of this file's folder"
        fields.error(
            "TTB040", message, ("extensions",), "name a folder below this file's folder, as in extensions: ops"
        )
        return None
    path = home / name
    real, root = os.path.realpath(path), os.path.realpath(home)
    help_ = f"make it, with {OPS_FILE} or {TEMPLATES_FOLDER}/ in it; the path is relative to this file's folder"
    if os.path.commonpath((root, real)) != root:
        message = f"'{name[:80]}' leads out of this file's folder"
        fields.error("TTB040", message, ("extensions",), "a symbolic link may not lead out of it")
    elif not path.is_dir():
        fields.error("TTB040", f"there is no folder '{name[:80]}'", ("extensions",), help_)
    elif not os.path.lexists(path / OPS_FILE) and not (path / TEMPLATES_FOLDER).is_dir():
        message = f"'{name[:80]}' has neither {OPS_FILE} nor {TEMPLATES_FOLDER}/"
        fields.error("TTB040", message, ("extensions",), "put what the kernels share there, or remove 'extensions'")
    else:
        return name, path
    return None


def _open(folder: Path, name: str, shown: str, source: SourceMap, problems: list[Diagnostic]) -> int:
    """Adds a YAML file of the folder to the source map; its index."""
    path, file = folder / name, len(source.files)
    text, reason, help_ = read_text(path)
    if not reason and not os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep):
        text, reason, help_ = "", "the file leads out of its folder", "a symbolic link may not lead out of it"
    document = read_document(text)
    source.files.append(SourceFile(os.path.join(shown, name), path, text, None if reason else document.root))
    if reason:
        problems.append(Diagnostic("TTB024", reason, Where(file=file, offsets=(0, 0)), help_))
    elif document.root is None and not document.problems:
        problems.append(Diagnostic("TTB007", "the file is empty", Where(file=file), "write 'version: 1' and 'ops:'"))
    else:
        problems += [as_diagnostic(problem, file) for problem in document.problems]
    return file
