"""Checking before the first step: every kernel that is not known to be valid goes through all passes in memory.

So an error of any pass, with its line in kernels.yaml, stops the build before it wrote anything. What the passes
computed is kept for the steps of this build; with several jobs, processes share the work.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.stages import VerifiedKernel
from tt_build.passes.check_program import Lowered, check_program
from tt_build.passes.pipeline import EXPRESSION, compile_at_verify_sizes, encode_declaration, read_stage, warnings_of
from tt_build.scons.actions import Step, functions, steps
from tt_build.scons.compiler import Compiler
from tt_build.scons.ledger import step_key
from tt_build.scons.notes import Notes
from tt_build.scons.progress import Progress
from tt_build.scons.reading import PROGRAM, Reading
from tt_build.scons.state import State
from tt_build.spec.diagnostics import Diagnostic, Rejected
from tt_build.spec.model import Declaration

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_WORTH_PROCESSES = 8  # kernels; fewer are done before the processes are up
_CHUNK = 8  # kernels that a process does at a time, or fewer, so that all end together
_QUIET_SECONDS = 3.0  # between two lines on how far the check has come

# key, outputs, seconds of each step
Rows = list[tuple[str, list[bytes], float]]


class Checked(msgspec.Struct, frozen=True):
    """The kernels that can be built, the names of the others, and what was found wrong with those."""

    valid: tuple[str, ...]
    failed: tuple[str, ...]
    found: tuple[Diagnostic, ...]


def check(names: list[str], reading: Reading, state: State, compiler: Compiler, notes: Notes, jobs: int) -> Checked:
    """Check these kernels and programs. Those found valid are noted, so that they are not checked again."""
    todo = [name for name in names if reading.digests[name] not in notes.valid]
    programs = [name for name in todo if reading.kind(name) == PROGRAM]
    todo = [name for name in todo if reading.kind(name) != PROGRAM]
    todo += _samples([name for name in names if reading.kind(name) != PROGRAM], todo, reading)
    reading.declarations(todo)
    said = _run(todo, reading, state, compiler, jobs)
    rejected = {name: found for name, found in said.items() if any(one.severity == "error" for one in found)}
    for name in programs:
        refused = _check_program(name, reading, state, compiler, set(rejected))
        if refused is not None:
            said[name] = rejected[name] = refused
    valid = tuple(name for name in names if name not in rejected)
    warned = {reading.digests[name]: said[name] for name in valid if name in said}
    notes.add({reading.digests[name] for name in valid}, warned, {*reading.digests.values()})
    found = tuple(diagnostic for diagnostics in rejected.values() for diagnostic in diagnostics)
    return Checked(valid, tuple(rejected), found)


def _samples(names: list[str], todo: list[str], reading: Reading) -> list[str]:
    """One kernel of each kind that is not in ``todo``, where a repository's templates are to be tried."""
    if not reading.templates:
        return []
    tried = {reading.kind(name) for name in todo}
    first = {reading.kind(name): name for name in reversed(names)}
    return [name for kind, name in sorted(first.items()) if kind not in tried]


Said = dict[str, tuple[Diagnostic, ...]]
"""What the passes say of kernels, errors or warnings; nothing of the others."""


def _run(names: list[str], reading: Reading, state: State, compiler: Compiler, jobs: int) -> Said:
    chains = {kind: steps(compiler, kind, reading.templates) for kind in compiler.layouts}
    said: Said = {}
    cached: list[str] = []
    if state.store is not None:
        every, names = names, _absent(names, reading, state, chains)
        # what is in the cache was lowered, but not necessarily compared with the kernel at its ``verify.sizes``, and
        # what is to be said of a locked plan is not there
        absent = set(names)
        cached = [name for name in every if name not in absent]
        cached = [name for name in cached if name in reading.locked or _smaller(reading, name) is not None]
    if jobs > 1 and len(names) >= _WORTH_PROCESSES:
        said, names = _run_in_processes(names, reading, state, chains, jobs), []

    def passes(kind: str, data: bytes) -> bytes:
        for _, signature, step in chains[kind][:-1]:
            (data,) = state.ahead(signature, data, step)
        return data

    progress = _progress(len(names) + len(cached))
    for name in (*names, *cached):
        kind, data = reading.kind(name), reading.data(name)
        try:
            verified = passes(kind, data)
            if kind == EXPRESSION:
                _check_at_verify_sizes(data, verified, functools.partial(passes, kind))
                if warnings := _warnings(data, verified):
                    said[name] = warnings
            if reading.templates:
                _, signature, generate = chains[kind][-1]
                state.ahead(signature, verified, generate)
        except Rejected as error:
            said[name] = error.diagnostics
        progress.step(name, "rejected" if name in said else "checked")
    return said


def _progress(expected: int) -> Progress:
    progress = Progress("check", every=_QUIET_SECONDS)
    progress.expected = expected
    return progress


def _warnings(data: bytes, verified: bytes) -> tuple[Diagnostic, ...]:
    """What the passes warn of; only locked plans give reason to."""
    declaration = read_stage(data, Declaration)
    if declaration.locked is None:
        return ()
    return warnings_of(declaration, read_stage(verified, VerifiedKernel))


