"""The nearest known word, for messages about unknown ones."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word that is closest in spelling, or None when none is close; likeness 1 is equality."""
    import difflib  # only when a message is made: it costs an import

    names = list(known)
    lower = {name.lower(): name for name in reversed(names)}
    if word.lower() in lower:
        return lower[word.lower()]
    found = difflib.get_close_matches(word[:80].lower(), lower, n=1, cutoff=likeness)
    return lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, what: str = "known") -> str:
    """A help line: the nearest known word, or the list of them."""
    names = list(known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean '{near}'?"
    if not names:
        return ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"{what}: {shown}"


def suggested(help_: str) -> str | None:
    """The word that a help of ``did_you_mean`` proposes: the mechanical repair."""
    head = "did you mean '"
    return help_[len(head) :].split("'", 1)[0] if help_.startswith(head) else None


def plural(count: int, noun: str) -> str:
    """``1 number``, ``2 numbers``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def kernels_and_programs(kernels: int, programs: int) -> str:
    """``2 kernels``, ``2 kernels and 1 program``, ``1 program``."""
    counted = [plural(kernels, "kernel")] if kernels or not programs else []
    return " and ".join([*counted, plural(programs, "program")] if programs else counted)


def several(noun: str) -> str:
    """``inputs``, ``policies``."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def article(noun: str) -> str:
    """``an input``, ``a size``."""
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
