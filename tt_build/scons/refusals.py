"""What is refused before the first step, in SCons' words; and what a misspelt name may have meant."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import SCons.Errors
import SCons.Node.Alias
import SCons.Node.FS
import SCons.Script
import SCons.Script.Main

from tt_build.scons.messages import say
from tt_build.spec.nearest import nearest

_WRONG_KIND = re.compile(r"(File|Directory) (.*) found where (directory|file) expected")


@contextlib.contextmanager
def said_plainly() -> Iterator[None]:
    """End with status 2 and a message for an error of the user's: SCons would add a place in our sources."""
    try:
        yield
    except SCons.Errors.UserError as error:
        refuse(str(error))
    except TypeError as error:  # a check of SCons' that a node is what is on the disk
        found = _WRONG_KIND.match(str(error))
        if found is None:
            raise
        kinds = ("a file", "a folder") if found[1] == "File" else ("a folder", "a file")
        refuse(f"tt-build: {found[2]} is {kinds[0]}, and the build needs {kinds[1]} there; move or remove it")


def refuse(message: str) -> None:
    """End the build."""
    say(f"scons: *** {message}")
    SCons.Script.Exit(2)


def all_is_read() -> bool:
    """Whether SCons has read every SConscript, so that all kernels are known."""
    return bool(SCons.Node.FS.Save_Strings)


def succeeded() -> bool:
    """Whether SCons came to its targets and made all of them. ``sys.exit`` in an SConstruct sets no status."""
    return hasattr(SCons.Script.Main.BuildTask, "options") and not SCons.Script.Main.exit_status


def suggest(names: Iterable[str]) -> None:
    """Say what targets of the command line that nobody knows may have meant: one of these aliases."""
    known = list(names)
    for target in map(str, SCons.Script.COMMAND_LINE_TARGETS):
        if target in SCons.Node.Alias.default_ans or target in known or os.path.exists(target):
            continue
        own = (name for name in (f"kernel-{target}", f"program-{target}") if name in known)
        near = next(own, None) or nearest(target, known, likeness=0.75)
        if near:
            say(f"tt-build: no target '{target}': did you mean '{near}'?")


def no_such_kernel(name: str, known: Iterable[str]) -> str:
    """The message for ``explain=NAME`` of a kernel that no specification has."""
    near = nearest(name, known)
    return f"explain={name}: there is no such kernel" + (f"; did you mean '{near}'?" if near else "")


class Question(SCons.Node.Alias.Alias):  # type: ignore[misc]
    """The first of the default targets, looked at once everything is read: ``problem`` may refuse the build."""

    problem: Callable[[], str]

    def children(self, scan: int = 1) -> list[Any]:
        """None. Raises ``UserError``."""
        if text := self.problem():
            raise SCons.Errors.UserError(text)
        return []

    def is_up_to_date(self) -> bool:
        """Always: it is no work."""
        return True
