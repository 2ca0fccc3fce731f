"""The names of the TileLang Tenstorrent plan, as thin functions over the passes."""

from __future__ import annotations

import tt_build
from tests.support import ROOT
from tt_build.passes.pipeline import compile_kernel
from tt_build.spec.loader import load_file


def test_the_workstreams_are_the_pipeline() -> None:
    for declaration in load_file(ROOT / "kernels.yaml").declarations:
        kernel = tt_build.apply_ws2_passes(tt_build.apply_tt_defaults(declaration))
        assert tt_build.grid_to_persistent_tt(kernel).loop.args
        assert tt_build.apply_ws3_passes(kernel) == compile_kernel(declaration)[0]


def test_targets_are_exported() -> None:
    assert tt_build.available_targets() == ("tenstorrent",)
    assert tt_build.determine_target("tenstorrent") == "tenstorrent"
