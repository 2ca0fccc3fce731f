"""Inputs on which a kernel is defined, and its reference on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tt_build.spec.model import OpSpec
from tt_build.verify.inputs import choose_domains, make_inputs
from tt_build.verify.reference import Ref, evaluate
from tt_build.verify.values import Math

Array = NDArray[Any]
Tensors = Mapping[str, tuple[tuple[int, ...], str]]


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs and run-time scalars, the references on them, and the inputs whose domain had to be restricted."""

    inputs: dict[str, Any]
    scalars: dict[str, float | int] = {}
    references: dict[str, Any]
    domains: dict[str, str]


def prepare(
    compute: str,
    inputs: Tensors,
    outputs: Tensors,
    *,
    sizes: Mapping[str, int] | None = None,
    scalars: Mapping[str, float] | None = None,
    runtime: Mapping[str, str] | None = None,
    math: Math | None = None,
    kind: str = "normal",
    seed: int = 0,
    ops: Mapping[str, OpSpec] | None = None,
) -> Prepared:
    """Inputs of that kind and seed, kept to domains where the reference is defined, and the reference.

    Tensors map names to (shape, dtype), ``runtime`` the run-time scalars to their dtypes: their values are drawn like
    inputs of one element, and mean the same. Raises EvaluationError for text that is not of the language. When no
    domain makes the reference defined everywhere, the unrestricted inputs are returned: the comparison then says why it
    fails.
    """
    drawn = {**inputs, **{name: ((1,), dtype) for name, dtype in (runtime or {}).items()}}
    dtypes = {name: dtype for name, (_, dtype) in {**drawn, **outputs}.items()}
    shapes = {name: shape for name, (shape, _) in outputs.items()}

    def attempt(domains: Mapping[str, str]) -> tuple[dict[str, Array], dict[str, Ref]]:
        arrays = make_inputs(drawn, kind=kind, seed=seed, domains=domains)
        found = evaluate(
            compute, arrays, dtypes=dtypes, outputs=shapes, sizes=sizes, scalars=scalars, math=math, ops=ops
        )
        return arrays, found

    def defined(domains: dict[str, str]) -> bool:
        return all(is_defined(ref) for ref in attempt(domains)[1].values())

    floats = [name for name, (_, dtype) in drawn.items() if not dtype.startswith(("int", "uint"))]
    domains = choose_domains(floats, defined)
    arrays, references = attempt(domains)
    values = {name: arrays[name].item() for name in runtime or {}}
    arrays = {name: array for name, array in arrays.items() if name in inputs}
    return Prepared(inputs=arrays, scalars=values, references=references, domains=domains)


def is_defined(ref: Ref) -> bool:
    """No NaN, no infinity but a mask's minus infinity, and a bound wherever there is a value."""
    value = ref.value.astype(np.float64)
    return bool((~np.isnan(value) & (value != np.inf) & (np.isfinite(ref.wide) | ~np.isfinite(value))).all())
