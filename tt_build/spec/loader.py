"""kernels.yaml and what it includes -> declarations, diagnostics, positions."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tt_build.lang.ops import Expansions
from tt_build.lang.program import Program
from tt_build.spec import schedules
from tt_build.spec.collecting import without_collector
from tt_build.spec.diagnostics import OF_LOCKS, Diagnostic, Related, Where
from tt_build.spec.document import Mapping, Node, Scalar
from tt_build.spec.extensions import Extensions, read_extensions
from tt_build.spec.fields import MOST_PROBLEMS, Fields
from tt_build.spec.files import Loaded, read_files
from tt_build.spec.handwritten import read_entry
from tt_build.spec.kernels import Context
from tt_build.spec.lockfile import read_lock
from tt_build.spec.model import Declaration, Declared, DefaultsSpec, Locked
from tt_build.spec.names import check_kernel_name
from tt_build.spec.positions import KernelPlace, Located, SourceMap
from tt_build.spec.program import ProgramDeclaration
from tt_build.spec.render import in_order
from tt_build.spec.schedules import Policies
from tt_build.spec.targets import Wish, read_target
from tt_build.spec.variants import MOST_MEMBERS_OF_ALL, expand

if TYPE_CHECKING:
    from tt_build.spec.program_parts import Known

FILE_KEYS = ("version", "include", "extensions", "target", "defaults", "policies", "kernels", "programs")
VERSION = 1
_DECLARING = frozenset(("include", "policies", "kernels", "programs"))


class SpecFile(msgspec.Struct):
    """A specification that was read.

    ``declarations`` are the valid kernels in file order, variants expanded, included files last; ``diagnostics`` every
    error and warning of every file, in file order; ``rejected`` the names of the invalid kernels and programs.
    ``programs`` are the typed texts of the expressions by name. ``templates`` are the texts of a repository's own
    templates (``extensions``), by name, ``ops_file`` the index of its ops' file. ``sequences`` are what the file calls
    programs; the kernels that were made for them are the last of ``declarations``.
    """

    path: Path
    declarations: tuple[Declared, ...]
    diagnostics: tuple[Located, ...]
    rejected: tuple[str, ...]
    source: SourceMap
    programs: dict[str, Program] = {}
    templates: dict[str, str] = {}
    ops_file: int | None = None
    sequences: tuple[ProgramDeclaration, ...] = ()

    @property
    def errors(self) -> tuple[Located, ...]:
        """The diagnostics that stop a build."""
        return tuple(entry for entry in self.diagnostics if entry.diagnostic.severity == "error")


def load_file(
    path: Path,
    *,
    arch: str | None = None,
    grid: tuple[int, int] | None = None,
    locks: MappingType[str, Locked] | None = None,
) -> SpecFile:
    """Reads a specification; ``arch`` and ``grid`` are the command line's.

    ``locks`` are the locked plans by kernel; None: those of the lockfile beside the specification.

    Users' mistakes, also a missing, binary or huge file, are diagnostics; nothing is raised for them. ``arch`` must be
    a known one (``tt_build.targets.available_archs``).
    """
    with without_collector():
        source = SourceMap()
        loaded = read_files(path, source)
        return _Loading(path, source, loaded, Wish(arch, grid), locks).run()


class _Loading:
    def __init__(
        self,
        path: Path,
        source: SourceMap,
        loaded: Loaded,
        command_line: Wish,
        locks: MappingType[str, Locked] | None,
    ) -> None:
        self.path = path
        self.source = source
        self.files = loaded
        self.command_line = command_line
        self.problems: list[Diagnostic] = list(loaded.problems)
        self.policies = Policies()
        self.declarations: list[Declared] = []
        self.rejected: list[str] = []
        self.programs: dict[str, Program] = {}
        self.names: dict[str, Where] = {}
        self.taken: set[str] = set()
        self.members = 0
        self.crowded: Where | None = None
        self.extensions = Extensions()
        self.expansions = Expansions()
        self.locks: MappingType[str, Locked] = locks or {}
        self.reads_lock = locks is None

    def run(self) -> SpecFile:
        roots = [self.top(file) for file in range(len(self.source.files))]
        self.without_kernels(roots[0])
        self.read_extensions(roots)
        for file, entries in enumerate(roots):
            self.read_policies(file, entries.get("policies"))
        for entries in roots:
            for node in (entries.get("kernels"), entries.get("programs")):
                self.taken |= node.entries.keys() if isinstance(node, Mapping) else set()
        lock = read_lock(self.path, self.source) if self.reads_lock else None
        self.locks = lock.plans if lock is not None else self.locks
        for file, entries in enumerate(roots):
            self.kernels(file, entries)
        sequences = self.sequences(roots)
        if lock is not None:
            self.problems += lock.problems
            self.orphans()
        if self.crowded is not None:
            message = f"more than {MOST_PROBLEMS} problems: the kernels from here on are not read"
            self.problems.append(Diagnostic("TTB034", message, self.crowded, "mend those above, then run again"))
        return SpecFile(
            self.path,
            tuple(self.declarations),
            tuple(in_order(self.problems, self.source)),
            tuple(self.rejected),
            self.source,
            self.programs,
            self.extensions.templates,
            self.extensions.file,
            sequences,
        )

    def read_extensions(self, roots: list[dict[str, Node]]) -> None:
        """Ops and templates that the main file names; an included file may name none."""
        for file, entries in enumerate(roots):
            if "extensions" not in entries:
                continue
            if file:
                fields = Fields(file)
                message = "'extensions' stands in the main file, for the kernels of all files"
                fields.error("TTB040", message, ("extensions",), "move it there", key=True)
                self.problems += fields.problems
            else:
                self.extensions = read_extensions(entries["extensions"], self.source, self.problems)

    def top(self, file: int) -> dict[str, Node]:
        """The entries of a file's root; version and unknown keys are checked."""
        fields = Fields(file)
        root = self.source.files[file].root
        entries: dict[str, Node] = {}
        if root is not None:
            entries = fields.mapping(root, (), FILE_KEYS, ("version",), "write 'version: 1' and 'kernels:'") or {}
        if "version" in entries:
            self.version(fields, entries["version"])
        self.problems += fields.problems
        return entries

    def without_kernels(self, entries: dict[str, Node]) -> None:
        """Warns of a file that declares nothing, unless something else of it is wrong."""
        if self.problems or "version" not in entries or not entries.keys().isdisjoint(_DECLARING):
            return
        fields = Fields(0)
        fields.warning("TTB108", "the file has no kernels", ("version",), "add 'kernels:' with a kernel", key=True)
        self.problems += fields.problems

    def version(self, fields: Fields, node: Node) -> None:
        if isinstance(node, Scalar) and node.value == str(VERSION):
            if not node.plain:
                fields.bad_integer(node, ("version",))
            return
        number = fields.integer(node, ("version",), -(2**31), 2**31)
        if number is not None:
            help_ = f"this tt-build reads version {VERSION}; write 'version: {VERSION}'"
            if number > VERSION:
                help_ = f"this tt-build reads version {VERSION}; install a newer one, or write 'version: {VERSION}'"
            fields.error("TTB028", f"version {number} of the language is unknown", ("version",), help_)

    def read_policies(self, file: int, node: Node | None) -> None:
        if node is None:
            return
        fields = Fields(file)
        entries = fields.mapping(node, ("policies",), ("schedule", "layout")) or {}
        for kind in ("schedule", "layout"):
            if kind not in entries:
                continue
            path = ("policies", kind)
            before = len(fields.problems)
            named = fields.named(entries[kind], path, f"{kind} policy")
            if len(fields.problems) > before:
                self.policies.refused.add(kind)  # a name that cannot be one: no use of it is reported
            for name, value in named.items():
                self.policy(fields, kind, name, value)
        self.problems += fields.problems

    def policy(self, fields: Fields, kind: str, name: str, node: Node) -> None:
        """One named policy."""
        place = ("policies", kind, name)
        key = f"{kind} {name}"
        if name in schedules.LAYOUTS:
            fields.error("TTB027", f"'{name}' is a layout of its own", place, "use another name", key=True)
            return
        if key in self.names:
            related = (Related(self.names[key], "first defined here"),)
            message = f"the {kind} policy '{name}' is defined a second time"
            fields.error("TTB027", message, place, "rename one of the two", key=True, related=related)
            return
        self.names[key] = fields.where(place, key=True)
        before = len(fields.problems)
        if kind == "schedule":
            schedule = schedules.schedule_mapping(fields, node, place)
            if schedule is not None:
                self.policies.schedule[name] = schedule
        else:
            layout = schedules.sharding(fields, node, place, {})
            if layout is not None:
                self.policies.layout[name] = layout
        if len(fields.problems) > before:
            self.policies.refused.add(key)

    def kernels(self, file: int, entries: dict[str, Node]) -> None:
        fields = Fields(file)
        defaults = DefaultsSpec()
        if "defaults" in entries:
            defaults = schedules.defaults(fields, entries["defaults"], ("defaults",), self.policies)
        wish = read_target(fields, entries["target"], ("target",)) if "target" in entries else Wish()
        folder, target = self.source.files[file].path.parent, (self.command_line, wish)
        own = self.extensions
        context = Context(
            file, folder, defaults, self.policies, target, own.ops, own.places, own.broken, self.expansions, own.absent
        )
        node = entries.get("kernels")
        if node is not None and not isinstance(node, Mapping):
            fields.wrong_type(
                node, ("kernels",), "a mapping of kernels", "write each kernel below its name: {gemm: {inputs: ...}}"
            )
        if isinstance(node, Mapping):
            for name, (key, value) in node.entries.items():
                if len(self.problems) + len(fields.problems) > MOST_PROBLEMS:
                    self.rejected.append(name)
                    self.crowded = self.crowded or fields.where(("kernels", name), key=True)
                else:
                    self.kernel(fields, name, key, value, context)
        self.problems += fields.problems

    def kernel(self, fields: Fields, name: str, key: Scalar, node: Node, context: Context) -> None:
        place = fields.where(("kernels", name), key=True)
        if not check_kernel_name(fields, name, key, self.taken):
            self.rejected.append(name)
            self.source.kernels.setdefault(name, KernelPlace(context.file, key, node))
            self.problems += read_entry(name, node, context).diagnostics
            return
        first = self.names.get(f"kernel {name}")
        if first is not None:
            related = (Related(first, "first declared here"),)
            message = f"there are two kernels '{name}'"
            fields.error("TTB029", message, ("kernels", name), "rename one of the two", key=True, related=related)
            self.rejected.append(name)
            return
        self.names[f"kernel {name}"] = place
        before = len(fields.problems)
        family = expand(fields, name, node, MOST_MEMBERS_OF_ALL - self.members)
        self.source.kernels[name] = KernelPlace(context.file, key, node)
        if len(family) > 1:
            self.members += len(family)
        if len(fields.problems) > before:
            self.rejected.append(name)
            # the other mistakes of the kernel are reported all the same
            self.problems += read_entry(name, node, context).diagnostics
            return
        seen: set[tuple[object, ...]] = set()
        fired: set[str] = set()
        allowed: tuple[str, ...] = ()
        for member, variant in family:
            spot = KernelPlace(context.file, key, variant)
            self.source.kernels[member] = spot
            read = read_entry(member, variant, context)
            spot.spans = read.spans
            self.source.texts.update(read.texts)
            if read.program is not None:
                self.programs[member] = read.program
            fired |= read.accepted
            for problem in read.diagnostics:
                mark = (problem.code, problem.where.path[2:], problem.where.span, problem.where.on_key)
                if mark not in seen:  # the same mistake in every variant is one mistake
                    seen.add(mark)
                    self.problems.append(problem)
            if read.declaration is None:
                self.rejected.append(member)
            else:
                declared = msgspec.structs.replace(read.declaration, file=self.shown(context.file))
                if isinstance(declared, Declaration):
                    declared = msgspec.structs.replace(declared, locked=self.locks.get(member))
                self.declarations.append(declared)
                allowed = read.declaration.kernel.allow
        if any(member in self.locks for member, _ in family):
            fired |= OF_LOCKS  # the passes know whether they are there
        self.idle(fields, name, allowed, fired)

    def orphans(self) -> None:
        """Warns of locked plans of kernels that are not there, or are no expressions."""
        there = {entry.kernel.name for entry in self.declarations if isinstance(entry, Declaration)}
        for name in self.locks.keys() - there - {*self.rejected}:
            message = f"there is no expression '{name[:80]}' for this locked plan"
            where = Where(path=("lock", name), on_key=True)
            help_ = "run 'tt-build tune', which removes it"
            self.problems.append(Diagnostic("TTB105", message, where, help_, severity="warning"))

    def shown(self, file: int) -> str:
        """A file relative to the specification's folder."""
        return self.source.files[file].path.relative_to(self.source.files[0].path.parent).as_posix()

    def sequences(self, roots: list[dict[str, Node]]) -> tuple[ProgramDeclaration, ...]:
        """The programs of all files, and the kernels that they need beside those that are declared."""
        if not any("programs" in entries for entries in roots):
            return ()
        from tt_build.spec.program_parts import Known

        kernels = {entry.kernel.name: entry for entry in self.declarations}
        known = Known(kernels, set(self.rejected), self.policies, self.source, self.locks)
        for file, entries in reversed([*enumerate(roots)]):
            node = entries.get("programs")
            self.source.programs.update(dict.fromkeys(node.entries if isinstance(node, Mapping) else (), file))
        for file, entries in enumerate(roots):
            if "programs" in entries:
                self.sequences_of(file, entries["programs"], known)
        self.declarations += known.made
        return tuple(known.programs.values())

    def sequences_of(self, file: int, node: Node, known: Known) -> None:
        fields = Fields(file)
        if not isinstance(node, Mapping):
            fields.wrong_type(
                node, ("programs",), "a mapping of programs", "write each program below its name: {mlp: {inputs: ...}}"
            )
        else:
            for name, (key, value) in node.entries.items():
                if len(self.problems) + len(fields.problems) > MOST_PROBLEMS:
                    self.rejected.append(name)
                    self.crowded = self.crowded or fields.where(("programs", name), key=True)
                else:
                    self.sequence(fields, name, key, value, known)
        self.problems += fields.problems

    def sequence(self, fields: Fields, name: str, key: Scalar, node: Node, known: Known) -> None:
        from tt_build.spec.program_reader import read_program

        place = fields.where(("programs", name), key=True)
        named = check_kernel_name(fields, name, key, self.taken, "program")
        first = self.names.get(f"kernel {name}") if named else None
        if first is not None:
            related = (Related(first, "first declared here"),)
            message = f"there are two kernels or programs '{name}'"
            fields.error("TTB029", message, place.path, "rename one of the two", key=True, related=related)
        else:
            self.names[f"kernel {name}"] = place
        found = read_program(fields, name, node, self.shown(fields.file), known)
        if found is None or not named or first is not None:
            self.rejected.append(name)
            known.refused_programs.add(name)
        else:
            known.programs[name] = found

    def idle(self, fields: Fields, name: str, allowed: tuple[str, ...], fired: set[str]) -> None:
        """Warns of accepted warnings that are not there; those of the passes are not known yet."""
        for at, code in enumerate(allowed):
            if code.startswith("TTB1") and code not in fired:
                message = f"there is no {code} here to allow"
                fields.warning("TTB104", message, ("kernels", name, "allow", at), "remove it from the list")
