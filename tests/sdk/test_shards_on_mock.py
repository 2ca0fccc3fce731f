"""Sharded layouts against the real runtime: our accessor words are ttnn's, and it takes the programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import verified
from tt_build.codegen.files import emit
from tt_build.ir.plan import load_plan
from tt_build.sdk.mock import run_mock


def _sharded(memory: str, kind: str, grid: list[int], order: str = "row_major") -> dict[str, Any]:
    return {"memory": memory, "sharding": kind, "grid": grid, "order": order}


# Shape, layout: even and uneven, both orders, stacked matrices, one tile row, one core, an odd number of cores.
CASES: list[tuple[list[int], dict[str, Any]]] = [
    ([128, 256], _sharded("l1", "block", [4, 2])),
    ([256, 128], _sharded("l1", "block", [4, 2], "column_major")),
    ([150, 150], _sharded("l1", "block", [3, 3])),
    ([250, 70], _sharded("l1", "height", [2, 4])),
    ([256, 128], _sharded("l1", "height", [2, 4], "column_major")),
    ([100, 250], _sharded("l1", "width", [2, 2])),
    ([32, 256], _sharded("l1", "width", [2, 4])),
    ([128, 256], _sharded("l1", "width", [2, 4], "column_major")),
    ([2, 3, 50, 96], _sharded("l1", "height", [3, 2])),
    ([2, 3, 50, 96], _sharded("l1", "block", [3, 2])),
    ([100], _sharded("l1", "width", [2, 2])),
    ([32, 32], _sharded("l1", "block", [1, 1])),
    ([256, 128], _sharded("dram", "height", [4, 1])),
    ([64, 384], _sharded("dram", "width", [6, 1])),
    ([64, 384], _sharded("dram", "block", [4, 1])),
]


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
def test_accessor_words_and_programs(arch: str, tmp_path: Path) -> None:
    """Each layout as an input that lies as the output does, and as one that is read over the NoC."""
    paths = []
    cases = CASES if arch == "wormhole_b0" else CASES[::4]  # the rules are the same, only coordinates differ
    for number, (shape, layout) in enumerate(cases):
        for name, output in (("local", layout), ("remote", "dram_interleaved")):
            if name == "local" and layout["memory"] == "dram":
                continue
            folder = tmp_path / f"{name}{number}"
            folder.mkdir()
            spec = {
                "inputs": {"B": {"shape": shape}, "A": {"shape": shape, "layout": layout}},
                "outputs": {"C": {"shape": shape, "layout": output}},
                "compute": f"C = A + B * {number + 2}",
            }
            kernel = verified(folder, spec, target={"arch": arch, "grid": [8, 8]})
            for file, content in emit(kernel).items():
                (folder / file).write_bytes(content)
            words = {buffer.name: list(buffer.accessor_words) for buffer in kernel.buffers}
            paths.append((folder / "tt.plan.json", words))
    outcome = run_mock([path for path, _ in paths], arch)
    for (path, words), result in zip(paths, outcome.results, strict=True):
        layout = load_plan(path).buffers["A"].layout
        assert (path.parent.name, result.error) == (path.parent.name, "")
        assert result.words == words, layout
        assert result.hash == result.hash_again
