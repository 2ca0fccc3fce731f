"""What to write where a shape is none: the help of its message."""

from __future__ import annotations

import re

from tt_build.spec.document import Node, Scalar, Sequence

MOST_AXES = 4
_SIZES = re.compile(r"\(?\s*[0-9]+(?:\s*[x,]\s*[0-9]+){1,3}\s*\)?\Z")


def shape_help(node: Node) -> str:
    """The shape that was probably meant; "" where there is nothing to go by."""
    if isinstance(node, Scalar):
        if _SIZES.match(node.value):
            return f"write [{', '.join(re.findall('[0-9]+', node.value))}]"
        if re.match(r"\w+\Z", node.value):
            return f"write [{node.value}], or [1, {node.value}] for a row"
        return "write [rows, columns]"
    if not isinstance(node, Sequence):
        return "write [rows, columns]"
    texts = [item.value for item in node.items if isinstance(item, Scalar)]
    if not node.items:
        return "write [1, 1] for a single number"
    if len(node.items) > MOST_AXES and len(texts) == len(node.items) and len(texts) <= 2 * MOST_AXES:
        first = len(texts) - MOST_AXES + 1
        leading = [text if re.match(r"\w+\Z", text) else f"({text})" for text in texts[:first]]
        return f"put the leading sizes together: [{', '.join([' * '.join(leading), *texts[first:]])}]"
    return ""
