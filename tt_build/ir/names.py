"""C++ identifiers for things that users name: lower case, with a suffix that no keyword and no other name has."""

from __future__ import annotations


class Names:
    """Hands out identifiers; the same wish twice gives two different ones, in order."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, wish: str) -> str:
        """``wish`` in lower case, or the first of ``wish_2``, ``wish_3``, ... that is free."""
        base = wish.lower()
        if not (base.isascii() and base.isidentifier()):
            base = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in base)
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def scalar_identifiers(names: tuple[str, ...]) -> dict[str, str]:
    """The constant that holds each run-time scalar's word, by the scalar's name; apart from every tensor's."""
    return {name: f"{identifier}_scalar" for name, identifier in identifiers(names).items()}


def identifiers(names: tuple[str, ...]) -> dict[str, str]:
    """One identifier for each name, by name; ``A`` and ``a`` stay apart."""
    pool = Names()
    return {name: pool.unique(name) for name in names}
