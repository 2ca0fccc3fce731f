"""Targets and architectures."""

import pytest

from tt_build.targets import TargetError, available_archs, available_targets, determine_target, load_arch


def test_unknown_target_names_the_known_ones() -> None:
    with pytest.raises(TargetError, match="tenstorrent"):
        determine_target("cuda")
    assert determine_target("tenstorrent") in available_targets()


@pytest.mark.parametrize("name", available_archs())
def test_arch_data_is_consistent(name: str) -> None:
    arch = load_arch(name)
    assert arch.name == name
    assert (len(arch.virtual_columns), len(arch.virtual_rows)) == arch.grid
    assert arch.l1_base + arch.l1_allocatable <= arch.l1_bytes
