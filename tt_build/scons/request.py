"""What the command line asks of a build, as far as it concerns ours."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons.Errors
import SCons.Script

from tt_build.scons.variables import parse_grid

if TYPE_CHECKING:
    from tt_build.scons.state import Store


EXTRAS = ("verify", "check-sdk", "run", "report")
"""Aliases of what no plain build makes."""
OF_ONE = ("verify", "check-sdk")
"""Those that are there for one kernel, too: ``verify-NAME``."""
_STARTS = tuple(f"{kind}-" for kind in ("kernel", "program", *OF_ONE))
_EXTRA_FILES = {
    "verify": ("verify.json",),
    "check-sdk": ("sdk_check.json",),
    "run": ("run.ttnn.json",),
    "report": ("report.json", "report.html", "report.txt"),
}
"""How the names of files of each end."""


class Request:
    """Options and variables. ``dry`` builds write nothing at all; ``full`` ones need every node."""

    def __init__(self, env: Any, arch: str | None, grid: tuple[int, int] | None) -> None:
        get = SCons.Script.GetOption
        self.arch = arch or env["arch"] or None
        self.grid = grid or parse_grid(env["grid"])
        self.clean = bool(get("clean"))
        self.plan = env["plan"]
        self.explain: str = env["explain"]
        self.rehash = bool(env["rehash"])
        self.dry = bool(get("no_exec") or get("question") or self.plan)
        self.goes_on = bool(get("keep_going") or self.clean)
        self.silent = bool(get("silent"))
        # Processes for passes and code generation. SCons' own threads would only share Python's lock.
        given = any(argument.startswith(("-j", "--jobs")) for argument in sys.argv)
        self.jobs = int(get("num_jobs")) if given else os.cpu_count() or 1
        self.targets = [str(target) for target in SCons.Script.COMMAND_LINE_TARGETS]
        self.full = bool(self.clean or get("no_exec") or get("tree_printers") or get("climb_up"))
        self.full = self.full or bool(get("taskmastertrace_file"))

    @property
    def extras_of_files(self) -> list[str]:
        """The extras that a target is a file of; a folder means none."""
        names = [os.path.basename(target) for target in self.targets]
        return [kind for kind, ends in _EXTRA_FILES.items() if any(name.endswith(ends) for name in names)]

    def asks_for(self, kind: str) -> bool:
        """Whether a target is that extra, of all kernels or of one, or a file of it."""
        return kind in self.extras_of_files or any(kind_of(target) == kind for target in self.targets)

    def wanted(self, folder: Path, names: dict[str, str]) -> set[str] | None:
        """The kernels that the targets name; None where a target may mean any of them."""
        found = set()
        launched = SCons.Script.GetLaunchDir()
        for target in self.targets:
            name = named(target)
            if not name:
                relative = os.path.relpath(os.path.join(launched, target), folder)
                first, _, rest = relative.partition(os.sep)
                name = first if rest else ""
            if name not in names:
                return None
            found.add(name)
        return found

    def store(self, env: Any) -> Store | None:
        """The cache of steps, where one is asked for; one for all calls of a build."""
        where = str(env["cache"])
        if where and where not in CACHES:
            CACHES[where] = self._open(env, where)
        return CACHES.get(where)

    def _open(self, env: Any, where: str) -> Store:
        from tt_build.scons.cache import FolderCache

        writes = env["cache_mode"] == "rw" and not self.dry
        folder, _, url = where.partition(",") if "://" in where.partition(",")[2] else (where, "", "")
        if "://" in folder:
            folder, url = "", where
        near = FolderCache(Path(env.Dir("#").get_abspath(), os.path.expanduser(folder)), writes=writes)
        if not url:
            return near
        from tt_build.scons.remote import RemoteCache
        from tt_build.scons.server import problem_of
        from tt_build.scons.tiers import Tiers

        problem = problem_of(url)
        if problem:
            raise SCons.Errors.UserError(f"cache=: {problem}")
        far = RemoteCache(url, writes=writes)
        return Tiers(near, far) if folder else far


def named(target: str) -> str:
    """The kernel of ``kernel-NAME`` and ``verify-NAME``, the program of ``program-NAME``; empty for other targets."""
    return next((target[len(start) :] for start in _STARTS if target.startswith(start)), "")


def kind_of(target: str) -> str:
    """The extra that a target asks for, of all kernels or of one; empty where it is none."""
    return target if target in EXTRAS else next((one for one in OF_ONE if target.startswith(f"{one}-")), "")


CACHES: dict[str, Store] = {}
