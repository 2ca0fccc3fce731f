"""Golden files: what eight kernels of kernels.yaml become, byte for byte. ``--update-goldens`` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT
from tt_build.codegen.compile import compile_files
from tt_build.codegen.files import OUTPUTS
from tt_build.spec.loader import load_file

GOLDEN = ROOT / "tests" / "golden"
KERNELS = (
    "gemm",
    "gemm_ragged",
    "gemm_bias_gelu",
    "gemm_transposed",
    "attention_scores",
    "add_scalar",
    "swiglu",
    "polar",
)


@pytest.fixture(scope="module")
def declarations() -> dict[str, object]:
    return {d.kernel.name: d for d in load_file(ROOT / "kernels.yaml").declarations}


@pytest.mark.parametrize("name", KERNELS)
def test_golden(name: str, declarations: dict[str, object], update_goldens: bool) -> None:
    files = compile_files(declarations[name])  # type: ignore[arg-type]
    for output in OUTPUTS:
        path = GOLDEN / name / output
        if update_goldens:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[output])
        assert path.is_file(), f"no golden file {path}; run ./dev test --update-goldens"
        assert files[output].decode() == path.read_text(), f"{path} differs; review, then ./dev test --update-goldens"


def test_no_golden_is_left_over() -> None:
    assert {path.relative_to(GOLDEN) for path in GOLDEN.rglob("*") if path.is_file()} == {
        Path(name) / output for name in KERNELS for output in OUTPUTS
    }
