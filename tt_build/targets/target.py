"""Target selection (workstream 1): which backends exist, and a clear refusal of the others."""

from __future__ import annotations

_TARGETS = ("tenstorrent",)


class TargetError(ValueError):
    """The named target is unknown; the message lists those that are known."""


def available_targets() -> tuple[str, ...]:
    """The targets that this installation can build for."""
    return _TARGETS


def determine_target(name: str) -> str:
    """``name`` when it is a known target; ``TargetError`` that names the known ones when not."""
    if name not in _TARGETS:
        raise TargetError(f"unknown target {name!r}; known targets: {', '.join(_TARGETS)}")
    return name
