"""``explain=KERNEL``: why its steps run, before they do; and ``plan=1``: what would run and how files would change."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tt_build.scons.reading import PROGRAM
from tt_build.spec.diagnostics import Where

if TYPE_CHECKING:
    from tt_build.scons.session import Session


def explain(session: Session, name: str) -> list[str]:
    """One line for each cause: a field of kernels.yaml, a file of the compiler, an output that was altered."""
    ledger = session.ledger(name)
    if not ledger.notes:
        return [f"explain: {name}: there is no record of a complete build"]
    lines = [*_fields(session, name), *_compiler(session, name), *_templates(session, name), *_outputs(session, name)]
    if not lines:
        lines = ["nothing changed"]
    return [f"explain: {name}: {line}" for line in lines]


def _fields(session: Session, name: str) -> Iterator[str]:
    old = dict(_leaves(json.loads(session.ledger(name).notes["declaration"]), ()))
    new = dict(_leaves(json.loads(session.reading.data(name)), ()))
    for path in sorted({*old, *new}, key=str):
        if old.get(path) == new.get(path) or path[0] == "at_verify_sizes":  # which follows from the other fields
            continue
        before, after = (json.dumps(side[path]) if path in side else "not there" for side in (old, new))
        change = "another text" if {"\\n" in before, "\\n" in after} == {True} else f"{before} -> {after}"
        yield f"{_place(session, name, path)}{'.'.join(map(str, path[1:] or path))}: {change}"


def _place(session: Session, name: str, path: tuple[str | int, ...]) -> str:
    keys, file = path, None
    if session.reading.kind(name) == PROGRAM:
        keys = ("programs", name, *path)
    elif path[0] in ("kernel", "locked"):
        keys = ("kernels" if path[0] == "kernel" else "lock", name, *path[1:])
    loaded = session.reading.whole()
    if path[:2] == ("kernel", "ops") and loaded.ops_file is not None:
        written = "reference" if "sfpu" in loaded.source.entry(loaded.ops_file, path[1:3]) else "define"
        keys, file = tuple(written if key == "meaning" else key for key in path[1:]), loaded.ops_file
    span = loaded.source.locate(Where(path=keys, file=file))
    return f"{span.file.rpartition('/')[2]}:{span.line}: "


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path, value


def _compiler(session: Session, name: str) -> Iterator[str]:
    for module, then in session.ledger(name).notes["signatures"].items():
        now = session.compiler.signature(module)
        if now == then:
            continue
        before, after = session.compiler.parts_then(module, then), session.compiler.parts(module)
        step = module.rpartition(".")[2] if module.startswith("tt_build.passes") else "generate"
        if before is None:
            yield f"{step}: the compiler changed"
            continue
        for file in sorted({*before, *after}):
            if before.get(file) != after.get(file):
                yield f"{step}: {file} changed"


def _templates(session: Session, name: str) -> Iterator[str]:
    then, now = session.ledger(name).notes.get("templates", {}), session.templates_of(name)
    for template in sorted({*then, *now}):
        if then.get(template) != now.get(template):
            yield f"generate: the template {template} of 'extensions' changed"


def _outputs(session: Session, name: str) -> Iterator[str]:
    ledger = session.ledger(name)
    for file in session.layout(name).files:
        record, found = ledger.records.get(file), ledger.digest(file)
        if found is None:
            yield f"{file} is missing"
        elif record is None:
            yield f"{file} is there, but no record says that the build wrote it"
        elif record.digest != found:
            yield f"{file} is not what the build wrote"


def outcome(session: Session, name: str) -> str:
    """After the build: which steps ran, and where the wave stopped."""
    steps = [module.rpartition(".")[2] for module in session.layout(name).modules[:-1]] + ["generate"]
    ran = session.work().steps_of(name)
    if not ran:
        return f"explain: {name}: no step ran"
    last = max(steps.index(step) for step in ran if step in steps)
    text = f"explain: {name}: ran {', '.join(ran)}"
    if last < len(steps) - 1:
        text += f"; cut off after {steps[last]}, whose output is what it was"
    return text


def plan(session: Session) -> Iterator[str]:
    """What a build would do; computed in memory, nothing is written."""
    from tt_build.scons.actions import steps
    from tt_build.scons.ledger import step_key

    templates = session.reading.templates
    chains = {kind: steps(session.compiler, kind, templates) for kind in session.compiler.layouts}
    count = 0
    for name in session.known:
        if name not in session.reading.digests:
            yield f"plan: remove {session.folder}/{name}"
    for name in session.dirty():
        data, files, ledger = session.reading.data(name), list(session.layout(name).files), session.ledger(name)
        for label, signature, step in chains[session.reading.kind(name)]:
            key = step_key(signature, [hashlib.sha256(data).hexdigest()])
            outputs = session.work().ahead(signature, data, step)
            made, files = files[: len(outputs)], files[len(outputs) :]
            if not all(ledger.vouched(file, key) for file in made):
                count += 1
                yield f"plan: run {name}:{label}"
                for file, text in zip(made, outputs, strict=True):
                    yield from _difference(session, name, file, text)
            data = outputs[0]
    yield f"plan: {count} steps would run; nothing was written"


def _difference(session: Session, name: str, file: str, text: bytes) -> Iterator[str]:
    shown = f"{session.folder}/{name}/{file}"
    try:
        old = (session.root / name / file).read_bytes().decode("utf-8", "replace").splitlines()
    except OSError:
        yield f"plan: new file {shown}"
        return
    yield from difflib.unified_diff(old, text.decode().splitlines(), f"a/{shown}", f"b/{shown}", lineterm="")
