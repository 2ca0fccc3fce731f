"""``verify: {sizes: ...}``: the kernel at these sizes, and which sizes make another kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import rejection, write_spec
from tt_build.passes.pipeline import compile_at_verify_sizes, compile_kernel
from tt_build.spec.loader import load_file
from tt_build.spec.model import Declaration


def softmax(sizes: dict[str, int], at: dict[str, int], **more: Any) -> dict[str, Any]:
    return {
        "sizes": sizes,
        "inputs": {"X": {"shape": ["B", "M", "N"]}},
        "outputs": {"Y": {"shape": ["B", "M", "N"]}},
        "compute": "Y = softmax(X / N, axis=-1)",
        "verify": {"sizes": at},
        **more,
    }


def loaded(folder: Path, kernel: dict[str, Any]) -> Declaration:
    found = load_file(write_spec(folder, {"k": kernel}))
    assert not found.errors
    return found.declarations[0]


def test_the_kernel_is_read_again_with_the_sizes_replaced(tmp_path: Path) -> None:
    declaration = loaded(tmp_path, softmax({"B": 8, "M": 512, "N": 2048}, {"B": 2, "N": 128}))
    smaller = declaration.smaller
    assert smaller is not None
    assert declaration.kernel.inputs["X"].shape == (8, 512, 2048)
    assert smaller.kernel.inputs["X"].shape == smaller.kernel.outputs["Y"].shape == (2, 512, 128)
    assert smaller.kernel.sizes == {"B": 2, "M": 512, "N": 128}
    assert smaller.smaller is None
    kernel, _ = compile_kernel(declaration)
    found = compile_at_verify_sizes(declaration, kernel)
    assert found is not None
    assert found.pages_read == {"X": 2 * 16 * 4}


def test_its_own_sizes_are_no_other_kernel(tmp_path: Path) -> None:
    declaration = loaded(tmp_path, softmax({"B": 8, "M": 512, "N": 4096}, {"B": 8}))
    assert declaration.smaller is None
    assert compile_at_verify_sizes(declaration, compile_kernel(declaration)[0]) is None


SIZES = {"B": 8, "M": 512, "N": 2048}
OTHERS: dict[str, tuple[dict[str, int], dict[str, int], str]] = {
    "one matrix": ({**SIZES, "B": 64}, {"B": 1}, "the parts of long reductions"),
    "one tile a row": (SIZES, {"N": 32}, "the streams"),
    "a ragged row": (SIZES, {"N": 100}, "the masks of ragged edges"),
    "a row that fits L1": ({**SIZES, "N": 100_000}, {"N": 1000}, "what stays in L1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_structure_is_refused(name: str, tmp_path: Path) -> None:
    sizes, at, part = OTHERS[name]
    text = rejection(tmp_path, softmax(sizes, at))
    assert "[TTB212]" in text
    assert f"{part} would differ" in text


def test_a_kernel_that_cannot_be_built_there_is_refused(tmp_path: Path) -> None:
    text = rejection(tmp_path, softmax(SIZES, {"B": 2}, grid=[1, 16, 8]))
    assert "cannot be built at these sizes: grid [1, 16, 8] does not cover" in text


def test_sizes_that_are_invalid_are_refused_where_they_stand(tmp_path: Path) -> None:
    kernel = softmax(SIZES, {"N": 32})
    kernel["inputs"]["X"]["shape"][2] = "N - 32"
    kernel["outputs"]["Y"]["shape"][2] = "N - 32"
    text = rejection(tmp_path, kernel)
    assert "the kernel is invalid at these sizes: N - 32 = 0" in text
