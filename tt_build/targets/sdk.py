"""SDK versions as data: ``sdk.json`` says what changed between TT-Metalium 0.78 and 0.81, and which wheels there are.

Names are those read from the wheels themselves (headers, exported symbols); a test compares the table with them.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from tt_build.decoding import decode


class SdkError(ValueError):
    """The named SDK version is none that this tt-build knows; the message lists those that are."""


class Wheel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file on PyPI: name, SHA-256 and size in bytes."""

    file: str
    sha256: str
    size: int


class Renamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that the SDK no longer has from version ``gone_since`` on, and what to write instead."""

    name: str
    use: str
    gone_since: str


class Deprecated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that still works but is marked to go, and what to write instead."""

    name: str
    use: str
    since: str


class Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An include path of SDK 0.60 to 0.65 and its present one."""

    old: str
    new: str


class Inline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class whose members were inline in the host headers up to that version: no symbols to look for."""

    name: str
    until: str


class _Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    release: str
    include_folders: tuple[str, ...]
    wheels: dict[str, Wheel]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    newest: str
    versions: dict[str, _Release]
    renamed: tuple[Renamed, ...]
    deprecated: tuple[Deprecated, ...]
    includes: tuple[Include, ...]
    host_removed: tuple[Renamed, ...]
    host_inline: tuple[Inline, ...]


class Sdk(msgspec.Struct, frozen=True):
    """One supported version: ``name`` as users write it (0.81), ``release`` as PyPI has it (0.81.1).

    ``wheels`` is by Python tag (cp310, cp312); ``include_folders`` are those of the JIT's -I options that not every
    version has; ``gone`` and ``host_gone`` map names that this version lacks to their replacements, ``deprecated``
    those that it marks, ``includes`` old include paths to new ones; ``host_inline`` are classes without symbols.
    """

    name: str
    release: str
    wheels: dict[str, Wheel]
    include_folders: tuple[str, ...]
    gone: dict[str, str]
    host_gone: dict[str, str]
    deprecated: dict[str, str]
    includes: dict[str, str]
    host_inline: tuple[str, ...]


def available_sdks() -> tuple[str, ...]:
    """The versions that can be named, oldest first."""
    return tuple(sorted(_table().versions, key=_key))


def newest_sdk() -> str:
    """The version that is used where none is named."""
    return _table().newest


@functools.cache
def load_sdk(name: str) -> Sdk:
    """The SDK of that version; a full release name (0.81.1) is accepted too. ``SdkError`` lists the known ones."""
    table = _table()
    by_release = {entry.release: version for version, entry in table.versions.items()}
    version = by_release.get(name, name)
    if version not in table.versions:
        raise SdkError(f"unknown SDK version {name!r}; this tt-build knows {', '.join(available_sdks())}")
    entry = table.versions[version]
    here = _key(version)
    return Sdk(
        name=version,
        release=entry.release,
        wheels=entry.wheels,
        include_folders=entry.include_folders,
        gone={row.name: row.use for row in table.renamed if _key(row.gone_since) <= here},
        host_gone={row.name: row.use for row in table.host_removed if _key(row.gone_since) <= here},
        deprecated={
            **{row.name: row.use for row in table.renamed if _key(row.gone_since) > here},
            **{row.name: row.use for row in table.deprecated if _key(row.since) <= here},
        },
        includes={row.old: row.new for row in table.includes},
        host_inline=tuple(row.name for row in table.host_inline if here <= _key(row.until)),
    )


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@functools.cache
def _table() -> _Table:
    data = (resources.files("tt_build.targets") / "sdk.json").read_bytes()
    return decode(data, _Table)
