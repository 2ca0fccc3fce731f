"""What the scripts on the mock device print: one line an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def answer(name: str, function: Callable[[], str]) -> None:
    """Print what the function says, or the exception that it ends in."""
    try:
        text = function()
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
    print("ANSWER", name, text, flush=True)


def shown(tensor: Any) -> str:
    """A ttnn tensor in a few words: kind, shape, dtype, memory."""
    place = str(tensor.memory_config().buffer_type).rsplit(".", 1)[-1]
    return f"{type(tensor).__name__} {tuple(tensor.shape)} {tensor.dtype} {place}"
