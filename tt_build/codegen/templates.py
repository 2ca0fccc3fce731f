"""Rendering: the package's templates as they are, or with a repository's own in their place, in a sandbox."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from tt_build.codegen.compiled import CompiledTemplates
from tt_build.codegen.sandbox import Sandbox
from tt_build.resources import templates_dir
from tt_build.spec.diagnostics import Diagnostic, Rejected, Where
from tt_build.spec.templates import packaged

Filters = Mapping[str, Callable[..., Any]]


def render(name: str, label: str, filters: Filters, own: Mapping[str, str], **context: Any) -> str:
    """The text of a template. ``label`` and ``filters`` tell environments apart; ``own`` templates by name.

    Raises ``Rejected`` (TTB042) for what goes wrong in one of ``own``.
    """
    if not own:
        return _packaged(templates_dir(), label, tuple(filters.items())).get_template(name).render(**context)
    sandbox = _sandbox(label, tuple(filters.items()), tuple(own.items()))
    try:
        with sandbox.budget():
            return sandbox.get_template(name).render(**context)
    except Exception as error:  # a user's template may raise anything
        raise Rejected(_refused(name, error, own)) from None


@functools.cache
def _packaged(folder: Path, label: str, filters: tuple[tuple[str, Callable[..., Any]], ...]) -> jinja2.Environment:
    """Shared by all renderings, also those of other threads: nothing in it depends on a kernel."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        bytecode_cache=CompiledTemplates(folder, label),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(filters)
    return environment


@functools.lru_cache(maxsize=8)
def _sandbox(
    label: str, filters: tuple[tuple[str, Callable[..., Any]], ...], own: tuple[tuple[str, str], ...]
) -> Sandbox:
    texts = {name: (text, f"tt_build:{name}") for name, text in packaged().items()}
    texts |= {name: (text, name) for name, text in own}
    return Sandbox(texts, dict(filters))


def _refused(name: str, error: Exception, own: Mapping[str, str]) -> Diagnostic:
    """What went wrong, at the innermost line of a template of the user's."""
    place, line = getattr(error, "name", None) or name, getattr(error, "lineno", None)
    if line is None:
        frames = traceback.extract_tb(error.__traceback__)
        found = [(frame.filename, frame.lineno) for frame in frames if frame.filename in own]
        place, line = found[-1] if found else (name, None)
    what = (
        "it calls itself without end" if isinstance(error, RecursionError) else getattr(error, "message", None) or error
    )
    where = f"templates/{place}:{line}" if line else f"templates/{place}"
    help_ = "'tt-build templates NAME' prints the package's, which is what a kernel is rendered with otherwise"
    return Diagnostic("TTB042", f"{where}: {what}", Where(path=("extensions",)), help_)
