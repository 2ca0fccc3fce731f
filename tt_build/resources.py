"""Files that the package carries beside its modules: in the wheel inside it, in a checkout at the top level."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def templates_dir() -> Path:
    """The folder of the Jinja2 templates."""
    return _folder(_PACKAGE / "templates", _PACKAGE.parent / "templates")


def site_tools_dir() -> Path:
    """The folder with the SCons tool ``tenstorrent``."""
    return _folder(_PACKAGE / "scons" / "site_tools", _PACKAGE.parent / "site_scons" / "site_tools")


def _folder(installed: Path, checkout: Path) -> Path:
    return installed if installed.is_dir() else checkout
