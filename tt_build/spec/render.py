"""A diagnostic as the text that a user reads: code, source line, caret, related places, help."""

from __future__ import annotations

from collections.abc import Iterable

from tt_build.spec.diagnostics import Diagnostic
from tt_build.spec.positions import Located, SourceMap, Span

_WIDEST = 160


def locate(diagnostic: Diagnostic, source: SourceMap) -> Located:
    """The diagnostic with its places."""
    related = tuple(source.locate(entry.where) for entry in diagnostic.related)
    return Located(diagnostic, source.locate(diagnostic.where), related)


def render(diagnostic: Diagnostic, source: SourceMap) -> str:
    """The message in full; several lines, no final line break."""
    span = source.locate(diagnostic.where)
    head = f"{span.file}:{span.line}:{span.column}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    lines = [_printable(head), *_excerpt(span, source)]
    for entry in diagnostic.related:
        place = source.locate(entry.where)
        message = entry.message
        if entry.see is not None:
            see = source.locate(entry.see)
            at = f"line {see.line}" if see.file == span.file else f"{see.file}:{see.line}"
            message = f"{message} at {at}"
        if place.file != span.file:
            lines.append(f"      in {place.file}:{place.line}:{place.column}")
        lines += _excerpt(place, source, message)
    if diagnostic.help:
        lines += [f"   help: {_printable(line)}" for line in diagnostic.help.splitlines()]
    return "\n".join(lines)


def report(diagnostics: Iterable[Diagnostic], source: SourceMap) -> str:
    """All messages in full, in file order, an empty line between two; empty without any."""
    order = {file.name: at for at, file in enumerate(source.files)}
    located = [locate(diagnostic, source) for diagnostic in diagnostics]
    located.sort(key=lambda entry: (order.get(entry.span.file, 0), entry.span.start))
    return "\n\n".join(render(entry.diagnostic, source) for entry in located)


def _excerpt(span: Span, source: SourceMap, note: str = "") -> list[str]:
    file = next(file for file in source.files if file.name == span.file)
    text = file.line_text(span.line)
    start, end = span.column - 1, span.end_column - 1
    if not file.text:
        return []
    if len(text) > _WIDEST:  # a window around the caret
        left = max(0, min(start - 40, len(text) - _WIDEST))
        text, start, end = text[left : left + _WIDEST], start - left, min(end - left, _WIDEST)
    shown = [_one(char) for char in text]
    before = sum(map(_columns, shown[:start]))
    width = max(sum(map(_columns, shown[start:end])), 1)
    caret = " " * before + "^" * width + (f" {_printable(note)}" if note else "")
    return [f"{span.line:>5} | {''.join(shown)}".rstrip(), f"      | {caret}"]


def _columns(char: str) -> int:
    """Cells of a terminal: 2 for wide characters, 0 for those that combine."""
    if char.isascii():
        return 1
    import unicodedata

    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _one(char: str) -> str:
    """A character that is safe on a terminal and one cell wide."""
    return " " if char == "\t" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _printable(text: str) -> str:
    return "".join(map(_one, text))
