"""What several tests share: hand-written plans for both architectures."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from make_plans import DATA, GRIDS, features, gemm, write


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Path]]:
    """The plans of gemm and features, built for an architecture, beside copies of their sources."""

    def make(arch: str) -> list[Path]:
        root = tmp_path_factory.mktemp(arch)
        for maker in (gemm, features):
            folder = root / maker.__name__
            shutil.copytree(DATA / maker.__name__, folder)
            write(maker(arch, GRIDS[arch]), folder)
        return [root / "gemm" / "tt.plan.json", root / "features" / "tt.plan.json"]

    return make
