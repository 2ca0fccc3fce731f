"""The steps of a program as written: what each runs, and which tensor of the program each of its tensors is."""

from __future__ import annotations

from collections.abc import Mapping as MappingType

import msgspec

from tt_build.spec.document import Mapping, Node, Scalar, Sequence
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import Declaration, Declared, Locked, RuntimeScalar
from tt_build.spec.nearest import did_you_mean
from tt_build.spec.positions import SourceMap
from tt_build.spec.program import ProgramDeclaration
from tt_build.spec.schedules import Policies

STEP_KEYS = ("kernel", "program", "inputs", "outputs", "scalars")
MOST_STEPS = 1000
MOST_STEPS_OF_ALL = 20_000

Runs = Declared | ProgramDeclaration
Wires = dict[str, str]


class Known(msgspec.Struct):
    """What programs may name. The reader adds kernels that ``keep`` makes, and the programs that it read."""

    kernels: dict[str, Declared]
    rejected: set[str]
    policies: Policies
    source: SourceMap
    locks: MappingType[str, Locked] = {}
    programs: dict[str, ProgramDeclaration] = {}
    refused_programs: set[str] = set()
    made: list[Declared] = []
    steps: int = 0


class Part(msgspec.Struct, frozen=True):
    """A step as written: what it runs, with its facts; None where that was refused already."""

    at: int
    runs: Runs | None
    inputs: Wires
    outputs: Wires
    scalars: dict[str, float]


