"""``programs``: sequences of kernels to ``ProgramDeclaration``s, once every kernel of every file was read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingType

import msgspec

from tt_build.spec import schedules
from tt_build.spec.document import Node
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import Declared, VerifySpec
from tt_build.spec.program import ProgramDeclaration, ProgramStep, ProgramTensor
from tt_build.spec.program_layouts import Keeping, Layout
from tt_build.spec.program_parts import MOST_STEPS, MOST_STEPS_OF_ALL, Known, Part, PartsReader
from tt_build.spec.program_wiring import Wiring, smaller_of

KEYS = ("description", "inputs", "outputs", "steps", "keep", "verify")
REQUIRED = ("inputs", "outputs", "steps")
VERIFY_KEYS = ("pcc", "seed", "inputs")


class Flat(msgspec.Struct):
    """All launches of a program; ``hidden`` are tensors inside of programs that it names, also at ``verify.sizes``."""

    steps: list[ProgramStep] = []
    hidden: dict[str, tuple[ProgramTensor, ProgramTensor]] = {}
    kept: dict[str, Layout] = {}


def read_program(fields: Fields, name: str, node: Node, file: str, known: Known) -> ProgramDeclaration | None:
    """The program; None after reporting why it is none, or where a kernel that it names is invalid.

    ``file`` is the declaring file as shown. Kernels that ``keep`` makes are added to ``known``.
    """
    path: Path = ("programs", name)
    before = len(fields.problems)
    entries = fields.mapping(node, path, KEYS, REQUIRED, "write the program's inputs, steps and outputs below it")
    if entries is None:
        return None
    reader, wiring, keeping = PartsReader(fields, name, known), Wiring(fields, path), Keeping(fields, name, known)
    description = fields.text(entries["description"], (*path, "description")) if "description" in entries else ""
    inputs = reader.names(entries["inputs"], "inputs") if "inputs" in entries else []
    outputs = reader.names(entries["outputs"], "outputs") if "outputs" in entries else []
    verify = _verify(fields, entries["verify"], (*path, "verify")) if "verify" in entries else None
    parts = reader.parts(entries["steps"]) if "steps" in entries else []
    if not set(REQUIRED) <= entries.keys():
        return None
    facts = wiring.wire(inputs, parts)
    if len(fields.problems) == before and not reader.incomplete:
        wiring.ends(inputs, outputs, parts)
    keep = keeping.read(entries["keep"], inputs, outputs, parts) if "keep" in entries else {}
    wiring.one_arch(parts)
    if len(fields.problems) > before or reader.incomplete:
        return None
    found = flat(parts)
    known.steps += len(found.steps)
    if len(found.steps) > MOST_STEPS or known.steps > MOST_STEPS_OF_ALL:
        reader.too_many(len(found.steps))
        return None
    steps = keeping.apply(found.steps, keep)
    if len(fields.problems) > before:
        return None
    whole = {name: fact.tensor for name, fact in facts.items()} | {n: t for n, (t, _) in found.hidden.items()}
    smaller = {name: fact.smaller for name, fact in facts.items()} | {n: t for n, (_, t) in found.hidden.items()}
    kernels = {step.kernel: known.kernels[step.kernel] for step in steps}
    return ProgramDeclaration(
        name=name,
        file=file,
        arch=next(iter(kernels.values())).target.arch,
        description=description or "",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        tensors=whole,
        verify_tensors=smaller if any(smaller_of(entry) is not None for entry in kernels.values()) else None,
        steps=tuple(steps),
        keep={**found.kept, **keep},
        kernels={name: _digest(entry) for name, entry in kernels.items()},
        verify=verify,
    )


def flat(parts: list[Part]) -> Flat:
    """The launches of all parts, those of named programs in their place and with tensors of their own."""
    found = Flat()
    uses: dict[str, int] = {}
    for part in parts:
        runs = part.runs
        if isinstance(runs, ProgramDeclaration):
            uses[runs.name] = uses.get(runs.name, 0) + 1
            inner = {name: f"{runs.name}_{uses[runs.name]}.{name}" for name in runs.between}
            names = {**inner, **part.inputs, **part.outputs}
            tensors, smaller = runs.tensors, runs.verify_tensors or runs.tensors
            found.hidden |= {inner[name]: (tensors[name], smaller[name]) for name in inner}
            found.kept |= {names[name]: layout for name, layout in runs.keep.items()}
            found.steps += [_renamed(step, part.at, names) for step in runs.steps]
        elif runs is not None:
            step = ProgramStep(
                at=part.at,
                kernel=runs.kernel.name,
                inputs={name: part.inputs[name] for name in runs.kernel.inputs},
                outputs={name: part.outputs[name] for name in runs.kernel.outputs},
                scalars=part.scalars,
            )
            found.steps.append(step)
    return found


def _renamed(step: ProgramStep, at: int, names: MappingType[str, str]) -> ProgramStep:
    inputs = {tensor: names[name] for tensor, name in step.inputs.items()}
    outputs = {tensor: names[name] for tensor, name in step.outputs.items()}
    return msgspec.structs.replace(step, at=at, inputs=inputs, outputs=outputs)


def _verify(fields: Fields, node: Node, path: Path) -> VerifySpec | None:
    before = len(fields.problems)
    fields.mapping(node, path, VERIFY_KEYS)
    return schedules.verify(fields, node, path, {}) if len(fields.problems) == before else None


def _digest(entry: Declared) -> str:
    return hashlib.sha256(msgspec.json.encode(entry)).hexdigest()[:32]
