"""``kernels.lock.json``: the plans that ``tt-build tune`` found best, which builds take as they stand.

The file lies beside the specification and is named after it. JSON is read with the reader of kernels.yaml, which has
positions, limits, and no way to say a thing twice. What was measured is checked here like the rest, though no build
reads it. ``tt_build.tune`` writes the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath
from typing import Any

import msgspec

from tt_build.spec import schedules
from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.document import Mapping, Node, read_document
from tt_build.spec.fields import MOST_PROBLEMS, Fields, Path
from tt_build.spec.files import as_diagnostic, read_text
from tt_build.spec.model import Locked, LockedPlan, Struct
from tt_build.spec.positions import SourceFile, SourceMap

VERSION = 1
MOST_BYTES = 4 << 20
ALGORITHMS = ("reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d")
PLACES = ("emulator", "ttnn")

_PLAN = ("algorithm", "cores", "block", "k_block", "subblock", "noc", "depth", "order", "policy")
_FIGURES = ("dram_bytes", "noc_bytes", "tile_ops", "cycles", "nanoseconds")
_AGAIN = "remove the file and run 'tt-build tune'"
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?=[ \n])", re.M)
_KEY = re.compile(r"[0-9a-f]{64}\Z")


class Measured(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run showed. ``on`` the emulator bytes and tile operations were counted, and the cost model gave cycles for
    these counts; on a device (``ttnn``) a launch took nanoseconds.
    """

    on: str
    cycles: int | None = None
    dram_bytes: int | None = None
    noc_bytes: int | None = None
    tile_ops: int | None = None
    nanoseconds: int | None = None


class Tried(Struct, frozen=True, kw_only=True):
    """A plan and what its run showed."""

    plan: LockedPlan
    measured: Measured


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A kernel's entry: ``key`` and ``planner`` as in ``Locked``; the best plan, and the one that came second."""

    key: str
    plan: LockedPlan
    planner: LockedPlan
    measured: Measured
    runner_up: Tried | None = None

    def locked(self, file: str) -> Locked:
        """What passes read of it."""
        return Locked(file=file, key=self.key, plan=self.plan, planner=self.planner)


class Lock(msgspec.Struct, frozen=True):
    """The entries by kernel, and what is wrong with the file; with an error there are no entries."""

    file: str
    entries: dict[str, Entry] = {}
    problems: tuple[Diagnostic, ...] = ()

    @property
    def plans(self) -> dict[str, Locked]:
        """What passes read, by kernel."""
        return {name: entry.locked(self.file) for name, entry in self.entries.items()}


def lock_path(spec: FilePath) -> FilePath:
    """The lockfile of a specification."""
    return spec.with_name(f"{spec.stem}.lock.json")


def read_lock(spec: FilePath, source: SourceMap) -> Lock:
    """The lockfile of a specification, which becomes the last of ``source.files``; empty where there is none."""
    path = lock_path(spec)
    if not os.path.lexists(path):
        return Lock(path.name)
    file = source.lock = len(source.files)
    text, reason, _ = read_text(path, MOST_BYTES)
    if os.path.dirname(os.path.realpath(path)) != os.path.realpath(spec.parent):
        text, reason = "", "the lockfile leads out of its folder"
    document = read_document(text)
    shown = os.path.join(os.path.dirname(source.files[0].name), path.name) if source.files else str(path)
    source.files.append(SourceFile(shown, path, text, None if reason else document.root))
    if reason:
        return Lock(path.name, problems=(Diagnostic("TTB024", reason, Where(file=file, offsets=(0, 0)), _AGAIN),))
    problems = tuple(as_diagnostic(problem, file) for problem in document.problems)
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        where = Where(file=file, offsets=conflict.span())
        return Lock(path.name, problems=(Diagnostic("TTB001", "a merge left a conflict here", where, _AGAIN),))
    if problems or document.root is None:
        empty = Diagnostic("TTB007", "the lockfile is empty", Where(file=file), _AGAIN)
        return Lock(path.name, problems=problems or (empty,))
    fields = Fields(file)
    entries = _file(fields, document.root)
    problems = tuple(fields.problems)
    return Lock(path.name, {} if problems else entries, problems)


