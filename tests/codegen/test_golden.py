"""Golden files: what eight kernels of kernels.yaml become, byte for byte. ``--update-goldens`` writes them anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import ROOT, write_spec
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


def test_rendering_is_safe_in_threads(tmp_path: Path) -> None:
    """Kernels that differ in names and math, rendered at once, are what they are one after the other."""
    kernels = {}
    for number in range(12):
        a, b = ("A", "a") if number % 2 else ("a", "A")
        kernels[f"k{number}"] = {
            "inputs": {a: {"shape": [64, 64]}, b: {"shape": [64, 64]}},
            "outputs": {"C": {"shape": [64, 64]}},
            "compute": f"C = where({a} > 0, {a}, {b} - {number + 1})",
            "math": {"fp32_accumulate": bool(number % 3)},
        }
    found = load_file(write_spec(tmp_path, kernels)).declarations
    alone = [compile_files(declaration) for declaration in found]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(compile_files, found)) == alone
