"""The reference of the language as Markdown: generated from the JSON Schema, the signatures and the op table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tt_build.lang.functions import FUNCTIONS
from tt_build.lang.signatures import OPERATORS, SIGNATURES, Signature
from tt_build.spec.schema import build

_INTRO = """\
# The language of kernels.yaml

Generated from the schema and the op table (`tt_build/spec/reference.py`); `tt-build schema` prints the schema itself.

A file is YAML 1.1, read safely: no duplicate keys, no anchors, aliases, merge keys or tags. What YAML would take for
something else (`no`, `010`, `12:30`, a date) is an error in a text that says to quote it. Every message has a code;
[the catalogue](diagnostics/index.md) has a page for each, and `tt-build explain CODE` prints it.

What can be lowered today is less than what can be declared: the [README](../README.md) says how much, and everything
else is refused by name.

```yaml
# yaml-language-server: $schema=.tt-build/kernels.schema.json
version: 1
kernels:
  mlp_up:
    sizes: {M: 512, K: 256, N: 1024}
    inputs: {X: {shape: [M, K]}, W: {shape: [K, N]}, b: {shape: [1, N]}}
    outputs: {Y: {shape: [M, N]}}
    compute: Y = gelu(X @ W + b)
```
"""

_COMPUTE = """\
## compute

Assignments, one a line, in Python's expression syntax with NumPy's broadcasting; parsed, never evaluated. Names are
tensors, `sizes`, `scalars` and what earlier lines assigned. Every output is assigned exactly once. There are no loops,
no indexing and no calls with side effects. `x.T` is `x` with its last two dimensions exchanged.

A kernel means what NumPy computes from the same text in float64, on inputs that were rounded to their dtypes, with the
result rounded to the output's dtype.
"""

_KINDS = {
    "elementwise": "Elementwise functions",
    "reduction": "Reductions",
    "composite": "Composites",
    "movement": "Movement",
    "cast": "Conversion",
}

# Where the keys of a section stand: the title and the way to its object in the schema.
_SECTIONS = (
    ("A file", ()),
    ("target", ("definitions", "target")),
    ("defaults", ("definitions", "defaults")),
    ("policies", ("definitions", "policies")),
    ("A kernel", ("definitions", "kernel")),
    ("A kernel whose sources are written by hand", ("definitions", "handwritten")),
    ("sources", ("definitions", "handwritten", "properties", "sources")),
    (
        "circular_buffers, each",
        ("definitions", "handwritten", "properties", "circular_buffers", "additionalProperties"),
    ),
    ("arguments", ("definitions", "handwritten", "properties", "arguments")),
    ("A tensor", ("definitions", "tensor")),
    ("schedule", ("definitions", "scheduleMapping")),
    ("schedule: matmul", ("definitions", "scheduleMapping", "properties", "matmul")),
    ("layout, as a mapping", ("definitions", "sharding")),
    ("math", ("definitions", "math")),
    ("verify", ("definitions", "kernel", "properties", "verify")),
    ("A program", ("definitions", "program")),
    ("steps, each", ("definitions", "program", "properties", "steps", "items")),
)


def reference() -> str:
    """The page."""
    schema = build()
    parts = [_INTRO]
    for title, path in _SECTIONS:
        found = schema
        for key in path:
            found = found[key]
        parts.append(f"## {title}\n\n{_keys(found, schema)}")
    parts += [_COMPUTE, _operators()]
    for kind, title in _KINDS.items():
        rows = [entry for _, entry in sorted(SIGNATURES.items()) if entry.kind == kind]
        parts.append(f"### {title}\n\n{_functions(rows)}")
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _keys(found: dict[str, Any], schema: dict[str, Any]) -> str:
    """The table of an object's keys."""
    rows = []
    for name, entry in found["properties"].items():
        target = _followed(entry, schema)
        told = {**target, **entry}
        notes = []
        if name in found.get("required", ()):
            notes.append("required")
        if "default" in told:
            notes.append(f"default {_code(told['default'])}")
        text = told.get("description", "")
        if "examples" in told:
            text += f" Example: {', '.join(_code(example) for example in told['examples'])}."
        rows.append((f"`{name}`", _form(told, schema), "; ".join(notes), text.strip()))
    intro = f"{found['description']}\n\n" if "description" in found and found is not schema else ""
    return intro + _table(("key", "value", "", "meaning"), rows)


def _followed(entry: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference_ = entry.get("$ref")
    if reference_ is None:
        return entry
    return dict(schema["definitions"][reference_.rsplit("/", 1)[1]])


def _form(entry: dict[str, Any], schema: dict[str, Any]) -> str:
    """What may stand there, in a few words."""
    entry = {**_followed(entry, schema), **{key: value for key, value in entry.items() if key != "$ref"}}
    if "enum" in entry:
        return ", ".join(f"`{word}`" for word in entry["enum"])
    if "const" in entry:
        return _code(entry["const"])
    if "anyOf" in entry:
        return " or ".join(dict.fromkeys(_form(option, schema) for option in entry["anyOf"]))
    kind = entry.get("type")
    if kind == "array":
        low, high = entry.get("minItems"), entry.get("maxItems")
        count = (
            "" if low is None and high is None else f"{low} " if low == high else f"{low} to {high} " if high else ""
        )
        item = entry["items"]
        return f"list of {count}({_form(item, schema)})" if isinstance(item, dict) else f"list of {count}values"
    if kind == "object":
        extra = entry.get("additionalProperties")
        return "names to values" if isinstance(extra, dict) else "mapping"
    if kind in ("integer", "number"):
        low, high = entry.get("minimum"), entry.get("maximum")
        return f"{kind}, {low:g} to {high:g}" if low is not None and high is not None and high < 1e9 else str(kind)
    if kind == "string":
        return "expression" if "pattern" in entry and "(" in entry["pattern"] else "text"
    return "`true`, `false`" if kind == "boolean" else " or ".join(kind) if isinstance(kind, list) else str(kind)


def _operators() -> str:
    rows = [(f"`{operator}`", name) for operator, name in OPERATORS.items()]
    note = "Comparisons give 0 or 1. `@` is batched over leading dimensions. `-x` is `neg`."
    return f"### Operators\n\n{_table(('operator', 'function'), rows)}\n\n{note}\n"


def _functions(found: list[Signature]) -> str:
    rows = []
    for entry in found:
        row = FUNCTIONS.get(entry.name)
        meaning = f"`{row.numpy}`" if row is not None else ""
        rows.append((f"`{entry}`", "yes" if entry.int_ok else "", meaning))
    if any(meaning for *_, meaning in rows):
        return _table(("function", "integers", "meaning in NumPy"), rows)
    return _table(("function", "integers"), [row[:2] for row in rows])


def _code(value: Any) -> str:
    return "`" + (value if isinstance(value, str) and "\n" not in value else json.dumps(value)) + "`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
