"""The target of a kernel: its own keys over the command line's over the file's over the default chip, key by key."""

from __future__ import annotations

import msgspec

from tt_build.spec.diagnostics import Diagnostic, Related, Where
from tt_build.spec.document import Node
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import TargetSpec
from tt_build.spec.nearest import did_you_mean
from tt_build.targets import available_archs, load_arch

DEFAULT_ARCH = "wormhole_b0"
_KEYS = ("arch", "grid")


class Wish(msgspec.Struct, frozen=True):
    """What one place says about the target; the place is a path, or None for the command line."""

    arch: str | None = None
    grid: tuple[int, int] | None = None
    path: tuple[str | int, ...] | None = None


def read_target(fields: Fields, node: Node, path: Path) -> Wish:
    """``target: {arch, grid}``."""
    if fields.word_in_place(node, path, "arch", available_archs()):
        return Wish()
    entries = fields.mapping(node, path, _KEYS, help_="write {arch: wormhole_b0, grid: [8, 8]}")
    if entries is None:
        return Wish()
    arch = grid = None
    if "arch" in entries:
        arch = fields.text(entries["arch"], (*path, "arch"), "the name of an architecture")
        if arch is not None and arch not in available_archs():
            help_ = did_you_mean(arch, available_archs())
            known = f"known architectures: {', '.join(available_archs())}"
            help_ = help_ if help_.startswith("known") else f"{help_} {known}"
            fields.error(
                "TTB031",
                f"unknown architecture '{arch[:60]}'",
                (*path, "arch"),
                help_.replace("known: ", "known architectures: "),
            )
            arch = None
    if "grid" in entries:
        grid = fields.pair(entries["grid"], (*path, "grid"), "columns, rows", 1, 1024)
    return Wish(arch, grid, path)


def resolve(fields: Fields, wishes: tuple[Wish, ...]) -> TargetSpec | None:
    """The first wish that names a key wins; the grid must lie within the architecture's."""
    archs = next((wish for wish in wishes if wish.arch is not None), None)
    grids = next((wish for wish in wishes if wish.grid is not None), None)
    arch = load_arch(archs.arch if archs is not None and archs.arch is not None else DEFAULT_ARCH)
    if grids is None or grids.grid is None:
        return TargetSpec(arch=arch.name, grid=arch.grid)
    x, y = grids.grid
    if x <= arch.grid[0] and y <= arch.grid[1]:
        return TargetSpec(arch=arch.name, grid=grids.grid)
    unfit = f"does not fit {arch.name}, which has {arch.grid[0]} x {arch.grid[1]}"
    help_ = f"write at most [{arch.grid[0]}, {arch.grid[1]}], or leave the grid out"
    related: tuple[Related, ...] = ()
    if archs is not None and archs.path is not None and archs is not grids:
        related = (Related(fields.where((*archs.path, "arch")), "the architecture is chosen here"),)
    if grids.path is not None:
        fields.error("TTB032", f"a grid of {x} x {y} cores {unfit}", (*grids.path, "grid"), help_, related=related)
        return None
    first_file = Where(path=("kernels",), on_key=True, file=0)  # one mistake, whichever files have kernels
    fields.problems.append(
        Diagnostic("TTB032", f"grid={x}x{y} of the command line {unfit}", first_file, help_, related)
    )
    return None