def _check_program(
    name: str, reading: Reading, state: State, compiler: Compiler, rejected: set[str]
) -> tuple[Diagnostic, ...] | None:
    """Why the kernels of a program do not fit together; nothing is said where one of them is refused itself."""
    program = reading.program(name)
    if not rejected.isdisjoint(program.kernels):
        return ()
    kernels: dict[str, Lowered] = {}
    for kernel in program.kernels:
        kind, data = reading.kind(kernel), reading.data(kernel)
        for _, signature, step in steps(compiler, kind, reading.templates)[:-1]:
            (data,) = state.ahead(signature, data, step)
        kernels[kernel] = read_stage(data, VerifiedKernel) if kind == EXPRESSION else read_stage(data, VerifiedSources)
    try:
        check_program(program, kernels)
    except Rejected as error:
        return error.diagnostics
    return None


def _check_at_verify_sizes(data: bytes, verified: bytes, passes: Callable[[bytes], bytes]) -> None:
    """Lower the kernel also at its ``verify.sizes`` and compare. Raises ``Rejected``."""

    def lowered(smaller: Declaration) -> VerifiedKernel:
        return read_stage(passes(encode_declaration(smaller)), VerifiedKernel)

    declaration = read_stage(data, Declaration)
    if declaration.smaller is not None:
        compile_at_verify_sizes(declaration, read_stage(verified, VerifiedKernel), lowered)


def _smaller(reading: Reading, name: str) -> Declaration | None:
    if reading.kind(name) != EXPRESSION:
        return None
    return read_stage(reading.data(name), Declaration).smaller


def _absent(
    names: list[str], reading: Reading, state: State, chains: dict[str, list[tuple[str, str, Step]]]
) -> list[str]:
    """Fetch all that the cache has; the kernels that it has not all of."""
    from concurrent.futures import ThreadPoolExecutor

    assert state.store is not None
    signatures = {kind: [signature for _, signature, _ in chain] for kind, chain in chains.items()}
    work = [(signatures[reading.kind(name)], reading.data(name)) for name in names]
    with ThreadPoolExecutor(state.store.parallel) as threads:
        there = list(threads.map(lambda one: state.fetch_ahead(*one), work))
    return [name for name, found in zip(names, there, strict=True) if not found]


def _run_in_processes(
    names: list[str], reading: Reading, state: State, chains: dict[str, list[tuple[str, str, Step]]], jobs: int
) -> Said:
    """The same in ``jobs`` processes, code generation included. SCons runs nothing yet, and a cache's threads are
    idle, so forking is safe.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    said: Said = {}
    signatures = {kind: [signature for _, signature, _ in chain] for kind, chain in chains.items()}
    context = multiprocessing.get_context("fork")
    chunk = max(1, min(_CHUNK, len(names) // (4 * jobs)))
    chunks = [names[at : at + chunk] for at in range(0, len(names), chunk)]
    progress = _progress(len(names))
    work = {}
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts) as pool, _stopping(pool):
        for some in chunks:
            declarations = [(reading.kind(name), reading.data(name)) for name in some]
            work[pool.submit(_whole_chains, (signatures, reading.templates, declarations))] = some
        for future in as_completed(work):
            for name, (rows, diagnostics) in zip(work[future], future.result(), strict=True):
                for key, outputs, seconds in rows:
                    state.computed(key, outputs, seconds)
                if diagnostics:
                    said[name] = diagnostics
                progress.step(name, "rejected" if name in said else "checked")
    return {name: said[name] for name in names if name in said}


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; this build's own ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _stopping(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Where the block is left early, the processes end now instead of with all that they were given."""
    import multiprocessing

    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(cancel_futures=True)
        raise


def _whole_chains(
    work: tuple[dict[str, list[str]], dict[str, str], list[tuple[str, bytes]]],
) -> list[tuple[Rows, tuple[Diagnostic, ...]]]:
    signatures, templates, declarations = work
    chains = {kind: list(zip(of, functions(kind, templates), strict=True)) for kind, of in signatures.items()}
    return [_whole_chain(kind, chains[kind], data) for kind, data in declarations]


def _whole_chain(kind: str, chain: list[tuple[str, Step]], data: bytes) -> tuple[Rows, tuple[Diagnostic, ...]]:
    rows: Rows = []

    def run(data: bytes, steps: list[tuple[str, Step]]) -> bytes:
        for signature, step in steps:
            key, started = step_key(signature, [hashlib.sha256(data).hexdigest()]), time.perf_counter()
            outputs = step(data)
            rows.append((key, outputs, time.perf_counter() - started))
            data = outputs[0]
        return data

    try:
        verified = run(data, chain[:-1])
        run(verified, chain[-1:])
        if kind == EXPRESSION:
            _check_at_verify_sizes(data, verified, lambda other: run(other, chain[:-1]))
            return rows, _warnings(data, verified)
    except Rejected as error:
        return rows, error.diagnostics
    return rows, ()
