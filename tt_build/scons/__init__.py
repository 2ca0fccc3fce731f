"""The SCons side: tool, builders, signatures. Nothing in the rest of the package knows SCons."""

from __future__ import annotations

from tt_build.resources import site_tools_dir


def toolpath() -> list[str]:
    """What a foreign SConstruct passes as ``toolpath`` to find the tool ``tenstorrent``."""
    return [str(site_tools_dir())]
