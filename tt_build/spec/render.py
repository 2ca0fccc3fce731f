"""A diagnostic as the text that a user reads: code, source line, caret, related places, help."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tt_build.spec.diagnostics import Diagnostic, Related
from tt_build.spec.positions import Located, SourceMap, Span

# Gives a piece of text of that style the look of the output.
Paint = Callable[[str, str], str]

_WIDEST = 160
_COLOURS = {"place": "1", "error": "1;31", "warning": "1;33", "gutter": "34", "note": "36", "help": "1;32"}


def locate(diagnostic: Diagnostic, source: SourceMap) -> Located:
    """The diagnostic with its places."""
    related = tuple(source.locate(entry.where) for entry in diagnostic.related)
    return Located(diagnostic, source.locate(diagnostic.where), related)


def plain(style: str, text: str) -> str:
    """The text without colour."""
    return text


def colour(style: str, text: str) -> str:
    """The text in the colour of ``place``, ``error``, ``warning``, ``gutter``, ``note`` or ``help``."""
    return f"\033[{_COLOURS[style]}m{text}\033[0m" if text else ""


def render(diagnostic: Diagnostic, source: SourceMap, paint: Paint = plain) -> str:
    """The message in full; several lines, no final line break."""
    span = source.locate(diagnostic.where)
    place = paint("place", _printable(f"{span.file}:{span.line}:{span.column}:"))
    kind = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{place} {kind}: {_printable(diagnostic.message)}", *_excerpt(span, source, paint, diagnostic.severity)]
    for entry in diagnostic.related:
        other = source.locate(entry.where)
        if other.file != span.file:
            lines.append(paint("place", _printable(f"      in {other.file}:{other.line}:{other.column}")))
        lines += _excerpt(other, source, paint, "note", related_text(entry, span.file, source))
    if diagnostic.help:
        label = paint("help", "help:")
        lines += [f"   {label} {_printable(line)}" for line in diagnostic.help.splitlines()]
    return "\n".join(lines)


def related_text(entry: Related, file: str, source: SourceMap) -> str:
    """The message of a related place, with the line that it refers to; ``file`` is that of the diagnostic."""
    if entry.see is None:
        return entry.message
    see = source.locate(entry.see)
    return f"{entry.message} at " + (f"line {see.line}" if see.file == file else f"{see.file}:{see.line}")


def report(diagnostics: Iterable[Diagnostic], source: SourceMap) -> str:
    """All messages in full, in file order, an empty line between two; empty without any."""
    return "\n\n".join(render(entry.diagnostic, source) for entry in in_order(diagnostics, source))


def in_order(diagnostics: Iterable[Diagnostic], source: SourceMap) -> list[Located]:
    """The diagnostics with their places, in file order; what is said twice at one place is there once."""
    order = {file.name: at for at, file in enumerate(source.files)}
    first: dict[tuple[str, str, Span], Located] = {}
    for diagnostic in diagnostics:
        entry = locate(diagnostic, source)
        first.setdefault((diagnostic.code, diagnostic.message, entry.span), entry)
    located = first.values()
    return sorted(located, key=lambda entry: (order.get(entry.span.file, 0), entry.span.start))


def _excerpt(span: Span, source: SourceMap, paint: Paint, style: str, note: str = "") -> list[str]:
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
    caret = paint(style, "^" * width + (f" {_printable(note)}" if note else ""))
    code = f"{paint('gutter', f'{span.line:>5} |')} {''.join(shown)}".rstrip()
    return [code, f"{paint('gutter', '      |')} {' ' * before}{caret}"]


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
