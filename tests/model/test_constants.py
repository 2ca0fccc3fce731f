"""The figures of each architecture: complete, with sources, and used."""

from __future__ import annotations

import pytest

from tests.support import ROOT
from tt_build.lang.functions import FUNCTIONS
from tt_build.model.constants import Constants, load_constants, load_table, vector_cycles
from tt_build.targets import available_archs


@pytest.mark.parametrize("arch", available_archs())
def test_every_figure_has_a_source(arch: str) -> None:
    table = load_table(arch)
    assert table.name == arch
    assert tuple(table.constants) == Constants.__struct_fields__
    for figure in (*table.constants.values(), *table.sfpu.values(), *table.sfpu_approximate.values()):
        assert figure.source
        assert figure.confidence in ("high", "medium", "low")
    assert {*table.sfpu}.isdisjoint(table.sfpu_simple)
    assert vector_cycles(arch, "mul") == load_constants(arch).sfpu_simple
    assert all(vector_cycles(arch, name) > 0 for name in FUNCTIONS)


def test_every_figure_is_used() -> None:
    text = "".join(path.read_text() for path in (ROOT / "tt_build" / "model").glob("*.py"))
    for name in Constants.__struct_fields__:
        assert text.count(name) > 1, f"nothing reads {name}"


def test_an_architecture_without_figures_is_named() -> None:
    with pytest.raises(KeyError, match="grayskull"):
        load_constants("grayskull")