def _file(fields: Fields, root: Node) -> dict[str, Entry]:
    top = fields.mapping(root, (), ("version", "kernels"), ("version", "kernels"))
    if top is None or len(top) < 2:
        return {}
    version = fields.integer(top["version"], ("version",), 0, 2**31)
    if version != VERSION:
        help_ = f"this tt-build reads version {VERSION}; run 'tt-build tune'"
        if version is not None:
            fields.error("TTB028", f"version {version} of the lockfile is unknown", ("version",), help_)
        return {}
    kernels = top["kernels"]
    if not isinstance(kernels, Mapping):
        fields.wrong_type(kernels, ("kernels",), "a mapping of kernels")
        return {}
    found: dict[str, Entry] = {}
    for kernel, (_, node) in kernels.entries.items():
        if len(fields.problems) > MOST_PROBLEMS:
            break
        entry = _entry(fields, node, ("kernels", kernel))
        if entry is not None:
            found[kernel] = entry
    return found


def _entry(fields: Fields, node: Node, path: Path) -> Entry | None:
    keys = ("key", "plan", "planner", "measured", "runner_up")
    entries = fields.mapping(node, path, keys, keys[:4])
    if entries is None or not {*keys[:4]} <= entries.keys():
        return None
    key = fields.text(entries["key"], (*path, "key"), "a digest")
    if key is not None and not _KEY.match(key):
        fields.error("TTB005", "'key' must be 64 hexadecimal digits", (*path, "key"), "run 'tt-build tune'")
    plan = _plan(fields, entries["plan"], (*path, "plan"))
    planner = _plan(fields, entries["planner"], (*path, "planner"))
    measured = _measured(fields, entries["measured"], (*path, "measured"))
    second = _tried(fields, entries["runner_up"], (*path, "runner_up")) if "runner_up" in entries else None
    if key is None or plan is None or planner is None or measured is None:
        return None
    return Entry(key=key, plan=plan, planner=planner, measured=measured, runner_up=second)


def _tried(fields: Fields, node: Node, path: Path) -> Tried | None:
    entries = fields.mapping(node, path, ("plan", "measured"), ("plan", "measured"))
    if entries is None or len(entries) < 2:
        return None
    plan = _plan(fields, entries["plan"], (*path, "plan"))
    measured = _measured(fields, entries["measured"], (*path, "measured"))
    return None if plan is None or measured is None else Tried(plan=plan, measured=measured)


def _plan(fields: Fields, node: Node, path: Path) -> LockedPlan | None:
    entries = fields.mapping(node, path, (*_PLAN, "k_split"), _PLAN)
    if entries is None or len(entries) < len(_PLAN):
        return None
    most = schedules.LARGEST
    found: dict[str, Any] = {
        "algorithm": fields.word(entries["algorithm"], (*path, "algorithm"), ALGORITHMS, "algorithm"),
        "cores": fields.pair(entries["cores"], (*path, "cores"), "columns, rows", 1, schedules.MOST_CORES),
        "block": fields.pair(entries["block"], (*path, "block"), "rows, columns", 1, most),
        "k_block": fields.integer(entries["k_block"], (*path, "k_block"), 1, most),
        "subblock": fields.pair(entries["subblock"], (*path, "subblock"), "rows, columns", 1, most),
        "noc": fields.integer(entries["noc"], (*path, "noc"), 0, 1),
        "depth": fields.integer(entries["depth"], (*path, "depth"), 1, schedules.DEEPEST),
        "order": fields.word(entries["order"], (*path, "order"), schedules.ORDERS, "order"),
        "policy": fields.word(entries["policy"], (*path, "policy"), schedules.POLICIES, "policy"),
    }
    if "k_split" in entries:
        found["k_split"] = fields.integer(entries["k_split"], (*path, "k_split"), 1, schedules.MOST_CORES)
    for key in ("block", "subblock", "k_block"):
        sizes = found[key] if isinstance(found[key], tuple) else (found[key] or 0,)
        if any(size % 32 for size in sizes):
            fields.error("TTB035", f"'{key}' is no multiple of a tile (32)", (*path, key), "run 'tt-build tune'")
            return None
    return None if None in found.values() else LockedPlan(**found)


def _measured(fields: Fields, node: Node, path: Path) -> Measured | None:
    entries = fields.mapping(node, path, ("on", *_FIGURES), ("on",))
    if entries is None or "on" not in entries:
        return None
    place = fields.word(entries["on"], (*path, "on"), PLACES, "place")
    figures = {key: fields.integer(entries[key], (*path, key), 0, 2**62) for key in _FIGURES if key in entries}
    return Measured(on=place, **figures) if place is not None else None
