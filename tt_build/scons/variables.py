"""The build's variables: what ``scons -h`` lists, and the refusal of misspelt ones."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from SCons.Variables import EnumVariable, Variables

from tt_build.targets import available_archs, available_targets, determine_target
from tt_build.targets.sdk import available_sdks, newest_sdk


def add_options(variables: Variables) -> None:
    """Declare the variables of ``scons target=tenstorrent ...``."""
    variables.AddVariables(
        EnumVariable(
            "target", "backend to build for", determine_target("tenstorrent"), allowed_values=available_targets()
        ),
        ("spec", "the specification", "kernels.yaml"),
        ("out", "folder of everything that is built", "build"),
        ("arch", f"architecture of kernels that do not name one: {', '.join(available_archs())}", ""),
        EnumVariable("sdk", "TT-Metalium version to check against", newest_sdk(), allowed_values=available_sdks()),
        EnumVariable("on", "where 'scons run' runs the kernels", "ttnn", allowed_values=("ttnn",)),
        ("grid", "worker cores as COLUMNSxROWS, for kernels that do not name a grid", ""),
    )


def parse_grid(text: str) -> tuple[int, int] | None:
    """``8x8`` as (8, 8); None for the empty text; ``ValueError`` for anything else."""
    if not text:
        return None
    columns, cross, rows = text.partition("x")
    if not cross or not columns.isdecimal() or not rows.isdecimal():
        raise ValueError(f"grid={text}: write COLUMNSxROWS, as in grid=8x8")
    return int(columns), int(rows)


def unknown_variables(given: Mapping[str, Any], known: list[str], *, strict: bool) -> list[str]:
    """A message for each variable of the command line that nobody declared.

    A foreign SConstruct may read variables of its own, so without ``strict`` only a near miss of a known name counts.
    """
    messages = []
    for name in given:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1, 0.75)
        if near:
            messages.append(f"unknown variable '{name}': did you mean '{near[0]}'?")
        elif strict:
            messages.append(f"unknown variable '{name}'; known: {', '.join(known)}")
    return messages
