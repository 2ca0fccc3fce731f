"""Architectures and SDK facts as data, and the targets that can be built for."""

from tt_build.targets.arch import Arch, available_archs, load_arch
from tt_build.targets.dtypes import BY_DATA_FORMAT, DTYPES, DType
from tt_build.targets.target import TargetError, available_targets, determine_target

__all__ = [
    "BY_DATA_FORMAT",
    "DTYPES",
    "Arch",
    "DType",
    "TargetError",
    "available_archs",
    "available_targets",
    "determine_target",
    "load_arch",
]
