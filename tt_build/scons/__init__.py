"""The SCons side: tool, builders, signatures. Nothing in the rest of the package knows SCons."""

from __future__ import annotations

from tt_build.resources import site_tools_dir


def refuse_unknown() -> None:
    """For an SConstruct that reads no variables of its own: exit with status 2 when one is set that does not exist."""
    from tt_build.scons.tool import refuse_unknown as refuse

    refuse(strict=True)


def toolpath() -> list[str]:
    """What a foreign SConstruct passes as ``toolpath`` to find the tool ``tenstorrent``."""
    return [str(site_tools_dir())]
