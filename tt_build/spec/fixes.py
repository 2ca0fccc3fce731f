"""Mechanical repairs: the files' texts with every fix of their diagnostics applied."""

from __future__ import annotations

from tt_build.spec.loader import SpecFile


def fixed_texts(spec: SpecFile) -> dict[int, str]:
    """New text by index of the file, for files that change. Fixes that overlap an earlier one wait for the next run."""
    edits: dict[int, list[tuple[int, int, str]]] = {}
    for entry in spec.diagnostics:
        fix = entry.diagnostic.fix
        if fix is not None:
            file, start, end = spec.source.range(fix.where)
            edits.setdefault(file, []).append((start, end, fix.replacement))
    texts: dict[int, str] = {}
    for file, found in edits.items():
        text = spec.source.files[file].text
        pieces: list[str] = []
        at = 0
        for start, end, replacement in sorted(set(found)):
            if start >= at:
                pieces += [text[at:start], replacement]
                at = end
        texts[file] = "".join([*pieces, text[at:]])
    return texts
