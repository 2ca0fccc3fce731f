"""Checking before the first step: every kernel goes through all passes in memory, so that an error of any pass, with
its line in kernels.yaml, stops the build before it wrote anything.

A kernel that passed once with the same passes is not checked again: its digest is noted under the output folder.
What the passes computed is kept for the steps of this build.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec

from tt_build.codegen.compile import failed_names
from tt_build.codegen.write import write_group
from tt_build.passes.pipeline import PASSES, encode_declaration
from tt_build.scons.actions import digest, pass_step
from tt_build.scons.signatures import module_signature
from tt_build.scons.state import State
from tt_build.spec.diagnostics import Rejected
from tt_build.spec.loader import SpecFile
from tt_build.spec.model import Declaration
from tt_build.spec.render import report


class Checked(msgspec.Struct, frozen=True):
    """The kernels that can be built, the names of the others, and the messages."""

    valid: tuple[Declaration, ...]
    failed: tuple[str, ...]
    text: str


def check(loaded: SpecFile, state: State, folder: Path) -> Checked:
    """Run all passes over every kernel that is not known to be valid."""
    notes = folder / "checked.json"
    key = digest("".join(module_signature(step.module) for step in PASSES).encode())
    known = _read(notes, key)
    valid: list[Declaration] = []
    failed = failed_names(loaded)
    found = [entry.diagnostic for entry in loaded.diagnostics]
    digests: set[str] = set()
    for declaration in loaded.declarations:
        data = encode_declaration(declaration)
        mark = digest(data)
        try:
            if mark not in known:
                for step in PASSES:
                    (data,) = state.memo(module_signature(step.module).encode(), data, pass_step(step))
        except Rejected as rejected:
            failed.append(declaration.kernel.name)
            found += rejected.diagnostics
            continue
        digests.add(mark)
        valid.append(declaration)
    if digests - known:
        _write(notes, key, digests)
    return Checked(valid=tuple(valid), failed=tuple(failed), text=report(found, loaded.source))


def _read(path: Path, key: str) -> set[str]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stored = json.loads(path.read_text())
        if stored.get("passes") == key:
            return set(stored.get("valid", []))
    return set()


def _write(path: Path, key: str, digests: set[str]) -> None:
    with contextlib.suppress(OSError):  # without the note the next build checks again
        write_group({path: json.dumps({"passes": key, "valid": sorted(digests)}).encode()})
