"""Positions and messages: from a ``Where`` to file, line and column, and from a diagnostic to its text."""

from tt_build.spec.positions import KernelPlace, Located, SourceFile, SourceMap, Span
from tt_build.spec.render import locate, render

__all__ = ["KernelPlace", "Located", "SourceFile", "SourceMap", "Span", "locate", "render"]
