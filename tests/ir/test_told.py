"""``tt_residency`` and ``tt_sweeps``: what a plan says of a kernel of sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support import elementwise, verified
from tt_build.codegen.plan import make_plan

ROWS: dict[str, Any] = {
    "inputs": {"X": {"shape": [64, 400]}, "g": {"shape": [1, 400]}},
    "outputs": {"Y": {"shape": [64, 400]}},
    "compute": "Y = softmax(X, axis=-1) * g",
}


def test_sweeps_are_told(tmp_path: Path) -> None:
    attrs = make_plan(verified(tmp_path, ROWS)).attrs
    assert attrs["tt_residency"] == {"choice": "held, handed on", "reason": "each input is read once"}
    first, *_, last = attrs["tt_sweeps"]
    assert first == {
        "what": "max of each row",
        "tiles": [1, 13],
        "by_columns": False,
        "reads": {"X": "held for the unit"},
        "gives": {"max": "handed on"},
    }
    assert last["gives"] == {"Y": "written"}
    assert last["reads"]["g"] == "held for the core"


def test_a_kernel_of_single_tiles_says_nothing_of_them(tmp_path: Path) -> None:
    attrs = make_plan(verified(tmp_path, elementwise("C = A + B"))).attrs
    assert not {"tt_residency", "tt_sweeps"} & attrs.keys()
