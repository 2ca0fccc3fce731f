"""What the proofs of blocked matmuls and of attention share: comparing the times at which a statement runs (TTB403)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from tt_build.ir.skeleton import Visit
from tt_build.ir.stages import LoweredKernel
from tt_build.passes.proof import fail


def keys(values: Mapping[str, np.ndarray], like: np.ndarray, *names: str) -> np.ndarray:
    """One number for each combination of counters, for each time in ``like``; a loop that is not there counts as 0."""
    key = np.zeros_like(like)
    for name in names:
        key = key * (1 << 15) + values.get(name, np.zeros_like(like))
    return key


class VisitProof:
    """Base of a proof about one kernel."""

    def __init__(self, kernel: LoweredKernel) -> None:
        self.kernel = kernel

    def _once(self, parts: Sequence[np.ndarray], cb: str) -> None:
        if np.unique(np.stack(parts), axis=1).shape[1] != parts[0].size:
            self._fail(f"a tile of {cb} is fetched twice")

    def _count(self, visit: Visit, expected: int, cb: str) -> None:
        if visit.core.size != expected:
            self._fail(f"{visit.core.size} tiles of {cb}, not {expected}")

    def _same(self, visit: Visit, wanted: tuple[np.ndarray, ...], cb: str) -> None:
        for found, right in zip(visit.values, wanted, strict=True):
            if not np.array_equal(found, np.broadcast_to(right, found.shape)):
                self._fail(f"{type(visit.stmt).__name__} of {cb} touches another page or slot than its own")

    def _fail(self, message: str) -> NoReturn:
        fail(self.kernel, "TTB403", message)
