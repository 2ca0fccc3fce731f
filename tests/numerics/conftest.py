"""The numerics' library, compiled once per change of its sources."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numerics_library import EMULATOR, SOURCES, Numerics, build


@pytest.fixture(scope="session")
def num(request: pytest.FixtureRequest) -> Numerics:
    headers = sorted((EMULATOR / "include" / "emu" / "num").glob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*SOURCES, *headers])).hexdigest()[:16]
    assert request.config.cache is not None
    library = Path(request.config.cache.mkdir("numerics")) / f"num-{digest}.so"
    if not library.exists():
        build(library)
    return Numerics(library)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
