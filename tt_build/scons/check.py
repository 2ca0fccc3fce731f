"""Checking before the first step: every kernel that is not known to be valid goes through all passes in memory.

So an error of any pass, with its line in kernels.yaml, stops the build before it wrote anything. What the passes
computed is kept for the steps of this build; with several jobs, processes share the work.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from tt_build.scons.actions import Step, functions, steps
from tt_build.scons.compiler import Compiler
from tt_build.scons.ledger import step_key
from tt_build.scons.reading import Reading
from tt_build.scons.state import State
from tt_build.scons.statefile import read_state, write_state
from tt_build.spec.diagnostics import Diagnostic, Rejected

_WORTH_PROCESSES = 24  # kernels; fewer are done before the processes are up
_CHUNK = 8

Rows = list[tuple[str, list[bytes]]]


class Checked(msgspec.Struct, frozen=True):
    """The kernels that can be built, the names of the others, and what was found wrong with those."""

    valid: tuple[str, ...]
    failed: tuple[str, ...]
    found: tuple[Diagnostic, ...]


def check(
    names: list[str], reading: Reading, state: State, compiler: Compiler, notes: Path | None, jobs: int
) -> Checked:
    """Check these kernels. Those found valid are noted in the file ``notes``, so that they are not checked again."""
    known = set()
    if notes is not None:
        stored = read_state(notes)
        if isinstance(stored, dict) and stored.get("passes") == compiler.fingerprint:
            known = set(stored["valid"])
    todo = [name for name in names if reading.digests[name] not in known]
    reading.declarations(todo)
    rejected = _run(todo, reading, state, compiler, jobs)
    valid = tuple(name for name in names if name not in rejected)
    fresh = {reading.digests[name] for name in valid} - known
    if fresh and notes is not None:
        write_state(notes, {"passes": compiler.fingerprint, "valid": sorted(fresh | known)})
    found = tuple(diagnostic for diagnostics in rejected.values() for diagnostic in diagnostics)
    return Checked(valid, tuple(rejected), found)


def _run(
    names: list[str], reading: Reading, state: State, compiler: Compiler, jobs: int
) -> dict[str, tuple[Diagnostic, ...]]:
    chains = {kind: steps(compiler, kind) for kind in compiler.layouts}
    if jobs > 1 and len(names) >= _WORTH_PROCESSES and state.store is None:
        return _run_in_processes(names, reading, state, chains, jobs)
    rejected = {}
    for name in names:
        data = reading.data(name)
        try:
            for _, signature, step in chains[reading.kind(name)][:-1]:
                (data,) = state.ahead(signature, data, step)
        except Rejected as error:
            rejected[name] = error.diagnostics
    return rejected


def _run_in_processes(
    names: list[str], reading: Reading, state: State, chains: dict[str, list[tuple[str, str, Step]]], jobs: int
) -> dict[str, tuple[Diagnostic, ...]]:
    """The same in ``jobs`` processes, code generation included. Nothing else runs yet, so forking is safe."""
    rejected: dict[str, tuple[Diagnostic, ...]] = {}
    signatures = {kind: [signature for _, signature, _ in chain] for kind, chain in chains.items()}
    context = multiprocessing.get_context("fork")
    chunks = [names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK)]
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        work = ((signatures, [(reading.kind(name), reading.data(name)) for name in chunk]) for chunk in chunks)
        for chunk, results in zip(chunks, pool.map(_whole_chains, work), strict=True):
            for name, (rows, diagnostics) in zip(chunk, results, strict=True):
                for key, outputs in rows:
                    state.keep(key, outputs, False)
                if diagnostics is not None:
                    rejected[name] = diagnostics
    return rejected


def _whole_chains(
    work: tuple[dict[str, list[str]], list[tuple[str, bytes]]],
) -> list[tuple[Rows, tuple[Diagnostic, ...] | None]]:
    signatures, declarations = work
    return [_whole_chain(signatures[kind], functions(kind), data) for kind, data in declarations]


def _whole_chain(signatures: list[str], chain: list[Step], data: bytes) -> tuple[Rows, tuple[Diagnostic, ...] | None]:
    rows: Rows = []
    for signature, step in zip(signatures, chain, strict=True):
        key = step_key(signature, [hashlib.sha256(data).hexdigest()])
        try:
            outputs = step(data)
        except Rejected as error:
            return rows, error.diagnostics
        rows.append((key, outputs))
        data = outputs[0]
    return rows, None
