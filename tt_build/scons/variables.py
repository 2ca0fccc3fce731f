"""The build's variables: what ``scons -h`` lists, and the refusal of misspelt ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import SCons.Script
from SCons.Variables import BoolVariable, Variables

from tt_build.scons.refusals import refuse
from tt_build.spec.nearest import nearest

NAMES = ("target", "spec", "out", "arch", "grid", "sdk", "on", "rehash", "explain", "plan", "cache", "cache_mode")


def add_options(variables: Variables) -> None:
    """Declare the variables of ``scons target=tenstorrent ...``."""
    variables.AddVariables(
        *_choices(),
        ("spec", "the specification", "kernels.yaml"),
        ("out", "folder of everything that is built", "build"),
        ("grid", "worker cores as COLUMNSxROWS, for kernels that do not name a grid", ""),
        _choice("on", "where 'scons run' runs the kernels", "ttnn", ("ttnn",)),
        _flag("rehash", "compare contents of outputs, not only size, times and inode"),
        ("cache", "cache of steps: a folder, https://HOST/PATH, or FOLDER,https://HOST/PATH", ""),
        _choice("cache_mode", "ro: fetch only", "rw", ("rw", "ro")),
        ("explain", "a kernel of which to say why each step runs", ""),
        _flag("plan", "show what would run and how files would change; write nothing"),
    )


def _choices() -> tuple[Any, ...]:
    """Variables whose values are data of the package; the data is read only where somebody asks for it."""
    if not SCons.Script.GetOption("help") and not {"target", "arch", "sdk"} & set(SCons.Script.ARGUMENTS):
        return (("target", "", "tenstorrent"), ("arch", "", ""), ("sdk", "", ""))
    from tt_build.targets import available_archs, available_targets
    from tt_build.targets.sdk import available_sdks, newest_sdk

    targets, archs, sdks = available_targets(), available_archs(), available_sdks()
    return (
        _choice("target", "backend to build for", targets[0], targets),
        _choice("arch", "architecture of kernels that do not name one", "", ("", *archs)),
        _choice("sdk", "TT-Metalium version to check against", newest_sdk(), sdks),
    )


def _choice(name: str, help_: str, default: str, allowed: Sequence[str]) -> tuple[Any, ...]:
    """One of a few texts; another one ends the build with the nearest."""

    def check(name: str, value: str, env: Any) -> None:
        if value not in allowed:
            known = [text for text in allowed if text]
            near = nearest(value, known)
            meant = f"did you mean '{near}'? " if near else ""
            refuse(f"{name}={value}: {meant}known: {', '.join(known)}")

    return (name, f"{help_} ({'|'.join(filter(None, allowed))})", default, check, None)


def _flag(name: str, help_: str) -> tuple[Any, ...]:
    """Yes or no."""
    *shown, check, convert = BoolVariable(name, help_, False)

    def converted(value: str) -> Any:
        try:
            return convert(value)
        except ValueError:
            return refuse(f"{name}={value}: write yes or no")

    return (*shown, check, converted)


def help_text(variables: Variables, env: Any) -> str:
    """What ``scons -h`` says of the variables: each with its default, and its value where that is another."""

    def shown(value: Any) -> str:
        return ("no", "yes")[value] if isinstance(value, bool) else str(value)

    lines: list[str] = []
    for variable in variables.options:
        default, value = shown(variable.default), shown(env[variable.key])
        lines += ["", f"{variable.key}: {variable.help}"]
        lines += [f"    default: {default}"] if default else []
        lines += [f"    here: {value}"] if value != default else []
    return "\n".join([*lines, ""])


def parse_grid(text: str) -> tuple[int, int] | None:
    """``8x8`` as (8, 8); None for the empty text; ``ValueError`` for anything else."""
    if not text:
        return None
    columns, cross, rows = text.partition("x")
    if not cross or not columns.isdecimal() or not rows.isdecimal() or not int(columns) * int(rows):
        raise ValueError(f"grid={text}: write COLUMNSxROWS, as in grid=8x8")
    return int(columns), int(rows)


def unknown_variables(given: Mapping[str, Any], known: list[str], *, strict: bool) -> list[str]:
    """A message for each variable of the command line that nobody declared.

    A foreign SConstruct may read variables of its own, in capitals above all, so without ``strict`` only a near miss
    of a known name counts.
    """
    messages = []
    for name in given:
        if name in known:
            continue
        near = nearest(name, known, likeness=0.75) if strict or name.islower() else None
        if near:
            messages.append(f"unknown variable '{name}': did you mean '{near}'?")
        elif strict:
            messages.append(f"unknown variable '{name}'; known: {', '.join(known)}")
    return messages
