"""``variants``: a kernel's node to those of its family, values put in place of what they replace."""

from __future__ import annotations

from tt_build.spec.diagnostics import Diagnostic
from tt_build.spec.document import Node


def expand(file: int, name: str, node: Node) -> tuple[list[tuple[str, Node]], list[Diagnostic]]:
    """Name and node of each member."""
    return [(name, node)], []
