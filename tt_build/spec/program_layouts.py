"""Tensors that a program keeps in L1, and the kernels that it gets for that.

Each kernel that reads or writes a kept tensor gets a sister with the layout written in, named after the program. The
kernel as declared stays what it is, and other programs may lay its tensors out otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import TypeVar

import msgspec

from tt_build.spec import schedules
from tt_build.spec.diagnostics import Related, Where
from tt_build.spec.document import Node
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import Declaration, Declared, Entry, Sharding, TensorSpec
from tt_build.spec.nearest import did_you_mean
from tt_build.spec.positions import KernelPlace
from tt_build.spec.program import ProgramStep
from tt_build.spec.program_parts import Known, Part

Layout = str | Sharding
_E = TypeVar("_E", bound=Entry)


class Keeping:
    """Reads and carries out ``keep`` of one program."""

    def __init__(self, fields: Fields, name: str, known: Known) -> None:
        self.fields, self.name, self.known = fields, name, known
        self.path: Path = ("programs", name)

    def read(self, node: Node, inputs: list[str], outputs: list[str], parts: list[Part]) -> dict[str, Layout]:
        """The tensors that stay in L1, with their layouts."""
        path = (*self.path, "keep")
        between = [name for part in parts for name in part.outputs.values() if name not in outputs]
        found: dict[str, Layout] = {}
        for name, value in self.fields.named(node, path, "tensor").items():
            if name not in between:
                what = "an input" if name in inputs else "an output" if name in outputs else "no tensor"
                help_ = did_you_mean(name, between, what="tensors between steps")
                if name in inputs or name in outputs:
                    help_ = "where inputs and outputs lie is said by the kernels that read and write them: 'layout'"
                message = f"'{name[:60]}' is {what} of the program; kept are tensors between two steps"
                self.fields.error("TTB054", message, (*path, name), help_, key=True)
                continue
            layout = schedules.layout(self.fields, value, (*path, name), self.known.policies, {})
            if layout is None:
                continue
            if layout == "dram_interleaved" or (isinstance(layout, Sharding) and layout.memory == "dram"):
                message = f"'{name}' would lie in DRAM, which is where tensors are without 'keep'"
                self.fields.error("TTB054", message, (*path, name), "write l1_interleaved, or a sharding in l1")
                continue
            found[name] = layout
        return found

    def apply(self, steps: list[ProgramStep], keep: MappingType[str, Layout]) -> list[ProgramStep]:
        """Steps whose kernels have the layouts of kept tensors written in."""
        made: dict[tuple[str, tuple[tuple[str, str, str], ...]], str] = {}
        found = []
        for step in steps:
            changes = self.changes(step, keep)
            if changes:
                layouts = tuple((part, tensor, str(keep[name])) for part, tensor, name in changes)
                mark = (step.kernel, layouts)
                if mark not in made:
                    name = self.member_name(step.kernel, [*made.values()])
                    made[mark] = name
                    self.make(step.kernel, name, changes, keep)
                step = msgspec.structs.replace(step, kernel=made[mark])
            found.append(step)
        return found

    def changes(self, step: ProgramStep, keep: MappingType[str, Layout]) -> list[tuple[str, str, str]]:
        """(inputs or outputs, the kernel's tensor, the program's) where a layout is to be written in."""
        entry = self.known.kernels[step.kernel]
        found = []
        for part, wires in (("inputs", step.inputs), ("outputs", step.outputs)):
            for tensor, name in wires.items():
                if name not in keep:
                    continue
                own = getattr(entry.kernel, part)[tensor].layout
                if own is None:
                    found.append((part, tensor, name))
                elif own != keep[name]:
                    message = (
                        f"'{name}' cannot be kept so: '{tensor}' of kernel '{step.kernel}' has a layout of its own"
                    )
                    other = Where(path=("kernels", step.kernel, part, tensor, "layout"))
                    related = (Related(other, "declared here"),)
                    help_ = "give both the same layout, or remove one of the two"
                    self.fields.error("TTB054", message, (*self.path, "keep", name), help_, related=related)
        return found

    def member_name(self, kernel: str, taken: list[str]) -> str:
        """``KERNEL.PROGRAM``, numbered where one program lays the kernel's tensors out in several ways."""
        name, number = f"{kernel}.{self.name}", 2
        while name in self.known.kernels or name in taken:
            name, number = f"{kernel}.{self.name}_{number}", number + 1
        return name

    def make(self, kernel: str, name: str, changes: list[tuple[str, str, str]], keep: MappingType[str, Layout]) -> None:
        """Declare the kernel with the layouts; messages about these point at ``keep``."""
        entry = self.known.kernels[kernel]
        changed = {(part, tensor): keep[other] for part, tensor, other in changes}
        declared: Declared
        if isinstance(entry, Declaration):
            smaller = entry.at_verify_sizes
            declared = msgspec.structs.replace(
                entry,
                kernel=_laid_out(entry.kernel, name, changed),
                locked=self.known.locks.get(name),
                at_verify_sizes=_laid_out(smaller, name, changed) if smaller is not None else None,
            )
        else:
            declared = msgspec.structs.replace(entry, kernel=_laid_out(entry.kernel, name, changed))
        self.known.kernels[name] = declared
        self.known.made.append(declared)
        place = self.known.source.kernels[kernel]
        spots: dict[tuple[str | int, ...], Where] = {
            (part, tensor, "layout"): self.fields.where((*self.path, "keep", other)) for part, tensor, other in changes
        }
        self.known.source.kernels[name] = KernelPlace(
            place.file, place.key, place.node, place.spans, {**place.elsewhere, **spots}
        )


def _laid_out(kernel: _E, name: str, changed: MappingType[tuple[str, str], Layout]) -> _E:
    def tensors(part: str) -> dict[str, TensorSpec]:
        return {
            tensor: msgspec.structs.replace(spec, layout=changed.get((part, tensor), spec.layout))
            for tensor, spec in getattr(kernel, part).items()
        }

    return msgspec.structs.replace(kernel, name=name, inputs=tensors("inputs"), outputs=tensors("outputs"))
