"""A stage as text: one field a line, structures spread out where they do not fit, bodies as nested statements."""

from __future__ import annotations

from typing import Any

import msgspec

from tt_build.ir.index import Expr, to_cpp
from tt_build.ir.lowered import Block, Loop, Section, When

_WIDEST = 110
# A list of more structures than this shows its first ones and its last.
_LONGEST = 12


def fields_text(stage: Any, skipped: tuple[str, ...], *, whole: bool = False) -> str:
    """The fields of a structure, without those of ``skipped``; ``whole``: also the middle of long lists of work."""
    lines: list[str] = []
    for name in stage.__struct_fields__:
        value = getattr(stage, name)
        if name in skipped:
            continue
        if name == "work" and not whole and len(value) > _LONGEST + 1:
            left = f"    ... {len(value) - _LONGEST} more (--all shows them)"
            lines += [*_labelled(f"{name}: ", value[: _LONGEST - 1], "  "), left, *_below(value[-1:], "    ")]
        else:
            lines += _labelled(f"{name}: ", value, "  ")
    return "\n".join(lines) if lines else "  (checks only)"


def _labelled(label: str, value: Any, indent: str) -> list[str]:
    """``label value`` on one line, or the label and the parts of the value below it."""
    line = f"{indent}{label}{_flat(value)}"
    if (len(line) <= _WIDEST and not _spread(value)) or not _parts(value):
        return [line]
    head = type(value).__name__ if isinstance(value, msgspec.Struct) else ""
    return [f"{indent}{label}{head}".rstrip(), *_below(value, f"{indent}  ")]


def _below(value: Any, indent: str) -> list[str]:
    return [line for label, part in _parts(value) for line in _labelled(label, part, indent)]


def _parts(value: Any) -> list[tuple[str, Any]]:
    """What a value consists of, each with its label."""
    if isinstance(value, Expr):
        return []
    if isinstance(value, msgspec.Struct):
        return [(f"{name}: ", part) for name, part in _told(value)]
    if isinstance(value, dict):
        return [(f"{key}: ", part) for key, part in value.items()]
    if isinstance(value, tuple | list):
        return [("", part) for part in value]
    return []


def _spread(value: Any) -> bool:
    """What is never written on one line: statements with a body, and texts of several lines."""
    if isinstance(value, Loop | When | Block | Section):
        return True
    return isinstance(value, tuple | list) and len(value) > 1 and all(isinstance(v, msgspec.Struct) for v in value)


def _told(value: msgspec.Struct) -> list[tuple[str, Any]]:
    """Fields that say something: not those that hold their default."""
    told = []
    defaults = type(value).__struct_defaults__
    names = value.__struct_fields__
    for at, name in enumerate(names):
        part = getattr(value, name)
        place = at - (len(names) - len(defaults))
        if place < 0 or defaults[place] is msgspec.NODEFAULT or part != defaults[place]:
            told.append((name, part))
    return told


def _flat(value: Any) -> str:
    if isinstance(value, Expr):
        return to_cpp(value)  # type: ignore[arg-type]
    if isinstance(value, msgspec.Struct):
        return f"{type(value).__name__}({', '.join(f'{name}={_flat(part)}' for name, part in _told(value))})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flat(part)}" for key, part in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    if isinstance(value, str) and "\n" in value:
        return " ; ".join(value.splitlines())
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
