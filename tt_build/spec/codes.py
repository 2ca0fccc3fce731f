"""The registry of diagnostic codes."""

from __future__ import annotations

import msgspec


class CodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One code: the page of the catalogue about it. ``warning`` where it does not stop a build."""

    title: str
    what: str = ""
    why: str = ""
    example: str = ""
    mend: str = ""
    warning: bool = False


CODES: dict[str, CodeInfo] = {}
