"""``variants``: a kernel's node to those of its family, values put in place of what they replace.

Nothing is copied but the mappings on the way to a replaced value: positions inside a member are those of the text that
the value was read from.
"""

from __future__ import annotations

import itertools
import re

from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.fields import Fields, Path
from tt_build.spec.nearest import did_you_mean

MOST_MEMBERS = 1000
MOST_MEMBERS_OF_ALL = 5000
LONGEST_NAME = 200
VARIED = ("sizes", "scalars", "inputs", "outputs", "compute", "grid", "block", "schedule", "math", "verify", "target")
_LABEL = re.compile(r"[A-Za-z0-9_]{1,63}\Z")

Choice = tuple[str, str, Node]
"""Label, key (or the name of a size), value."""


def expand(fields: Fields, name: str, node: Node, room: int = MOST_MEMBERS_OF_ALL) -> list[tuple[str, Node]]:
    """Name and node of each member, in the order of the keys; empty where ``variants`` is refused.

    ``room`` is how many members the specification may still have; no member of a larger family is made.
    """
    if not isinstance(node, Mapping) or "variants" not in node.entries:
        return [(name, node)]
    path = ("kernels", name, "variants")
    axes = node.entries["variants"][1]
    if not isinstance(axes, Mapping):
        fields.wrong_type(axes, path, "a mapping from a size or key to a list", "write variants: {M: [32, 64]}")
        return []
    if max(room, 1) < _product(axes) <= MOST_MEMBERS:
        message = f"the variants of all files make more than {MOST_MEMBERS_OF_ALL} kernels"
        fields.error("TTB030", message, path, "leave some out", key=True)
        return []
    before = len(fields.problems)
    choices = [_choices(fields, key, value, (*path, key), node) for key, (_, value) in axes.entries.items()]
    if len(fields.problems) > before:
        return []
    if not choices:
        fields.error("TTB030", "'variants' is empty", path, "write variants: {M: [32, 64]}, or leave it out", key=True)
        return []
    total = 1
    for axis in choices:
        total *= len(axis)
    if total > MOST_MEMBERS:
        help_ = f"at most {MOST_MEMBERS}; leave some out"
        fields.error("TTB030", f"the product of the variants has {total} kernels", path, help_, key=True)
        return []
    family: list[tuple[str, Node]] = [
        (".".join((name, *(label for label, _, _ in member))), _member(node, member))
        for member in itertools.product(*choices)
    ]
    seen: dict[str, str] = {}
    for member_name, _ in family:
        first = seen.setdefault(member_name.lower(), member_name)
        if first is not member_name:
            help_ = "labels differ in more than upper and lower case"
            fields.error("TTB030", f"two variants are called '{member_name}'", path, help_, key=True)
            return []
        if len(member_name) > LONGEST_NAME:
            message = f"the name '{member_name[:60]}...' has {len(member_name)} characters"
            fields.error("TTB030", message, path, f"at most {LONGEST_NAME}: use shorter labels", key=True)
            return []
    return family


def _product(axes: Mapping) -> int:
    """How many members the lists and mappings make, before anything in them is looked at."""
    total = 1
    for _, value in axes.entries.values():
        if isinstance(value, Sequence | Mapping):
            total *= len(value.items if isinstance(value, Sequence) else value.entries)
    return total


def _choices(fields: Fields, key: str, node: Node, path: Path, kernel: Mapping) -> list[Choice]:
    sizes = kernel.entries["sizes"][1] if "sizes" in kernel.entries else None
    size_names = list(sizes.entries) if isinstance(sizes, Mapping) else []
    if key not in size_names and key not in VARIED:
        help_ = did_you_mean(key, (*size_names, *VARIED), what="sizes and keys")
        fields.error(
            "TTB030", f"'{key[:60]}' is neither a size of this kernel nor a key that can vary", path, help_, key=True
        )
        return []
    if isinstance(node, Mapping):
        labelled = [(label, key, value) for label, (_, value) in node.entries.items()]
    elif isinstance(node, Sequence):
        labelled = []
        for at, item in enumerate(node.items):
            if not isinstance(item, Scalar):
                help_ = f"write {key}: {{name: ..., other: ...}}: the label becomes part of the kernel's name"
                fields.error("TTB030", "a variant that is a list or a mapping needs a label", (*path, at), help_)
                return []
            label = f"{key}{item.value}" if item.value[:1].isdigit() else item.value
            labelled.append((label, key, item))
    else:
        fields.wrong_type(node, path, "a list of values, or a mapping from labels to values")
        return []
    if not labelled:
        fields.error("TTB030", f"'{key}' has no variants", path, "give at least one value", key=True)
    for at, (label, _, _) in enumerate(labelled):
        if not _LABEL.match(label):
            place = (*path, at) if isinstance(node, Sequence) else (*path, label)
            help_ = "a label has letters, digits and underscores; write a mapping from labels to values"
            fields.error("TTB030", f"'{label[:60]}' cannot be part of a kernel's name", place, help_, key=True)
    return labelled


def _member(node: Mapping, member: tuple[Choice, ...]) -> Mapping:
    made = _copy(node)
    del made.entries["variants"]
    for _, key, value in member:
        sizes = made.entries["sizes"][1] if "sizes" in made.entries else None
        if isinstance(sizes, Mapping) and key in sizes.entries:
            changed = _copy(sizes)
            changed.entries[key] = (sizes.entries[key][0], value)
            made.entries["sizes"] = (made.entries["sizes"][0], changed)
        else:
            name = made.entries[key][0] if key in made.entries else node.entries["variants"][0]
            made.entries[key] = (name, value)
    return made


def _copy(node: Mapping) -> Mapping:
    made = Mapping(node.start, node.flow)
    made.end = node.end
    made.entries = dict(node.entries)
    return made
