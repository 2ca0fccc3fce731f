"""What earlier builds found of declarations: which are valid, and what is to be said of them at every build.

Notes hold for one fingerprint of the compiler; a build without its state folder checks again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.scons.statefile import read_state, write_state

if TYPE_CHECKING:
    from tt_build.spec.diagnostics import Diagnostic


class Notes:
    """``valid`` are digests of declarations; ``path`` None: nothing is read or written."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path, self._fingerprint = path, fingerprint
        stored: Any = read_state(path) if path is not None else None
        there = isinstance(stored, dict) and stored.get("passes") == fingerprint
        self.valid: set[str] = set(stored["valid"]) if there else set()
        self._warned: dict[str, Any] = stored.get("warned", {}) if there else {}

    def warned(self, digest: str) -> tuple[Diagnostic, ...]:
        """The warnings of a valid declaration."""
        if digest not in self._warned:
            return ()
        import msgspec

        from tt_build.spec.diagnostics import Diagnostic

        return msgspec.convert(self._warned[digest], tuple[Diagnostic, ...])

    def add(self, valid: set[str], warned: dict[str, tuple[Diagnostic, ...]], declared: set[str]) -> None:
        """Note valid declarations and their warnings; what is warned of and no longer ``declared`` is forgotten."""
        if valid <= self.valid:
            return
        import msgspec

        gone = self._warned.keys() - declared
        self.valid = self.valid - gone | valid
        kept = {digest: said for digest, said in self._warned.items() if digest not in gone}
        self._warned = kept | msgspec.to_builtins(warned)
        if self._path is not None:
            state = {"passes": self._fingerprint, "valid": sorted(self.valid), "warned": self._warned}
            write_state(self._path, state)
