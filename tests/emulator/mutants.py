"""Seeded mutants of kernel texts: one small, plausible mistake each.

A call removed; a push, pop, section call or increment said twice; a number one too large; an operator exchanged; a
circular buffer taken for another. Edits that leave the program as it was (an init that names another buffer of the same
format, a barrier said twice, an argument that happens to have the same value) are not made.
"""

from __future__ import annotations

import random
import re
from typing import NamedTuple


class Mutant(NamedTuple):
    """A changed text, and what was changed, for people."""

    file: str
    text: str
    change: str


_CALL = re.compile(
    r"^\s+(?:cb_\w+|noc_\w+|tile_regs_\w+|\w+_init|\w+_uninit|pack_\w+|reconfig_\w+)(?:<[^;]*>)?\([^;{]*\);$"
)
_NUMBER = re.compile(r"(?<![\w.\"<])(\d+)(?![\w.\"])")
_COUNTS = re.compile(r"cb_(?:push_back|pop_front)|tile_regs_|semaphore_inc")  # saying these twice is another program
_SETUP = re.compile(r"constexpr|_init|hw_startup|reconfig")  # only the format of the buffer that is named matters
_OPERATORS = [(" + ", " - "), (" * ", " + "), (" < ", " <= "), (" / ", " % "), (" % ", " / ")]
_NAMES = re.compile(r"\bcb_\w+\b")
_API = {"cb_reserve_back", "cb_push_back", "cb_wait_front", "cb_pop_front"}


def mutants(file: str, text: str, rng: random.Random, count: int) -> list[Mutant]:
    """``count`` different mutants of a kernel text (fewer when it has not so many)."""
    found = {m.text: m for m in _all(file, text)}
    return rng.sample(sorted(found.values()), min(count, len(found)))


def _all(file: str, text: str) -> list[Mutant]:
    lines = text.split("\n")
    body = next(i for i, line in enumerate(lines) if line.startswith("void kernel_main"))
    out: list[Mutant] = []

    def change(i: int, new: str | None) -> None:
        changed = [*lines[:i], *([] if new is None else [new]), *lines[i + 1 :]]
        what = f"{file}:{i + 1}: {lines[i].strip()}  ->  {new.strip() if new is not None else '(removed)'}"
        out.append(Mutant(file, "\n".join(changed), what))

    names = sorted({n for n in _NAMES.findall("\n".join(lines[body:])) if n not in _API})
    for i in range(body, len(lines)):
        line = lines[i]
        if line.strip().startswith("//"):
            continue
        if _CALL.match(line):
            change(i, None)
            if _COUNTS.search(line):
                change(i, f"{line} {line.strip()}")
        if "_arg_val" in line:
            continue
        for match in _NUMBER.finditer(line):
            change(i, line[: match.start()] + str(int(match[1]) + 1) + line[match.end() :])
        for old, new in _OPERATORS:
            if old in line:
                change(i, line.replace(old, new, 1))
        for name in names:
            if f"get_tile_size({name})" in line:
                continue  # pages of one format have one size: it would be the same program
            if re.search(rf"\b{name}\b", line) and not _SETUP.search(line):
                other = names[(names.index(name) + 1) % len(names)]
                if other != name:
                    change(i, re.sub(rf"\b{name}\b", other, line, count=1))
    return out
