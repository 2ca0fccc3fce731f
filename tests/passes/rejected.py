"""What the tests of ``verify_ir`` share: a corruption must be rejected, with its code, on every base that it meets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

import pytest

from tests.passes.corruptions import Corruption
from tt_build.ir.stages import LoweredKernel
from tt_build.passes import verify_ir
from tt_build.spec.diagnostics import Rejected
from tt_build.targets import load_arch

ROUNDS = 2  # seeds of each corruption on each base


def check_rejected(
    name: str,
    corruptions: Mapping[str, tuple[Corruption, tuple[str, ...]]],
    bases: Iterable[str],
    kernel_of: Callable[[str], LoweredKernel],
) -> None:
    """The corruption of that name is rejected with one of its codes, and some base has something for it."""
    function, codes = corruptions[name]
    arch = load_arch("wormhole_b0")
    tried = 0
    for base in bases:
        kernel = kernel_of(base)
        for seed in range(ROUNDS):
            corrupt = function(kernel, random.Random(f"{name} {seed}"))
            if corrupt is None or corrupt == kernel:
                continue
            with pytest.raises(Rejected) as rejected:
                verify_ir.apply(corrupt, arch)
            assert rejected.value.diagnostics[0].code in codes, f"{base}: {rejected.value}"
            tried += 1
    assert tried, "no base has anything for this corruption"
