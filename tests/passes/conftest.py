"""What the tests of ``verify_ir`` share beside ``rejected``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.support import lowered
from tt_build.ir.stages import LoweredKernel


@pytest.fixture(scope="module")
def lowered_base(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], LoweredKernel]:
    """The kernels of the module's ``BASES`` by name, each lowered once, for 4 x 4 cores."""
    folder, bases = tmp_path_factory.mktemp("bases"), request.module.BASES

    @cache
    def of(name: str) -> LoweredKernel:
        return lowered(folder, bases[name], target={"arch": "wormhole_b0", "grid": [4, 4]})

    return of
