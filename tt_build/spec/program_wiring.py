"""How the steps of a program fit: every tensor has one value, and kernels that share one agree about it.

They also agree at their ``verify.sizes``, where ``scons verify`` runs them.
"""

from __future__ import annotations

import msgspec

from tt_build.spec.diagnostics import Related, Where
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import Declaration, Declared, DefaultsSpec, Entry, KernelSpec, TensorSpec
from tt_build.spec.nearest import did_you_mean
from tt_build.spec.program import ProgramDeclaration, ProgramTensor
from tt_build.spec.program_parts import Part, Runs, kind_of, name_of


class Facts(msgspec.Struct, frozen=True):
    """What a step says of a tensor, and at ``verify.sizes``."""

    tensor: ProgramTensor
    smaller: ProgramTensor
    where: Where
    who: str


class Wiring:
    """Checks the parts of one program."""

    def __init__(self, fields: Fields, path: Path) -> None:
        self.fields, self.path = fields, path

    def wire(self, inputs: list[str], parts: list[Part]) -> dict[str, Facts]:
        """Follows the values through the steps; what is known of each tensor."""
        missing: set[str] = set()
        values = {name: self.fields.where((*self.path, "inputs", at)) for at, name in enumerate(inputs)}
        facts: dict[str, Facts] = {}
        later = {name: part.at for part in reversed(parts) for name in part.outputs.values()}
        for part in parts:
            place = (*self.path, "steps", part.at)
            for key, name in part.inputs.items():
                if name not in values and name not in missing:
                    missing.add(name)
                    help_ = did_you_mean(name, values, what="tensors that have a value here")
                    if name in later and later[name] >= part.at:
                        help_ = f"step {later[name] + 1} writes it; move that step up"
                    message = f"tensor '{name}' has no value here: it is no input, and no earlier step writes it"
                    self.fields.error("TTB052", message, (*place, "inputs", key), help_)
                self.agree(facts, part, "inputs", key, name)
            for key, name in part.outputs.items():
                here = (*place, "outputs", key)
                if name in values:
                    related = (Related(values[name], "its first value"),)
                    message = f"tensor '{name}' has a value already"
                    self.fields.error("TTB052", message, here, "use a new name", related=related)
                else:
                    values[name] = self.fields.where(here)
                    self.agree(facts, part, "outputs", key, name)
        return facts

    def agree(self, facts: dict[str, Facts], part: Part, key: str, tensor: str, name: str) -> None:
        """Compare what a step says of a tensor with what the first one said."""
        found = _facts(part.runs, key, tensor) if part.runs is not None else None
        if found is None:
            return
        where = self.fields.where((*self.path, "steps", part.at, key, tensor))
        who = f"'{tensor}' of {kind_of(part.runs)} '{name_of(part.runs)}'"
        mine = Facts(*found, where, who)
        first = facts.setdefault(name, mine)
        for at, (one, other) in enumerate(((first.tensor, mine.tensor), (first.smaller, mine.smaller))):
            for what in ("shape", "dtype", "format"):
                a, b = getattr(one, what), getattr(other, what)
                if a == b:
                    continue
                sizes = " at 'verify: {sizes: ...}'" if at else ""
                a, b = (list(value) if what == "shape" else value for value in (a, b))
                message = f"tensor '{name}' has {what} {b} as {who}, and {a} as {first.who}{sizes}"
                related = (Related(first.where, f"{what} {a} here"),)
                help_ = f"give both the same {what}"
                if at:
                    help_ = "give the kernels of a program 'verify: {sizes: ...}' that fit together"
                self.fields.error("TTB053", message, where.path, help_, related=related)
                return

    def ends(self, inputs: list[str], outputs: list[str], parts: list[Part]) -> None:
        """Every input is read, every output written, every other tensor both; said once every read has a value."""
        read = {name for part in parts for name in part.inputs.values()}
        wrote = {name for part in parts for name in part.outputs.values()}
        for at, name in enumerate(inputs):
            if name not in read and name not in wrote:
                path = (*self.path, "inputs", at)
                self.fields.error("TTB052", f"no step reads the input '{name}'", path, "remove it, or use it")
        for at, name in enumerate(outputs):
            if name not in wrote:
                help_ = did_you_mean(
                    name, [n for n in sorted(wrote) if n not in outputs], what="tensors that steps write"
                )
                path = (*self.path, "outputs", at)
                self.fields.error("TTB052", f"no step writes the output '{name}'", path, help_)
        if not wrote.issuperset(outputs):
            return  # what is written in its place is no second mistake
        for part in parts:
            for key, name in part.outputs.items():
                if name not in read and name not in outputs and name not in inputs:
                    path = (*self.path, "steps", part.at, "outputs", key)
                    message = f"tensor '{name}' is no output, and no step reads it"
                    self.fields.error("TTB052", message, path, "add it to 'outputs', or read it")

    def one_arch(self, parts: list[Part]) -> None:
        """All kernels are built for one architecture."""
        first: Part | None = None
        for part in parts:
            if part.runs is None:
                continue
            first = first or part
            here, there = _arch(part.runs), _arch(first.runs)
            if here != there:
                path = (*self.path, "steps", part.at)
                related = (Related(self.fields.where((*self.path, "steps", first.at)), f"for {there}"),)
                message = f"{kind_of(part.runs)} '{name_of(part.runs)}' is built for {here}, others for {there}"
                self.fields.error("TTB053", message, path, "build all of them for one target", related=related)
                return


def smaller_of(entry: Declared) -> KernelSpec | None:
    """The kernel at its ``verify.sizes``; None where it is itself."""
    return entry.at_verify_sizes if isinstance(entry, Declaration) else None


def _arch(runs: Runs | None) -> str:
    if runs is None:
        return ""
    return runs.arch if isinstance(runs, ProgramDeclaration) else runs.target.arch


def _facts(runs: Runs, key: str, tensor: str) -> tuple[ProgramTensor, ProgramTensor] | None:
    """The tensor, also at ``verify.sizes``; None where there is none of that name."""
    if isinstance(runs, ProgramDeclaration):
        if tensor not in getattr(runs, key):
            return None
        return runs.tensors[tensor], (runs.verify_tensors or runs.tensors)[tensor]
    if tensor not in getattr(runs.kernel, key):
        return None
    whole = _tensor(runs.kernel, runs.defaults, key, tensor)
    smaller = smaller_of(runs)
    return whole, _tensor(smaller, runs.defaults, key, tensor) if smaller is not None else whole


def _tensor(kernel: Entry, defaults: DefaultsSpec, key: str, tensor: str) -> ProgramTensor:
    spec: TensorSpec = getattr(kernel, key)[tensor]
    return ProgramTensor(shape=spec.shape, dtype=spec.dtype or defaults.dtype or "bfloat16", format=spec.format)
