"""Seeded inputs for verification, rounded to their dtypes."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tt_build.emulator.formats import round_to
from tt_build.verify.values import INTEGERS

Array = NDArray[Any]

# In this order until the reference is defined everywhere: as asked, then for logarithms and roots, then for arcs and
# expressions that overflow.
DOMAINS = ("free", "positive", "unit", "small")
_MOST_TRIALS = 40


def make_inputs(
    tensors: Mapping[str, tuple[tuple[int, ...], str]],
    *,
    kind: str = "normal",
    seed: int = 0,
    domains: Mapping[str, str] | None = None,
) -> dict[str, Array]:
    """An array for each tensor (name: shape, dtype), float32 or the integer dtype, each from a stream of its own.

    ``kind`` is normal, uniform ([-1, 1]) or ones. ``domains`` restricts a tensor: ``free``, ``positive`` (at least
    1/8), ``unit`` (1/16 to 15/16) or ``small`` (a sixteenth of free). Integers are small ones of either sign, from 0
    where unsigned. ValueError for an unknown kind.
    """
    if kind not in ("normal", "uniform", "ones"):
        raise ValueError(f"unknown kind of inputs '{kind}'; known: normal, uniform, ones")
    chosen = domains or {}
    return {
        name: _tensor(
            shape, dtype, kind, np.random.default_rng([seed, zlib.crc32(name.encode())]), chosen.get(name, "free")
        )
        for name, (shape, dtype) in tensors.items()
    }


def choose_domains(names: list[str], defined: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """Domains under which ``defined`` holds, as few inputs restricted as possible; all free where none is found.

    ``defined`` evaluates the reference on such inputs and says whether it is finite with finite bounds everywhere.
    """
    trials = itertools.islice(_trials(names), _MOST_TRIALS)
    return next((trial for trial in trials if defined(trial)), {})


def _trials(names: list[str]) -> Any:
    yield {}
    for domain in DOMAINS[1:]:
        for count in (1, 2):
            for some in itertools.combinations(names, count):
                if count < len(names):
                    yield dict.fromkeys(some, domain)
        yield dict.fromkeys(names, domain)


def _tensor(shape: tuple[int, ...], dtype: str, kind: str, rng: np.random.Generator, domain: str) -> Array:
    if dtype in INTEGERS:
        if kind == "ones":
            return round_to(np.ones(shape), dtype)
        low = -100 if dtype == "int32" and domain == "free" else 1 if domain != "free" else 0
        return round_to(rng.integers(low, 101, shape), dtype)
    if kind == "ones":
        return round_to(np.ones(shape), dtype)
    values = rng.standard_normal(shape) if kind == "normal" else rng.uniform(-1.0, 1.0, shape)
    if domain == "positive":
        values = np.abs(values) + 0.125
    elif domain == "unit":
        values = np.clip(np.abs(values) / 4.0, 0.0625, 0.9375)
    elif domain == "small":
        values = values / 16.0
    return round_to(values, dtype)