class PartsReader:
    """Reads the steps of one program. ``incomplete`` where something is missing that was reported elsewhere."""

    def __init__(self, fields: Fields, name: str, known: Known) -> None:
        self.fields, self.name, self.known = fields, name, known
        self.path: Path = ("programs", name)
        self.incomplete = False

    def names(self, node: Node, key: str) -> list[str]:
        """A list of tensors of the program."""
        path = (*self.path, key)
        if not isinstance(node, Sequence):
            self.fields.wrong_type(node, path, "a list of tensors", "write [x, w]")
            return []
        if not node.items:
            self.fields.error("TTB007", f"'{key}' is empty", path, "name at least one tensor", key=True)
        found: list[str] = []
        for at, item in enumerate(node.items):
            name = self.tensorname_of(item, (*path, at))
            if name is None:
                self.incomplete = True
            elif name in found:
                self.fields.error("TTB052", f"'{name}' is in '{key}' twice", (*path, at), "remove one of the two")
            else:
                found.append(name)
        return found

    def tensorname_of(self, node: Node, path: Path) -> str | None:
        name = self.fields.text(node, path, "the name of a tensor")
        if name is None or not isinstance(node, Scalar):
            return None
        return name if self.fields.name(name, node, path, "tensor") else None

    def parts(self, node: Node) -> list[Part]:
        path = (*self.path, "steps")
        if not isinstance(node, Sequence):
            self.fields.wrong_type(node, path, "a list of steps", "write [{kernel: ..., inputs: ..., outputs: ...}]")
            return []
        if not node.items:
            self.fields.error("TTB007", "'steps' is empty", path, "name at least one kernel", key=True)
        if len(node.items) > MOST_STEPS:
            self.too_many(len(node.items))
            return []
        found = [self.part(item, at) for at, item in enumerate(node.items)]
        return [part for part in found if part is not None]

    def too_many(self, count: int) -> None:
        help_ = f"at most {MOST_STEPS}, and {MOST_STEPS_OF_ALL} of all programs together"
        self.fields.error("TTB034", f"the program has {count} steps", (*self.path, "steps"), help_, key=True)
        self.incomplete = True

    def part(self, node: Node, at: int) -> Part | None:
        fields, path = self.fields, (*self.path, "steps", at)
        before = len(fields.problems)
        entries = fields.mapping(node, path, STEP_KEYS, ("inputs", "outputs"), "write {kernel: ..., inputs: ...}")
        if entries is None:
            self.incomplete = True
            return None
        if ("kernel" in entries) == ("program" in entries) and len(fields.problems) == before:
            message = "a step runs a kernel or a program" + (", not both" if "kernel" in entries else "")
            help_ = "remove one of the two" if "kernel" in entries else "add 'kernel: ...'"
            fields.error("TTB051", message, path, help_)
        runs = self.runs(entries, path) if ("kernel" in entries) != ("program" in entries) else None
        self.incomplete |= runs is None
        wires = [self.wires(entries[key], (*path, key)) if key in entries else {} for key in ("inputs", "outputs")]
        scalars = self.scalars(entries.get("scalars"), runs, path)
        if runs is not None:
            for key, given in zip(("inputs", "outputs"), wires, strict=True):
                self.fits(runs, key, given, entries.get(key), (*path, key))
        return Part(at, runs, wires[0], wires[1], scalars)

    def runs(self, entries: MappingType[str, Node], path: Path) -> Runs | None:
        """What a step names; None where there is no such thing, or it is invalid."""
        key = "kernel" if "kernel" in entries else "program"
        name = self.fields.text(entries[key], (*path, key), f"the name of a {key}")
        if name is None:
            return None
        known = self.known
        refused = known.rejected if key == "kernel" else known.refused_programs
        there: MappingType[str, Runs] = known.kernels if key == "kernel" else known.programs
        if name in there:
            return there[name]
        family = [other for other in there if other.startswith(f"{name}.")]
        if name not in refused and not any(other.startswith(f"{name}.") for other in refused):
            help_ = did_you_mean(name, there, what=f"{key}s") or f"declare it under '{key}s'"
            if family:
                help_ = f"write one of its variants: {', '.join(family[:8])}"
            elif name == self.name or (key == "program" and name in known.source.programs):
                help_ = "a step can only name a program that is declared before its own"
            self.fields.error("TTB050", f"there is no {key} '{name[:60]}' here", (*path, key), help_)
        return None

    def wires(self, node: Node, path: Path) -> Wires:
        """The kernel's tensors to the program's."""
        if not isinstance(node, Mapping):
            self.fields.wrong_type(node, path, "a mapping from the kernel's tensors to the program's", "write {X: x}")
            self.incomplete = True
            return {}
        found: Wires = {}
        for key, (_, value) in node.entries.items():
            name = self.tensorname_of(value, (*path, key))
            if name is None:
                self.incomplete = True
            else:
                found[key] = name
        return found

    def fits(self, runs: Runs, key: str, given: Wires, node: Node | None, path: Path) -> None:
        """Every tensor of the kernel has one of the program's, and nothing else does."""
        declared = tensors_of(runs, key)
        what = f"{kind_of(runs)} '{name_of(runs)}'"
        if not isinstance(node, Mapping):
            return
        wrong = [name for name in node.entries if name not in declared]
        for name in wrong:
            help_ = did_you_mean(name, [other for other in declared if other not in given], what=f"its {key}")
            self.fields.error("TTB051", f"{what} has no {key[:-1]} '{name[:60]}'", (*path, name), help_, key=True)
        missing = [name for name in declared if name not in node.entries]
        if missing and not wrong and not node.incomplete:
            message = f"the {key} of {what} are {', '.join(declared)}; {', '.join(missing)} has no tensor here"
            self.fields.error("TTB051", message, path, f"add {missing[0]}: NAME", key=True)

    def scalars(self, node: Node | None, runs: Runs | None, path: Path) -> dict[str, float]:
        """Values of the run-time scalars, which are fixed in a program."""
        found: dict[str, float] = {}
        if node is not None:
            for name, value in self.fields.named(node, (*path, "scalars"), "scalar").items():
                number = self.fields.number(value, (*path, "scalars", name), -3.4e38, 3.4e38)
                if number is not None:
                    found[name] = number
        if runs is None or (node is not None and not isinstance(node, Mapping)):
            return found
        written = set(node.entries) if isinstance(node, Mapping) else set()
        wanted = _runtime(runs)
        for name in sorted(written - wanted.keys()):
            help_ = did_you_mean(name, wanted, what="its run-time scalars") or "it has no run-time scalars"
            message = f"{kind_of(runs)} '{name_of(runs)}' has no run-time scalar '{name[:60]}'"
            self.fields.error("TTB051", message, (*path, "scalars", name), help_, key=True)
        for name in wanted.keys() - written:
            message = f"kernel '{name_of(runs)}' is given its scalar '{name}' at launch; a program says its value"
            self.fields.error("TTB051", message, path, f"add scalars: {{{name}: NUMBER}}")
        for name, number in found.items():
            if wanted.get(name, "float32") != "float32" and not float(number).is_integer():
                message = f"scalar '{name}' is {wanted[name]}, and {number:g} is none"
                self.fields.error("TTB036", message, (*path, "scalars", name), "write an integer")
        return found


def kind_of(runs: Runs | None) -> str:
    return "program" if isinstance(runs, ProgramDeclaration) else "kernel"


def name_of(runs: Runs | None) -> str:
    if runs is None:
        return ""
    return runs.name if isinstance(runs, ProgramDeclaration) else runs.kernel.name


def tensors_of(runs: Runs, key: str) -> list[str]:
    owner = runs if isinstance(runs, ProgramDeclaration) else runs.kernel
    return list(getattr(owner, key))


def _runtime(runs: Runs) -> dict[str, str]:
    """Names and dtypes of the scalars that are given at launch."""
    if not isinstance(runs, Declaration):
        return {}
    return {name: value.runtime for name, value in runs.kernel.scalars.items() if isinstance(value, RuntimeScalar)}
