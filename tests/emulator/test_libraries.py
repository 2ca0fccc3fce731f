"""Kernels of many plans compiled together: what is shared, what is compiled, and who reports what does not compile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.prove import build
from tt_build.emulator import libraries, toolchain
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import compile_plan, compile_plans, run
from tt_build.ir.plan import Plan, load_plan

Made = tuple[Plan, Path]
X = (np.arange(64 * 96, dtype=np.float32) % 7 - 3).reshape(64, 96)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of the compiler, with a cache of kernels that is empty."""
    made: list[list[str]] = []
    place, real = libraries.cache_folder(), libraries.run_compiler

    def counted(arguments: list[str]) -> tuple[int, str]:
        made.append(list(arguments))
        return real(arguments)

    monkeypatch.setattr(libraries, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(libraries, "run_compiler", counted)
    assert toolchain.cache_folder() == place
    return made


def made(folder: Path, compute: str = "C = exp(X) + X", **schedule: str) -> Made:
    tensor = {"shape": [64, 96]}
    kernel: dict[str, Any] = {"inputs": {"X": tensor}, "outputs": {"C": tensor}, "compute": compute}
    program = {"target": {"arch": "wormhole_b0", "grid": [2, 2]}, "kernel": {**kernel, "schedule": schedule}}
    path = build(program, folder)[1]
    return load_plan(path), folder


def compiled(calls: list[list[str]]) -> int:
    return sum(1 for arguments in calls if "-c" in arguments)


def test_kernels_of_many_plans_share_translation_units(tmp_path: Path, calls: list[list[str]]) -> None:
    plans = [made(tmp_path / str(n), f"C = exp(X) + {n}") for n in range(5)]
    compile_plans(plans)
    assert compiled(calls) == 2, "readers and writers in one unit, compute kernels in another"
    calls.clear()
    for n, (plan, folder) in enumerate(plans):
        found = run(plan, folder, {"X": X}).outputs["C"]
        assert np.abs(found / (np.exp(X) + n) - 1).max() < 2**-7
    assert calls == [], "each is found again by its own content"


def test_plans_that_differ_in_their_order_share_what_is_equal(tmp_path: Path, calls: list[list[str]]) -> None:
    first, second = made(tmp_path / "a", order="row_major"), made(tmp_path / "b", order="column_major")
    found = {name: compile_plan(*plan) for name, plan in (("a", first), ("b", second))}
    reader, compute, _ = (x.units != y.units for x, y in zip(*([*_each(found[n])] for n in "ab"), strict=True))
    assert reader
    assert not compute
    assert compiled(calls) == 3


def _each(found: Any) -> Iterator[Any]:
    sources, _ = found
    for unit in sources.units:
        yield type(sources)((unit,), ())


def test_a_text_that_does_not_compile_is_reported_by_its_own_plan(tmp_path: Path, calls: list[list[str]]) -> None:
    good, bad = made(tmp_path / "good"), made(tmp_path / "bad", "C = sin(X)")
    source = bad[1] / "writer.cpp"
    source.write_text(source.read_text().replace("cb_pop_front", "cb_drop_front"))
    line = next(n for n, text in enumerate(source.read_text().splitlines(), 1) if "cb_drop_front" in text)
    compile_plans([good, bad])
    run(*good, {"X": X})
    with pytest.raises(EmulationError, match="not emulated: cb_drop_front") as caught:
        run(*bad, {"X": X})
    assert caught.value.report.place == f"writer.cpp:{line}"


def test_a_missing_header_is_missing_beside_a_kernel_that_has_it(tmp_path: Path, calls: list[list[str]]) -> None:
    plans = [made(tmp_path / name, "C = X + 1") for name in "ab"]
    use = "void kernel_main() {\n    CoreLocalMem<uint32_t> unused(uintptr_t{0});\n    (void)unused;"
    for (_, folder), header in zip(plans, ('#include "api/core_local_mem.h"\n', ""), strict=True):
        source = folder / "reader.cpp"
        source.write_text(header + source.read_text().replace("void kernel_main() {", use))
    compile_plans(plans)
    run(*plans[0], {"X": X})
    with pytest.raises(EmulationError, match="EMU801"):
        run(*plans[1], {"X": X})
